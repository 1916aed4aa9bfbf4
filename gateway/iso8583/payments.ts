// Requests that move money, and what takes them back: once by terminal, batch and trace, on disk before the
// ledger is asked and again before the terminal hears. It refuses to know signatures and sessions.
import { killPoint } from '../../runtime/kill-point.ts'
import type { Iso8583Speaks } from '../../schemas/iso8583/config.ts'
import { exchanges, field54, type Kind, kinds, readField60 } from '../../schemas/iso8583/exchanges.ts'
import type { FieldValues } from '../../schemas/iso8583/fields.ts'
import { answerReasons, hostReasons } from '../../schemas/reasons.ts'
import { terminalKey } from '../../schemas/terminals.ts'
import type { Answer } from '../desk.ts'
import type { EdgeHouse } from '../face.ts'
import type { Admitted } from './admission.ts'
import { type Book, type Item, itemsMax } from './book.ts'
import { openBatch } from './batches.ts'
import { codeOf, refused, reversalCode, type Said, whyOf, wrongOriginal } from './decisions.ts'
import { cardOf, digestOf, originalOf, referenceOf, requestKey, requestOf, takeBackOf } from './requests.ts'

export type Payments = {
  pay (asked: Admitted): Promise<Said>
  tellBalance (asked: Admitted): Promise<Said>
  /** The repeat of a reversal hears what the first heard; what is on disk will be done. */
  reverse (asked: Admitted): Promise<Said>
  /** Takes back what the end of the process before this one left open. */
  recover (): Promise<void>
}

export type PaymentOptions = {
  readonly issuers: Iso8583Speaks['issuers']
  readonly deadlineMs: number
  readonly house: EdgeHouse
  readonly book: Book
  /** How the ledger decided. */
  readonly count: (outcome: Answer['outcome']) => void
}

export function openPayments ({ issuers, deadlineMs, house, book, count }: PaymentOptions): Payments {
  const { clock, desk, log } = house
  const underWay = new Map<string, Promise<Item>>()

  async function tellBalance (asked: Admitted): Promise<Said> {
    const request = requestOf(askingOf(asked))
    if (request === null) return refused('issuer_unknown')
    const answer = await desk.ask(request, deadlineMs)
    const code = codeOf(answer)
    const balanceFen = 'reply' in answer ? answer.reply.balanceFen : null
    return { code, ...balanceFen === null ? {} : { fields: { 54: field54(balanceFen) } } }
  }

  const askingOf = ({ kind, terminal: { terminal, operator }, values }: Admitted) => ({
    key: keyOf(terminal, values), kind, terminal, operator, amountFen: Number(values[4] ?? 0),
    card: cardOf(values, issuers), original: originalOf(values)
  })

  /** A request that moves money: once by terminal, batch and trace, whatever comes how often. */
  async function pay (asked: Admitted): Promise<Said> {
    const { terminal: { terminal }, values, mti } = asked
    const key = keyOf(terminal, values)
    const state = await openBatch(house, book, terminal, values)
    const trace = values[11] as string
    const known = state.items.get(trace)
    const item = underWay.get(key) ?? known
    if (item !== undefined) {
      const first = await item
      if (first.reversed !== null && first.digest === '') return { code: answerReasons.taken_back.iso8583 }
      if (first.digest !== digestOf(mti, values)) return refused('key_used')
      return saidOf(key, first)
    }
    const wrong = wrongOriginal(state, asked)
    if (wrong !== null) return refused(wrong)
    if (state.items.size >= itemsMax) return refused('batch_full')
    // What was begun may still use the reserve of the disk: reversals, settlements.
    if (house.spool.refusal() !== null) return refused('store_full')
    const done = askOnce(asked, key, trace).finally(() => underWay.delete(key))
    underWay.set(key, done)
    return saidOf(key, await done)
  }

  async function askOnce (asked: Admitted, key: string, trace: string): Promise<Item> {
    const { kind, terminal: { terminal, operator }, values, mti } = asked
    const request = requestOf(askingOf(asked))
    const by = terminalKey({ operator, terminal })
    const item: Item = {
      trace, kind, by, digest: digestOf(mti, values), amountFen: Number(values[4]), atMs: clock.now(),
      code: null, clearingDate: null, reversed: null, uploaded: false
    }
    if (item.amountFen < 1) return { ...item, code: hostReasons.unreadable.iso8583 }
    if (request === null) {
      const isOfCard = kind === 'purchase' || kind === 'load'
      return { ...item, code: hostReasons[isOfCard ? 'issuer_unknown' : 'original_missing'].iso8583 }
    }
    await book.change(terminal, { item })
    killPoint('after-asked')
    const answer = await desk.ask(request, deadlineMs)
    killPoint('before-answered')
    const isOpen = answer.outcome === 'unknown' || isAskedElsewhere(answer)
    if (isOpen) await takeBack(kind, by, key)
    const now = book.of(terminal).items.get(trace) ?? item
    const code = now.reversed === null && !isOpen ? codeOf(answer) : hostReasons.unanswered.iso8583
    const answered = { ...now, code, clearingDate: 'reply' in answer ? answer.reply.clearingDate : null }
    await book.change(terminal, { item: answered })
    killPoint('after-answered')
    count(answer.outcome)
    if (answer.outcome !== 'approved') {
      log.info({ terminal, trace, kind, code, why: whyOf(answer) }, 'not approved')
    }
    return answered
  }

  /** Resolves when it is on disk; the answer may come much later. */
  async function takeBack (
    kind: Kind, by: string | undefined, key: string
  ): Promise<{ answered: Promise<Answer> } | null> {
    const request = takeBackOf(kind, by, key)
    return request === null ? null : await desk.takeBack(request)
  }

  function saidOf (key: string, { code, clearingDate, atMs }: Item): Said {
    const fields = {
      37: referenceOf(key),
      ...clearingDate === null ? {} : { 15: clearingDate.slice(5).replace('-', '') }
    }
    return { code: code ?? hostReasons.unanswered.iso8583, fields, atMs }
  }

  async function reverse ({ terminal: { terminal, operator }, values }: Admitted): Promise<Said> {
    const { batch, type } = readField60(values[60] ?? '')
    const original = originalOf(values) ?? { batch, trace: values[11] as string }
    const state = book.of(terminal)
    const item = original.batch === state.batch ? state.items.get(original.trace) : undefined
    const kind = item?.kind ?? kinds.find(one => exchanges[one].types?.includes(type))
    const amountFen = Number(values[4])
    if (item?.reversed != null) return { code: item.reversed }
    if (kind === undefined || kind === 'refund' || kind === 'balance') return refused('original_reversed')
    if (item !== undefined && item.amountFen !== amountFen) return refused('amount_differs')
    if (item !== undefined && item.code !== null && item.code !== '00') return refused('original_reversed')
    const by = item === undefined || item.digest === '' ? terminalKey({ operator, terminal }) : item.by
    const kept = await takeBack(kind, by, requestKey(terminal, original.batch, original.trace))
    const late = new Promise<null>(resolve => { setTimeout(resolve, deadlineMs, null).unref() })
    const answer = await Promise.race([kept?.answered ?? late, late])
    const code = answer === null || answer.outcome === 'unknown' ? '00' : reversalCode(answer)
    const place = item ?? {
      trace: original.trace, kind, digest: '', amountFen, atMs: clock.now(), code: '68', clearingDate: null,
      uploaded: false
    }
    if (original.batch === state.batch) {
      const now = book.of(terminal).items.get(original.trace) ?? place
      await book.change(terminal, { item: { ...now, reversed: code } })
    }
    log.info({ terminal, trace: original.trace, kind, code }, 'reversed')
    return { code }
  }

  return {
    pay,
    tellBalance,
    reverse,
    recover: async () => {
      for (const { terminal, batch, item } of book.unknown()) {
        await takeBack(item.kind, item.by, requestKey(terminal, batch, item.trace))
        await book.change(terminal, { item: { ...item, code: hostReasons.unanswered.iso8583 } })
        log.warn({ terminal, batch, trace: item.trace },
          'a request was cut short by the last end: it is taken back')
      }
    }
  }
}

/**
 * Approved before this gateway asked: another one did, and may take back what it heard no answer to. So
 * this one takes it back too, by the same key, and the terminal hears that nothing has moved.
 */
const isAskedElsewhere = (answer: Answer): boolean =>
  answer.outcome === 'approved' && answer.reply.replayed && answer.tries === 1

const keyOf = (terminal: string, values: FieldValues): string =>
  requestKey(terminal, readField60(values[60] ?? '').batch, values[11] as string)
