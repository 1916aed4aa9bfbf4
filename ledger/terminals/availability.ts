// How much of the time terminals were intact, and how many events were handled in time: per operator and for
// the fleet. It refuses to know where the figures are kept.
import type { Availability } from '../../schemas/estate.ts'
import { terminalEventKinds } from '../../schemas/terminals.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Db, Tx } from '../store/db.ts'
import { countUnheard, readAvailability, type AvailabilityRow } from '../store/estate-availability.ts'

/** What a digital city is asked for. */
export const goals = { intactPpm: 950_000, handledPpm: 900_000 } as const

const kinds = Object.entries(terminalEventKinds).map(([kind, row]) => ({ kind, ...row }))

export async function availabilityOf (
  db: Db | Tx,
  { fromMs, toMs, nowMs }: { readonly fromMs: number, readonly toMs: number, readonly nowMs: number },
  party: string | null = null
): Promise<Availability> {
  const rows = (await readAvailability(db, { fromMs, toMs, nowMs, kinds }))
    .filter(({ operator }) => party === null || operator === party)
  return {
    from: formatIso(fromMs),
    to: formatIso(toMs),
    unheard: await countUnheard(db, party),
    fleet: figuresOf(rows),
    operators: rows.map(row => ({ operator: row.operator, ...figuresOf([row]) }))
  }
}

function figuresOf (rows: readonly AvailabilityRow[]): Availability['fleet'] {
  const sum = (of: (row: AvailabilityRow) => number) => rows.reduce((total, row) => total + of(row), 0)
  const [knownMs, downMs] = [sum(row => row.knownMs), sum(row => row.downMs)]
  const [found, handled] = [sum(row => Number(row.found)), sum(row => Number(row.handled))]
  return {
    terminals: sum(row => Number(row.terminals)),
    knownSeconds: Math.round(knownMs / 1_000),
    downSeconds: Math.round(downMs / 1_000),
    intactPpm: share(knownMs - downMs, knownMs),
    found,
    handled,
    handledPpm: share(handled, found)
  }
}

/** Rounded down: what misses the goal does not look as if it reached it. */
const share = (part: number, whole: number): number | null =>
  whole === 0 ? null : Math.floor(part / whole * 1_000_000)
