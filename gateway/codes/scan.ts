// A code held to the scanner of a lane: whoever serves the lane brings it with the amount, and hears what a
// card would have heard. It refuses to know how a code is verified.
import type { Clock } from '../../runtime/clock.ts'
import { formatIso } from '../../runtime/instants.ts'
import { type LaneView, type TapReason, tapReasons, type TapView } from '../../schemas/gateway.ts'
import type { ScannedCode } from '../../schemas/phone-code.ts'
import { cardKey } from '../../schemas/record.ts'
import type { Spool } from '../spool/spool.ts'
import type { Taps } from '../taps.ts'
import type { Terminals } from '../terminals/terminals.ts'
import type { Codes, Taken } from './codes.ts'

export type ScanDesk = (
  lane: Pick<LaneView, 'lane' | 'operator' | 'terminal'>, scanned: ScannedCode
) => Promise<TapView>

export type ScanOptions = {
  readonly codes: Pick<Codes, 'take' | 'again'>
  readonly taps: Taps
  readonly spool: Pick<Spool, 'refusal'>
  readonly estate: Pick<Terminals, 'find'>
  readonly clock: Clock
  readonly nowMs: () => number
  readonly onTap: (tap: TapView) => void
}

export const scanDesk = (
  { codes, taps, spool, estate, clock, nowMs, onTap }: ScanOptions
): ScanDesk => async ({ lane, operator, terminal }, scanned) => {
  const { code, amountFen, reference = null } = scanned
  const beganMs = nowMs()
  const no = refusedHere(spool, estate, { operator, terminal })
  const asked = { of: { operator, terminal }, code, amountFen, reference }
  const { reason, card }: Taken = await codes.again(asked) ??
    (no === null ? await codes.take(asked) : { reason: no, card: null })
  const total = Math.round((nowMs() - beganMs) * 1_000) / 1_000
  const tap = taps.add({
    lane, at: formatIso(clock.now()), outcome: tapReasons[reason].outcome, reason,
    cardKey: card === null ? null : cardKey(card),
    amountFen: tapReasons[reason].outcome === 'approved' ? amountFen : null,
    ms: { total, card: 0, psam: 0, disk: reason === 'paid' ? total : 0 }
  })
  onTap(tap)
  return tap
}

function refusedHere (
  spool: ScanOptions['spool'], estate: ScanOptions['estate'],
  { operator, terminal }: { readonly operator: string, readonly terminal: string }
): TapReason | null {
  const found = estate.find(terminal, operator)
  return spool.refusal() ?? (found.ok ? null : found.reason)
}
