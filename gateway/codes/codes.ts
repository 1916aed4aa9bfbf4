// Codes of phones at the edge: verified without the ledger, once each, on disk before anybody is let in, told
// until the ledger has heard of it. It refuses to know scanners, and who pays.
import { formatIso } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import type { TapReason } from '../../schemas/gateway.ts'
import {
  checkCode, type CodeRefusal, type CodeRide, codeRules, type CodeUse, CodeUseReply, type PhoneCode,
  refusalOfUse
} from '../../schemas/phone-code.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import type { TerminalRef } from '../../schemas/terminals.ts'
import { askUntil } from '../asking.ts'
import { openJournal } from '../spool/journal.ts'
import { type AskAndTell, keepTelling } from '../telling.ts'
import type { Parameters } from '../uplink/parameters.ts'

export type Codes = {
  /** Resolves when it is on disk, or it is known why not: the gate may open where the reason is `paid`. */
  take (scan: Scan): Promise<Taken>
  /** The first answer to a scan that is tried again; null where it is none. */
  again (scan: Scan): Promise<Taken | null>
  view (): { readonly untold: number, readonly unpaid: number }
  close (): Promise<void>
}
export type Scan = {
  readonly of: TerminalRef, readonly code: string
  /** What the terminal asks for, or how to find out by whose code it is. */
  readonly amountFen: number | Pricing
  /** Names the scan, so that a retry can be told from a second person with the same code; null: it cannot. */
  readonly reference: string | null
}
export type Pricing = (code: PhoneCode, atMs: number) => CodeDue | TapReason
export type CodeDue = { readonly amountFen: number, readonly ride: CodeRide | null }

/** `paid_before`: the first answer to a scan that is tried again. */
export type Taken = {
  readonly reason: TapReason
  readonly card: CardRef | null
  /** That was taken; null where nothing was. */
  readonly amountFen: number | null
}

export type CodesOptions = AskAndTell & {
  readonly parameters: Pick<Parameters, 'codeKeys' | 'isBlacklisted'>
}

type Used = { readonly goodUntilMs: number, readonly scan: string | null, readonly amountFen: number }
/** What lies on disk: a code that was taken, with what is told of it, or that the ledger has heard it. */
type Entry =
  | {
    readonly used: string, readonly goodUntilMs: number, readonly use: CodeUse | null
    /** Absent where the scan had no reference. */
    readonly scan?: string
    readonly amountFen: number
  }
  | { readonly told: string }

/** `retriedMs`: a terminal may wait so long for a gateway that died. */
const limits = {
  retriedMs: 3_600_000, tellMs: 10_000, retryMs: 100, backoffMs: 250, backoffMaxMs: 15_000
} as const

export async function openCodes (options: CodesOptions): Promise<Codes> {
  const { http, files, clock, nowMs, random, log, parameters } = options
  /** Until nobody can use it any more, by its name. */
  const used = new Map<string, Used>()
  /** On the way to the disk. */
  const taking = new Map<string, Promise<void>>()
  const untold = new Map<string, CodeUse>()
  let unpaid = 0
  const journal = await openJournal<Entry>({
    files,
    clock,
    limits: options.journal ?? {},
    onFailure: options.onFailure,
    apply: entry => {
      if ('told' in entry) untold.delete(entry.told)
      else {
        const { goodUntilMs, scan = null, amountFen } = entry
        used.set(entry.used, { goodUntilMs, scan, amountFen })
        if (entry.use !== null) untold.set(entry.used, entry.use)
      }
    },
    snapshot: () => [...used].map(([name, { goodUntilMs, scan, amountFen }]) => ({
      used: name, goodUntilMs, amountFen, use: untold.get(name) ?? null, ...scan === null ? {} : { scan }
    }))
  })

  async function take (asked: Scan): Promise<Taken> {
    const { of, code: text } = asked
    const atMs = clock.now()
    forget(atMs)
    const code = checkCode(text, parameters.codeKeys())
    if (typeof code === 'string') return { reason: code, card: null, amountFen: null }
    const [name, scan] = [nameOf(code), scanOf(asked)]
    if (scan !== null && used.get(name)?.scan === scan) return await firstAnswer(code)
    const no = (reason: TapReason): Taken => ({ reason, card: code.card, amountFen: null })
    const due = dueOf(asked, code, atMs)
    const refused = whyNot(code, typeof due === 'string' ? 0 : due.amountFen, atMs)
    if (refused !== null) return no(refused)
    if (typeof due === 'string') return no(due)
    const { amountFen, ride } = due
    // It counts from here on, before anything is waited for: of two readers that see it one takes it.
    const onDisk = journal.append({
      used: name, goodUntilMs: code.issuedAtMs + goodMs, amountFen,
      use: { code: text, ...of, amountFen, at: formatIso(atMs), ...ride === null ? {} : { ride } },
      ...scan === null ? {} : { scan }
    })
    taking.set(name, onDisk)
    await onDisk.finally(() => taking.delete(name))
    killPoint('code-after-journal')
    telling.wake()
    return { reason: 'paid', card: code.card, amountFen }
  }

  async function again (asked: Scan): Promise<Taken | null> {
    const scan = scanOf(asked)
    const code = scan === null ? 'code_unreadable' : checkCode(asked.code, parameters.codeKeys())
    if (typeof code === 'string' || used.get(nameOf(code))?.scan !== scan) return null
    return await firstAnswer(code)
  }

  /** The minute of the code may be over by now: its holder has paid. */
  async function firstAnswer (code: PhoneCode): Promise<Taken> {
    const name = nameOf(code)
    await taking.get(name)
    return { reason: 'paid_before', card: code.card, amountFen: used.get(name)?.amountFen ?? null }
  }

  function whyNot (code: PhoneCode, amountFen: number, atMs: number): 'blacklisted' | CodeRefusal | null {
    const refusal = refusalOfUse(code, { amountFen, atMs })
    if (refusal !== null) return refusal
    if (parameters.isBlacklisted(code.card)) return 'blacklisted'
    return used.has(nameOf(code)) ? 'code_used' : null
  }

  function forget (atMs: number): void {
    for (const [name, { goodUntilMs, scan }] of used) {
      const keptMs = scan === null ? goodMs : limits.retriedMs
      if (atMs > goodUntilMs + keptMs && !untold.has(name)) used.delete(name)
    }
  }

  /** Null when the ledger has heard it, or will never take it. */
  async function tell ([name, use]: readonly [string, CodeUse], over: AbortSignal): Promise<string | null> {
    const asked = await askUntil({
      http, path: '/v1/code-uses', body: use, schema: CodeUseReply, nowMs, retryMs: limits.retryMs, over,
      deadlineMs: limits.tellMs
    })
    if (asked.outcome === 'unknown') return asked.why
    if (asked.outcome === 'refused') {
      if (asked.status !== 400) return asked.why
      log.error({ alarm: 'code_refused', why: asked.why }, 'the ledger cannot read the use of a code')
      unpaid += 1
    } else if (!asked.reply.paid) {
      unpaid += 1
      const { operator, terminal, amountFen } = use
      const { reason } = asked.reply
      log.warn({ operator, terminal, amountFen, reason }, 'a code that was taken is not paid')
    }
    await journal.append({ told: name })
    return null
  }

  const telling = keepTelling({
    what: 'the use of a code', next: () => [...untold][0], waiting: () => untold.size, tell, ...limits,
    random, log
  })
  return {
    take,
    again,
    view: () => ({ untold: untold.size, unpaid }),
    close: async () => {
      await telling.stop()
      await journal.close()
    }
  }
}

const goodMs = (codeRules.codeSeconds + codeRules.clockSeconds) * 1_000
/** What a retry says again, word by word. */
const scanOf = ({ of, amountFen, reference }: Scan): string | null => {
  const asked = typeof amountFen === 'number' ? amountFen : 'tariff'
  return reference === null ? null : [of.operator, of.terminal, asked, reference].join(' ')
}
const dueOf = ({ amountFen }: Scan, code: PhoneCode, atMs: number): CodeDue | TapReason =>
  typeof amountFen === 'number' ? { amountFen, ride: null } : amountFen(code, atMs)
const nameOf = ({ card, nonce }: PhoneCode): string => `${cardKey(card)} ${nonce}`
