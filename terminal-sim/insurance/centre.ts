// What a centre of medical insurance knows and does: bills by a calculator of its own, each message once,
// what was reversed never. It refuses to know sockets.
import { localDate, localTime } from '../../runtime/instants.ts'
import type { FundFields, SettlementFields } from '../../schemas/medical/fields.ts'
import type { AnswerBody, RequestHead, RequestMessage } from '../../schemas/medical/message.ts'
import { compareTotals, resultFile, totalsOf, type Line } from './comparing.ts'
import { slowly, type Slow, type SlowBill, type SlowItem } from './slowly.ts'

export type Settled = {
  readonly no: string, readonly msgid: string, readonly person: string, readonly visit: string
  readonly institution: string, readonly insurance: string, readonly clearing: string, readonly date: string
  readonly bill: SlowBill
  got: Slow
  /** The message that took it back, and when; null while it counts. */
  back: { readonly msgid: string, readonly date: string } | null
}

/** What goes out: a body, or why there is none. */
export type Said = { readonly body: unknown } | { readonly no: string }

export type Centre = {
  readonly persons: Map<string, { insured: SlowBill['insured'], account: bigint }>
  /** Levels by the code of an institution. */
  readonly levels: Map<string, SlowBill['level']>
  readonly settled: Settled[]
  /** Message by message, as the wire has brought them. */
  readonly answer: (message: RequestMessage) => Said
}

export function createCentre ({ now }: { readonly now: () => number }): Centre {
  const persons: Centre['persons'] = new Map()
  const levels: Centre['levels'] = new Map()
  const settled: Settled[] = []
  const items = new Map<string, SlowItem[]>()
  const done = new Map<string, AnswerBody<'settle'>>()
  const reversed = new Set<string>()
  const files = new Map<string, Uint8Array>()

  const live = (): Settled[] => settled.filter(({ back }) => back === null)
  const batchKey = (person: string, visit: string, batch: string): string =>
    JSON.stringify([person, visit, batch])

  function answer (message: RequestMessage): Said {
    const { head, name } = message
    switch (name) {
      case 'items': {
        for (const one of message.body.feedetail) {
          const key = batchKey(one.psn_no, one.mdtrt_id, one.chrg_bchno)
          items.set(key, [...items.get(key) ?? [], itemOf(one)])
        }
        return { body: {} }
      }
      case 'preSettle': case 'inpatientPreSettle': {
        const made = made1(head, message.body.data, name === 'inpatientPreSettle')
        return 'no' in made ? made : { body: bodyOf(made, { msgid: head.msgid, no: null }) }
      }
      case 'settle': case 'inpatientSettle':
        return once(head.msgid, () => settle(head, message.body.data, name === 'inpatientSettle'))
      case 'cancel': return once(head.msgid, () => cancel(head, message.body.data))
      case 'reverse': return reverse(head, message.body.data.omsgid)
      case 'settlementQuery': {
        const found = done.get(message.body.data.medins_setl_id ?? '')
        return found === undefined ? { no: '未查询到结算信息' } : { body: found }
      }
      case 'totals': {
        const ours = totalsOf(linesOf(head, message.body.data))
        const { data } = message.body
        const theirs = {
          total: data.medfee_sumamt, fund: data.fund_pay_sumamt, account: data.acct_pay,
          count: data.fixmedins_setl_cnt
        }
        return {
          body: {
            stmtinfo: {
              setl_optins: data.setl_optins, stmt_rslt: compareTotals(theirs, ours), stmt_rslt_dscr: null
            }
          }
        }
      }
      case 'upload': return fileNamed(stored(Buffer.from(message.body.fsUploadIn.in, 'base64')))
      case 'details': {
        const { data } = message.body
        const file = files.get(data.file_qury_no)
        const result = file === undefined ? null : resultFile(file, linesOf(head, data))
        return result === null ? { no: '对账文件不存在或格式错误' } : fileNamed(stored(result))
      }
      case 'download': {
        const { file_qury_no: no, filename } = message.body.fsDownloadIn
        const file = files.get(no)
        return file === undefined
          ? { no: '文件不存在' }
          : { body: { fsDownloadOut: { filename, in: Buffer.from(file).toString('base64') } } }
      }
      default: return { no: '该交易未开通' }
    }
  }

  /** The same message again gets its first answer; one that was reversed, before or after it came, none. */
  function once (msgid: string, work: () => { body: AnswerBody<'settle'> } | { no: string }): Said {
    if (reversed.has(msgid)) return { no: '该报文已冲正' }
    const before = done.get(msgid)
    if (before !== undefined) return { body: before }
    const said = work()
    if ('body' in said) done.set(msgid, said.body)
    return said
  }

  type Made = { readonly bill: SlowBill, readonly got: Slow, readonly person: string, readonly visit: string }
  type Asked = Extract<RequestMessage, { name: 'settle' }>['body']['data']

  function made1 (head: RequestHead, data: Asked, stay: boolean): Made | { no: string } {
    const { psn_no: person, mdtrt_id: visit, chrg_bchno: batch } = data
    const known = persons.get(person)
    const level = levels.get(head.fixmedins_code)
    const its = items.get(batchKey(person, visit, batch))
    if (known === undefined) return { no: '参保人不存在' }
    if (level === undefined) return { no: '定点医药机构不存在' }
    if (its === undefined) return { no: '费用明细不存在' }
    const sum = its.reduce((all, { fen }) => all + fen, 0n)
    if (sum !== data.medfee_sumamt) return { no: '总费用与明细不符' }
    const bill: SlowBill = {
      insured: known.insured, stay, level, items: its, family: 0n, purse: 0n,
      account: data.acct_used_flag === '1' ? known.account : 0n
    }
    const earlier = live().filter(one => one.person === person && sameYear(one.date, today()))
    return { bill, got: slowly(earlier, bill), person, visit }
  }

  function settle (head: RequestHead, data: Asked, stay: boolean) {
    const made = made1(head, data, stay)
    if ('no' in made) return made
    const no = `S${settled.length + 1}`
    settled.push({
      ...made, no, msgid: head.msgid, institution: head.fixmedins_code, insurance: data.insutype,
      clearing: data.med_type, date: today(), back: null
    })
    moveAccount(made.person, -made.got.account)
    return { body: bodyOf(made, { msgid: head.msgid, no }) }
  }

  function cancel (head: RequestHead, { setl_id: no }: { readonly setl_id: string }) {
    const found = settled.find(one => one.no === no)
    if (found === undefined || found.back !== null) return { no: '结算信息不存在或已退费' }
    takeBack(found, head.msgid)
    return { body: bodyOf(found, { msgid: head.msgid, no }, -1n) }
  }

  function takeBack (one: Settled, msgid: string): void {
    one.back = { msgid, date: today() }
    moveAccount(one.person, one.got.account)
  }

  function reverse (_head: RequestHead, original: string): Said {
    if (!reversed.has(original)) {
      reversed.add(original)
      done.delete(original)
      const made = settled.find(one => one.msgid === original && one.back === null)
      const back = settled.find(one => one.back?.msgid === original)
      if (made !== undefined) takeBack(made, original)
      else if (back !== undefined) {
        back.back = null
        moveAccount(back.person, -back.got.account)
      }
    }
    return { body: {} }
  }

  function moveAccount (person: string, fen: bigint): void {
    const known = persons.get(person)
    if (known !== undefined) known.account += fen
  }

  /** What counts between two days: a bill, and what takes it back as a line below zero. */
  function linesOf ({ fixmedins_code: code }: RequestHead, {
    insutype, clr_type: clearing, stmt_begndate: from,
    stmt_enddate: to
  }: {
    readonly insutype?: string, readonly clr_type: string, readonly stmt_begndate: string,
    readonly stmt_enddate: string
  }): Line[] {
    const within = (date: string): boolean => date >= from && date <= to
    return settled.filter(one => one.institution === code && one.clearing === clearing &&
      (insutype === undefined || one.insurance === insutype)).flatMap(one => [
      ...within(one.date) ? [lineOf(one, 1n)] : [],
      ...one.back !== null && within(one.back.date) ? [lineOf(one, -1n)] : []
    ])
  }

  const today = (): string => localDate(now())
  const stored = (bytes: Uint8Array): string => {
    const no = `F${files.size + 1}`
    files.set(no, bytes)
    return no
  }

  function bodyOf (
    { person, visit, got }: Pick<Settled, 'person' | 'visit' | 'got'>,
    { msgid, no }: { readonly msgid: string, readonly no: string | null }, sign: 1n | -1n = 1n
  ): AnswerBody<'settle'> {
    const time = `${localDate(now())} ${localTime(now())}`
    const balance = persons.get(person)?.account ?? 0n
    return {
      setlinfo: { ...amountsOf(got, sign), ...namesOf({ person, visit, msgid, no, time }), balc: balance },
      setldetail: fundsOf(got, sign)
    }
  }

  return { persons, levels, settled, answer }
}

const fileNamed = (no: string): Said => ({ body: { fileinfo: { file_qury_no: no } } })

/* ---- figures ---- */

const classes = { '01': 'A', '02': 'B', '03': 'C' } as const

type Detail = Extract<RequestMessage, { name: 'items' }>['body']['feedetail'][number]

const itemOf = (one: Detail): SlowItem => ({
  class: classes[one.chrgitm_lv as keyof typeof classes] ?? 'C', fen: one.det_item_fee_sumamt,
  limit: one.pric_uplmt_amt, ownPerMille: one.selfpay_prop === null ? null : BigInt(one.selfpay_prop / 1_000)
})

const fundsIn = ({ pool, largeSum, seriousIllness }: Slow): bigint => pool + largeSum + seriousIllness

const totalIn = ({ own, overLimit, preOwn, scope }: Slow): bigint => own + overLimit + preOwn + scope

function amountsOf (got: Slow, sign: 1n | -1n) {
  const person = got.account + got.family + got.purse + got.cash
  const amounts = {
    medfee_sumamt: totalIn(got), fulamt_ownpay_amt: got.own, overlmt_selfpay: got.overLimit,
    preselfpay_amt: got.preOwn, inscp_scp_amt: got.scope, act_pay_dedc: got.deductible, hifp_pay: got.pool,
    cvlserv_pay: 0n, hifes_pay: 0n, hifmi_pay: got.seriousIllness, hifob_pay: got.largeSum, maf_pay: 0n,
    oth_pay: 0n, fund_pay_sumamt: fundsIn(got), psn_part_amt: person, acct_pay: got.account,
    psn_cash_pay: got.purse + got.cash, hosp_part_amt: 0n, acct_mulaid_pay: got.family
  }
  const signed = Object.entries(amounts).map(([name, fen]) => [name, fen * sign])
  return Object.fromEntries(signed) as typeof amounts
}

const namesOf = ({ person, visit, msgid, no, time }: {
  readonly person: string, readonly visit: string, readonly msgid: string, readonly no: string | null,
  readonly time: string
}) => ({
  mdtrt_id: visit, setl_id: no, psn_no: person, insutype: null, setl_time: time, pool_prop_selfpay: 0,
  medins_setl_id: msgid, clr_optins: null, clr_way: null, clr_type: null
}) satisfies Partial<SettlementFields>

/** Numbers of funds as provinces give them; made up. */
const fundNames = [
  ['pool', '310100', '统筹基金'], ['largeSum', '330100', '大额医疗费用补助'],
  ['seriousIllness', '390200', '居民大病保险']
] as const

const fundsOf = (got: Slow, sign: 1n | -1n): FundFields[] => fundNames.flatMap(([fund, type, name]) =>
  got[fund] === 0n
    ? []
    : [{
        fund_pay_type: type, inscp_scp_amt: got.scope * sign, crt_payb_lmt_amt: null,
        fund_payamt: got[fund] * sign, fund_pay_type_name: name, setl_proc_info: null
      }])

const lineOf = ({ no, person, visit, msgid, got }: Settled, sign: 1n | -1n): Line => ({
  no, person, visit, msgid, isBack: sign === -1n, total: totalIn(got) * sign, fund: fundsIn(got) * sign,
  account: got.account * sign
})

const sameYear = (one: string, other: string): boolean => one.slice(0, 4) === other.slice(0, 4)
