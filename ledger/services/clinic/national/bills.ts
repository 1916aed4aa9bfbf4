// Bills of the national messages: looked at ahead (2206), settled (2207), cancelled (2208), reversed (2601),
// asked after (5203). Made of what was uploaded, decided at the one door for bills, told in the fields of the
// messages. It refuses to know envelopes.
import { Value } from 'typebox/value'
import { formatIso } from '../../../../runtime/instants.ts'
import { MessageId, SettlementNo, type ClinicLook } from '../../../../schemas/medical/clinic.ts'
import type { AnswerBody, RequestBody } from '../../../../schemas/medical/message.ts'
import { dialects, nameOf, rowOf } from '../../../../schemas/medical/messages.ts'
import type { Bill } from '../../../../schemas/medical/rule-set.ts'
import {
  findMessage, findPerson, findSettlement, lockPerson, settledAtMs, type PersonRow
} from '../../../store/clinic.ts'
import { lockBatches, noteBatch, type BatchRow } from '../../../store/clinic-national.ts'
import { inTransaction } from '../../../store/db.ts'
import { askWithCentre } from '../centre/exchange.ts'
import { atClinic } from '../desk.ts'
import { accountBalance } from '../money.ts'
import { fundFieldsOf, settlementFieldsOf } from '../national-fields.ts'
import type { Split } from '../settle-bill.ts'
import { billedOf, decided } from '../standing.ts'
import { splitFrom } from '../stored.ts'
import { noOf, type At, type Said } from './door.ts'
import { isTaken } from './items.ts'

type Setting = Bill['setting']
type Settling = RequestBody<'settle'>['data']

/** What is shown holds for the settlement of this batch, or until its items change. */
export async function look (at: At, setting: Setting, message: string, data: Settling): Promise<Said> {
  const { ledger, party, client, partyId } = at
  const found = await batchFor(at, setting, data, null)
  if ('no' in found) return found
  const { person, batch, asked } = found
  const reply = await askWithCentre(ledger, { party, client }, { do: 'pre_settle', ...asked })
  const no = noOf(reply)
  if (no !== null) return no
  const split = await atClinic(ledger, { party, client }, async desk => {
    const locked = await lockPerson(desk.tx, asked.person)
    if (locked === null) return null
    const request = { ...await billedOf(desk, locked, asked), do: 'pre_settle', message: '' } as const
    const { reply: shown } = await decided(desk, locked, request)
    return shown.outcome === 'approved' && shown.does === 'shown' ? shown.split : null
  })
  if (split === null) return { no: '结算条件已变化，请重新预结算' }
  await inTransaction(ledger.db, async tx => {
    const [row] = await lockBatches(tx, partyId, batch.visit, batch.batch)
    if (row === undefined) return
    await noteBatch(tx, partyId, { ...row, basis: reply.basis }, ledger.clock.now())
  })
  const { visit } = asked
  return { body: await told(at, split, { visit, person, scheme: person.scheme, setting, message }) }
}

export async function settle (
  at: At, setting: Setting, message: string, data: Settling
): Promise<Said> {
  const { ledger, party, client } = at
  if (!Value.Check(MessageId, message)) return { no: '报文号有误：msgid' }
  const found = await batchFor(at, setting, data, message)
  if ('no' in found) return found
  const { asked, batch: { basis } } = found
  const reply = await askWithCentre(ledger, { party, client },
    { do: 'settle', message, ...asked, ...basis === null ? {} : { basis } })
  return noOf(reply) ?? await shown(at, reply.settlement, 1n)
}

export async function cancel (
  at: At, message: string, data: RequestBody<'cancel'>['data']
): Promise<Said> {
  const { setl_id: settlement, psn_no: person, mdtrt_id: visit } = data
  const { ledger, party, client, partyId } = at
  if (!Value.Check(MessageId, message)) return { no: '报文号有误：msgid' }
  if (!Value.Check(SettlementNo, settlement)) return { no: '结算记录不存在' }
  const row = await findSettlement(ledger.db, partyId, BigInt(settlement))
  if (row !== null && row.visit !== visit) return { no: '就诊号不符：mdtrt_id' }
  const reply = await askWithCentre(ledger, { party, client }, { do: 'cancel', message, person, settlement })
  return noOf(reply) ?? await shown(at, reply.settlement, -1n)
}

/** By the id of the message that is taken back; one that never came is declined when it comes. */
export async function reverse (
  at: At, message: string, data: RequestBody<'reverse'>['data']
): Promise<Said> {
  const { psn_no: person, omsgid: original, oinfno: number } = data
  const { ledger, party, client, national } = at
  if (!Value.Check(MessageId, message)) return { no: '报文号有误：msgid' }
  const name = nameOf(dialects[national.dialect], number)
  const { effect } = name === null ? { effect: null } : rowOf(name)
  if (effect !== 'settles' && effect !== 'cancels') return { no: `交易 ${number} 不能冲正：oinfno` }
  if (!Value.Check(MessageId, original)) return { no: '原报文号有误：omsgid' }
  const reply = await askWithCentre(ledger, { party, client }, { do: 'reverse', message, person, original })
  return noOf(reply) ?? { body: null }
}

/** By our number, or by the id of the message that settled it. */
export async function billOf (at: At, data: RequestBody<'settlementQuery'>['data']): Promise<Said> {
  const { ledger, partyId } = at
  const { setl_id: asked, medins_setl_id: message, psn_no: person, mdtrt_id: visit } = data
  const no = asked ?? (message === null
    ? null
    : (await findMessage(ledger.db, partyId, message))?.reply.settlement ?? null)
  const row = no === null || !Value.Check(SettlementNo, no)
    ? null
    : await findSettlement(ledger.db, partyId, BigInt(no))
  const isIts = row?.person === person && row.takenBackBy === null && (visit === null || visit === row.visit)
  return isIts ? await shown(at, no, 1n) : { no: '结算记录不存在' }
}

/* ---- parts ---- */

type Found = { readonly person: PersonRow, readonly batch: BatchRow, readonly asked: ClinicLook }

/** `message`: of a settlement; the batch is its own from then on. */
async function batchFor (
  { ledger, partyId, national }: At, setting: Setting, data: Settling, message: string | null
): Promise<Found | { readonly no: string }> {
  const { psn_no: psn, mdtrt_id: visit, chrg_bchno: no, insutype, med_type: care } = data
  const person = await findPerson(ledger.db, psn)
  if (person === null) return { no: '未找到参保人' }
  if (national.insurances[person.scheme] !== insutype) return { no: '险种不符：insutype' }
  if (national.care[setting] !== care) return { no: '医疗类别不符：med_type' }
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const [batch] = await lockBatches(tx, partyId, visit, no)
    if (batch?.person !== psn) return { no: `批次 ${no} 没有该人员的明细` }
    const sum = batch.items.reduce((fen, { amountFen }) => fen + amountFen, 0)
    if (BigInt(sum) !== data.medfee_sumamt) return { no: '总额与明细不符：medfee_sumamt' }
    if (message !== null && batch.message !== message) {
      if (await isTaken(tx, partyId, batch)) return { no: `批次 ${no} 已结算或结算中：${batch.message}` }
      await noteBatch(tx, partyId, { ...batch, message }, atMs)
    }
    const items = batch.items.map(({ line: _, ...item }) => item)
    return {
      person, batch,
      asked: {
        person: psn, visit, setting, items,
        pays: {
          account: data.acct_used_flag === '1',
          ...national.online ? { purse: { by: 'online' as const } } : {}
        }
      }
    }
  })
}

async function shown (at: At, settlement: string | null, sign: 1n | -1n): Promise<Said> {
  const { ledger, partyId } = at
  const row = settlement === null ? null : await findSettlement(ledger.db, partyId, BigInt(settlement))
  const person = row === null ? null : await findPerson(ledger.db, row.person)
  if (row === null || person === null) throw new Error(`settlement ${settlement} is not there`)
  const { scheme, setting } = row.bill as Bill
  const { visit, message, settlementNo } = row
  const settled = { no: String(settlementNo), at: await settledAtMs(ledger.db, settlementNo) }
  return {
    body: await told(at, splitFrom(row.split), { visit, person, scheme, setting, message, settled, sign })
  }
}

async function told ({ ledger, national }: At, split: Split, of: {
  readonly visit: string, readonly person: PersonRow, readonly scheme: string, readonly setting: Setting
  readonly message: string, readonly settled?: { readonly no: string, readonly at: number }
  readonly sign?: 1n | -1n
}): Promise<AnswerBody<'settle'>> {
  const { visit, person, scheme, setting, message, settled, sign = 1n } = of
  const balanceFen = BigInt(await accountBalance({ tx: ledger.db, ledger }, person))
  return {
    setlinfo: settlementFieldsOf(split, {
      mdtrt_id: visit, setl_id: settled?.no ?? null, psn_no: person.person,
      insutype: national.insurances[scheme] ?? null,
      setl_time: settled === undefined ? null : localStamp(settled.at), medins_setl_id: message,
      clr_optins: person.area, clr_way: null, clr_type: national.clearing[setting]
    }, { balanceFen, sign }),
    setldetail: fundFieldsOf(split, national.funds, sign)
  }
}

const localStamp = (ms: number): string => formatIso(ms).slice(0, 19).replace('T', ' ')
