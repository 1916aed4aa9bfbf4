// Makes the lines of a delivery ready to be judged: whose card, which PSAM and terminal, is the TAC right.
// None of it changes with other records.
import { bucketOf } from '../../schemas/record.ts'
import { awayTerminal } from './elsewhere.ts'
import type { IncomingLine, ReadableLine } from './incoming.ts'
import type { Asked } from './read-known.ts'
import type { PlainLines } from './plain-lines.ts'
import type { Registered } from '../judging/plain.ts'
import { isForeign, type Prepared } from '../judging/sort-out.ts'
import type { Ledger } from '../ledger.ts'
import type { CardRow } from '../store/cards.ts'
import type { PartyRow, PsamRow, Snapshot, TerminalRow } from '../store/registry.ts'
import { completeItem, itemLength, writeItem } from '../tac/tac-item.ts'

/** A line that can be read, at its place in the delivery. */
export type PlacedLine = { readonly index: number, readonly line: ReadableLine }

/** `cards`: the registered ones among those of the lines, by their key. */
export async function prepare (
  ledger: Pick<Ledger, 'tac'>, snapshot: Snapshot, lines: readonly PlacedLine[],
  cards: ReadonlyMap<string, CardRow>
): Promise<Prepared[]> {
  const found = lines.map(({ line: { cardKey, record } }) =>
    cardFor(snapshot.parties.get(record.operator) ?? null, cards.get(cardKey)))
  const valid = await verifyTacs(ledger, snapshot, lines, found)
  return lines.map((line, place) => prepared(snapshot, line, found[place] ?? null, valid[place] ?? null))
}

function prepared (
  snapshot: Snapshot, { index, line }: PlacedLine, card: CardRow | null, tacValid: boolean | null
): Prepared {
  const { record, eventAtMs } = line
  const operator = snapshot.parties.get(record.operator) ?? null
  return {
    index,
    lineNo: line.lineNo,
    record,
    eventAtMs,
    content: line.content,
    bucket: card?.bucket ?? bucketOf(record.card),
    tacValid,
    card,
    psam: psamAt(snapshot.psams.get(record.psam) ?? none, eventAtMs),
    terminal: terminalOf(snapshot, operator, record.terminal),
    operator
  }
}

type About = { readonly lines: readonly IncomingLine[], readonly plain?: { readonly plain: PlainLines } }

/** What lines are about: whoever judges them reads what else is known of it. */
export function askedBy (
  { psams, terminals }: Snapshot, { lines, plain }: About,
  cards: ReadonlyMap<string, CardRow>
): Asked {
  const psamTexts = new Set(plain?.plain.psams)
  const terminalCodes = new Set(plain?.plain.terminals)
  for (const line of lines) {
    if (!line.readable) continue
    psamTexts.add(line.record.psam)
    terminalCodes.add(line.record.terminal)
  }
  return {
    psamIds: [...psamTexts].flatMap(psam => (psams.get(psam) ?? none).map(({ psamId }) => psamId)),
    terminalIds: [...terminalCodes].flatMap(code =>
      (terminals.get(code) ?? none).map(({ terminalId }) => terminalId)),
    cards: [...cards.values()]
  }
}

/* ---- plain lines ---- */

/** What the registry says of what plain lines of `operator` name; a PSAM of two issues: nothing simple. */
export function lookUp (
  snapshot: Snapshot, { cards, psams, terminals }: PlainLines, operator: PartyRow,
  known: ReadonlyMap<string, CardRow>
): Registered {
  return {
    cards: cards.map(({ key }) => cardFor(operator, known.get(key))),
    psams: psams.map(psam => {
      const issues = snapshot.psams.get(psam) ?? none
      return issues.length === 1 ? issues[0] ?? null : null
    }),
    terminals: terminals.map(code => terminalOf(snapshot, operator, code)),
    operator: snapshot.parties.get(operator.code) ?? null
  }
}

/** A byte a line: 1 where its TAC is right. */
export async function verifyPlain (
  ledger: Pick<Ledger, 'tac'>, { policies }: Snapshot, { items, cardPlace, length }: PlainLines,
  cards: readonly (CardRow | null)[]
): Promise<Uint8Array> {
  for (let place = 0; place < length; place++) {
    const card = cards[cardPlace[place] as number] ?? null
    const cityFactor = policies.tacKeyLevels === 2 ? card?.cityFactor ?? null : null
    completeItem(items, place * itemLength, card?.suite ?? '3des', cityFactor)
  }
  return await ledger.tac.verify(items.subarray(0, length * itemLength), policies.factorOrder)
}

/** A centre brings records of our own cards: one of another city came the wrong way, and nobody's here. */
const cardFor = (operator: PartyRow | null, card: CardRow | undefined): CardRow | null =>
  card === undefined || (operator?.kind === 'centre' && isForeign(card)) ? null : card

const none: readonly never[] = []

const noTac = (tac: string | null): boolean => tac === null || tac === '00000000' || tac === 'FFFFFFFF'

/**
 * True or false per line; null where it carries no TAC. That of a card of another city passes: only its
 * issuer can verify it, and returns what it does not accept.
 */
async function verifyTacs (
  ledger: Pick<Ledger, 'tac'>, snapshot: Snapshot, lines: readonly PlacedLine[],
  cards: readonly (CardRow | null)[]
): Promise<(boolean | null)[]> {
  const { tacKeyLevels, factorOrder } = snapshot.policies
  const items = Buffer.alloc(lines.length * itemLength)
  const places: number[] = []
  const answers = lines.map(({ line: { record } }, place): boolean | null => {
    if (noTac(record.tac)) return null
    const card = cards[place] ?? null
    if (card === null) return false
    if (isForeign(card)) return true
    const cityFactor = tacKeyLevels === 2 ? card.cityFactor : null
    writeItem(items, places.length * itemLength, record, card.suite, cityFactor)
    places.push(place)
    return false
  })
  const valid = await ledger.tac.verify(items.subarray(0, places.length * itemLength), factorOrder)
  for (const [index, place] of places.entries()) answers[place] = valid[index] === 1
  return answers
}

/**
 * The issue of the PSAM that was valid at the event, or else the last one before it; nearly always there is
 * but one. A date before all of them is that of a clock which was reset, in a terminal that works today.
 */
const psamAt = (issues: readonly PsamRow[], atMs: number): PsamRow | null => issues.length === 1
  ? issues[0] ?? null
  : issues.findLast(one => one.fromMs <= atMs && (one.toMs === null || one.toMs > atMs)) ??
  issues.findLast(one => one.fromMs <= atMs) ?? issues.at(-1) ?? null

/**
 * The operator's own terminal of that number, or somebody else's: then the verdict says so. Of a centre, the
 * one that stands for all terminals of other cities.
 */
function terminalOf (snapshot: Snapshot, operator: PartyRow | null, code: string): TerminalRow | null {
  if (operator?.kind === 'centre') return awayTerminal(snapshot, operator)
  const all = snapshot.terminals.get(code)
  if (all === undefined) return null
  if (all.length === 1) return all[0] ?? null
  return all.find(one => one.partyId === operator?.partyId) ?? all[0] ?? null
}
