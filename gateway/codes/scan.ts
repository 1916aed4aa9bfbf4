// A code held to the scanner of a lane: whoever serves the lane brings it with the amount, and hears what a
// card would have heard. It refuses to know how a code is verified.
import type { Clock } from '../../runtime/clock.ts'
import { formatIso } from '../../runtime/instants.ts'
import {
  type LaneConfig, type LaneView, type TapReason, tapReasons, type TapView
} from '../../schemas/gateway.ts'
import type { ScannedCode } from '../../schemas/phone-code.ts'
import { cardKey } from '../../schemas/record.ts'
import { named } from '../../schemas/tariff/card-memory.ts'
import { versionAt } from '../../schemas/tariff/fares.ts'
import { dueOf } from '../pcsc/checks.ts'
import { rideDue } from '../pcsc/fare.ts'
import type { Spool } from '../spool/spool.ts'
import type { Taps } from '../taps.ts'
import type { Terminals } from '../terminals/terminals.ts'
import type { Parameters } from '../uplink/parameters.ts'
import type { Codes, Pricing, Taken } from './codes.ts'

export type ScanDesk = (
  lane: Pick<LaneView, 'lane' | 'operator' | 'terminal' | 'stop'>, scanned: ScannedCode
) => Promise<TapView>

export type ScanOptions = {
  readonly codes: Pick<Codes, 'take' | 'again'>
  readonly lanes: readonly LaneConfig[]
  readonly parameters: Pick<Parameters, 'fares' | 'tariff'>
  readonly taps: Taps
  readonly spool: Pick<Spool, 'refusal'>
  readonly estate: Pick<Terminals, 'find'>
  readonly clock: Clock
  readonly nowMs: () => number
  readonly onTap: (tap: TapView) => void
}

export const scanDesk = (
  { codes, lanes, parameters, taps, spool, estate, clock, nowMs, onTap }: ScanOptions
): ScanDesk => async ({ lane, operator, terminal, stop }, scanned) => {
  const beganMs = nowMs()
  const no = refusedHere(spool, estate, { operator, terminal })
  const config = lanes.find(one => one.lane === lane)
  if (config === undefined) throw new Error(`no lane ${lane} is configured`)
  const here = { ...config, ...stop === undefined ? {} : { stop } }
  const { code, amountFen = tariffOf(here, parameters), reference = null } = scanned
  const asked = { of: { operator, terminal }, code, amountFen, reference }
  const { reason, card, amountFen: takenFen }: Taken = await codes.again(asked) ??
    (no === null ? await codes.take(asked) : { reason: no, card: null, amountFen: null })
  const total = Math.round((nowMs() - beganMs) * 1_000) / 1_000
  const tap = taps.add({
    lane, at: formatIso(clock.now()), outcome: tapReasons[reason].outcome, reason,
    cardKey: card === null ? null : cardKey(card),
    amountFen: takenFen,
    ms: { total, card: 0, psam: 0, disk: reason === 'paid' ? total : 0 }
  })
  onTap(tap)
  return tap
}

/**
 * As a card pays that remembers nothing: the price of its class, where one boarding has one. What the ledger
 * knows besides makes it cheaper afterwards.
 */
const tariffOf = (lane: LaneConfig, parameters: ScanOptions['parameters']): Pricing => (code, atMs) => {
  const [fares, tariff] = [parameters.fares(), parameters.tariff()]
  const document = versionAt(fares, atMs)?.document
  const cardType = named(code.class.padEnd(8), [
    ...Object.keys(document?.concessions ?? {}),
    ...Object.keys(tariff?.operators[lane.operator]?.byCardType ?? {})])
  const ride = rideDue(fares, { lane, cardType, atMs, rider: 1, riders: 1, memory: null })
  const due = dueOf(lane, cardType, tariff, null, ride)
  if (typeof due === 'string') return due
  if (ride === null || typeof ride === 'string') return { amountFen: due.amountFen, ride: null }
  const { line = '', vehicle = '' } = lane
  const { tariffVersion, ride: { stop = null, sense } } = ride
  return { amountFen: due.amountFen, ride: { line, vehicle, stop, sense, tariffVersion } }
}

function refusedHere (
  spool: ScanOptions['spool'], estate: ScanOptions['estate'],
  { operator, terminal }: { readonly operator: string, readonly terminal: string }
): TapReason | null {
  const found = estate.find(terminal, operator)
  return spool.refusal() ?? (found.ok ? null : found.reason)
}
