// Asks the ledger's permission for what has not happened yet, for whatever device wants it. An answer that
// does not come is unknown, never declined: the device says so, and asks or takes back by the same key. What
// is taken back is on disk first, and asked for until the ledger has answered, over every restart. It refuses
// to know devices and protocols.
import { setTimeout as delay } from 'node:timers/promises'
import { Check } from 'typebox/value'
import type { Clock } from '../runtime/clock.ts'
import { HttpAnswerError, type HttpClient, pauseMs } from '../runtime/http-client.ts'
import type { Log } from '../runtime/log.ts'
import { killPoint } from '../runtime/kill-point.ts'
import { type NewRequest, RequestReply } from '../schemas/request.ts'
import { napper } from './nap.ts'
import type { FileLayer } from './spool/files.ts'
import { openJournal } from './spool/journal.ts'

export type Answer =
  | { readonly outcome: 'approved' | 'declined', readonly reply: RequestReply }
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

export type DeskOptions = {
  readonly http: Pick<HttpClient, 'post'>
  readonly files: FileLayer
  readonly clock: Clock
  readonly nowMs: () => number
  readonly random: () => number
  readonly log: Log
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
  const waiting = new Map<string, ((answer: Answer) => void)[]>()
  const refused = new Set<string>()
  const nap = napper()
  const closing = new AbortController()

  const journal = await openJournal<Entry>({
    files,
    clock,
    apply: entry => {
      if ('open' in entry) open.set(entry.open.request.key, entry.open)
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
    const deadline = AbortSignal.timeout(deadlineMs)
    const signal = over === undefined ? deadline : AbortSignal.any([deadline, over])
    const endMs = nowMs() + deadlineMs
    for (;;) {
      try {
        const tryTimeoutMs = Math.max(1, Math.ceil(endMs - nowMs()))
        const reply = await http.post('/v1/requests', request, { tries: 1, tryTimeoutMs, signal })
        if (Check(RequestReply, reply)) return { outcome: reply.outcome, reply }
        return { outcome: 'unknown', why: 'the ledger answered something else than a reply' }
      } catch (error) {
        if (error instanceof HttpAnswerError) return { outcome: 'refused', why: error.message }
        if (signal.aborted || nowMs() + settings.retryMs >= endMs) {
          return { outcome: 'unknown', why: (error as Error).message }
        }
        await new Promise(resolve => setTimeout(resolve, settings.retryMs))
      }
    }
  }

  async function takeBack (request: TakeBack): Promise<{ answered: Promise<Answer> }> {
    const { key } = request
    const answered = new Promise<Answer>(resolve => {
      waiting.set(key, [...waiting.get(key) ?? [], resolve])
    })
    if (!open.has(key)) await journal.append({ open: { request, atMs: clock.now() } })
    killPoint('after-take-back')
    nap.wake()
    return { answered }
  }

  /** One after the other, the oldest first; a ledger that does not answer is left alone for a while. */
  async function work (): Promise<void> {
    let failures = 0
    while (!closing.signal.aborted) {
      const [next] = open.values()
      if (next === undefined) {
        await nap.untilWoken()
        continue
      }
      const answer = await ask(next.request, settings.tryMs, closing.signal)
      if (answer.outcome === 'unknown') {
        failures += 1
        if (failures === 1) {
          log.warn({ open: open.size, why: answer.why },
            'what was taken back waits for the ledger')
        }
        await delay(pauseMs(failures, { ...settings, random }), undefined,
          { signal: closing.signal }).catch(() => undefined)
        continue
      }
      failures = 0
      await settle(next.request, answer)
    }
  }

  async function settle ({ key }: TakeBack, answer: Exclude<Answer, { outcome: 'unknown' }>): Promise<void> {
    if (answer.outcome === 'refused') {
      log.error({ alarm: 'take_back_refused', request: key, why: answer.why },
        'the ledger refuses what was taken back')
      await journal.append({ refused: key })
    } else {
      const { reason } = answer.reply
      log.info({ request: key, reason }, 'what was taken back is answered')
      await journal.append({ done: key })
    }
    for (const resolve of waiting.get(key) ?? []) resolve(answer)
    waiting.delete(key)
  }

  const working = work().catch((error: unknown) => {
    log.error({ err: error, alarm: 'desk_failed' },
      'nothing can be kept on disk any more: start the gateway again')
  })

  return {
    ask: (request, deadlineMs) => ask(request, deadlineMs),
    takeBack,
    view: () => ({
      open: open.size, oldestAtMs: open.values().next().value?.atMs ?? null, refused: refused.size
    }),
    close: async () => {
      closing.abort()
      nap.wake()
      await working
      await journal.close()
    }
  }
}
