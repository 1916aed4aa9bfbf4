// The figures of a morning: what the report shows and `--json` writes. Pure; amounts in fen.
import { maskCard } from '../../runtime/log.ts'
import { localTime, parseIso } from '../../runtime/instants.ts'
import type { DayView, SignedHead, VerifyReport } from '../../schemas/api.ts'
import type { AuditReport } from '../auditor/audit.ts'
import type { CardReport } from '../card/description.ts'
import type { RecordCounts } from '../record-totals.ts'
import { partyName } from './cast.ts'
import type { TapSeen } from './lanes.ts'
import type { CityPlan } from './plan.ts'

export type Findings = {
  readonly readers: number
  readonly seen: readonly TapSeen[]
  readonly openPayments: number
  readonly reports: ReadonlyMap<string, CardReport>
  readonly offlineLines: number
  readonly offlineMs: number
  readonly totals: RecordCounts
  readonly day: DayView
  readonly head: SignedHead
  readonly verify: VerifyReport
  readonly audit: AuditReport
  readonly surprises: readonly string[]
  readonly rssMiB: Readonly<Record<string, number>>
}

export type Figures = ReturnType<typeof figuresOf>

export function figuresOf (plan: CityPlan, found: Findings) {
  const { totals, audit, seen } = found
  const torn = seen.filter(({ view }) => view.reason === 'torn').length
  const openings = plan.residents.map(({ description }) => description.balanceFen ?? 0)
  const balances = [...found.reports.values()].map(({ purse }) => purse.balanceFen)
  const tapMs = seen.filter(({ view }) => view.outcome === 'approved').map(({ view }) => view.ms.total)
  return {
    seed: plan.options.seed,
    clearingDate: found.day.date,
    readers: found.readers,
    cards: plan.residents.length,
    profiles: countBy(plan.residents.map(({ registered }) => registered.profile)),
    taps: seen.length,
    torn,
    recovered: torn - found.openPayments,
    tapReasons: countBy(seen.map(({ view }) => view.reason)),
    records: {
      delivered: totals.delivered,
      distinct: totals.distinct,
      accepted: totals.accepted,
      held: totals.held,
      excluded: totals.excluded,
      refused: totals.refused
    },
    offline: {
      records: plan.records.distinct, delivered: found.offlineLines, cards: plan.records.cards.length
    },
    parties: found.day.positions.filter(isShown).map(position => ({
      party: position.party,
      book: position.book,
      nameZh: partyName(position.party).zh,
      nameEn: partyName(position.party).en,
      claimsFen: Number(position.claimsFen),
      commissionFen: Number(position.commissionFen),
      loadsFen: Number(position.loadsFen),
      loadCommissionFen: Number(position.loadCommissionFen),
      adjustmentsFen: Number(position.adjustmentsFen),
      netFen: Number(position.netFen)
    })),
    netSumFen: Number(found.day.netSumFen),
    day: {
      state: found.day.state,
      approvals: found.day.approvals.map(({ staff }) => staff),
      steps: found.day.steps.map(({ state, by }) => ({ state, by }))
    },
    chainHead: found.head.root,
    head: found.head,
    verify: found.verify.ok ? 'ok' : 'failed',
    verifyChecks: found.verify.checks,
    auditor: audit.ok ? 'ok' : 'failed',
    auditorFound: { ...audit.totals, explained: explained(audit), problems: audit.problems.slice(0, 20) },
    chipDebitsFen: sum(openings) - sum(balances),
    tapMs: { p50: percentile(tapMs, 0.5), p99: percentile(tapMs, 0.99) },
    recordsPerSecond: Math.round(found.offlineLines / (found.offlineMs / 1_000)),
    rssMiB: found.rssMiB,
    surprises: found.surprises.slice(0, 20),
    story: storyOf(plan, seen)
  }
}

/** Every party stands in the commerce book; in others only who moved something there. */
const isShown = ({ book, netFen, claimsFen }: DayView['positions'][number]): boolean =>
  book === 'commerce' || Number(netFen) !== 0 || Number(claimsFen) !== 0

const sum = (amounts: readonly number[]): number => amounts.reduce((all, one) => all + one, 0)

const countBy = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** Milliseconds to a tenth, nearest rank. */
function percentile (values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
  return Math.round(value * 10) / 10
}

/** Where the money is that chips have lost and books have not seen, by cause. */
function explained ({ cards }: AuditReport): Record<string, { count: number, fen: number }> {
  const causes: Record<string, { count: number, fen: number }> = {}
  for (const { why, amountFen } of cards.flatMap(({ explanations }) => explanations)) {
    const cause = causes[why] ??= { count: 0, fen: 0 }
    cause.count++
    cause.fen += amountFen
  }
  return causes
}

/** The morning of the first card that was torn off and came back to complete its payment. */
function storyOf (plan: CityPlan, seen: readonly TapSeen[]) {
  const chip = plan.taps.find(({ expect }) => expect.reason === 'paid_before')?.chip
  const resident = plan.residents.find(one => one.chip === chip)
  if (resident === undefined) return null
  const { registered: { card, profile, type, balanceFen } } = resident
  return {
    card: maskCard(card.serial),
    profile,
    type,
    openingFen: balanceFen,
    taps: seen.filter(({ tap }) => tap.chip === chip).map(({ view, tap }) => ({
      at: localTime(parseIso(view.at)), lane: tap.lane, reason: view.reason, amountFen: view.amountFen,
      balanceAfterFen: view.balanceAfterFen ?? null, recovered: view.recovered === true
    }))
  }
}
