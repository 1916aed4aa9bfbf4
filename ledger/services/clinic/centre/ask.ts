// What is said to a centre for an exchange in each of its states, and how its answer is heard: items and the
// bill, a cancellation, a question after either, a reversal. It refuses to know what follows.
import type { ClinicCentre } from '../../../../schemas/medical/centre.ts'
import type { ClinicLook, ClinicSplit } from '../../../../schemas/medical/clinic.ts'
import type { AnswerBody, RequestBody } from '../../../../schemas/medical/message.ts'
import { dialects, levelOfClass, numberOf } from '../../../../schemas/medical/messages.ts'
import type { Ledger } from '../../../ledger.ts'
import type { ExchangeRow } from '../../../store/clinic-centre.ts'
import { centreNoOf, findPerson, type PersonRow } from '../../../store/clinic.ts'
import type { Remembered } from '../answer.ts'
import type { OutcomeSignal } from '../unknown.ts'
import { call, msgidOf, type Answered, type Sender } from './call.ts'

export type Heard = {
  readonly is: OutcomeSignal
  /** The bill as the centre has it. */
  readonly settled: AnswerBody<'settle'> | null
  readonly words: string
}

export async function ask (
  ledger: Ledger, centre: ClinicCentre, sender: Sender, row: ExchangeRow
): Promise<Heard> {
  const said = row.asked as Remembered
  if (row.state === 'reversing') return await reverse(ledger, centre, sender, row)
  if (row.state === 'unknown') {
    const data = {
      psn_no: said.person, mdtrt_id: said.do === 'settle' ? said.visit : null, setl_id: null,
      medins_setl_id: row.msgid
    }
    return heardAs(await call(ledger, centre, sender,
      { name: 'settlementQuery', msgid: await fresh(ledger, sender), body: { data } }), 'found', 'not_found')
  }
  if (said.do === 'settle') return await settle(ledger, centre, sender, row, said)
  if (said.do === 'reverse') throw new Error('a reversal is never sent as anything else')
  const { visit, no } = await centreNoOf(ledger.db, row.partyId, BigInt(said.settlement))
  const data = { setl_id: no, mdtrt_id: visit, psn_no: said.person }
  const heard = await call(ledger, centre, sender, { name: 'cancel', msgid: row.msgid, body: { data } })
  return heardAs(heard, 'approved', 'declined')
}

/** The items first: without them there is nothing to settle, and nothing can have an effect. */
async function settle (
  ledger: Ledger, centre: ClinicCentre, sender: Sender, row: ExchangeRow,
  said: Extract<Remembered, { do: 'settle' }>
): Promise<Heard> {
  const person = await findPerson(ledger.db, said.person)
  const insurance = person === null ? undefined : centre.insurances[person.scheme]
  if (insurance === undefined) {
    return { is: 'declined', settled: null, words: 'the centre has no insurance of this kind' }
  }
  const items = await call(ledger, centre, sender, {
    name: 'items', msgid: await fresh(ledger, sender), body: { feedetail: detailsOf(said, row.msgid) }
  })
  if (items.says !== 'yes') return { is: 'declined', settled: null, words: items.words }
  const totalFen = said.items.reduce((sum, { amountFen }) => sum + amountFen, 0)
  const body = { data: settlingOf(centre, said, { batch: row.msgid, totalFen, insurance }) }
  const name = said.setting === 'inpatient' ? 'inpatientSettle' : 'settle'
  return heardAs(await call(ledger, centre, sender, { name, msgid: row.msgid, body }), 'approved', 'declined')
}

async function reverse (
  ledger: Ledger, centre: ClinicCentre, sender: Sender, row: ExchangeRow
): Promise<Heard> {
  const said = row.asked as Remembered
  const number = said.do === 'cancel' ? 'cancel' : 'settle'
  const data = {
    psn_no: said.person, omsgid: row.original ?? row.msgid, oinfno: numberOf(dialects[centre.dialect], number)
  }
  // One that says no may have done nothing: it is said again, until it is done.
  return heardAs(await call(ledger, centre, sender,
    { name: 'reverse', msgid: await fresh(ledger, sender), body: { data } }), 'reversed', 'silent')
}

/** What a bill would be: items under a batch of their own, and no effect. */
export async function look (
  ledger: Ledger, centre: ClinicCentre, sender: Sender, person: PersonRow, asked: ClinicLook,
  { totalFen }: ClinicSplit
): Promise<Answered<'preSettle'>> {
  const insurance = centre.insurances[person.scheme]
  if (insurance === undefined) return { says: 'no', words: 'the centre has no insurance of this kind' }
  const batch = await fresh(ledger, sender)
  const items = await call(ledger, centre, sender,
    { name: 'items', msgid: await fresh(ledger, sender), body: { feedetail: detailsOf(asked, batch) } })
  if (items.says !== 'yes') return items
  const body = { data: settlingOf(centre, asked, { batch, totalFen, insurance }) }
  const name = asked.setting === 'inpatient' ? 'inpatientPreSettle' : 'preSettle'
  return await call(ledger, centre, sender, { name, msgid: await fresh(ledger, sender), body })
}

/* ---- parts ---- */

function heardAs (
  answered: Answered<'settle' | 'reverse'>, yes: OutcomeSignal, no: OutcomeSignal
): Heard {
  if (answered.says === 'silent') return { is: 'silent', settled: null, words: answered.words }
  if (answered.says === 'no') return { is: no, settled: null, words: answered.words }
  const body = answered.body as AnswerBody<'settle'> | null
  const isBill = body !== null && typeof body === 'object' && 'setlinfo' in body
  return { is: yes, settled: isBill ? body : null, words: '' }
}

/** For messages without effect: nobody asks after them. */
const fresh = async ({ clock, random }: Ledger, sender: Sender): Promise<string> =>
  msgidOf(sender, clock.now(), BigInt(random(4).readUInt32BE()))

const detailsOf = (
  { person, visit, items }: Pick<ClinicLook, 'person' | 'visit' | 'items'>, batch: string
): RequestBody<'items'>['feedetail'] => items.map((one, place) => ({
  feedetl_sn: String(place + 1), mdtrt_id: visit, psn_no: person, chrg_bchno: batch, med_list_codg: one.item,
  det_item_fee_sumamt: BigInt(one.amountFen), chrgitm_lv: levelOfClass[one.class],
  pric_uplmt_amt: one.limitFen === undefined ? null : BigInt(one.limitFen), selfpay_prop: one.ownPpm ?? null
}))

function settlingOf (
  centre: ClinicCentre, { person, visit, setting, pays = {} }: ClinicLook,
  { batch, totalFen, insurance }: {
    readonly batch: string, readonly totalFen: number, readonly insurance: string
  }
): RequestBody<'settle'>['data'] {
  return {
    psn_no: person, mdtrt_cert_type: '03', mdtrt_cert_no: null, med_type: centre.care[setting],
    medfee_sumamt: BigInt(totalFen), psn_setlway: '01', mdtrt_id: visit, chrg_bchno: batch,
    acct_used_flag: pays.account === true ? '1' : '0', insutype: insurance
  }
}
