// The messages of the medical insurance platform as bytes, the identities of their figures, and what is the
// same and what is not between a hospital's settlements and the centre's. Noise: test/fuzz.test.ts.
import { execFileSync } from 'node:child_process'
import t from 'tap'
import fc from 'fast-check'
import { settleBill } from '../ledger/services/clinic/settle-bill.ts'
import { fundFieldsOf, settlementFieldsOf, type Whose } from '../ledger/services/clinic/national-fields.ts'
import {
  compareLines, compareTotals, lineOf, resultNamed, resultRow, statementRow, totalsOf, type Line
} from '../ledger/services/clinic/reconciliation.ts'
import { brokenIdentities, fundFields, settlementFields } from '../schemas/medical/fields.ts'
import { readLines, readObject, writeLines, writeObject } from '../schemas/medical/layout.ts'
import { buildAnswer, buildRequest, parseAnswer, parseRequest } from '../schemas/medical/message.ts'
import {
  dialects, messageNames, messages, nameOf, numberOf, resultColumns, statementColumns
} from '../schemas/medical/messages.ts'
import { funds, type Bill, type Fund, type RuleSet } from '../schemas/medical/rule-set.ts'
import { unzipOne, zipOne } from '../schemas/medical/zip.ts'

const { national, nationalSixDigits, jiangsuInjury } = dialects
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value), 'utf8')
const textOf = (message: Uint8Array): unknown => JSON.parse(Buffer.from(message).toString('utf8'))

/* ---- the set ---- */

t.test('the set is that of the interface, and a dialect changes what it names', async t => {
  const set = `
    9001 9002 1101 1201 1312 1318 1319 2001 2201 2202 2203 2204 2205 2206 2207 2208 2301 2302 2303 2304 2305
    2401 2402 2403 2404 2405 2601 3201 3202 3260 5203 5204 5206 9101 9102`.trim().split(/\s+/)
  t.strictSame(messageNames.map(name => numberOf(national, name)).sort(), [...set].sort())
  t.strictSame(messageNames.map(name => nameOf(national, numberOf(national, name))), messageNames)
  for (const [number, here, there] of [
    ['2207', 'settle', 'settle'], ['2208', 'cancel', 'cancel'], ['2601', 'reverse', null],
    ['2209', null, 'reverse'], ['1320', null, 'totals'], ['1321', null, 'details'], ['3201', 'totals', null],
    ['9999', null, null]
  ] as const) {
    t.equal(nameOf(national, number), here, number)
    t.equal(nameOf(jiangsuInjury, number), there, `${number} in Jiangsu`)
  }
  const moving = messageNames.filter(name => /^(settles|cancels|reverses)$/.test(messages[name].effect))
  t.strictSame(moving, ['settle', 'cancel', 'inpatientSettle', 'inpatientCancel', 'reverse'])
})

/* ---- golden texts ---- */

const head = {
  msgid: 'H43040000001202603020815300001', mdtrtarea_admvs: '430400', insuplc_admdvs: '430400',
  recer_sys_code: 'YBXT', dev_no: null, dev_safe_info: null, cainfo: null, signtype: null, infver: 'V1.0',
  opter_type: '1', opter: 'T-01', opter_name: '收费员', inf_time: '2026-03-02 08:15:30',
  fixmedins_code: 'H43040000001', fixmedins_name: '市中心医院', sign_no: null
}
const request = {
  infno: '2207', msgid: 'H43040000001202603020815300001', mdtrtarea_admvs: '430400', insuplc_admdvs: '430400',
  recer_sys_code: 'YBXT', infver: 'V1.0', opter_type: '1', opter: 'T-01', opter_name: '收费员',
  inf_time: '2026-03-02 08:15:30', fixmedins_code: 'H43040000001', fixmedins_name: '市中心医院',
  input: {
    data: {
      psn_no: 'P-1', mdtrt_cert_type: '03', mdtrt_cert_no: 'A12345678', med_type: '11',
      medfee_sumamt: '480.00', psn_setlway: '01', mdtrt_id: 'V-1', chrg_bchno: 'B-1',
      acct_used_flag: '1', insutype: '310'
    }
  }
}
const settling = {
  psn_no: 'P-1', mdtrt_cert_type: '03', mdtrt_cert_no: 'A12345678', med_type: '11', medfee_sumamt: 480_00n,
  psn_setlway: '01', mdtrt_id: 'V-1', chrg_bchno: 'B-1', acct_used_flag: '1', insutype: '310'
}

/** G2, written by hand as a centre would. */
const setlinfo = {
  mdtrt_id: 'V-1', setl_id: 'S-1', psn_no: 'P-1', insutype: '310', setl_time: '2026-03-02 08:15:31',
  medfee_sumamt: '480.00', fulamt_ownpay_amt: '100.00', overlmt_selfpay: '0.00', preselfpay_amt: '18.00',
  inscp_scp_amt: '362.00', act_pay_dedc: '100.00', hifp_pay: '157.20', pool_prop_selfpay: '0.6000',
  cvlserv_pay: '0.00', hifes_pay: '0.00', hifmi_pay: '0.00', hifob_pay: '0.00', maf_pay: '0.00',
  oth_pay: '0.00', fund_pay_sumamt: '157.20', psn_part_amt: '322.80', acct_pay: '150.00',
  psn_cash_pay: '172.80', hosp_part_amt: '0.00', balc: '0.00', acct_mulaid_pay: '0.00',
  medins_setl_id: 'H43040000001202603020815300001', clr_optins: '430400', clr_way: '1', clr_type: '11'
}
const setldetail = [{
  fund_pay_type: 'F0', inscp_scp_amt: '262.00', crt_payb_lmt_amt: '1500.00', fund_payamt: '157.20',
  fund_pay_type_name: '统筹基金', setl_proc_info: '统筹基金：262.00 × 60 % = 157.20'
}]
const answer = { infcode: 0, inf_refmsgid: 'C-1', output: { setlinfo, setldetail } }

t.test('2207 there and back', async t => {
  const parsed = parseRequest(national, bytes(request))
  const message = { name: 'settle', body: { data: settling }, head: { ...head, infno: '2207' } }
  t.strictSame(parsed, { ok: true, message })
  t.strictSame(textOf(buildRequest(national, 'settle', head, { data: settling })), request)
  const told = parseAnswer('settle', bytes(answer))
  t.match(told, {
    ok: true,
    message: {
      body: { setlinfo: { hifp_pay: 157_20n, pool_prop_selfpay: 600_000, psn_cash_pay: 172_80n } }
    }
  })
  if (!told.ok || told.message.body === null) throw new Error('not read')
  t.strictSame(textOf(buildAnswer('settle', told.message.head, told.message.body)), answer)
  t.strictSame(brokenIdentities(told.message.body.setlinfo, told.message.body.setldetail), [])
})

const plainRules = {
  area: '430400', name: 'of this test', version: 1, from: '2026-01-01', standing: 'example', sources: [],
  plans: [{
    scheme: 'employee', setting: 'outpatient', levels: ['tier3'], categories: ['active'],
    layers: [
      { kind: 'own-pay', classes: ['C'] }, { kind: 'pre-own', shares: { B: 100_000 } },
      { kind: 'deductible', counter: 'd', rows: [{ name: 'all', visitFen: 100_00 }] },
      {
        kind: 'fund', fund: 'pool', counter: 'p', beyond: 'person', ratePpm: [{ value: 600_000 }],
        yearFenMax: [{ value: 1_500_00 }]
      },
      { kind: 'account', pays: ['deductible', 'coPay', 'overCap'] }, { kind: 'cash' }
    ]
  }]
} satisfies RuleSet
const bill: Bill = {
  scheme: 'employee', setting: 'outpatient', level: 'tier3', date: '2026-03-02',
  person: { category: 'active' },
  items: [
    { item: 'a', class: 'A', amountFen: 200_00 }, { item: 'b', class: 'B', amountFen: 180_00 },
    { item: 'c', class: 'C', amountFen: 100_00 }
  ]
}

t.test('our own split in the words of the message is what a centre writes', async t => {
  const shared = settleBill(bill, plainRules, new Map(), { accountFen: 150_00n, familyFen: 0n, purseFen: 0n })
  if (!shared.ok) throw new Error(shared.reason)
  const whose: Whose = {
    mdtrt_id: 'V-1', setl_id: 'S-1', psn_no: 'P-1', insutype: '310', setl_time: '2026-03-02 08:15:31',
    medins_setl_id: head.msgid, clr_optins: '430400', clr_way: '1', clr_type: '11'
  }
  const types = Object.fromEntries(funds.map((fund, place) => [fund, `F${place}`])) as Record<Fund, string>
  const ours = settlementFieldsOf(shared.split, whose, { balanceFen: 0n })
  t.strictSame(writeObject(settlementFields, ours), setlinfo)
  t.strictSame(fundFieldsOf(shared.split, types).map(row => writeObject(fundFields, row)), setldetail)
  const back = settlementFieldsOf(shared.split, whose, { balanceFen: 150_00n, sign: -1n })
  t.match(writeObject(settlementFields, back), {
    medfee_sumamt: '-480.00', hifp_pay: '-157.20', acct_pay: '-150.00', psn_cash_pay: '-172.80',
    balc: '150.00', pool_prop_selfpay: '0.6000', hosp_part_amt: '0.00'
  })
})

t.test('the other bodies, there and back', async t => {
  const period = { stmt_begndate: '2026-03-02', stmt_enddate: '2026-03-02' }
  const sums = { medfee_sumamt: 480_00n, fund_pay_sumamt: 157_20n }
  const totals = {
    insutype: '310', clr_type: '11', setl_optins: '430400', ...period, ...sums, acct_pay: 150_00n,
    fixmedins_setl_cnt: 1
  }
  const reversal = { data: { psn_no: 'P', omsgid: 'M', oinfno: '2207' } }
  const sent = [
    ['2208', buildRequest(national, 'cancel', head, { data: { setl_id: 'S', mdtrt_id: 'V', psn_no: 'P' } })],
    ['2601', buildRequest(national, 'reverse', head, reversal)],
    ['2209', buildRequest(jiangsuInjury, 'reverse', head, reversal)],
    ['3201', buildRequest(national, 'totals', head, { data: totals })],
    ['3202', buildRequest(national, 'details', head, {
      data: {
        setl_optins: '430400', file_qury_no: 'F-1', ...period, ...sums, cash_payamt: 172_80n,
        fixmedins_setl_cnt: 1, clr_type: '11'
      }
    })],
    ['9001', buildRequest(national, 'signIn', head, { signIn: { opter_no: 'T-01' } })]
  ] as const
  for (const [number, message] of sent) {
    const dialect = number === '2209' ? jiangsuInjury : national
    const parsed = parseRequest(dialect, message)
    if (!parsed.ok) throw new Error(`${number}: ${parsed.field} ${parsed.why}`)
    const { name, head: { infno, ...rest }, body } = parsed.message
    t.equal(infno, number)
    t.strictSame(Buffer.from(buildRequest(dialect, name, rest, body as never)), Buffer.from(message), number)
  }
  t.match(textOf(sent[3][1]), { input: { data: { fixmedins_setl_cnt: 1, medfee_sumamt: '480.00' } } })
  const no = { infcode: -1, err_msg: '人员待遇未享受' }
  t.match(parseAnswer('settle', bytes(no)), { ok: true, message: { head: { infcode: -1 }, body: null } })
  const stmtinfo = { setl_optins: '430400', stmt_rslt: '0', stmt_rslt_dscr: '平' }
  t.match(parseAnswer('totals', bytes({ infcode: 0, output: { stmtinfo } })),
    { ok: true, message: { body: { stmtinfo } } })
})

/* ---- what is not believed ---- */

type Change = (message: Record<string, never>) => void
const changed = (whole: object, change: Change): Uint8Array => {
  const copy = structuredClone(whole) as Record<string, never>
  change(copy)
  return bytes(copy)
}
const at = (message: unknown, ...path: readonly (string | number)[]): Record<string, unknown> =>
  path.reduce((place, name) => (place as Record<string, unknown>)[name], message) as Record<string, unknown>

t.test('an error names the field, and never what a person is', async t => {
  const asked: readonly (readonly [string, Change, string])[] = [
    ['no number', one => { delete at(one).infno }, 'infno is missing'],
    ['a number of nobody', one => { at(one).infno = '7777' }, 'infno no message of this set has that number'],
    ['too long an id', one => { at(one).msgid = 'x'.repeat(31) }, 'msgid is longer than 30 characters'],
    ['a time of no day', one => { at(one).inf_time = '2026-02-30 08:00:00' },
      'inf_time YYYY-MM-DD hh:mm:ss wanted'],
    ['25 hours', one => { at(one).inf_time = '2026-02-28 24:00:00' }, 'inf_time YYYY-MM-DD hh:mm:ss wanted'],
    ['no input', one => { delete at(one).input }, 'input is missing'],
    ['no data', one => { delete at(one, 'input').data }, 'input.data is missing'],
    ['a list of data', one => { at(one, 'input').data = [1] }, 'input.data is no object'],
    ['no person', one => { at(one, 'input', 'data').psn_no = '' }, 'input.data.psn_no is missing'],
    ['three decimals', one => { at(one, 'input', 'data').medfee_sumamt = '480.001' },
      'input.data.medfee_sumamt yuan with at most two decimals wanted'],
    ['a sum gone through floats', one => { at(one, 'input', 'data').medfee_sumamt = 0.1 + 0.2 },
      'input.data.medfee_sumamt yuan with at most two decimals wanted'],
    ['money with a comma', one => { at(one, 'input', 'data').medfee_sumamt = '1,480.00' },
      'input.data.medfee_sumamt yuan with at most two decimals wanted'],
    ['true', one => { at(one, 'input', 'data').mdtrt_id = true }, 'input.data.mdtrt_id text wanted'],
    ['a new line', one => { at(one, 'input', 'data').psn_no = 'SECRET\n' }, 'input.data.psn_no text wanted']
  ]
  for (const [name, change, expected] of asked) {
    const parsed = parseRequest(national, changed(request, change))
    t.equal(parsed.ok ? 'read' : `${parsed.field} ${parsed.why}`, expected, name)
  }
  const answered: readonly (readonly [string, Change, string])[] = [
    ['no code', one => { delete at(one).infcode }, 'infcode is missing'],
    ['no output', one => { delete at(one).output }, 'output is missing'],
    ['no details', one => { delete at(one, 'output').setldetail }, 'output.setldetail is missing'],
    ['details that are none', one => { at(one, 'output').setldetail = {} }, 'output.setldetail is no list'],
    ['a rate in per cent', one => { at(one, 'output', 'setlinfo').pool_prop_selfpay = '60' },
      'output.setlinfo.pool_prop_selfpay a rate from 0 to 1 with at most four decimals wanted'],
    ['a rate above one', one => { at(one, 'output', 'setlinfo').pool_prop_selfpay = '1.0001' },
      'output.setlinfo.pool_prop_selfpay a rate from 0 to 1 with at most four decimals wanted'],
    ['a fund without its money', one => { delete at(one, 'output', 'setldetail', 0).fund_payamt },
      'output.setldetail[0].fund_payamt is missing']
  ]
  for (const [name, change, expected] of answered) {
    const parsed = parseAnswer('settle', changed(answer, change))
    t.equal(parsed.ok ? 'read' : `${parsed.field} ${parsed.why}`, expected, name)
  }
  for (const [what, why] of [
    ['', 'is no JSON'], ['{', 'is no JSON'], ['[]', 'is no object'], ['null', 'is no object']
  ] as const) t.strictSame(parseRequest(national, Buffer.from(what)), { ok: false, field: 'message', why })
  t.match(parseRequest(national, Uint8Array.of(0x22, 0xff, 0x22)), { ok: false, why: 'is no UTF-8' })
  const numbers = changed(request, one => { at(one, 'input', 'data').medfee_sumamt = 480.5 })
  t.match(parseRequest(national, numbers),
    { ok: true, message: { body: { data: { medfee_sumamt: 480_50n } } } })
  for (const [said, ppm] of [
    [0.6, 600_000], ['0.05', 50_000], ['1', 1_000_000], ['0.1234', 123_400]
  ] as const) {
    const rated = changed(answer, one => { at(one, 'output', 'setlinfo').pool_prop_selfpay = said })
    t.match(parseAnswer('settle', rated), { message: { body: { setlinfo: { pool_prop_selfpay: ppm } } } })
  }
  const more = changed(request, one => { at(one, 'input', 'data').exp_content = { a: 1 } })
  t.match(parseRequest(national, more), { ok: true }, 'what a province adds is let pass')
  const data = { setl_id: 'S', mdtrt_id: 'V', psn_no: 'P' }
  t.throws(() => buildRequest(national, 'cancel', head, { data: { ...data, setl_id: '' } }),
    { message: 'setl_id (settlement): is missing' })
  t.throws(() => buildRequest(national, 'cancel', { ...head, msgid: 'x'.repeat(31) }, { data }),
    { message: /^msgid \(.*\): is longer than 30/ })
})

/* ---- identities ---- */

t.test('an identity that does not hold is named', async t => {
  const read = readObject(settlementFields, setlinfo, 'setlinfo')
  const detail = readObject(fundFields, setldetail[0], 'setldetail')
  if (!read.ok || !detail.ok) throw new Error('not read')
  const said = (more: object, details = [detail.value], sign: 1n | -1n = 1n) =>
    brokenIdentities({ ...read.value, ...more }, details, sign).map(({ field, why }) => `${field} ${why}`)
  const byFunds = 'fund_pay_sumamt is not hifp_pay + cvlserv_pay + hifes_pay + hifmi_pay + hifob_pay + ' +
    'maf_pay + oth_pay'
  const byClass = 'medfee_sumamt is not fulamt_ownpay_amt + overlmt_selfpay + preselfpay_amt + inscp_scp_amt'
  const byPayer = 'medfee_sumamt is not fund_pay_sumamt + psn_part_amt + hosp_part_amt'
  const byPerson = 'psn_part_amt is not acct_pay + acct_mulaid_pay + psn_cash_pay'
  for (const [more, expected] of [
    [{}, []], [{ medfee_sumamt: 480_01n }, [byClass, byPayer]], [{ preselfpay_amt: 18_01n }, [byClass]],
    [{ hosp_part_amt: 1n }, [byPayer]], [{ acct_pay: 150_01n }, [byPerson]], [{ maf_pay: 1n }, [byFunds]],
    [{ psn_cash_pay: -1n, acct_pay: 322_81n }, ['psn_cash_pay below zero']]
  ] as const) t.strictSame(said(more), expected, JSON.stringify(Object.keys(more)))
  t.strictSame(said({}, []), ['fund_pay_sumamt is not the sum of setldetail'])
  t.ok(said({}, [detail.value], -1n).includes('medfee_sumamt above zero in a cancelled bill'))
})

/* ---- 3202: files ---- */

const line = (said: string): Line => {
  const [settlement = '', total = '', fund = '', account = '', refund] = said.split(' ')
  const [totalFen, fundFen, accountFen] = [total, fund, account].map(yuan => BigInt(yuan.replace('.', '')))
  return {
    person: 'P-1', visit: 'V-1', settlement, message: `M-${settlement}`, refund: refund === 'refund',
    totalFen: totalFen ?? 0n, fundFen: fundFen ?? 0n, accountFen: accountFen ?? 0n
  }
}

t.test('the file of lines, and of results', async t => {
  const lines = [line('S1 480.00 157.20 150.00'), line('S2 -88.00 -61.60 0.00 refund')]
  const text = 'S1\tV-1\tP-1\t480.00\t157.20\t150.00\t0\nS2\tV-1\tP-1\t-88.00\t-61.60\t0.00\t1\n'
  t.equal(writeLines(statementColumns, lines.map(one => statementRow(one, national))), text)
  for (const ends of ['\n', '\r\n']) {
    const read = readLines(statementColumns, text.replaceAll('\n', ends))
    if (!read.ok) throw new Error(read.why)
    t.strictSame(read.value.map(row => lineOf(row, national)), lines.map(one => ({ ...one, message: null })))
  }
  for (const [said, field, why] of [
    [text.replace('157.20', '157.2x'), 'line 1.fund_pay_sumamt', 'yuan with at most two decimals wanted'],
    [text.replace('P-1\t-88', 'null\t-88'), 'line 2.psn_no', 'is missing'],
    [text.replace('\t1\n', '\n'), 'line 2', 'has 6 cells, not 7']
  ] as const) t.strictSame(readLines(statementColumns, said), { ok: false, field, why })
  t.equal(lineOf({ ...statementRow(lines[0] as Line, national), refd_setl_flag: '7' }, national), null)
  const [equal, missed] = compareLines(lines, [lines[0] as Line])
  if (equal === undefined || missed === undefined) throw new Error('two results')
  const file = writeLines(resultColumns, [equal, missed].map(one => resultRow(one, nationalSixDigits)))
  t.equal(file, 'P-1\tV-1\tS1\tM-S1\t000000\t0\tnull\t480.00\t157.20\t150.00\n' +
    'P-1\tV-1\tS2\tM-S2\t000102\t1\tnull\t-88.00\t-61.60\t0.00\n')
  const back = readLines(resultColumns, file)
  t.ok(back.ok)
  t.strictSame(back.ok ? back.value.map(row => resultNamed(nationalSixDigits, row.stmt_rslt)) : [],
    ['equal', 'institutionMore'])
  t.equal(resultNamed(national, '000102'), null)
})

/** What another program makes of it, or says of what we made. */
const python = (program: string, input: Uint8Array = new Uint8Array()): Buffer =>
  execFileSync('python3', ['-c', `import io, sys, zipfile\n${program}`], { input })

t.test('the archive of 3202, beside another program', async t => {
  const lines = Buffer.from('S1\tV-1\tP-1\t480.00\t157.20\t150.00\t0\n'.repeat(50))
  const ours = zipOne('对账.txt', lines)
  const said = python(`
z = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
assert z.testzip() is None
sys.stdout.buffer.write(z.namelist()[0].encode() + b'|' + z.read(z.namelist()[0]))`, ours)
  t.equal(said.toString('utf8'), `对账.txt|${lines.toString('utf8')}`)
  t.ok(ours.length < lines.length / 4)
  t.strictSame(unzipOne(ours, 1 << 20), { ok: true, name: '对账.txt', bytes: Uint8Array.from(lines) })
  t.strictSame(unzipOne(zipOne('', new Uint8Array()), 0), { ok: true, name: '', bytes: new Uint8Array() })

  const theirs = (method: string, more = '') => python(`
b = io.BytesIO()
z = zipfile.ZipFile(b, 'w', zipfile.${method})
z.writestr('a.txt', 'line\\n' * 9)${more}
z.close()
sys.stdout.buffer.write(b.getvalue())`)
  const bytes = Uint8Array.from(Buffer.from('line\n'.repeat(9)))
  const read = { ok: true, name: 'a.txt', bytes }
  for (const archive of [
    theirs('ZIP_STORED'), theirs('ZIP_DEFLATED'), theirs('ZIP_DEFLATED', "\nz.writestr('folder/', '')"),
    theirs('ZIP_DEFLATED', "\nz.comment = b'PK\\x05\\x06' + b' ' * 40")
  ]) t.strictSame(unzipOne(archive, 45), read)

  for (const [archive, bytesMax, field, why] of [
    [theirs('ZIP_DEFLATED'), 44, 'a.txt', 'is longer than 44 bytes'],
    [theirs('ZIP_STORED', "\nz.writestr('b.txt', '')"), 45, 'archive', 'has 2 files, not one'],
    [theirs('ZIP_BZIP2'), 45, 'a.txt', 'cannot be unpacked'],
    [Buffer.from('no archive'), 45, 'end of central directory', 'is missing: this is no ZIP archive']
  ] as const) t.strictSame(unzipOne(archive, bytesMax), { ok: false, field, why })
  const stored = theirs('ZIP_STORED')
  const changed = Buffer.from(stored)
  changed[stored.indexOf('line')] = 0x4c
  t.strictSame(unzipOne(changed, 45), { ok: false, field: 'a.txt', why: 'is not what its checksum says' })
  for (let cut = 0; cut < ours.length; cut++) {
    t.notOk(unzipOne(ours.subarray(0, cut), 1 << 20).ok, `cut at ${cut}`)
  }
  for (let place = 0; place < ours.length; place++) {
    const broken = Uint8Array.from(ours)
    broken[place] = (broken[place] ?? 0) ^ 0x40
    const found = unzipOne(broken, 1 << 20)
    if (found.ok) t.strictSame(Buffer.from(found.bytes), lines, `changed at ${place}, and read as it was`)
  }
})

/* ---- 3201 and 3202: what is compared ---- */

t.test('lines of the institution beside those of the centre', async t => {
  for (const [name, ours, theirs, expected] of [
    ['equal', ['S1 4.80 1.57 1.50'], ['S1 4.80 1.57 1.50'], ['S1 equal']],
    ['ours alone', ['S1 4.80 1.57 1.50'], [], ['S1 institutionMore']],
    ['theirs alone', [], ['S1 4.80 1.57 1.50'], ['S1 centreMore']],
    ['another fund', ['S1 4.80 1.57 1.50'], ['S1 4.80 1.58 1.50'], ['S1 differ: fund 1.57, centre 1.58']],
    ['another account', ['S1 4.80 1.57 1.50'], ['S1 4.80 1.57 0.00'],
      ['S1 differ: account 1.50, centre 0.00']],
    ['another total', ['S1 4.80 1.57 1.50'], ['S1 4.90 1.57 1.50'], ['S1 differ: total 4.80, centre 4.90']],
    ['a cancelled one meets a cancelled one', ['S1 4.80 1.57 1.50', 'S1 -4.80 -1.57 -1.50 refund'],
      ['S1 4.80 1.57 1.50', 'S1 -4.80 -1.57 -1.50 refund'], ['S1 equal', 'S1 refund equal']],
    ['they did not cancel it', ['S1 4.80 1.57 1.50', 'S1 -4.80 -1.57 -1.50 refund'], ['S1 4.80 1.57 1.50'],
      ['S1 equal', 'S1 refund institutionMore']],
    ['we did not cancel it', ['S1 4.80 1.57 1.50'], ['S1 4.80 1.57 1.50', 'S1 -4.80 -1.57 -1.50 refund'],
      ['S1 equal', 'S1 refund centreMore']],
    ['told twice', ['S1 4.80 1.57 1.50', 'S1 4.80 1.57 1.50'], ['S1 4.80 1.57 1.50'],
      ['S1 equal', 'S1 institutionMore']],
    ['what differs least is paired first', ['S1 4.80 1.57 1.50', 'S1 4.80 1.57 0.00'], ['S1 4.80 1.57 0.00'],
      ['S1 equal', 'S1 institutionMore']]
  ] as const) {
    const said = compareLines(ours.map(line), theirs.map(line)).map(({ result, differs, ...sides }) => {
      const { settlement, refund } = (sides.institution ?? sides.centre) as Line
      const why = differs.length > 0 ? `: ${differs.join(', ')}` : ''
      return `${settlement}${refund ? ' refund' : ''} ${result}${why}`
    })
    t.strictSame(said, expected, name)
  }
  const strange = { ...line('S1 4.80 1.57 1.50'), person: 'P-2' }
  t.match(compareLines([line('S1 4.80 1.57 1.50')], [strange]), [{ result: 'differ', differs: ['person'] }])
})

t.test('totals', async t => {
  const both = ['S1 4.80 1.57 1.50', 'S2 1.00 0.50 0.00']
  for (const [ours, theirs, result, differs] of [
    [both, both, 'equal', []],
    [[], [], 'equal', []],
    [both, both.slice(1), 'institutionMore', ['total 5.80, centre 1.00', 'fund 2.07, centre 0.50',
      'account 1.50, centre 0.00', 'count 2, centre 1']],
    [both.slice(1), both, 'centreMore', ['total 1.00, centre 5.80', 'fund 0.50, centre 2.07',
      'account 0.00, centre 1.50', 'count 1, centre 2']],
    [both, ['S1 4.80 1.57 1.50', 'S2 1.00 0.51 0.00'], 'differ', ['fund 2.07, centre 2.08']],
    [[...both, 'S2 -1.00 -0.50 0.00 refund'], both.slice(0, 1), 'equal', []]
  ] as const) {
    t.strictSame(compareTotals(totalsOf(ours.map(line)), totalsOf(theirs.map(line))), { result, differs })
  }
  const cancelled = [...both, 'S2 -1.00 -0.50 0.00 refund'].map(line)
  t.strictSame([-1, 0, 1].map(refund => totalsOf(cancelled, refund as -1).count), [1, 2, 3])
  t.strictSame(['0', '1', '2', '3'].map(code => resultNamed(national, code)),
    ['equal', 'centreMore', 'institutionMore', 'differ'])
})

const someLines = fc.array(fc.record({
  settlement: fc.constantFrom('S1', 'S2', 'S3'), refund: fc.boolean(), totalFen: fc.bigInt(-2n, 2n),
  fundFen: fc.bigInt(0n, 1n), accountFen: fc.constant(0n), person: fc.constantFrom('P-1', 'P-2'),
  visit: fc.constant('V-1'), message: fc.constant('M-1')
}), { maxLength: 10 })

t.test('any two lists: every line in one result, in whatever order, from either side', async t => {
  const mirror = {
    centreMore: 'institutionMore', institutionMore: 'centreMore', equal: 'equal', differ: 'differ'
  } as const
  const tally = (all: readonly string[]) => JSON.stringify([...all].sort())
  const asText = (one: Line | null): string =>
    one === null ? '-' : `${one.settlement} ${one.refund} ${one.totalFen} ${one.fundFen} ${one.person}`
  fc.assert(fc.property(someLines, someLines, (ours, theirs) => {
    const results = compareLines(ours, theirs)
    const seen = (side: 'institution' | 'centre') =>
      tally(results.flatMap(one => one[side] === null ? [] : [asText(one[side])]))
    if (seen('institution') !== tally(ours.map(asText))) throw new Error('a line of ours is lost or doubled')
    if (seen('centre') !== tally(theirs.map(asText))) throw new Error('a line of theirs is lost or doubled')
    const count = (from: readonly Line[], to: readonly Line[]) =>
      tally(compareLines(from, to).map(({ result }) => result))
    const straight = results.map(({ result }) => result)
    const [turned, swapped] = [count([...ours].reverse(), [...theirs].reverse()), count(theirs, ours)]
    if (turned !== tally(straight)) throw new Error('the order counts')
    if (swapped !== tally(straight.map(result => mirror[result]))) throw new Error('the side counts')
  }), { numRuns: 1_000 })
})
