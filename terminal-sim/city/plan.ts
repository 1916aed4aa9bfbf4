// The whole morning as data, from its seed alone: registry, prices, blacklist, every tap, every record.
// It refuses to know how it is carried out and what the ledger answers.
import type { BlacklistPublication, Registry } from '../../schemas/api.ts'
import type { PsamDescription } from '../psam/description.ts'
import { createRandom } from '../random.ts'
import { type LaneCast, commissions, days, lanes, parties, psamNumber } from './cast.ts'
import { type RecordPlan, planRecords } from './records.ts'
import { type TapPlan, planTaps } from './taps.ts'

export type PlanOptions = {
  readonly seed: number, readonly cards: number, readonly records: number
  /** Lines of a delivery at most; 500 when absent. */
  readonly linesAtOnce?: number
}

export type LanePlan = LaneCast & { readonly psam: PsamDescription }

export type CityPlan = TapPlan & {
  readonly options: PlanOptions
  readonly registry: Registry
  readonly blacklist: BlacklistPublication
  readonly lanes: readonly LanePlan[]
  readonly records: RecordPlan
}

export function planCity (options: PlanOptions): CityPlan {
  const random = createRandom(`city ${options.seed}`)
  const lanePlans = lanes.map((lane, at) => planLane(lane, at, random.fork('lanes').int(1, 90_000)))
  const taps = planTaps(options.cards, random.fork('taps'))
  const records = planRecords(options, random.fork('records'))
  const lost = taps.residents.filter(({ listed }) => listed).map(({ registered }) => registered.card)
  return {
    options,
    ...taps,
    lanes: lanePlans,
    records,
    registry: {
      clearingDate: days.clearingDate,
      parties: [...parties],
      commissions: [...commissions],
      terminals: [...lanes.map(terminalOf), ...records.terminals],
      psams: [...lanePlans.map(psamOf), ...records.psams],
      cards: [...taps.residents.map(({ registered }) => registered), ...records.cards]
    },
    blacklist: {
      add: [...lost, ...records.listed].map(card => ({ card, reason: 'loss', at: days.eve })), remove: []
    }
  }
}

function planLane (lane: LaneCast, at: number, sequence: number): LanePlan {
  const profile = lane.scheme === 'national' ? 't-union' : 'cjt166'
  return { ...lane, psam: { profile, terminal: psamNumber(101 + at), sequence } }
}

const terminalOf = ({ terminal, operator, lane: name }: LaneCast) => ({ terminal, operator, name })

const psamOf = ({ psam, terminal }: LanePlan) => ({
  psam: psam.terminal, issue: 1, terminal, from: days.opened, to: null, stolenAt: null, test: false
})
