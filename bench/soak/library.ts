// A library of a soak: self-checks that speak SIP2, and the doors of the ledger's library service behind
// them, as a stand-in. It refuses to know rules of lending.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { LibraryPatron, LibraryPaymentReply, LibraryPaymentRequest } from '../../schemas/library.ts'
import type { Sip2Speaks } from '../../schemas/sip2/config.ts'
import { amountText, type Field, type Message, say, type Said } from '../../schemas/sip2/message.ts'
import { messages } from '../../schemas/sip2/messages.ts'
import { type SelfCheck, selfCheck } from '../../terminal-sim/self-check/self-check.ts'
import type { Routes } from '../support/stand-in.ts'
import { pauseMs, type Place, type Road } from './place.ts'

const library = 'LIB'
export const selfChecks = ['L1', 'L2'] as const
/** On the cable, where nobody signs in. */
export const cableCheck = 'L3'

const speaks = {
  protocol: 'sip2', library, institution: 'MAIN', name: 'City Library', answerSeconds: 2
} as const
export const socketSpeaks: Sip2Speaks = {
  ...speaks, logins: selfChecks.map(terminal => ({ user: terminal, password: `of ${terminal}`, terminal }))
}
export const cableSpeaks: Sip2Speaks = { ...speaks, login: 'none', terminal: cableCheck }

/* ---- the ledger's side ---- */

export type Desk = { readonly routes: Routes, paidFen (): number }

export function libraryDesk (): Desk {
  const lent = new Map<string, string>()
  const payments = new Map<string, LibraryPaymentReply>()
  const said = {
    outcome: 'approved', reason: 'ok', title: 'Songs', renewed: false, forSomebody: false, fee: null, queue: 0
  }

  function pay ({ transaction, amountFen }: LibraryPaymentRequest): LibraryPaymentReply {
    const first = payments.get(transaction)
    if (first !== undefined) return { ...first, replayed: true }
    const reply: LibraryPaymentReply = {
      transaction, outcome: 'approved', reason: 'ok', why: null, replayed: false, amountFen, owedFen: 0,
      prepayment: false, returned: false
    }
    payments.set(transaction, reply)
    return reply
  }

  const doors: Routes = {
    'patrons/look-up': () => ({ outcome: 'approved', reason: 'ok', patron }),
    checkouts: body => {
      const { item, token } = body as { item: string, token: string }
      lent.set(item, token)
      return { ...said, dueOn: '2026-12-24', token: null }
    },
    checkins: body => {
      const { item } = body as { item: string }
      const token = lent.get(item) ?? null
      lent.delete(item)
      return { ...said, dueOn: null, token }
    },
    payments: body => pay(body as LibraryPaymentRequest)
  }
  return {
    routes: Object.fromEntries(Object.entries(doors).map(([door, answer]) =>
      [`/v1/library/${library}/${door}`, answer])),
    paidFen: () => [...payments.values()].reduce((sum, { amountFen }) => sum + amountFen, 0)
  }
}

const patron: LibraryPatron = {
  patron: 'R1', name: 'Ann', language: 'en', blockedNote: null, cardBlocked: false, passwordRight: null,
  hasPassword: false, mayBorrow: true, whyNot: null, loans: [], holds: [], owedFen: 0, depositFen: 0,
  rules: {
    from: '2025-01-01', loanDays: 30, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10,
    fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: true,
    closedDates: [], accruing: 'refuse'
  }
}

/* ---- the readers' side ---- */

/** What self-checks believe to have taken. */
export type Taken = { paidFen: number }

export function selfCheckSite (
  { random, count }: Place, taken: Taken, road: Road, terminal: string, signsIn: boolean
): () => Promise<void> {
  const chance = random.fork(terminal)
  let sc: SelfCheck | null = null
  let payments = 0

  async function arrive (): Promise<SelfCheck> {
    sc?.close()
    const made = selfCheck(await road.stream(), { answerMs })
    sc = made
    if (!signsIn) return made
    const { fixed } = await made.say(say('93', { uidAlgorithm: '0', pwdAlgorithm: '0' },
      [['CN', terminal], ['CO', `of ${terminal}`], ['CP', 'floor 1']]))
    assert.equal(fixed['ok'], '1')
    count('SIP2 sign-ins')
    return made
  }
  const here = async (): Promise<SelfCheck> => sc ?? await arrive()

  async function told (said: Said): Promise<Message> {
    const message = await (await here()).say(said)
    assert.equal(message.code, messages[said.code].answer)
    count('SIP2 messages')
    return message
  }

  async function lend (): Promise<void> {
    const item: Field = ['AB', `B-${chance.int(1, 50)}`]
    await told(say('63', { language: '001', date, summary: '   Y      ' }, who))
    await told(say('11', { renewalPolicy: 'Y', noBlock: 'N', date, nbDueDate: date }, [...who, item]))
    await told(say('09', { noBlock: 'N', date, returnDate: date }, [['AO', 'MAIN'], item]))
  }

  /** Silence is neither yes nor no: the same once more finds out. */
  async function pay (): Promise<void> {
    const amountFen = chance.int(10, 500)
    payments += 1
    const said = say('37', { date, feeType: '04', paymentType: '02', currency: 'CNY' },
      [['BV', amountText(amountFen)], ...who, ['BK', `${terminal}-${payments}`]])
    for (let tries = 0; tries < triesMax; tries++) {
      const answer = await told(said).catch(() => null)
      if (answer === null) {
        count('SIP2 payments repeated')
        await arrive()
        continue
      }
      assert.equal(answer.fixed['accepted'], 'Y')
      taken.paidFen += amountFen
      return
    }
    throw new Error(`${terminal}: nobody knows what became of a payment`)
  }

  /** With a checksum that is wrong: asked for again. */
  async function mumble (): Promise<void> {
    const there = await here()
    there.raw('9900802.00AY0AZ0000\r')
    assert.match(String(await there.line()), /^96AZFEF6/)
  }

  async function comeAgain (): Promise<void> {
    sc?.close()
    sc = null
    await road.pull()
  }

  return async () => {
    if (chance.chance(0.1)) await comeAgain()
    if (chance.chance(0.1)) await told(say('99', { statusCode: '0', printWidth: '080', version: '2.00' }))
    if (chance.chance(0.05)) await mumble()
    if (chance.chance(0.5)) await lend()
    if (chance.chance(0.3)) await pay()
    await delay(2 * pauseMs)
  }
}

const answerMs = 15_000
const triesMax = 20
const date = '20261126    100000'
const who: Field[] = [['AO', 'MAIN'], ['AA', '03104990600000000001'], ['AC', ''], ['AD', '']]
