// A hospital that speaks the national messages to the ledger's door: envelopes as it would write them, by
// hand. Figures are those of the golden calculations; the identities of the messages hold in every answer.
import t from 'tap'
import { readLines, readList, readObject, writeLines } from '../schemas/medical/layout.ts'
import { brokenIdentities, fundFields, settlementFields } from '../schemas/medical/fields.ts'
import { resultColumns, statementColumns } from '../schemas/medical/messages.ts'
import { unzipOne, zipOne } from '../schemas/medical/zip.ts'
import { startInsuranceCentre } from '../terminal-sim/insurance/server.ts'
import { books, credit, faults, openClinic, topUp, year } from './support/clinic.ts'
import { startDoors, type Door } from './support/ledger-http.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const codes = {
  dialect: 'national', code: 'H43040000001', insurances: { employee: '310', resident: '390' },
  care: { outpatient: '11', inpatient: '21' }, clearing: { outpatient: '11', inpatient: '21' },
  funds: {
    pool: '310100', civilServant: '320100', enterprise: '370100', seriousIllness: '390200',
    largeSum: '330100', assistance: '610100', other: '999996'
  },
  online: false
}
async function opened (more: object = {}): Promise<Door> {
  const door = await openClinic(doors)
  await door.ok('registrar', 'PUT', '/v1/clinic/HOS/national', { ...codes, ...more })
  return door
}

type Answer = { infcode: number, err_msg?: string, output?: Record<string, never> }
let nth = 0
const msgid = (): string => `H4304000000120260302100000${String(++nth).padStart(4, '0')}`
const envelope = (infno: string, input: unknown, id = msgid()) => ({
  infno, msgid: id, mdtrtarea_admvs: '430400', insuplc_admdvs: '430400', recer_sys_code: 'YBXT',
  infver: 'V1.0', opter_type: '1', opter: '0001', opter_name: '张三', inf_time: '2026-03-02 10:00:00',
  fixmedins_code: codes.code, fixmedins_name: '医院', input
})
const post = async (door: Door, json: object): Promise<Answer> =>
  await door.ok('gateway', 'POST', '/v1/clinic/HOS/national', json) as never
const tell = async (door: Door, infno: string, input: unknown, id?: string): Promise<Answer> =>
  await post(door, envelope(infno, input, id))

const line = (no: string, level: string, amount: string, more: object = {}) => ({
  feedetl_sn: no, mdtrt_id: 'V1', psn_no: 'P1', chrg_bchno: 'B1', med_list_codg: `XM-${no}`,
  det_item_fee_sumamt: amount, chrgitm_lv: level, ...more
})
const g1 = { feedetail: [line('1', '01', '200.00'), line('2', '02', '180.00'), line('3', '03', '100.00')] }
const bill = (more: object = {}) => ({
  data: {
    psn_no: 'P1', mdtrt_cert_type: '03', mdtrt_cert_no: 'x', med_type: '11', medfee_sumamt: '480.00',
    psn_setlway: '01', mdtrt_id: 'V1', chrg_bchno: 'B1', acct_used_flag: '0', insutype: '310', ...more
  }
})
/** Fund, account, cash and balance, and that the answer is sound. */
function shown (answer: Answer, sign: 1n | -1n = 1n): string {
  if (answer.infcode !== 0) return `${answer.infcode} ${answer.err_msg}`
  const { setlinfo, setldetail } = answer.output as unknown as { setlinfo: object, setldetail: object[] }
  const [info, rows] = [readObject(settlementFields, setlinfo, 's'), readList(fundFields, setldetail, 'd')]
  if (!info.ok || !rows.ok) return JSON.stringify([info, rows])
  const broken = brokenIdentities(info.value, rows.value, sign)
  if (broken.length > 0) return JSON.stringify(broken)
  const { hifp_pay: pool, acct_pay: account, psn_cash_pay: cash, act_pay_dedc: deductible } = info.value
  return [deductible, pool, account, cash].join(' ')
}
const numberIn = (answer: Answer): string =>
  (answer.output as unknown as { setlinfo: { setl_id: string } }).setlinfo.setl_id

t.test('G1 and G2: uploaded, looked at, settled, asked after, cancelled, settled anew, reversed', async t => {
  const door = await opened()
  await credit(door, 'P1', 15_000)
  const before = await books(door)
  t.equal((await tell(door, '2204', g1)).infcode, 0)
  t.equal((await tell(door, '2204', g1)).infcode, 0, 'the same lines are the same')
  t.equal(shown(await tell(door, '2206', bill())), '10000 15720 0 32280')
  const account = bill({ acct_used_flag: '1' })
  t.equal(shown(await tell(door, '2207', account)), '-1 预结算已失效，请重新预结算', 'it was shown without')
  t.equal(shown(await tell(door, '2206', account)), '10000 15720 15000 17280')
  t.strictSame([await books(door), await year(door)], [before, {}], 'nothing moves')
  const id = msgid()
  const done = await tell(door, '2207', account, id)
  t.equal(shown(done), '10000 15720 15000 17280')
  t.equal(shown(await tell(door, '2207', account, id)), '10000 15720 15000 17280', 'a repeat')
  t.match(shown(await tell(door, '2207', account)), /^-1 批次 B1 已结算/)
  const itemsBack = async (batch: string) =>
    await tell(door, '2205', { data: { mdtrt_id: 'V1', psn_no: 'P1', chrg_bchno: batch } })
  t.match(shown(await itemsBack('B1')), /^-1 .*2208/)
  t.equal((await itemsBack('0000')).infcode, 0)
  const query = { data: { psn_no: 'P1', mdtrt_id: null, setl_id: null, medins_setl_id: id } }
  t.equal(shown(await tell(door, '5203', query)), '10000 15720 15000 17280')
  const back = { data: { setl_id: numberIn(done), mdtrt_id: 'V1', psn_no: 'P1' } }
  t.equal(shown(await tell(door, '2208', back), -1n), '-10000 -15720 -15000 -17280')
  t.match(shown(await tell(door, '2208', back)), /^-1 该结算已撤销/)
  t.match(shown(await tell(door, '5203', query)), /^-1 结算记录不存在/)
  t.strictSame(await books(door), before)
  t.equal(shown(await tell(door, '2206', bill())), '10000 15720 0 32280', 'items are still there')
  const again = msgid()
  t.equal(shown(await tell(door, '2207', bill(), again)), '10000 15720 0 32280')
  t.equal((await books(door))['medical/receivable-bureau'], -15_720)
  const reversal = { data: { psn_no: 'P1', omsgid: again, oinfno: '2207' } }
  t.equal((await tell(door, '2601', reversal)).infcode, 0)
  t.strictSame(await books(door), before)
  t.equal(shown(await tell(door, '2207', bill(), again)), '-1 该报文已被冲正')
  t.equal((await itemsBack('0000')).infcode, 0)
  t.match(shown(await tell(door, '2206', bill())), /^-1 批次 B1 没有/)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('G6: a stay; the online account pays what was cash', async t => {
  const door = await opened({ online: true })
  await topUp(door, 0, 50_000)
  const stay = { mdtrt_id: 'S1', chrg_bchno: 'C1' }
  const items = [
    line('1', '01', '12000.00', stay), line('2', '02', '6000.00', stay), line('3', '03', '2000.00', stay)]
  t.equal((await tell(door, '2301', { feedetail: items })).infcode, 0)
  const asked = bill({ ...stay, med_type: '21', medfee_sumamt: '20000.00' })
  t.equal(shown(await tell(door, '2303', asked)), '120000 1377000 0 623000')
  const done = await tell(door, '2304', asked)
  t.equal(shown(done), '120000 1377000 0 623000')
  const found = await books(door)
  t.equal(found['commerce/merchant-pending/HOS'], 50_000, 'of 6,230.00 in cash the account had 500.00')
  t.equal(found['medical/merchant-pending/HOS'], 1_377_000)
  t.equal(shown(await tell(door, '2305', { data: { setl_id: numberIn(done), ...stay, psn_no: 'P1' } }), -1n),
    '-120000 -1377000 0 -623000')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('a period is compared: totals, lines, the result file', async t => {
  const door = await opened()
  const day = {
    stmt_begndate: '2026-03-02', stmt_enddate: '2026-03-02', clr_type: '11', setl_optins: '430400'
  }
  await tell(door, '2204', g1)
  const done = await tell(door, '2207', bill())
  const other = { mdtrt_id: 'V2', chrg_bchno: 'B2' }
  await tell(door, '2204', { feedetail: [line('1', '01', '88.00', other)] })
  const second = await tell(door, '2207', bill({ ...other, medfee_sumamt: '88.00' }))
  t.equal(shown(second), '8800 0 0 8800', '100 of the deductible are not reached')
  await tell(door, '2208', { data: { setl_id: numberIn(second), mdtrt_id: 'V2', psn_no: 'P1' } })
  const totals = async (count: number, total: string, more: object = {}) => (await tell(door, '3201', {
    data: {
      ...day, insutype: '310', medfee_sumamt: total, fund_pay_sumamt: '157.20', acct_pay: '0.00',
      fixmedins_setl_cnt: count, ...more
    }
  })).output?.['stmtinfo'] as unknown as { stmt_rslt: string, stmt_rslt_dscr?: string }
  t.strictSame(await totals(1, '480.00'), { setl_optins: '430400', stmt_rslt: '0' })
  t.equal((await totals(2, '480.00')).stmt_rslt, '2')
  t.equal((await totals(0, '480.00')).stmt_rslt, '1')
  t.match(await totals(1, '480.01'), { stmt_rslt: '3', stmt_rslt_dscr: 'total 480.01, centre 480.00' })
  t.equal((await totals(0, '0.00', { insutype: '390', fund_pay_sumamt: '0.00' })).stmt_rslt, '0')
  const row = (setl: string, visit: string, total: bigint, flag: string) => ({
    setl_id: setl, mdtrt_id: visit, psn_no: 'P1', medfee_sumamt: total,
    fund_pay_sumamt: flag === '1' ? 0n : 15_720n, acct_pay: 0n, refd_setl_flag: flag
  })
  // The first is told with a fen more, the second's cancellation, and one that was never settled here.
  const file = writeLines(statementColumns, [
    row(numberIn(done), 'V1', 48_001n, '0'), row(numberIn(second), 'V2', -8_800n, '1'),
    row('777', 'V7', 100n, '0')])
  const sent = await tell(door, '9101', {
    fsUploadIn: { filename: 'a.zip', in: Buffer.from(zipOne('a.txt', Buffer.from(file))).toString('base64') }
  })
  const fileIn = (answer: Answer) =>
    (answer.output as unknown as { fileinfo: { file_qury_no: string } }).fileinfo.file_qury_no
  const compare = {
    ...day, medfee_sumamt: '480.01', fund_pay_sumamt: '157.20', cash_payamt: '0.00', fixmedins_setl_cnt: 1
  }
  const result = await tell(door, '3202', { data: { ...compare, file_qury_no: fileIn(sent) } })
  const came = await tell(door, '9102', { fsDownloadIn: { file_qury_no: fileIn(result), filename: 'r.zip' } })
  const { in: coded } = came.output?.['fsDownloadOut'] as unknown as { in: string }
  const unzipped = unzipOne(Buffer.from(coded, 'base64'), 1_000_000)
  const rows = unzipped.ok ? readLines(resultColumns, Buffer.from(unzipped.bytes).toString()) : null
  t.strictSame(rows?.ok === true
    ? rows.value.map(one => `${one.mdtrt_id} ${one.refd_setl_flag} ${one.stmt_rslt}`).sort()
    : rows, ['V1 0 3', 'V2 0 1', 'V2 1 0', 'V7 0 2'])
  t.match(shown(await tell(door, '3202', { data: { ...compare, file_qury_no: '999' } })), /^-1 文件不存在/)
  const missing = { fsDownloadIn: { file_qury_no: 'x', filename: 'r.zip' } }
  t.match(shown(await tell(door, '9102', missing)), /^-1 文件不存在/)
  const junk = await tell(door, '9101', { fsUploadIn: { filename: 'a.zip', in: 'AAAA' } })
  t.match(shown(await tell(door, '3202', { data: { ...compare, file_qury_no: fileIn(junk) } })), /^-1 文件有误/)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('what is wrong is said in the answer, and nothing moves', async t => {
  const door = await opened()
  await tell(door, '2204', g1)
  const before = await books(door)
  const rows: readonly (readonly [infno: string, input: unknown, says: RegExp])[] = [
    ['2207', bill({ medfee_sumamt: '480.01' }), /medfee_sumamt/],
    ['2207', bill({ insutype: '390' }), /insutype/],
    ['2207', bill({ med_type: '14' }), /med_type/],
    ['2207', bill({ psn_no: 'P9' }), /未找到参保人/],
    ['2207', bill({ psn_no: 'P2' }), /没有该人员/],
    ['2207', bill({ chrg_bchno: 'B9' }), /没有该人员/],
    ['2207', { data: { psn_no: 'P1' } }, /input\.data\.mdtrt_cert_type is missing/],
    ['2204', { feedetail: [line('2', '02', '180.01')] }, /内容不同/],
    ['2204', { feedetail: [line('4', '09', '1.00')] }, /chrgitm_lv/],
    ['2204', { feedetail: [line('4', '01', '-1.00')] }, /det_item_fee_sumamt/],
    ['2204', { feedetail: [line('4', '01', '1.00', { psn_no: 'P2' })] }, /属于其他人员/],
    ['2205', { data: { mdtrt_id: 'V1', psn_no: 'P1', chrg_bchno: 'B9' } }, /不存在/],
    ['2208', { data: { setl_id: 'x', mdtrt_id: 'V1', psn_no: 'P1' } }, /不存在/],
    ['2208', { data: { setl_id: '77', mdtrt_id: 'V1', psn_no: 'P1' } }, /不存在/],
    ['2601', { data: { psn_no: 'P1', omsgid: 'm', oinfno: '2204' } }, /oinfno/],
    ['2601', { data: { psn_no: 'P1', omsgid: '*', oinfno: '2207' } }, /omsgid/],
    ['5203', { data: { psn_no: 'P1' } }, /不存在/],
    ['2201', { data: {} }, /不受理/],
    ['0000', {}, /infno/]
  ]
  for (const [infno, input, says] of rows) {
    const { infcode, err_msg: words = '', output } = await tell(door, infno, input)
    t.strictSame([infcode, output], [-1, undefined], `${infno} ${says}`)
    t.match(words, says)
  }
  const stranger = { ...envelope('2207', bill()), fixmedins_code: 'H1' }
  t.match(await post(door, stranger), { infcode: -1, err_msg: /fixmedins/ })
  t.match(await post(door, { hello: 1 }), { infcode: -1, err_msg: /infno/ })
  t.strictSame(await books(door), before)
  const path = '/v1/clinic/TWO/national'
  const none = await door.ask('gateway', 'POST', path, { json: envelope('2206', bill()) })
  t.strictSame([none.status, none.json.reason], [409, 'conditions_not_met'], 'not set up')
  t.equal((await door.ask('gateway', 'POST', '/v1/clinic/BUS/national', { json: {} })).status, 404)
  const enter = async (party: string, json: object) =>
    (await door.ask('registrar', 'PUT', `/v1/clinic/${party}/national`, { json })).status
  t.equal(await enter('BUS', codes), 404)
  t.equal(await enter('TWO', { ...codes, code: '' }), 400)
  t.equal((await door.ask('auditor', 'POST', '/v1/clinic/HOS/national', { json: {} })).status, 403)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('a reversal that overtakes, two at once, and a centre that is silent', async t => {
  const door = await opened()
  await tell(door, '2204', g1)
  const before = await books(door)
  const late = msgid()
  t.equal((await tell(door, '2601', { data: { psn_no: 'P1', omsgid: late, oinfno: '2207' } })).infcode, 0)
  t.equal(shown(await tell(door, '2207', bill(), late)), '-1 该报文已被冲正')
  t.strictSame(await books(door), before)
  const both = await Promise.all([tell(door, '2207', bill()), tell(door, '2207', bill())])
  t.strictSame(both.map(({ infcode }) => infcode).sort(), [-1, 0], 'a batch is settled once')
  const centre = await startInsuranceCentre({ now: () => door.clock.now() })
  t.teardown(() => centre.close())
  centre.persons.set('P1', { insured: 'active', account: 0n })
  centre.levels.set('H4304000001', 'tier3-city')
  await door.ok('registrar', 'PUT', '/v1/clinic/HOS', { level: 'tier3-city', code: 'H4304000001' })
  await door.ok('registrar', 'PUT', '/v1/clinic/centres', {
    centres: [{
      area: '430400', url: centre.url, dialect: 'national', answerMs: 400, receiver: 'YBXT',
      insurances: codes.insurances, care: codes.care, clearing: codes.clearing
    }]
  })
  const other = { mdtrt_id: 'V2', chrg_bchno: 'B2' }
  await tell(door, '2204', { feedetail: [line('1', '01', '88.00', other)] })
  centre.lose('2207', 'answer')
  const id = msgid()
  const asked = bill({ ...other, medfee_sumamt: '88.00' })
  const json = envelope('2207', asked, id)
  const lost = await door.ask('gateway', 'POST', '/v1/clinic/HOS/national', { json })
  t.strictSame([lost.status, lost.json.reason], [503, 'unavailable'], 'no answer says that it was not done')
  t.match(shown(await tell(door, '2207', asked)), /^-1 批次 B2 已结算或结算中/)
  t.equal((await tell(door, '2601', { data: { psn_no: 'P1', omsgid: id, oinfno: '2207' } })).infcode, 0)
  t.equal(centre.settled.filter(one => one.back === null).length, 0)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('the account of the hospital is closed: a problem of ours, and nothing moves', async t => {
  const door = await opened()
  await door.ok('registrar', 'PUT', '/v1/clinic/TWO/national', codes)
  await door.ok('gateway', 'POST', '/v1/clinic/TWO/national', envelope('2204', g1))
  const { id } = await door.ok('settler', 'POST', '/v1/proposals', {
    kind: 'account_closing', reason: 'it moves away',
    body: { account: 'medical/merchant-pending/TWO', open: false }
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  const before = await books(door)
  const json = envelope('2207', bill())
  const closed = await door.ask('gateway', 'POST', '/v1/clinic/TWO/national', { json })
  t.strictSame([closed.status, closed.json.reason], [422, 'registry_invalid'])
  t.strictSame(await books(door), before)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
