// What a clinic asks for one person at a time: it looks ahead, settles, cancels and reverses. What is done is
// decided by settlements.ts; here it is paid for, booked and remembered.
import { createHash } from 'node:crypto'
import type {
  ClinicCancel, ClinicLook, ClinicReply, ClinicReverse, ClinicSettle
} from '../../../schemas/medical/clinic.ts'
import { canonical } from '../../core/canonical.ts'
import { Refusal } from '../../refusal.ts'
import {
  findFamily, findMessage, findSettlement, insertEffect, insertMessage, insertReversed, insertSettlement,
  isDue, isReversed, isSpent, lastEffect, lockMessages, lockPerson, markDue, markTakenBack, saleKey, type Due,
  type MessageRow, type PersonRow
} from '../../store/clinic.ts'
import type { Desk } from './desk.ts'
import { giveBackChip, payAgain, payBack, payOnline, post, purseNow } from './money.ts'
import { fundsFen, type Split } from './settle-bill.ts'
import { yearOf, type Done, type Request } from './settlements.ts'
import { billedOf, decided, keyOf } from './standing.ts'
import { splitText } from './stored.ts'
import { declined, replyView } from './views.ts'

export type Asked =
  | { readonly do: 'pre_settle' } & ClinicLook
  | { readonly do: 'settle' } & ClinicSettle
  | { readonly do: 'cancel' } & ClinicCancel
  | { readonly do: 'reverse' } & ClinicReverse
export type Remembered = Exclude<Asked, { do: 'pre_settle' }>

/** Repeats first: `decide` would compare them by what accounts hold now, not by what a clinic said. */
export async function answer (desk: Desk, asked: Asked): Promise<ClinicReply> {
  if (asked.do !== 'pre_settle') {
    const named = asked.do === 'reverse' ? [asked.original] : []
    await lockMessages(desk.tx, desk.partyId, [asked.message, ...named])
  }
  const person = await lockPerson(desk.tx, asked.person)
  if (person === null) return declined('person_unknown', '/person')
  if (asked.do === 'pre_settle') return await lookAhead(desk, person, asked)
  const first = await findMessage(desk.tx, desk.partyId, asked.message)
  if (first !== null) return await again(desk, first, asked)
  const { reply, due } = await act(desk, person, asked)
  await remember(desk, person, asked, { reply, due })
  return reply
}

async function remember (
  { tx, partyId, atMs, pen }: Desk, { personId }: PersonRow, asked: Remembered, { reply, due }: Acted
): Promise<void> {
  const row = { message: asked.message, personId, asked: contentOf(asked), reply, due }
  await pen.begin('clinic_message', notedIn => insertMessage(tx, partyId, row, atMs, notedIn))
}

/** Nothing is done, whatever this door would have said: others have said no. For good. */
export async function refuse (
  desk: Desk, person: PersonRow, asked: Remembered, reply: ClinicReply
): Promise<ClinicReply> {
  const { purse } = asked.do === 'settle' ? asked.pays ?? {} : {}
  const acted = await refused(desk, purse?.by === 'chip' ? chipOf(purse) : null, reply)
  await remember(desk, person, asked, acted)
  return acted.reply
}

/** `due`: a chip's debit that has to go back. */
type Acted = { readonly reply: ClinicReply, readonly due: Due | null }
const plain = (reply: ClinicReply): Acted => ({ reply, due: null })

async function lookAhead (desk: Desk, person: PersonRow, asked: Extract<Asked, { do: 'pre_settle' }>) {
  const request = { ...await billedOf(desk, person, asked), do: 'pre_settle', message: '' } as const
  return replyView((await decided(desk, person, request)).reply)
}

const act = async (desk: Desk, person: PersonRow, asked: Remembered): Promise<Acted> =>
  asked.do === 'settle' ? await settle(desk, person, asked) : await takeBack(desk, person, asked)

async function settle (
  desk: Desk, person: PersonRow, asked: Extract<Asked, { do: 'settle' }>
): Promise<Acted> {
  const { message, basis = null, pays: { purse } = {} } = asked
  const chip = purse?.by === 'chip' ? chipOf(purse) : null
  const debit = chip === null ? null : await purseNow(desk, chip)
  if (debit === 'other') return plain(declined('payment_unproven', '/pays/purse/debit'))
  if (chip !== null &&
    (debit === 'spent' || await isSpent(desk.tx, chip.debit) || await isDue(desk.tx, chip.debit))) {
    return plain(declined('payment_used', '/pays/purse/debit'))
  }
  const request: Request = {
    ...await billedOf(desk, person, asked), do: 'settle', message: keyOf(desk, message), basis
  }
  const { reply } = await decided(desk, person, request)
  if (reply.outcome === 'declined') return await refused(desk, chip, replyView(reply))
  if (reply.does !== 'settled') throw new Error(`a settlement was ${reply.does}`)
  const { split } = reply
  if (chip !== null && split.paid.purse !== BigInt(chip.amountFen)) {
    return await refused(desk, chip, declined('purse_differs', '/pays/purse/amountFen'))
  }
  const online = purse?.by === 'online' && split.paid.purse > 0n
  const paid = online ? await payOnline(desk, person, message, split.paid.purse) : { key: null, why: null }
  if (paid.why !== null) return plain(declined('payment_declined', '/pays/purse', { why: paid.why }))
  const settlementNo = BigInt(reply.settlement)
  const payers = { self: person, family: person.family }
  const journalId = await post(desk, payers, split, { sign: 1, corrects: null })
  await desk.pen.begin('clinic_settlement', notedIn => insertSettlement(desk.tx, desk.partyId, {
    settlementNo, personId: person.personId, visit: asked.visit, year: Number(yearOf(request.bill)),
    bill: request.bill, split: splitText(split), fen: sumsOf(split), adds: split.adds,
    familyId: split.paid.family > 0n ? person.family?.personId ?? null : null, client: desk.client,
    paidBy: chip !== null ? 'chip' : online ? 'online' : null, debit: chip?.debit ?? null,
    centre: desk.centre ?? null
  }, notedIn))
  await desk.pen.begin('clinic_effect', notedIn => insertEffect(desk.tx, desk.partyId,
    { settlementNo, sign: 1, message, journalId, requestKey: paid.key }, desk, notedIn))
  return plain(replyView(reply, debit === 'spent' ? null : debit))
}

/** A debit that the chip has made goes back. */
async function refused (desk: Desk, chip: Due | null, no: ClinicReply): Promise<Acted> {
  if (chip === null) return plain(no)
  const { purse, due } = await giveBackChip(desk, chip, `no bill was settled: ${no.reason}`)
  return { due, reply: { ...no, purse } }
}

const sumsOf = (split: Split) => ({
  total: split.totalFen, funds: fundsFen(split), account: split.paid.account, family: split.paid.family,
  purse: split.paid.purse, cash: split.paid.cash, hospital: split.paid.hospital
})

/** A cancellation, or a reversal: of a settlement, of a cancellation, or of what never came. */
async function takeBack (
  desk: Desk, person: PersonRow, asked: Extract<Asked, { do: 'cancel' | 'reverse' }>
): Promise<Acted> {
  const { message } = asked
  if (!await isReversed(desk.tx, desk.partyId, message) && await isOfAnother(desk, person, asked)) {
    return plain(declined('settlement_unknown', '/person'))
  }
  const request: Request = asked.do === 'cancel'
    ? { do: 'cancel', message: keyOf(desk, message), settlement: asked.settlement }
    : { do: 'reverse', message: keyOf(desk, message), original: keyOf(desk, asked.original) }
  const { reply, standing } = await decided(desk, person, request)
  const done = await carriedOut(desk, person, message, reply)
  if (asked.do === 'reverse' && done.reply.outcome === 'approved' &&
    standing.reversed.has(keyOf(desk, asked.original))) {
    await desk.pen.begin('clinic_reversed', notedIn =>
      insertReversed(desk.tx, desk.partyId, asked.original, message, notedIn))
  }
  return done
}

/** What is to be taken back was done for somebody else. */
async function isOfAnother (
  { tx, partyId }: Desk, { personId }: PersonRow, asked: Extract<Asked, { do: 'cancel' | 'reverse' }>
): Promise<boolean> {
  const found = asked.do === 'cancel'
    ? await findSettlement(tx, partyId, BigInt(asked.settlement))
    : await findMessage(tx, partyId, asked.original)
  return found !== null && found.personId !== personId
}

async function carriedOut (
  desk: Desk, person: PersonRow, message: string, reply: Done['reply']
): Promise<Acted> {
  if (reply.outcome === 'declined' || reply.does === 'nothing' || reply.does === 'shown') {
    return plain(replyView(reply))
  }
  const row = await findSettlement(desk.tx, desk.partyId, BigInt(reply.settlement))
  if (row === null) throw new Error(`settlement ${reply.settlement} is not there`)
  const sign = reply.does === 'cancelled' ? -1 : 1
  if (sign === 1 && row.debit !== null) return plain(declined('purse_returned', '/original'))
  const before = await lastEffect(desk.tx, row.settlementNo)
  if (before === null) throw new Error(`settlement ${reply.settlement} never had an effect`)
  const pay = sign === -1 ? payBack : payAgain
  const key = sign === -1 ? await saleKey(desk.tx, row.settlementNo) : before.requestKey
  const paid = await pay(desk, row, message, key)
  if (paid.why !== null) return plain(declined('payment_declined', null, { why: paid.why }))
  const { split } = reply
  const family = row.familyId === null ? null : await findFamily(desk.tx, row.familyId)
  const journalId = await post(desk, { self: person, family }, split, { sign, corrects: before.journalId })
  await desk.pen.change('clinic_settlement', notedIn =>
    markTakenBack(desk.tx, row.settlementNo, sign === -1 ? keyOf(desk, message) : null, notedIn))
  await desk.pen.begin('clinic_effect', notedIn => insertEffect(desk.tx, desk.partyId,
    { settlementNo: row.settlementNo, sign, message, journalId, requestKey: paid.key }, desk, notedIn))
  const { debit, purseFen, settlementNo } = row
  if (debit === null) return plain(replyView(reply))
  const chip = { debit, amountFen: Number(purseFen), settlementNo, asked: false }
  const { purse, due } = await giveBackChip(desk, chip, `bill taken back by ${message}`)
  return { due, reply: replyView(reply, purse) }
}

/** Throws Refusal body_invalid where the record is not named. */
function chipOf ({ debit, amountFen }: { readonly debit?: string, readonly amountFen: number }): Due {
  if (debit !== undefined) return { debit, amountFen, settlementNo: null, asked: false }
  throw new Refusal('body_invalid', 'which record says so?', '/pays/purse/debit')
}

/* ---- repeats ---- */

/** All that makes two messages the same, as digests: what is in a bill is not kept twice. */
const contentOf = ({ do: what, ...fields }: Remembered): MessageRow['asked'] => ({
  do: what,
  ...Object.fromEntries(Object.entries(fields).map(([name, value]) =>
    [name, createHash('sha256').update(canonical(value), 'utf8').digest('hex')]))
})

/** The first field in which two messages under one id differ; null where they are the same. */
export const differs = (one: Remembered, other: Remembered): string | null =>
  firstDifference(contentOf(one), contentOf(other))

const firstDifference = (one: MessageRow['asked'], other: MessageRow['asked']): string | null =>
  [...new Set([...Object.keys(other), ...Object.keys(one)])].find(name => one[name] !== other[name]) ?? null

/**
 * The first answer again, unless the message was reversed since; where a chip's money had to go back and
 * could not, it is tried once more.
 */
async function again (desk: Desk, first: MessageRow, asked: Remembered): Promise<ClinicReply> {
  const field = firstDifference(first.asked, contentOf(asked))
  if (field !== null) return declined('message_reused', `/${field}`)
  const wasDue = first.reply.purse === 'to_be_returned'
  const purse = wasDue ? await payDue(desk, first) ?? 'returned' : first.reply.purse
  const reversed = await isReversed(desk.tx, desk.partyId, first.message)
  return reversed ? declined('message_reversed', null, { purse }) : { ...first.reply, purse, replayed: true }
}

/** What became of a debit that had to go back; null where none has to. */
export async function payDue (desk: Desk, { messageNo, due }: MessageRow): Promise<ClinicReply['purse']> {
  if (due === null) return null
  const back = await giveBackChip(desk, due, 'no bill takes it any more')
  if (back.due === null || back.due.asked !== due.asked) {
    await desk.pen.change('clinic_message', notedIn => markDue(desk.tx, messageNo, back.due, notedIn))
  }
  return back.purse
}
