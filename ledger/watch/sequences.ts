// Watches the sequences of PSAMs: records that never came are an item of their terminal and operator; a PSAM
// that started over puts records into another light.
import type { Look } from './watch.ts'
import type { AlertRow } from '../store/alerts.ts'
import { closeItems, itemRecordsMax, openItems, type FoundItem } from '../store/items.ts'
import { addRuns, lookAgainFrom, takeSecondRun, type Gaps } from '../store/sequences.ts'
import type { PsamRow, Snapshot } from '../store/registry.ts'
import { reconsider } from '../intake/reconsider.ts'

/** One item per PSAM issue: all that is missing between the lowest and the highest number it told. */
export async function findGaps ({ tx, ledger, news, atMs, clearingDate }: Look): Promise<AlertRow[]> {
  const snapshot = await ledger.registry(tx)
  const psams = new Map([...snapshot.psams.values()].flat().map(psam => [psam.psamId, psam]))
  const found = (await addRuns(tx, news.runs)).flatMap(gaps => {
    const psam = psams.get(gaps.psamId)
    if (psam === undefined || isAway(snapshot, psam)) return []
    return [{ gaps, psam, key: `psam/${psam.psam}/${psam.issue}` }]
  })
  const open = found.filter(({ gaps }) => gaps.records > 0)
  await openItems(tx, open.map(({ gaps, psam, key }) =>
    itemOf(gaps, key, { clearingDate, ...placeOf(snapshot, psam) })), atMs)
  const closed = found.filter(({ gaps }) => gaps.records === 0).map(({ key }) => key)
  await closeItems(tx, 'B', closed, 'all records have arrived', atMs)
  return []
}

const runsShownMax = 100

const itemOf = ({ missing, records }: Gaps, key: string, { clearingDate, terminal, party }: {
  clearingDate: string, terminal: string | null, party: string | null
}): FoundItem => ({
  layer: 'B', outcome: 'LEFT_ONLY', key, party, clearingDate, records: Math.min(records, itemRecordsMax),
  evidence: {
    kind: 'gap', about: key, terminal, missing: missing.slice(0, runsShownMax), runs: missing.length
  }
})

/** In another city: what it did with cards that are not ours is told to others. */
function isAway ({ terminalById, partyById }: Snapshot, { terminalId }: PsamRow): boolean {
  const terminal = terminalById.get(terminalId ?? -1)
  return partyById.get(terminal?.partyId ?? -1)?.kind === 'centre'
}

function placeOf (snapshot: Snapshot, psam: PsamRow): { terminal: string | null, party: string | null } {
  const terminal = snapshot.terminalById.get(psam.terminalId ?? -1)
  const party = snapshot.partyById.get(terminal?.partyId ?? -1)
  return { terminal: terminal?.code ?? null, party: party?.code ?? null }
}

/** Records that were judged before a proof was known, or while it was being written. */
export async function lookAtSecondRuns ({ tx, ledger, news, atMs }: Look): Promise<AlertRow[]> {
  await lookAgainFrom(tx, news.runs)
  const { policies } = await ledger.registry(tx)
  await reconsider(tx, ledger, await takeSecondRun(tx, policies.clockToleranceMinutes * 60_000), atMs)
  return []
}
