// A clinic at the ledger's door: looks ahead, settles, cancels and reverses for one person at a time. What is
// done is decided by settlements.ts; here it is read, paid for, booked and remembered, in one transaction.
import { createHash } from 'node:crypto'
import { localDate, type LocalDate } from '../../../runtime/instants.ts'
import type {
  ClinicCancel, ClinicLook, ClinicReply, ClinicReverse, ClinicSettle
} from '../../../schemas/medical/clinic.ts'
import type { Bill } from '../../../schemas/medical/rule-set.ts'
import { canonical } from '../../core/canonical.ts'
import { housesOf } from '../../day/close-day.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import { Refusal } from '../../refusal.ts'
import {
  findFamily, findMessage, findPerson, findSettlement, insertEffect, insertMessage, insertReversed,
  insertSettlement, isDue, isReversed, isSpent, lastEffect, levelOf, liveSettlements, lockMessages,
  lockPerson, markDue, markTakenBack, messagesSince, nextSettlementNo, readAccumulators, readRuleSets,
  saleKey, type Due, type MessageRow, type PersonRow, type SettlementRow
} from '../../store/clinic.ts'
import { inTransaction, joined, type Tx } from '../../store/db.ts'
import { accountBalance, giveBackChip, onlineBalance, payAgain, payBack, payOnline, post, purseNow }
  from './money.ts'
import { fundsFen, type Split } from './settle-bill.ts'
import {
  decide, yearOf, type City, type Done, type Request, type Settlement, type Standing
} from './settlements.ts'
import { splitFrom, splitText } from './stored.ts'
import { declined, replyView } from './views.ts'

/** A clinic at work, inside a transaction. `ledger`: one whose database is that transaction. */
export type Desk = {
  readonly tx: Tx, readonly ledger: Ledger, readonly party: string, readonly partyId: number
  /** Who asks. */
  readonly client: string
  readonly level: string, readonly atMs: number, readonly today: LocalDate, readonly clearingDate: LocalDate
}

/**
 * Throws Refusal not_found where the party is no clinic, conditions_not_met where its level is not known or
 * nobody is registered who owes for funds.
 */
export async function atClinic<T> (
  ledger: Ledger, { party, client }: { readonly party: string, readonly client: string },
  work: (desk: Desk) => Promise<T>
): Promise<T> {
  const snapshot = await ledger.registry()
  const partyId = await clinicOf(ledger, party)
  if (!housesOf(snapshot).has('medical')) {
    throw new Refusal('conditions_not_met', 'no medical insurance bureau is registered that owes for funds')
  }
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    const level = await levelOf(tx, partyId)
    if (level === null) throw new Refusal('conditions_not_met', `the level of ${party} was not entered yet`)
    const atMs = ledger.clock.now()
    const inside = { ...ledger, db: joined(tx), registry: async () => snapshot }
    return await work({
      tx, ledger: inside, party, partyId, client, level, atMs, today: localDate(atMs), clearingDate
    })
  })
}

export async function clinicOf ({ registry }: Pick<Ledger, 'registry'>, party: string): Promise<number> {
  const found = (await registry()).parties.get(party)
  if (found?.service === 'clinic') return found.partyId
  throw new Refusal('not_found', `${party} is no clinic`)
}

/* ---- the four requests ---- */

export type Asked =
  | { readonly do: 'pre_settle' } & ClinicLook
  | { readonly do: 'settle' } & ClinicSettle
  | { readonly do: 'cancel' } & ClinicCancel
  | { readonly do: 'reverse' } & ClinicReverse
type Remembered = Exclude<Asked, { do: 'pre_settle' }>

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
  await insertMessage(desk.tx, desk.partyId, {
    message: asked.message, personId: person.personId, asked: contentOf(asked), reply, due
  }, desk.atMs)
  return reply
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
  const refused = async (no: ClinicReply): Promise<Acted> => {
    if (chip === null) return plain(no)
    const { purse, due } = await giveBackChip(desk, chip, `no bill was settled: ${no.reason}`)
    return { due, reply: { ...no, purse } }
  }
  if (reply.outcome === 'declined') return await refused(replyView(reply))
  if (reply.does !== 'settled') throw new Error(`a settlement was ${reply.does}`)
  const { split } = reply
  if (chip !== null && split.paid.purse !== BigInt(chip.amountFen)) {
    return await refused(declined('purse_differs', '/pays/purse/amountFen'))
  }
  const online = purse?.by === 'online' && split.paid.purse > 0n
  const paid = online ? await payOnline(desk, person, message, split.paid.purse) : { key: null, why: null }
  if (paid.why !== null) return plain(declined('payment_declined', '/pays/purse', { why: paid.why }))
  const settlementNo = BigInt(reply.settlement)
  const payers = { self: person, family: person.family }
  const journalId = await post(desk, payers, split, { sign: 1, corrects: null })
  await insertSettlement(desk.tx, desk.partyId, {
    settlementNo, personId: person.personId, visit: asked.visit, year: Number(yearOf(request.bill)),
    bill: request.bill, split: splitText(split), fen: sumsOf(split), adds: split.adds,
    familyId: split.paid.family > 0n ? person.family?.personId ?? null : null, client: desk.client,
    paidBy: chip !== null ? 'chip' : online ? 'online' : null, debit: chip?.debit ?? null
  })
  await insertEffect(desk.tx, desk.partyId,
    { settlementNo, sign: 1, message, journalId, requestKey: paid.key }, desk)
  return plain(replyView(reply, debit === 'spent' ? null : debit))
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
    await insertReversed(desk.tx, desk.partyId, asked.original, message)
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
  await markTakenBack(desk.tx, row.settlementNo, sign === -1 ? keyOf(desk, message) : null)
  await insertEffect(desk.tx, desk.partyId,
    { settlementNo: row.settlementNo, sign, message, journalId, requestKey: paid.key }, desk)
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

/**
 * The first answer again, unless the message was reversed since; where a chip's money had to go back and
 * could not, it is tried once more.
 */
async function again (desk: Desk, first: MessageRow, asked: Remembered): Promise<ClinicReply> {
  const now = contentOf(asked)
  const differs = [...new Set([...Object.keys(now), ...Object.keys(first.asked)])]
    .find(name => now[name] !== first.asked[name])
  if (differs !== undefined) return declined('message_reused', `/${differs}`)
  const wasDue = first.reply.purse === 'to_be_returned'
  const purse = wasDue ? await payDue(desk, first) ?? 'returned' : first.reply.purse
  const reversed = await isReversed(desk.tx, desk.partyId, first.message)
  return reversed ? declined('message_reversed', null, { purse }) : { ...first.reply, purse, replayed: true }
}

/** What became of a debit that had to go back; null where none has to. */
export async function payDue (desk: Desk, { messageNo, due }: MessageRow): Promise<ClinicReply['purse']> {
  if (due === null) return null
  const back = await giveBackChip(desk, due, 'no bill takes it any more')
  if (back.due === null || back.due.asked !== due.asked) await markDue(desk.tx, messageNo, back.due)
  return back.purse
}

/* ---- what is decided by ---- */

const keyOf = ({ party }: Pick<Desk, 'party'>, message: string): string => `${party}/${message}`

async function decided (desk: Desk, person: PersonRow, request: Request): Promise<Done> {
  const standing = await standingFor(desk, person, request)
  const no = request.do === 'settle' ? await nextSettlementNo(desk.tx) : 0n
  const city: City = { rules: await readRuleSets(desk.tx, person.area), newId: () => String(no) }
  return decide(standing, request, city)
}

type Billed = Omit<Extract<Request, { do: 'pre_settle' }>, 'do' | 'message'>

async function billedOf (
  desk: Desk, person: PersonRow, { setting, date = desk.today, items, pays = {} }: ClinicLook
): Promise<Billed> {
  if (date > desk.today) throw new Refusal('body_invalid', `${date} is still to come`, '/date')
  const { scheme, category, bornOn, tags, area, family } = person
  const bill: Bill = {
    scheme, setting, level: desk.level, date, items,
    person: { category, tags: [...tags], ...bornOn === null ? {} : { bornOn } }
  }
  const { account = false, family: byFamily = false, purse } = pays
  return {
    area,
    bill,
    means: {
      accountFen: account ? await accountBalance(desk, person) : 0,
      familyFen: byFamily && family !== null ? await accountBalance(desk, family) : 0,
      purseFen: purse === undefined
        ? 0
        : purse.by === 'chip'
          ? purse.amountFen
          : Math.min(await onlineBalance(desk, person), purse.fenMax ?? Infinity)
    }
  }
}

/** As much of a person's past as the request hangs on. */
async function standingFor (desk: Desk, person: PersonRow, request: Request): Promise<Standing> {
  const { tx, partyId } = desk
  const nameOf = (key: string): string => key.slice(desk.party.length + 1)
  const reversed = new Set<string>()
  for (const key of request.do === 'reverse' ? [request.message, request.original] : [request.message]) {
    if (await isReversed(tx, partyId, nameOf(key))) reversed.add(key)
  }
  if ('bill' in request) {
    const live = await liveSettlements(tx, person.personId, Number(yearOf(request.bill)))
    return { settlements: live.map(settlementOf), answered: new Map(), reversed }
  }
  if (request.do === 'cancel') {
    const found = await ownSettlement(desk, person, request.settlement)
    return { settlements: found, answered: new Map(), reversed }
  }
  const original = await findMessage(tx, partyId, nameOf(request.original))
  if (original?.personId !== person.personId) return { settlements: [], answered: new Map(), reversed }
  const since = [original, ...await messagesSince(tx, person.personId, original.messageNo)]
  return {
    settlements: await ownSettlement(desk, person, original.reply.settlement ?? '0'),
    answered: new Map(since.map(one => [keyOf(one, one.message), answeredOf(one)])),
    reversed
  }
}

async function ownSettlement (
  desk: Desk, { personId }: PersonRow, settlement: string
): Promise<Settlement[]> {
  const row = await findSettlement(desk.tx, desk.partyId, BigInt(settlement))
  return row?.personId === personId ? [settlementOf(row)] : []
}

const settlementOf = (row: SettlementRow): Settlement => ({
  settlement: String(row.settlementNo), message: `${row.party}/${row.message}`, year: String(row.year),
  bill: row.bill as Bill, split: splitFrom(row.split), takenBackBy: row.takenBackBy
})

/** What a reversal asks of an earlier message: of which kind it was and what it did. */
const answeredOf = ({ asked, reply }: MessageRow): { request: Request, reply: Done['reply'] } =>
  ({ request: { do: asked.do } as Request, reply: reply as unknown as Done['reply'] })

/* ---- what is told ---- */

/** What was answered to a message. Throws Refusal not_found. */
export async function tellMessage (ledger: Ledger, party: string, message: string): Promise<ClinicReply> {
  const partyId = await clinicOf(ledger, party)
  const found = await findMessage(ledger.db, partyId, message)
  if (found === null) throw new Refusal('not_found', `${party} has sent no message ${message}`)
  if (await isReversed(ledger.db, partyId, message)) return declined('message_reversed')
  return { ...found.reply, replayed: true }
}

/** Sums of a year, as they bound the next bill. Throws Refusal not_found. */
export async function viewPerson (ledger: Ledger, no: string, year: number) {
  const person = await findPerson(ledger.db, no)
  if (person === null) throw new Refusal('not_found', 'nobody is insured here under this number', '/person')
  const { scheme, category, area, personId } = person
  return {
    person: no, scheme, category, area, year,
    accountFen: await accountBalance({ tx: ledger.db, ledger }, person),
    live: (await liveSettlements(ledger.db, personId, year)).length,
    accumulators: (await readAccumulators(ledger.db, personId, year))
      .map(({ counter, amount }) => ({ counter, amount: Number(amount) }))
  }
}
