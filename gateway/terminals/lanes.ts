// What the terminals of the card readers are to the centre: there while their readers are. They say nothing
// by themselves, so somebody looks. It refuses to know cards.
import type { LaneView } from '../../schemas/gateway.ts'
import type { Terminals } from './terminals.ts'

/** Once before each report. Of a lane that nobody has enrolled the centre hears that it is there, no more. */
export function lookAtLanes (
  lanes: Iterable<LaneView>,
  { find, heard, raise, clear }: Pick<Terminals, 'find' | 'heard' | 'raise' | 'clear'>
): void {
  for (const { operator, terminal, cardReader, psam } of lanes) {
    const of = { operator, terminal }
    const found = find(terminal, operator)
    if (!found.ok && found.reason === 'terminal_not_enrolled') continue
    heard(of)
    if (cardReader === 'away') raise(of, 'reader_away')
    else clear(of, 'reader_away')
    if (psam.state === 'ready' || psam.state === 'none') clear(of, 'psam_refused')
    else if (psam.state !== 'starting') raise(of, 'psam_refused', psam.why ?? psam.state)
  }
}
