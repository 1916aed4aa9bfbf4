// Where our cards are used in other cities: the national centre brings what was debited there, and nobody
// registers its PSAMs here. What its files name gets a row, under one terminal that stands for all of theirs:
// which terminal it was stands in the bytes. It refuses to know verdicts.
import type { PlainLines } from './plain-lines.ts'
import type { IncomingLine } from './incoming.ts'
import type { Ledger } from '../ledger.ts'
import { inTransaction } from '../store/db.ts'
import { bumpVersion, insertAway, type PartyRow, type Snapshot, type TerminalRow } from '../store/registry.ts'

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
  { db, registry }: Pick<Ledger, 'db' | 'registry'>, snapshot: Snapshot, centre: PartyRow,
  { others, plain }: { readonly others: readonly IncomingLine[], readonly plain: Pick<PlainLines, 'psams'> }
): Promise<Snapshot> {
  const told = new Set(plain.psams)
  for (const line of others) if (line.readable) told.add(line.record.psam)
  const psams = [...told].filter(psam => !snapshot.psams.has(psam)).sort()
  if (psams.length === 0 && awayTerminal(snapshot, centre) !== null) return snapshot
  await inTransaction(db, async tx => {
    await bumpVersion(tx) // first: whoever else admits waits here
    await insertAway(tx, centre.partyId, away, psams)
  })
  return await registry()
}
