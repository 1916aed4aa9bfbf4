// Makes the lines of a delivery ready to be judged: whose card, which PSAM and terminal, is the TAC right.
// Needs no lock: none of it changes with other records.
import { cardKey, bucketOf } from '../schemas/record.ts'
import type { IncomingLine } from './intake/incoming.ts'
import type { Prepared, Unreadable } from './judging/sort-out.ts'
import type { Ledger } from './ledger.ts'
import { findCards, type CardRow } from './store/cards.ts'
import type { PartyRow, PsamRow, Snapshot, TerminalRow } from './store/registry.ts'
import { itemLength, writeItem } from './verify/tac-item.ts'

export async function prepare (ledger: Pick<Ledger, 'db' | 'tac'>, snapshot: Snapshot,
  lines: readonly IncomingLine[]): Promise<{
    prepared: Prepared[], unreadable: Unreadable[]
  }> {
  const readable = lines.flatMap((line, index) => line.readable ? [{ line, index }] : [])
  const cards = await findCards(ledger.db, readable.map(({ line }) => line.record.card))
  const valid = await verifyTacs(ledger, snapshot, readable.map(({ line }) =>
    ({ line, card: cards.get(cardKey(line.record.card)) ?? null })))
  const prepared = readable.map(({ line, index }, place): Prepared => {
    const { record } = line
    const card = cards.get(cardKey(record.card)) ?? null
    return {
      ...line, index, card, bucket: card?.bucket ?? bucketOf(record.card), tacValid: valid[place] ?? null,
      psam: psamAt(snapshot.psams.get(record.psam) ?? [], line.eventAtMs),
      ...placeOf(snapshot, record.operator, record.terminal)
    }
  })
  const unreadable = lines.flatMap((line, index) => line.readable ? [] : [{ ...line, index }])
  return { prepared, unreadable }
}

const noTac = (tac: string | null): boolean => tac === null || tac === '00000000' || tac === 'FFFFFFFF'

/** True or false per line, null where it carries no TAC or its card is not known. */
async function verifyTacs (
  ledger: Pick<Ledger, 'tac'>, snapshot: Snapshot,
  lines: readonly { line: IncomingLine & { readable: true }, card: CardRow | null }[]
): Promise<(boolean | null)[]> {
  const checked = lines.flatMap(({ line, card }, place) =>
    card === null || noTac(line.record.tac) ? [] : [{ record: line.record, card, place }])
  const items = Buffer.alloc(checked.length * itemLength)
  const { tacKeyLevels, factorOrder } = snapshot.policies
  checked.forEach(({ record, card }, index) =>
    writeItem(items, index * itemLength, record, card.suite, tacKeyLevels === 2 ? card.cityFactor : null))
  const valid = await ledger.tac.verify(items, factorOrder)
  const answers = lines.map(({ line, card }) =>
    card === null && !noTac(line.record.tac) ? false : null) as (boolean | null)[]
  checked.forEach(({ place }, index) => { answers[place] = valid[index] === 1 })
  return answers
}

/** The issue of the PSAM that was valid at the event, or the nearest one. */
const psamAt = (issues: readonly PsamRow[], atMs: number): PsamRow | null =>
  issues.findLast(one => one.fromMs <= atMs && (one.toMs === null || one.toMs > atMs)) ??
  issues.findLast(one => one.fromMs <= atMs) ?? issues[0] ?? null

/** The operator's own terminal of that number, or somebody else's: then the verdict says so. */
function placeOf (snapshot: Snapshot, operatorCode: string, code: string): {
  operator: PartyRow | null, terminal: TerminalRow | null
} {
  const operator = snapshot.parties.get(operatorCode) ?? null
  const all = snapshot.terminals.get(code) ?? []
  return { operator, terminal: all.find(one => one.partyId === operator?.partyId) ?? all[0] ?? null }
}
