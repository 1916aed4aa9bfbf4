// Loads between a lane and the ledger: asked for, granted, and what the chip did told until the ledger has
// heard it, over every restart. What was asked for and never sent to a chip is withdrawn. It refuses to know
// chips and readers.
import { killPoint } from '../../runtime/kill-point.ts'
import { maskCard } from '../../runtime/log.ts'
import {
  type LoadOutcome, LoadOutcomeReply, LoadReply, type NewLoad, PendingReply
} from '../../schemas/load.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import type { AnswerReason } from '../../schemas/reasons.ts'
import { askUntil } from '../asking.ts'
import { type AskAndTell, keepTelling } from '../telling.ts'
import { type Load, type Outcome, openBook } from './book.ts'

export type Loads = {
  /** Nothing is on the chip yet, and nothing is where the answer is not `granted`. */
  ask (wish: Wish): Promise<Grant>
  /** What waits for the chip of this card; null where nobody can say. */
  pendingFen (card: CardRef, deadlineMs: number): Promise<number | null>
  /** Resolves when it is on disk: CREDIT may leave. */
  send (load: Load): Promise<void>
  /** Resolves when it is on disk: it will be told. */
  conclude (load: Load, outcome: Outcome): Promise<void>
  /** The load of a card whose end nobody saw. */
  openOf (card: string): Load | undefined
  named (lane: string, reference: string): Load | undefined
  view (): LoadsView
  close (): Promise<void>
}

export type Wish = {
  readonly lane: string
  readonly reference: string
  readonly load: Omit<NewLoad, 'key'>
  readonly deadlineMs: number
}

export type Grant =
  | { readonly kind: 'granted', readonly load: Load, readonly mac2: string }
  | { readonly kind: 'declined', readonly reason: AnswerReason, readonly rule?: string }
  /** The ledger takes no such question from us. */
  | { readonly kind: 'refused', readonly why: string }
  /** It is withdrawn: whatever the ledger made of it comes to nothing. */
  | { readonly kind: 'unanswered', readonly why: string }

export type LoadsView = {
  /** Cards that are expected back. */
  readonly open: number
  /** Outcomes that the ledger has not heard yet. */
  readonly untold: number
}

export type LoadsOptions = AskAndTell & {
  readonly newKey: () => string
  readonly settings?: Partial<Record<keyof typeof loadSettings, number>>
}

export const loadSettings = { retryMs: 100, backoffMs: 250, backoffMaxMs: 15_000, tryMs: 10_000 } as const

export async function openLoads (options: LoadsOptions): Promise<Loads> {
  const { http, files, clock, nowMs, random, newKey, log } = options
  const settings = { ...loadSettings, ...options.settings }
  const { retryMs } = settings
  const book = await openBook(files, clock, options.journal, options.onFailure)
  /** Asked for by a process that ended before it sent CREDIT. */
  for (const load of book.at('asked')) await book.put(concluded(load, { outcome: 'withdrawn' }))

  async function ask ({ lane, reference, load, deadlineMs }: Wish): Promise<Grant> {
    const key = newKey()
    const { card, source, amountFen, terminal, chip } = load
    const asked: Load = {
      key, lane, reference, card, source, amountFen, terminal, balanceBeforeFen: chip.balanceFen,
      onlineCounter: chip.onlineCounter, dateTime: '', atMs: clock.now(), step: 'asked', outcome: null
    }
    await book.put(asked)
    killPoint('load-after-asked')
    const answer = await askUntil({
      http, path: '/v1/loads', body: { key, ...load }, schema: LoadReply, nowMs, deadlineMs, retryMs
    })
    killPoint('load-after-answer')
    if (answer.outcome === 'unknown') {
      await conclude(asked, { outcome: 'withdrawn' })
      return { kind: 'unanswered', why: answer.why }
    }
    const reply = answer.outcome === 'replied' ? answer.reply : null
    if (reply?.dateTime != null && reply.mac2 !== null) {
      return { kind: 'granted', load: { ...asked, dateTime: reply.dateTime }, mac2: reply.mac2 }
    }
    await book.drop(key)
    if (answer.outcome === 'refused') return { kind: 'refused', why: answer.why }
    const { reason, rule } = answer.reply
    return { kind: 'declined', reason, ...rule === undefined ? {} : { rule } }
  }

  async function pendingFen (card: CardRef, deadlineMs: number): Promise<number | null> {
    const asked = await askUntil({
      http, path: '/v1/loads/pending', body: { card }, schema: PendingReply, nowMs, deadlineMs, retryMs
    })
    return asked.outcome === 'replied' ? asked.reply.pendingFen : null
  }

  async function conclude (load: Load, outcome: Outcome): Promise<void> {
    await book.put(concluded(load, outcome))
    killPoint('load-after-outcome')
    telling.wake()
  }

  /** Null when the ledger has heard it, or will never take it. */
  async function tell (load: Load, over: AbortSignal): Promise<string | null> {
    const { key, card } = load
    const body: LoadOutcome = { key, card, ...load.outcome ?? { outcome: 'withdrawn' } }
    const asked = await askUntil({
      http, path: '/v1/loads/outcome', body, schema: LoadOutcomeReply, nowMs, retryMs, over,
      deadlineMs: settings.tryMs
    })
    if (asked.outcome === 'unknown') return asked.why
    if (asked.outcome === 'refused' && !isFinal.has(asked.status)) return asked.why
    const about = { load: key, card: maskCard(cardKey(card)), outcome: body.outcome }
    if (asked.outcome === 'refused') {
      log.error({ alarm: 'load_outcome_refused', ...about, why: asked.why },
        'the ledger does not take the outcome of a load: somebody has to look')
    } else if (asked.reply.tacRight === false) {
      log.error({ alarm: 'load_tac_wrong', ...about }, 'the TAC of a load is wrong: other evidence decides')
    } else {
      log.info({ ...about, state: asked.reply.state }, 'the ledger has heard of a load')
    }
    await book.put({ ...load, step: 'told' })
    return null
  }

  const telling = keepTelling({
    what: 'the outcome of a load',
    next: () => book.at('known')[0],
    waiting: () => book.at('known').length,
    tell,
    ...settings,
    random,
    log
  })
  return {
    ask,
    pendingFen,
    send: async load => {
      await book.put({ ...load, step: 'sent' })
      killPoint('load-after-intent')
    },
    conclude,
    openOf: book.openOf,
    named: book.named,
    view: () => ({ open: book.at('sent').length, untold: book.at('known').length }),
    close: async () => {
      await telling.stop()
      await book.close()
    }
  }
}

const concluded = (load: Load, outcome: Outcome): Load => ({ ...load, step: 'known', outcome })

/** Repeating will not change it. A refused token is not the fault of the load. */
const isFinal: ReadonlySet<number> = new Set([400, 404, 409, 422])
