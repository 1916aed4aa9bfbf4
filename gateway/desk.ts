// Asks the ledger's permission for what has not happened yet, for whatever device wants it. An answer that
// does not come is unknown, never declined: the device says so, and asks or takes back by the same key. What
// is taken back is on disk first, and asked for until the ledger has answered, over every restart. It refuses
// to know devices and protocols.
import { killPoint } from '../runtime/kill-point.ts'
import { type NewRequest, RequestReply } from '../schemas/request.ts'
import { askUntil } from './asking.ts'
import { openJournal } from './spool/journal.ts'
import { type AskAndTell, keepTelling } from './telling.ts'

export type Answer =
  | {
    readonly outcome: 'approved' | 'declined', readonly reply: RequestReply
    /** 1: the first question was answered. */
    readonly tries: number
  }
  /** The ledger says that no repeat will help: malformed, key used for something else, not allowed. */
  | { readonly outcome: 'refused', readonly why: string }
  /** It may have been carried out. The same request again, or its reversal, finds out. */
  | { readonly outcome: 'unknown', readonly why: string }

/** Takes back an earlier request of this gateway, carried out or not. */
export type TakeBack = Extract<NewRequest, { kind: 'reversal' | 'reinstatement' }>

export type Desk = {
  /** Asks, and asks again with the same key, until it is answered or the deadline is over. */
  ask (request: NewRequest, deadlineMs: number): Promise<Answer>
  /**
   * Resolves when it is on disk: from now on it will be asked for until the ledger answers, and a device may
   * be told that it is done. `answered` is the ledger's answer, if this process lives to hear it.
   */
  takeBack (request: TakeBack): Promise<{ readonly answered: Promise<Answer> }>
  view (): DeskView
  /** What is not answered stays on disk. */
  close (): Promise<void>
}

export type DeskView = {
  /** Taken back and not answered yet. */
  readonly open: number
  readonly oldestAtMs: number | null
  /** That the ledger refused: nothing will happen by itself, a person has to look. */
  readonly refused: number
}

export type DeskOptions = AskAndTell & {
  readonly settings?: Partial<Record<keyof typeof deskSettings, number>>
}

export const deskSettings = { retryMs: 100, backoffMs: 250, backoffMaxMs: 15_000, tryMs: 10_000 } as const

type Open = { readonly request: TakeBack, readonly atMs: number }
/** What lies on disk. */
type Entry = { readonly open: Open } | { readonly done: string } | { readonly refused: string }

export async function openDesk (options: DeskOptions): Promise<Desk> {
  const { http, files, clock, nowMs, random, log } = options
  const settings = { ...deskSettings, ...options.settings }
  const open = new Map<string, Open>()
  const keeping = new Map<string, Promise<void>>()
  const waiting = new Map<string, ((answer: Answer) => void)[]>()
  const refused = new Set<string>()

  const journal = await openJournal<Entry>({
    files,
    clock,
    limits: options.journal ?? {},
    onFailure: options.onFailure,
    apply: entry => {
      if ('open' in entry) open.set(nameOf(entry.open.request), entry.open)
      else if ('done' in entry) open.delete(entry.done)
      else {
        open.delete(entry.refused)
        refused.add(entry.refused)
      }
    },
    snapshot: () => [...[...open.values()].map(one => ({ open: one })), ...[...refused].map(key =>
      ({ refused: key }))]
  })

  async function ask (request: NewRequest, deadlineMs: number, over?: AbortSignal): Promise<Answer> {
    const { retryMs } = settings
    const asked = await askUntil({
      http, path: '/v1/requests', body: request, schema: RequestReply, nowMs, deadlineMs, retryMs, over
    })
    if (asked.outcome !== 'replied') return asked
    const { reply, tries } = asked
    return { outcome: reply.outcome, reply, tries }
  }

  async function takeBack (request: TakeBack): Promise<{ answered: Promise<Answer> }> {
    const name = nameOf(request)
    const answered = new Promise<Answer>(resolve => {
      waiting.set(name, [...waiting.get(name) ?? [], resolve])
    })
    if (!open.has(name)) keeping.set(name, journal.append({ open: { request, atMs: clock.now() } }))
    await keeping.get(name)
    killPoint('after-take-back')
    telling.wake()
    return { answered }
  }

  async function settle (request: TakeBack, answer: Exclude<Answer, { outcome: 'unknown' }>): Promise<void> {
    const name = nameOf(request)
    if (answer.outcome === 'refused') {
      log.error({ alarm: 'take_back_refused', request: name, why: answer.why },
        'the ledger refuses what was taken back')
      await journal.append({ refused: name })
    } else {
      const { reason } = answer.reply
      log.info({ request: name, reason }, 'what was taken back is answered')
      await journal.append({ done: name })
    }
    for (const resolve of waiting.get(name) ?? []) resolve(answer)
    waiting.delete(name)
    keeping.delete(name)
  }

  const telling = keepTelling({
    what: 'what was taken back',
    next: () => open.values().next().value,
    waiting: () => open.size,
    tell: async ({ request }, over) => {
      const answer = await ask(request, settings.tryMs, over)
      if (answer.outcome === 'unknown') return answer.why
      await settle(request, answer)
      return null
    },
    ...settings,
    random,
    log
  })

  return {
    ask: (request, deadlineMs) => ask(request, deadlineMs),
    takeBack,
    view: () => ({
      open: open.size, oldestAtMs: open.values().next().value?.atMs ?? null, refused: refused.size
    }),
    close: async () => {
      await telling.stop()
      await journal.close()
    }
  }
}

/** Keys are of whoever has named them. */
const nameOf = ({ by, key }: TakeBack): string => by === undefined ? key : `${by} ${key}`
