// What the peers of one port may do: for which terminals a certificate speaks, how much a connection may say
// and how often a terminal may ask, so that a mad one disturbs no other. It refuses to know protocols.
import type { Log } from '../../runtime/log.ts'
import type { PortLimits, TcpTls } from '../../schemas/port.ts'
import { terminalKey, type TerminalRef } from '../../schemas/terminals.ts'
import type { Face } from '../face.ts'
import type { Terminals } from '../terminals/terminals.ts'
import { type Bucket, filled, fullBucket, type Rate, taken } from './bucket.ts'
import type { Wire } from './wire.ts'

export type Guard = {
  /**
   * Why this wire may not speak for the terminal, or null. A terminal that is bound, by its enrolment or by
   * the configuration of the port, needs its certificate; a certificate that is bound speaks for its own
   * terminals only.
   */
  stranger (wire: Pick<Wire, 'certificate'>, terminal: TerminalRef): string | null
  /** Why the terminal is not served just now, or null. Asked once for each request that is really its own. */
  tooBusy (terminal: TerminalRef): string | null
  /** The face behind a limit on what each conversation may say: who says more is cut off. */
  guarded (face: Face): Face
  readonly counts: Readonly<Record<'strangers' | 'tooBusy' | 'floods', number>>
}

export type GuardOptions = {
  readonly limits?: PortLimits
  readonly bound?: TcpTls['terminals']
  readonly terminals: Pick<Terminals, 'raise' | 'clear' | 'certificates' | 'holders'>
  readonly nowMs: () => number
  readonly log: Log
}

/** A till asks once in some seconds; a purchase has a hundred bytes. A line that carries many needs more. */
export const guardDefaults = {
  requestsPerSecond: 5, requestsAtOnce: 100, bytesPerSecond: 32 * 1_024, bytesAtOnce: 512 * 1_024
} as const satisfies Required<PortLimits>

export function openGuard ({ limits = {}, bound = {}, terminals, nowMs, log }: GuardOptions): Guard {
  const settings = { ...guardDefaults, ...limits }
  const requests: Rate = { perSecond: settings.requestsPerSecond, burst: settings.requestsAtOnce }
  const bytes: Rate = { perSecond: settings.bytesPerSecond, burst: settings.bytesAtOnce }
  const holders = holdersOf(bound)
  const buckets = new Map<string, Bucket>()
  const counts = { strangers: 0, tooBusy: 0, floods: 0 }

  function stranger ({ certificate }: Pick<Wire, 'certificate'>, { operator, terminal }: TerminalRef) {
    const ref = { operator, terminal }
    const shown = certificate ?? ''
    const wanted = [bound[terminal] ?? [], terminals.certificates(ref)].filter(one => one.length > 0)
    const own = [
      ...(holders.get(shown) ?? []).map(number => number === terminal),
      ...terminals.holders(shown).map(key => key === terminalKey(ref))
    ]
    const why = whyStranger({ terminal, shown, wanted, own })
    if (why === null) return null
    counts.strangers += 1
    terminals.raise({ operator, terminal }, 'keys_refused', 'certificate')
    return why
  }

  function tooBusy ({ operator, terminal }: TerminalRef): string | null {
    const key = terminalKey({ operator, terminal })
    const now = filled(buckets.get(key) ?? fullBucket(requests, nowMs()), requests, nowMs())
    const after = taken(now, 1)
    buckets.set(key, after ?? now)
    if (after === null) {
      counts.tooBusy += 1
      const why = `more than ${requests.burst} requests at once, or ${requests.perSecond} a second`
      terminals.raise({ operator, terminal }, 'too_busy', why)
      return why
    }
    if (now.tokens >= requests.burst) terminals.clear({ operator, terminal }, 'too_busy')
    return null
  }

  const guarded = (face: Face): Face => ({
    ...face,
    begin: wire => {
      const talk = face.begin(wire)
      let bucket = fullBucket(bytes, nowMs())
      return {
        bytes: said => {
          const after = taken(filled(bucket, bytes, nowMs()), said.length)
          if (after !== null) {
            bucket = after
            return talk.bytes(said)
          }
          counts.floods += 1
          log.warn({ wire: wire.name, ...settings }, 'a connection says more than it may')
          wire.end(`says more than ${bytes.burst} bytes at once, or ${bytes.perSecond} a second`)
        },
        ended: talk.ended
      }
    }
  })

  return { stranger, tooBusy, guarded, counts }
}

/** By fingerprint: for which terminals it speaks. */
function holdersOf (bound: NonNullable<TcpTls['terminals']>): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, string[]>()
  for (const [terminal, fingerprints] of Object.entries(bound)) {
    for (const one of fingerprints) holders.set(one, [...holders.get(one) ?? [], terminal])
  }
  return holders
}

type Shown = {
  readonly terminal: string
  /** Fingerprint; empty where none was shown. */
  readonly shown: string
  /** What the terminal is bound to, by each that binds it. */
  readonly wanted: readonly (readonly string[])[]
  /** For each terminal that the certificate speaks for: whether it is this one. */
  readonly own: readonly boolean[]
}

function whyStranger ({ terminal, shown, wanted, own }: Shown): string | null {
  if (wanted.some(one => !one.includes(shown))) return `${terminal} is bound to another certificate`
  return own.length === 0 || own.includes(true) ? null : `its certificate does not speak for ${terminal}`
}
