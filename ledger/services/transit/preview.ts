// What a day that is over would have cost by another tariff: the journeys of every card that rode on it,
// priced by what counts and by what is proposed. It writes nothing, and refuses to know what is booked.
import { addDays, daysBetween, localDate, startOfDate } from '../../../runtime/instants.ts'
import type { TariffPreview, TariffPreviewLine, TariffPreviewRequest } from '../../../schemas/fares.ts'
import type { TariffDocument } from '../../../schemas/tariff/document.ts'
import { faresOf, serviceOf, versionAt, type Fares } from '../../../schemas/tariff/fares.ts'
import { priceCard } from '../../../schemas/tariff/price-card.ts'
import type { Ledger } from '../../ledger.ts'
import { Refusal } from '../../refusal.ts'
import { inSnapshot } from '../../store/exports.ts'
import type { Tx } from '../../store/db.ts'
import { riderPages, type DueCard } from '../../store/rides.ts'
import { checkedDocument } from './documents.ts'
import type { PaidHistory } from './due-and-paid.ts'
import { dependsOnDays, historiesOf } from './price-cards.ts'

type Book = Pick<Ledger, 'db' | 'clock' | 'registry'>

const limits = {
  /** A page is priced at once, and nobody else is answered meanwhile. */
  cardsPerPage: 50,
  /** Of a day with more cards the rest is left out, and that is said. */
  cardsMax: 50_000
} as const
const underWay = new WeakSet<object>()

/**
 * The proposed document counts from the beginning of the day on, whatever it says itself; the days before it
 * are priced as they were. Throws Refusal body_invalid, unavailable.
 */
export async function previewTariff (
  { db, clock, registry }: Book, { day, document: said }: TariffPreviewRequest
): Promise<TariffPreview> {
  const document = checkedDocument(said, '/document')
  if (day >= localDate(clock.now())) throw new Refusal('body_invalid', 'the day is not over', '/day')
  if (underWay.has(db)) throw new Refusal('unavailable', 'a preview is being made; try again when it is over')
  underWay.add(db)
  try {
    const { fares: present } = await registry()
    const fares = { present, proposed: insteadFrom(present, document, day) }
    const sums = newSums(day, fares)
    const made = inSnapshot(db, tx => pagesOf(tx, day, histories => {
      for (const history of histories) sums.add(history)
    }))
    let cards = 0
    for await (const count of made) cards += count
    const lines = sums.lines()
    return {
      day, cards, isWhole: cards < limits.cardsMax, version: document.version, lines,
      presentFen: sumOf(lines, ({ presentFen }) => presentFen),
      proposedFen: sumOf(lines, ({ proposedFen }) => proposedFen)
    }
  } finally {
    underWay.delete(db)
  }
}

const sumOf = (lines: readonly TariffPreviewLine[], of: (line: TariffPreviewLine) => number): number =>
  lines.reduce((sum, line) => sum + of(line), 0)

const dayMs = 86_400_000
/** When a transit day begins, by a document's own clock. */
const startOfDay = ({ utcOffsetMinutes, transitDay }: TariffDocument, day: string): number =>
  daysBetween('1970-01-01', day) * dayMs - (utcOffsetMinutes - transitDay.startsAtMinute) * 60_000

function insteadFrom (present: Fares, document: TariffDocument, day: string): Fares {
  const fromMs = startOfDay(document, day)
  const earlier = present.filter(version => version.fromMs < fromMs).map(version => version.document)
  return faresOf([...earlier, { ...document, from: new Date(fromMs).toISOString() }])
}

/** Tells the histories of all cards that rode on the day; yields how many there were, page by page. */
async function * pagesOf (
  tx: Tx, day: string, tell: (histories: readonly PaidHistory[]) => void
): AsyncGenerator<number> {
  // A transit day begins and ends within a day of the date, wherever its clock stands.
  const [fromMs, untilMs] = [startOfDate(addDays(day, -1)), startOfDate(addDays(day, 3))]
  let count = 0
  for await (const page of riderPages(tx, fromMs, untilMs, limits.cardsPerPage)) {
    const cards = page.slice(0, limits.cardsMax - count)
      .map((card): DueCard => ({ ...card, fromMs: fromMs - dependsOnDays * dayMs }))
    const histories = await historiesOf(tx, cards)
    tell(cards.map(({ cardId }) => histories(cardId)))
    count += cards.length
    yield cards.length
    if (count >= limits.cardsMax) return
  }
}

/* ---- sums ---- */

type Sides = { readonly present: Fares, readonly proposed: Fares }

/** By operator, service and line; a journey counts where it began. Pure but for what it adds up. */
export function newSums (day: string, fares: Sides) {
  const found = new Map<string, TariffPreviewLine>()
  const lineOf = (operator: string, line: string): TariffPreviewLine => {
    const key = `${operator}\n${line}`
    const known = found.get(key)
    if (known !== undefined) return known
    const made = {
      operator, line, service: serviceAt(operator, line), presentJourneys: 0, presentFen: 0,
      proposedJourneys: 0, proposedFen: 0, unpriced: 0
    }
    found.set(key, made)
    return made
  }
  const serviceAt = (operator: string, line: string): string | null => {
    const versions = [versionAt(fares.present, startOfDate(addDays(day, 1))), fares.proposed.at(-1) ?? null]
    return versions.map(version => version === null ? null : serviceOf(version, operator, line)?.id ?? null)
      .find(id => id !== null) ?? null
  }
  return {
    add: (history: PaidHistory): void => {
      const taps = new Map(history.taps.map(tap => [tap.counter, tap]))
      for (const side of ['present', 'proposed'] as const) {
        for (const journey of priceCard(fares[side], history).journeys) {
          const tap = taps.get(journey.counters[0] ?? -1)
          // Below zero are the counters of a card whose place this one took: it is told of by itself.
          if (journey.day !== day || tap === undefined || tap.counter < 0) continue
          if (journey.kind === 'duplicate') continue
          const line = lineOf(tap.operator, tap.line)
          line[`${side}Fen`] += journey.amountFen
          if (journey.kind !== 'unpriced') line[`${side}Journeys`] += 1
          else if (side === 'proposed') line.unpriced += 1
        }
      }
    },
    lines: (): TariffPreviewLine[] => [...found.values()].sort((one, other) =>
      one.operator === other.operator
        ? one.line < other.line ? -1 : 1
        : one.operator < other.operator ? -1 : 1)
  }
}
