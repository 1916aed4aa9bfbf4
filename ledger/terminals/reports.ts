// What gateways tell of their terminals, many in one call: heard, booted, clocks, versions applied, events.
// Sent again, it changes nothing. It refuses to know how a gateway found out.
import {
  terminalKey, type EstateReport, type EstateReportReply, type TerminalEventKind, type TerminalReport
} from '../../schemas/terminals.ts'
import type { Ledger } from '../ledger.ts'
import { noteApplied } from '../parameters/applied.ts'
import { instantIn } from '../refusal.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { estateVersion, type ListOwner } from '../store/enrolments.ts'
import {
  findReporting, publishedAmong, putEvents, putGateway, putStates, type AppliedRow, type Reporting,
  type PutEvent, type StateRow, type ToldEvent
} from '../store/estate.ts'
import { insertComponentNews, type NewsRow } from '../store/components.ts'
import { openDate } from '../store/lock.ts'
import { news, tell } from '../store/outbox.ts'

/**
 * Throws Refusal body_invalid. What is told of a terminal that is not this gateway's is refused, the rest
 * taken.
 */
export async function takeReport (
  ledger: Ledger, report: EstateReport, by: ListOwner
): Promise<EstateReportReply> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = report.terminals.some(hasApplied) ? await openDate(tx) : null
    const { gateway } = by
    await putGateway(tx, {
      gateway, reportedAtMs: atMs, everySeconds: report.everySeconds,
      startedAtMs: instantIn(report.startedAt, '/startedAt'), software: report.software ?? null,
      estateVersion: report.estate ?? null, spoolDepth: report.spoolDepth ?? null
    })
    const { taken, strangers, refused } = await sorted(tx, report.terminals, by)
    await putStates(tx, gateway, taken.map(stateOf))
    const applied = await sortedVersions(tx, taken)
    if (applied.taken.length > 0) await noteApplied(tx, ledger, applied.taken, { clearingDate, atMs })
    const strange = strangers.flatMap(eventsOf).filter(({ kind }) => kind === 'not_enrolled')
    const { told, ended } = await putEvents(tx, gateway, [...taken.flatMap(eventsOf), ...strange])
    await tellOthers(tx, [...taken, ...strangers], told, atMs)
    await insertComponentNews(tx, [...ended, ...told].flatMap(newsOf), atMs)
    return { estate: await estateVersion(tx), refused: [...refused, ...applied.refused] }
  })
}

const hasApplied = ({ applied }: TerminalReport): boolean => (applied?.length ?? 0) > 0

type Refused = EstateReportReply['refused'][number]
type Taken = { readonly of: Reporting, readonly told: TerminalReport, readonly index: number }

/**
 * Each terminal once, the last word counts. Of one that is not enrolled at this gateway nothing is taken but
 * that it works there (`strangers`).
 */
async function sorted (
  tx: Tx, told: readonly TerminalReport[], { gateway, party }: ListOwner
): Promise<{ taken: Taken[], strangers: Taken[], refused: Refused[] }> {
  const found = new Map((await findReporting(tx, told)).map(row => [terminalKey(row), row]))
  const taken = new Map<string, Taken>()
  const strangers = new Map<string, Taken>()
  const refused: Refused[] = []
  for (const [index, one] of told.entries()) {
    const key = terminalKey(one)
    const row = found.get(key)
    const of = row === undefined || (party !== null && row.operator !== party) ? null : row
    const why = of === null ? 'no such terminal' : whyNot(of, gateway)
    if (of !== null && why === null) taken.set(key, { of, told: one, index })
    else if (of !== null && isOfStranger(one)) strangers.set(key, { of, told: one, index })
    else refused.push({ operator: one.operator, terminal: one.terminal, why: why ?? '' })
  }
  return { taken: [...taken.values()], strangers: [...strangers.values()], refused }
}

function whyNot (of: Reporting, gateway: string): string | null {
  if (of.gateway !== null && of.gateway !== gateway) return 'it is enrolled at another gateway'
  if (of.state === 'registered' || of.state === 'retired') return `it is ${of.state}, not enrolled`
  return null
}

const isOfStranger = ({ heardAt, applied = [], events = [] }: TerminalReport): boolean =>
  heardAt === undefined && applied.length === 0 && events.some(({ kind }) => kind === 'not_enrolled')

function stateOf ({ of, told, index }: Taken): StateRow {
  const at = (text: string | undefined, name: string): number | null =>
    text === undefined ? null : instantIn(text, `/terminals/${index}/${name}`)
  return {
    terminalId: of.terminalId, heardAtMs: at(told.heardAt, 'heardAt'),
    bootedAtMs: at(told.bootedAt, 'bootedAt'),
    firmware: told.firmware ?? null, driftMs: told.driftMs ?? null, latitude: told.where?.latitude ?? null,
    longitude: told.where?.longitude ?? null
  }
}

/** Who bears the use of a listed card depends on it: a version that was never published is nobody's. */
async function sortedVersions (
  tx: Tx, taken: readonly Taken[]
): Promise<{ taken: AppliedRow[], refused: Refused[] }> {
  const all = taken.flatMap(({ of, told, index }) =>
    (told.applied ?? []).map(({ kind, version, at }, place) => ({
      of, kind, version, terminalId: of.terminalId,
      appliedAtMs: instantIn(at, `/terminals/${index}/applied/${place}/at`)
    })))
  const published = await publishedAmong(tx, all)
  const isThere = ({ kind, version }: typeof all[number]) => published.has(`${kind} ${version}`)
  return {
    taken: all.filter(isThere).map(({ of, ...row }) => row),
    refused: all.filter(one => !isThere(one)).map(({ of: { operator, terminal }, kind, version }) =>
      ({ operator, terminal, why: `no version ${version} of ${kind} was published` }))
  }
}

const eventsOf = ({ of, told, index }: Taken): ToldEvent[] =>
  (told.events ?? []).map(({ kind, foundAt, clearedAt, detail }, place) => {
    const at = `/terminals/${index}/events/${place}`
    const foundAtMs = instantIn(foundAt, `${at}/foundAt`)
    const clearedAtMs = clearedAt === null ? null : instantIn(clearedAt, `${at}/clearedAt`)
    return {
      terminalId: of.terminalId, kind, foundAtMs, detail,
      clearedAtMs: clearedAtMs === null ? null : Math.max(foundAtMs, clearedAtMs)
    }
  })

/** What was over before anybody told of it was found all the same. */
function newsOf ({ terminalId, kind, foundAtMs, clearedAtMs, isNew }: PutEvent): NewsRow[] {
  const event = { kind, foundAtMs }
  return [
    ...isNew ? [{ terminalId, what: 'found', atMs: foundAtMs, event } as const] : [],
    ...clearedAtMs === null ? [] : [{ terminalId, what: 'cleared', atMs: clearedAtMs, event } as const]
  ]
}

/** Each operator hears of its own terminals. */
async function tellOthers (
  tx: Tx, taken: readonly Taken[], told: readonly ToldEvent[], atMs: number
): Promise<void> {
  const byId = new Map(taken.map(({ of }) => [of.terminalId, of]))
  await tell(tx, told.flatMap(({ terminalId, kind, clearedAtMs }) => {
    const of = byId.get(terminalId)
    if (of === undefined) return []
    const { operator, terminal } = of
    const data = { operator, terminal, kind: kind satisfies TerminalEventKind, cleared: clearedAtMs !== null }
    return [news({ topic: 'terminal.event', subject: `terminal/${terminalKey(of)}`, data, party: operator })]
  }), atMs)
}
