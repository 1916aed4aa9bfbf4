// When the sequence of a PSAM runs backwards. Pure, and blind to the order of arrival.
//
// A sequence with two different uses, each signed by a chip, is the only proof: a clock that goes wrong moves
// dates, it never gives a number twice. Once proven, every use that lies at or below such a number and
// is dated after its first use is part of the second run; all others stay as they are. So one glitch of a
// clock holds nothing, and what a terminal delivers late, dated before, fills its gap.
import { groupBy } from '../../runtime/collections.ts'
import { chipKey, terminalKey, type ChainEvent } from './chain.ts'

/** A sequence that was used twice, and when the use that holds it says it was. */
export type Reuse = { readonly psamId: number, readonly sequence: bigint, readonly firstAtMs: number }
export type Use = Pick<ChainEvent, 'psamId' | 'sequence' | 'eventAtMs'>

/**
 * For each sequence that `claims` name (all claims on it, of which `lost` lost): was it used twice? A second
 * use lost the sequence and nothing but the sequence; one that lost its chip counter too proves nothing. Nor
 * does the same card at the same instant: that is a copy of the record with another counter, which the TAC
 * does not cover, a conflict of the card and not of the PSAM.
 */
export function reusesOf<E extends ChainEvent> (
  claims: readonly E[], lost: ReadonlySet<E>
): (Omit<Reuse, 'firstAtMs'> & { readonly firstAtMs: number | null })[] {
  const winners = claims.filter(claim => !lost.has(claim))
  const heldCounters = new Set(winners.map(chipKey))
  const holders = new Map(winners.map(claim => [terminalKey(claim), claim]))
  return [...groupBy(claims, terminalKey)].map(([key, uses]) => {
    const { psamId, sequence } = uses[0] as E
    const holder = holders.get(key)
    const again = holder !== undefined && uses.some(use => lost.has(use) && !heldCounters.has(chipKey(use)) &&
      (use.purse !== holder.purse || use.eventAtMs !== holder.eventAtMs))
    return { psamId, sequence, firstAtMs: again ? holder.eventAtMs : null }
  })
}

export type Regressed = (use: Use) => boolean

/** Whether a use belongs to a second run. Clocks may be wrong by `slackMs`. */
export function regressedBy (reuses: readonly Reuse[], slackMs: number): Regressed {
  if (reuses.length === 0) return never
  const byPsam = groupBy(reuses, reuse => reuse.psamId)
  return ({ psamId, sequence, eventAtMs }) => byPsam.get(psamId)?.some(reuse =>
    sequence <= reuse.sequence && eventAtMs > reuse.firstAtMs + slackMs) ?? false
}
const never: Regressed = () => false
