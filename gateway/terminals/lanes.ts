// What the terminals of the card readers are to the centre: there while their readers are. They say nothing
// by themselves, so somebody looks. It refuses to know cards.
import type { LaneView } from '../../schemas/gateway.ts'
import type { Terminals } from './terminals.ts'

/** Once before each report. */
export function lookAtLanes (
  lanes: Iterable<LaneView>, { heard, raise, clear }: Pick<Terminals, 'heard' | 'raise' | 'clear'>
): void {
  for (const { operator, terminal, cardReader, psam } of lanes) {
    const of = { operator, terminal }
    heard(of)
    if (cardReader === 'away') raise(of, 'reader_away')
    else clear(of, 'reader_away')
    if (psam.state === 'ready' || psam.state === 'none') clear(of, 'psam_refused')
    else if (psam.state !== 'starting') raise(of, 'psam_refused', psam.why ?? psam.state)
  }
}
