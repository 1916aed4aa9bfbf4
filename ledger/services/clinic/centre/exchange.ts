// What a clinic asks where a centre settles beside us: tried here first, then said to the centre, and done
// here once it has said yes with the same figures. In between a row says what is open, so that nothing that
// may count at the centre is ever forgotten. It refuses to know the wire.
import type { ClinicReply } from '../../../../schemas/medical/clinic.ts'
import type { Ledger } from '../../../ledger.ts'
import { Refusal } from '../../../refusal.ts'
import {
  findExchange, findCentre, insertExchange, lockExchange, moveExchange, nextExchangeNo, openExchangeOf,
  type ExchangeRow
} from '../../../store/clinic-centre.ts'
import {
  findMessage, findSettlement, institutionOf, lockMessages, lockPerson, type PersonRow
} from '../../../store/clinic.ts'
import { inTransaction } from '../../../store/db.ts'
import { answer, differs, refuse, type Asked, type Remembered } from '../answer.ts'
import { atClinic, type Desk } from '../desk.ts'
import { after, isEnd, type OutcomeState } from '../unknown.ts'
import { declined, unknown } from '../views.ts'
import { ask, look, type Heard } from './ask.ts'
import { msgidOf, type Sender } from './call.ts'
import { differing, expectedOf, type Expected } from './figures.ts'

type At = { readonly party: string, readonly client: string }
type Opened =
  | { readonly reply: ClinicReply }
  /** `again`: this one has to be over first, then it is looked at again. */
  | { readonly exchange: ExchangeRow, readonly again: boolean }

/** As `answer`, and with the centre where the person's pool has one. */
export async function askWithCentre (ledger: Ledger, at: At, asked: Asked): Promise<ClinicReply> {
  if (asked.do === 'pre_settle') return await lookWithCentre(ledger, at, asked)
  const opened = await atClinic(ledger, at, desk => open(desk, asked))
  if ('reply' in opened) return opened.reply
  const reply = await goOn(ledger, opened.exchange)
  if (!opened.again) return reply
  if (reply.outcome === 'unknown') return asked.do === 'reverse' ? reply : declined('outcome_open')
  const second = await atClinic(ledger, at, desk => open(desk, asked))
  if ('reply' in second) return second.reply
  return second.again ? declined('outcome_open') : await goOn(ledger, second.exchange)
}

async function lookWithCentre (
  ledger: Ledger, at: At, asked: Extract<Asked, { do: 'pre_settle' }>
): Promise<ClinicReply> {
  const { reply, person, sender } = await atClinic(ledger, at, async desk => ({
    reply: await answer(desk, asked), person: await lockPerson(desk.tx, asked.person),
    sender: await institutionOf(desk.tx, desk.partyId)
  }))
  const centre = person === null ? null : await findCentre(ledger.db, person.area)
  if (centre === null || person === null || reply.split === null) return reply
  const heard = await look(ledger, centre, senderIn(at.party, sender), person, asked, reply.split)
  if (heard.says === 'silent') return declined('centre_silent', null, { says: heard.words })
  if (heard.says === 'no') return declined('centre_declined', null, { says: heard.words })
  const field = differing(expectedOf(reply.split), heard.body.setlinfo, heard.body.setldetail)
  return field === null ? reply : declined('centre_differs', null, { says: field })
}

/* ---- what is to be said to the centre ---- */

async function open (desk: Desk, asked: Remembered): Promise<Opened> {
  const { tx, partyId } = desk
  await lockMessages(tx, partyId, asked.do === 'reverse' ? [asked.message, asked.original] : [asked.message])
  const person = await lockPerson(tx, asked.person)
  if (person === null || await findMessage(tx, partyId, asked.message) !== null) {
    return { reply: await answer(desk, asked) }
  }
  const exchange = await findExchange(tx, partyId, asked.message)
  if (exchange !== null) {
    const field = differs(exchange.asked as Remembered, asked)
    return field === null ? { exchange, again: false } : { reply: declined('message_reused', `/${field}`) }
  }
  const other = await openExchangeOf(tx, person.personId)
  if (other !== null) {
    const isGivenUp = asked.do === 'reverse' && other.partyId === partyId && other.message === asked.original
    return { exchange: isGivenUp ? await giveUp(desk, other) : other, again: true }
  }
  const begun = await begin(desk, person, asked)
  return begun === null ? { reply: await answer(desk, asked) } : { exchange: begun, again: false }
}

/** The person does not wait: whatever became of it is taken back. */
async function giveUp ({ tx, atMs }: Desk, row: ExchangeRow): Promise<ExchangeRow> {
  const state = after(row.state as OutcomeState, 'given_up')
  await moveExchange(tx, row.exchangeNo, { state, tries: row.tries, nextAtMs: atMs, over: false })
  return { ...row, state }
}

/** Null where no centre has to be asked: it has no part in it, or nothing would be done. */
async function begin (desk: Desk, person: PersonRow, asked: Remembered): Promise<ExchangeRow | null> {
  const { tx, partyId, party, client, atMs } = desk
  const part = await partOf(desk, person, asked)
  const centre = part === null ? null : await findCentre(tx, part.area)
  if (part === null || centre === null) return null
  const reply = await tried(desk, asked)
  if (reply.outcome !== 'approved' || reply.split === null) return null
  const sender = senderIn(party, await institutionOf(tx, partyId))
  const exchangeNo = await nextExchangeNo(tx)
  const row = {
    exchangeNo, partyId, party, message: asked.message, personId: person.personId, client, area: part.area,
    msgid: msgidOf(sender, atMs, exchangeNo), asked, original: part.original, tries: 0,
    expected: asked.do === 'settle' ? expectedOf(reply.split) : null,
    state: asked.do === 'reverse' ? 'reversing' : 'sent', nextAtMs: atMs + inFlight(centre.answerMs)
  }
  await insertExchange(tx, row)
  return row
}

/** Items, then the settlement: until then whoever has sent it is waiting himself. */
const inFlight = (answerMs: number): number => 2 * answerMs + 1_000

/** Which centre a message is about; `original`: the centre's id of what it takes back by its id. */
async function partOf (
  { tx, partyId }: Desk, person: PersonRow, asked: Remembered
): Promise<{ area: string, original: string | null } | null> {
  if (asked.do === 'settle') return { area: person.area, original: null }
  const named = asked.do === 'cancel' ? asked.settlement : await settlementBehind(tx, partyId, asked.original)
  const row = named === null ? null : await findSettlement(tx, partyId, BigInt(named))
  if (row === null || row.centre === null) return null
  if (asked.do === 'cancel') return { area: row.centre, original: null }
  const exchange = await findExchange(tx, partyId, asked.original)
  return exchange === null ? null : { area: row.centre, original: exchange.msgid }
}

const settlementBehind = async (tx: Desk['tx'], partyId: number, message: string): Promise<string | null> =>
  (await findMessage(tx, partyId, message))?.reply.settlement ?? null

class Tried extends Error {
  readonly reply: ClinicReply

  constructor (reply: ClinicReply) {
    super('tried')
    this.reply = reply
  }
}

/** What would be answered, without doing it. */
async function tried (desk: Desk, asked: Remembered): Promise<ClinicReply> {
  const blank = async (_table: unknown, write: (notedIn: bigint) => Promise<unknown>) => { await write(0n) }
  try {
    return await inTransaction(desk.ledger.db, async () => {
      throw new Tried(await answer({ ...desk, pen: { begin: blank, change: blank } }, asked))
    })
  } catch (error) {
    if (error instanceof Tried) return error.reply
    throw error
  }
}

function senderIn (
  party: string, { code, name }: { readonly code: string | null, readonly name: string }
): Sender {
  if (code !== null) return { code, name }
  throw new Refusal('conditions_not_met', `no centre knows ${party} yet: its code was not entered`)
}

/* ---- what the centre has said ---- */

/** Asks until it is over or nobody answers. */
export async function goOn (ledger: Ledger, exchange: ExchangeRow): Promise<ClinicReply> {
  const centre = await findCentre(ledger.db, exchange.area)
  if (centre === null) throw new Error(`the centre of ${exchange.area} is gone`)
  const at = { party: exchange.party, client: exchange.client }
  for (let now = exchange; ;) {
    const claimed = await atClinic(ledger, at, desk => claim(desk, now, inFlight(centre.answerMs)))
    if (claimed === 'in hand') return unknown
    const heard = claimed === 'left'
      ? { is: 'silent', settled: null, words: 'whoever has sent it does not wait any more' } as const
      : await ask(ledger, centre, claimed, now)
    const taken = await atClinic(ledger, at, desk => take(desk, now, heard))
    if ('reply' in taken) return taken.reply
    now = taken.exchange
  }
}

/**
 * `in hand`: somebody else is at it. `left`: it was sent once, and nobody waits for the answer any more; it
 * is not sent again, but asked after.
 */
async function claim (
  desk: Desk, row: ExchangeRow, forMs: number
): Promise<Sender | 'in hand' | 'left'> {
  const { tx, atMs, party, partyId } = desk
  const found = await lockExchange(tx, row.exchangeNo)
  if (found?.state !== row.state || found.tries !== row.tries) return 'in hand'
  const wasSent = found.state === 'sent' && found.tries > 0
  if (wasSent) return found.nextAtMs > atMs ? 'in hand' : 'left'
  await moveExchange(tx, row.exchangeNo, {
    state: found.state, tries: found.tries + 1, nextAtMs: atMs + forMs, over: false
  })
  return senderIn(party, await institutionOf(tx, partyId))
}

type Taken = { readonly reply: ClinicReply } | { readonly exchange: ExchangeRow }

/** `before`: as it was when the centre was asked. */
async function take (desk: Desk, before: ExchangeRow, heard: Heard): Promise<Taken> {
  const { tx, partyId, atMs } = desk
  const said = before.asked as Remembered
  await lockMessages(tx, partyId, said.do === 'reverse' ? [said.message, said.original] : [said.message])
  const person = await lockPerson(tx, said.person)
  const row = await lockExchange(tx, before.exchangeNo)
  if (person === null || row === null) throw new Error(`exchange ${before.exchangeNo} is gone`)
  if (row.state !== before.state) {
    return { reply: isEnd(row.state as OutcomeState) ? await answer(desk, said) : unknown }
  }
  let state = after(row.state as OutcomeState, heard.is)
  const reply = await carriedOut(desk, person, row, { said, state, heard })
  // The centre has settled what does not count here: it is taken back there.
  if (state === 'settled' && reply?.outcome === 'declined') state = 'reversing'
  const tries = heard.is === 'silent' ? row.tries : 0
  const nextAtMs = atMs + (heard.is === 'silent' ? pauseMs(tries) : 0)
  await moveExchange(tx, row.exchangeNo, { state, tries, nextAtMs, over: isEnd(state) })
  return reply === null ? { exchange: { ...row, state, tries, nextAtMs } } : { reply }
}

/** 5 s, 10 s, … five minutes. */
const pauseMs = (tries: number): number => Math.min(300_000, 5_000 * 2 ** Math.min(tries, 10))

/** What is answered to the clinic; null while the centre is to be asked something else first. */
async function carriedOut (desk: Desk, person: PersonRow, row: ExchangeRow, { said, state, heard }: {
  readonly said: Remembered, readonly state: OutcomeState, readonly heard: Heard
}): Promise<ClinicReply | null> {
  const says = { says: heard.words.slice(0, 500) }
  if (state === 'settled') {
    const { settled } = heard
    const expected = row.expected as Expected | null
    const field = settled === null || expected === null
      ? null
      : differing(expected, settled.setlinfo, settled.setldetail)
    if (field !== null) {
      return await refuse(desk, person, said, declined('centre_differs', null, { says: field }))
    }
    const no = settled?.setlinfo.setl_id ?? null
    return await answer({ ...desk, centre: no === null ? null : { area: row.area, no } }, said)
  }
  if (state === 'declined') return await refuse(desk, person, said, declined('centre_declined', null, says))
  if (state === 'undone') {
    const isAnswered = said.do === 'reverse' ||
      await findMessage(desk.tx, desk.partyId, said.message) !== null
    if (isAnswered) return await answer(desk, said)
    return await refuse(desk, person, said, declined('centre_undone'))
  }
  return heard.is === 'silent' ? unknown : null
}
