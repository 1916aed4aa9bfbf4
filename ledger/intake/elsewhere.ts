// Where our cards are used in other cities: the national centre brings what was debited there, and nobody
// registers its PSAMs here. What its files name gets a row, under one terminal that stands for all of theirs:
// which terminal it was stands in the bytes. It refuses to know verdicts.
import type { PlainLines } from './plain-lines.ts'
import type { IncomingLine } from './incoming.ts'
import type { Ledger } from '../ledger.ts'
import { note } from '../posting/note.ts'
import { inTransaction } from '../store/db.ts'
import { openDate } from '../store/lock.ts'
import {
  bumpVersion, insertAway, upsertTerminals, type PartyRow, type Snapshot, type TerminalRow
} from '../store/registry.ts'

/** The number of the terminal that stands for all terminals of other cities. */
export const away = 'AWAY'

/** Null until a file of the centre has come. */
export const awayTerminal = ({ terminals }: Snapshot, centre: PartyRow): TerminalRow | null =>
  terminals.get(away)?.find(({ partyId }) => partyId === centre.partyId) ?? null

/**
 * Gives PSAMs of other cities their rows, before the transaction that books the lines; what is registered
 * stays as it is. The registry with them, which is the same one where nothing is new.
 */
export async function admitAway (
  ledger: Pick<Ledger, 'db' | 'registry' | 'clock' | 'random'>, snapshot: Snapshot, centre: PartyRow,
  { others, plain }: { readonly others: readonly IncomingLine[], readonly plain: Pick<PlainLines, 'psams'> }
): Promise<Snapshot> {
  const told = new Set(plain.psams)
  for (const line of others) if (line.readable) told.add(line.record.psam)
  const psams = [...told].filter(psam => !snapshot.psams.has(psam)).sort()
  const isThere = awayTerminal(snapshot, centre) !== null
  if (psams.length === 0 && isThere) return snapshot
  await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDate(tx) // before all other locks
    if (clearingDate === null) return // whoever books the lines says so
    await bumpVersion(tx) // whoever else admits waits here
    // Whose a terminal is decides who is paid: it is under the tree. No list of ours reaches this one.
    const said = [{ terminal: away, operator: centre.code, reachable: false }]
    const about = { table: 'terminal' as const, clearingDate, atMs: ledger.clock.now() }
    if (!isThere) await note(tx, ledger, about, notedIn => upsertTerminals(tx, said, notedIn))
    await insertAway(tx, centre.partyId, away, psams)
  })
  return await ledger.registry()
}
