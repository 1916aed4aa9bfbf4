// A library system of somebody else, asked over SIP2 in turn: readers, books and fees stay there, we move the
// money. A fee is paid first from the online account of the card; told no, the money goes back; told nothing,
// the same message with the same transaction finds out. It refuses to know terminals.
import { killPoint } from '../../runtime/kill-point.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { Sip2Ils, Sip2Settings } from '../../schemas/sip2/config.ts'
import { fenOf, say, valueOf, type Message, type Said } from '../../schemas/sip2/message.ts'
import type { AnswerReason } from '../../schemas/reasons.ts'
import type { Answer, Desk } from '../desk.ts'
import type { Fee, Fees, FeeStep } from './fees.ts'
import { openLine } from './ils-line.ts'
import type { Answered, LibrarySystem, Question } from './library.ts'

export type IlsOptions = {
  readonly ils: Sip2Ils, readonly settings: Sip2Settings, readonly fees: Fees, readonly clock: Clock
  readonly desk: Pick<Desk, 'ask' | 'takeBack'>, readonly log: Log
  /** Whether what is begun now can be kept. */
  readonly hasRoom: () => boolean
}

/** What stands of a payment once nothing more is asked for it; else what to do next. */
type Paid = 'paid' | 'unknown' | { readonly why: string }

const notPossible = 'this payment is not possible'
const wentBackWords = 'the money went back'
const askStaff = 'this payment is open: please ask the staff'

export async function ilsLibrary (
  { ils, settings, fees, clock, desk, log, hasRoom }: IlsOptions
): Promise<LibrarySystem> {
  const line = openLine(ils, settings, log)
  const deadlineMs = settings.answerSeconds * 1_000
  const lapseMs = (ils.lapseSeconds ?? 120) * 1_000
  let closed = false
  /** One transaction after the other: a repeat waits for the first. */
  const underWay = new Map<string, Promise<unknown>>()

  async function answer (question: Question): Promise<Answered> {
    const { message, transaction } = question
    if (message.code !== '37') return await line.ask(message) ?? 'away'
    if (kindOf(message) === 'cash') return await line.ask(named(message, transaction)) ?? 'unknown'
    const before = underWay.get(transaction) ?? Promise.resolve()
    const now = before.then(() => payFee(question))
    const mine = now.catch(() => undefined).finally(() => {
      if (underWay.get(transaction) === mine) underWay.delete(transaction)
    })
    underWay.set(transaction, mine)
    const answered = await now
    if (answered === 'unknown') setTimeout(lapse, lapseMs, transaction).unref()
    return answered
  }

  /** Nobody repeats it: what the library was never asked goes back, what it may have closed is for people. */
  function lapse (transaction: string): void {
    const step = fees.of(transaction)?.step
    if (closed || underWay.has(transaction)) return
    if (step === 'paying') void giveBack(transaction).catch(() => undefined)
    else if (step === 'asked') openFee(transaction)
  }

  function openFee (transaction: string): void {
    log.error({ alarm: 'fee_open', transaction },
      'paid, and nobody knows whether the library has closed the fee: the same message finds out')
  }

  const kindOf = ({ fixed }: Message) => settings.payments[fixed['paymentType'] ?? '']

  async function payFee (question: Question): Promise<Answered> {
    const { message, transaction } = question
    if (fees.failure() !== null) return 'unknown'
    const known = fees.of(transaction)
    if (known?.step === 'closed') return told(message, 'Y')
    if (known?.step === 'back' || known?.step === 'returning') return told(message, 'N', wentBackWords)
    if (known?.step === 'stuck') return told(message, 'N', askStaff)
    if (known === undefined && !hasRoom()) return 'away'
    const paid = await pay(question, known)
    if (paid === 'unknown') return 'unknown'
    if (paid !== 'paid') return told(message, 'N', paid.why)
    await put(transaction, 'asked')
    killPoint('fee-before-library')
    const said = await line.ask(named(message, transaction))
    killPoint('fee-after-library')
    if (said === null) return 'unknown'
    if (said.fixed['accepted'] === 'Y') {
      await put(transaction, 'closed')
      return said
    }
    return await giveBack(transaction) ? said : told(message, 'N', askStaff)
  }

  async function put (transaction: string, step: FeeStep): Promise<void> {
    const atMs = fees.of(transaction)?.atMs ?? clock.now()
    await fees.put({ transaction, step, atMs })
  }

  async function pay ({ message, transaction, terminal }: Question, known: Fee | undefined): Promise<Paid> {
    const amountFen = fenOf(valueOf(message, 'BV') ?? '')
    const serial = valueOf(message, 'AA') ?? ''
    const isOnline = kindOf(message) === 'online' && message.fixed['currency'] === settings.currency
    const sensible = amountFen !== null && amountFen > 0 && /^[0-9A-F]{20}$/.test(serial) && isOnline
    if (!sensible) return { why: notPossible }
    if (known === undefined) await put(transaction, 'paying')
    killPoint('fee-before-debit')
    const answer = await desk.ask({
      kind: 'purchase', ...keyOf(settings.library, transaction), amountFen, party: settings.library,
      card: { issuer: ils.issuer, serial, issue: 1 }, ...terminal === null ? {} : { terminal }
    }, deadlineMs)
    killPoint('fee-after-debit')
    if (answer.outcome === 'unknown') return 'unknown'
    if (answer.outcome === 'approved') {
      if (known !== undefined || !answer.reply.replayed || answer.tries > 1) return 'paid'
      // Another gateway, or this one long ago: nobody here knows whether it was closed or given back.
      log.error({ alarm: 'fee_unknown', transaction }, 'a fee was paid before, and not from here')
      await put(transaction, 'stuck')
      return { why: askStaff }
    }
    // A look-alike of what was paid says no, and changes nothing of it.
    if (known === undefined || known.step === 'paying') await fees.drop(transaction)
    return { why: answer.outcome === 'refused' ? notPossible : answer.reply.reason }
  }

  /** Whether it is back, or will be: what is on disk is asked for until the ledger has answered. */
  async function giveBack (transaction: string): Promise<boolean> {
    const { settled } = await startGivingBack(transaction)
    const late = new Promise<true>(resolve => { setTimeout(resolve, deadlineMs, true).unref() })
    return await Promise.race([settled, late])
  }

  async function startGivingBack (transaction: string): Promise<{ readonly settled: Promise<boolean> }> {
    await put(transaction, 'returning')
    killPoint('fee-before-back')
    const { key, by } = keyOf(settings.library, transaction)
    const { answered } = await desk.takeBack({ kind: 'reversal', key: `${key}.back`, by, of: { key } })
    const settled = answered.then(async answer => {
      const isBack = wentBack(answer)
      if (!isBack) log.error({ alarm: 'fee_stuck', transaction, answer }, 'money of an open fee is not back')
      await put(transaction, isBack ? 'back' : 'stuck')
      return isBack
    })
    settled.catch(() => undefined) // a disk that fails ends the process
    return { settled }
  }

  function told (message: Message, accepted: 'Y' | 'N', why?: string): Said {
    return say('38', { accepted, date: message.fixed['date'] ?? '' }, [
      ['AO', settings.institution], ['AA', valueOf(message, 'AA') ?? ''],
      ['BK', valueOf(message, 'BK') ?? ''], ...why === undefined ? [] : [['AF', why] as const]])
  }

  /** What the end of the process before this one left open. */
  async function recover (): Promise<void> {
    for (const { transaction, step } of [...fees.at('paying'), ...fees.at('returning')]) {
      log.warn({ transaction, step }, 'a payment was cut short by the last end: it is taken back')
      await startGivingBack(transaction)
    }
    for (const { transaction } of fees.at('asked')) openFee(transaction)
  }

  await recover()
  return {
    answer,
    isThere: line.isThere,
    close: async () => {
      closed = true
      line.close()
      await Promise.all(underWay.values())
      await fees.close()
    }
  }
}

/** The transaction is the library's, whichever gateway brings it. */
const keyOf = (library: string, transaction: string) =>
  ({ key: `library.${library}.${transaction}`, by: library })

/** Also where nothing had moved, and where it went back before. */
const wentBack = (answer: Answer): boolean =>
  'reply' in answer && (answer.outcome === 'approved' || nothingThere.has(answer.reply.reason))
const nothingThere: ReadonlySet<AnswerReason> =
  new Set(['original_unknown', 'original_declined', 'amount_over_remaining'])

const named = (message: Message, transaction: string): Message =>
  ({ ...message, fields: [...message.fields.filter(([tag]) => tag !== 'BK'), ['BK', transaction]] })
