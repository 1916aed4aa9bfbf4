// Records counted over all clearing dates. The ledger counts one date at a time; whoever needs all of a small
// ledger adds them up.
import type { DayView, RecordTotals } from '../schemas/api.ts'

export type RecordCounts = Omit<RecordTotals, 'clearingDate'>

/** `get` answers a path of the ledger; `days` are all of its clearing days. */
export async function totalsOver (
  days: readonly Pick<DayView, 'date'>[], get: (path: string) => Promise<RecordTotals>
): Promise<RecordCounts> {
  let all: RecordCounts = {
    delivered: 0, distinct: 0, accepted: 0, held: 0, excluded: 0, refused: {}, acceptedFen: 0
  }
  for (const { date } of days) all = sumOf(all, await get(`/v1/records/totals?date=${date}`))
  return all
}

function sumOf (one: RecordCounts, other: RecordCounts): RecordCounts {
  const refused = { ...one.refused }
  for (const [reason, count] of Object.entries(other.refused)) {
    refused[reason] = (refused[reason] ?? 0) + count
  }
  return {
    delivered: one.delivered + other.delivered,
    distinct: one.distinct + other.distinct,
    accepted: one.accepted + other.accepted,
    held: one.held + other.held,
    excluded: one.excluded + other.excluded,
    refused,
    acceptedFen: Number(one.acceptedFen) + Number(other.acceptedFen)
  }
}
