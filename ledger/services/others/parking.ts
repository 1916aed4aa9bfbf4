// Parking: in and out by card, some minutes free, a price for each begun unit, no day above its cap, and a
// sum for who has lost the ticket. The card is the ticket: where we know when it came in, nothing was lost.
import { Type, type Static } from 'typebox'
import { addDays, localDate, localTime, startOfDate } from '../../../runtime/instants.ts'
import { limits } from '../../../schemas/limits.ts'
import {
  declareService, declined, ownOnly, outOfOrder, type Asked, type Decision, type Step
} from './service.ts'

const closed = { additionalProperties: false } as const
const fen = (description: string) => Type.Integer({ minimum: 0, maximum: limits.amountFenMax, description })

const Rules = Type.Object({
  freeMinutes: Type.Integer({
    minimum: 0, maximum: 1_440,
    description: 'who leaves by then pays nothing; who stays pays from the entry on'
  }),
  unitMinutes: Type.Integer({ minimum: 1, maximum: 1_440 }),
  unitFen: fen('for each begun unit; it belongs to the day on which it begins'),
  dayCapFen: fen('the most that one card pays for one calendar day, over all its stays'),
  lostFen: fen('where nobody knows when the car came in')
}, closed)
type Rules = Static<typeof Rules>

type PaidDay = { readonly date: string, readonly fen: number }
type State = {
  readonly inSinceMs: number | null, readonly lastMs: number
  /** What was paid for days that may still go on. */
  readonly paid: readonly PaidDay[]
}

export const parking = declareService<typeof Rules, State>({
  name: { en: 'Parking', zh: '停车' },
  rules: Rules,
  payers: ['online', 'purse'],
  books: ['commerce'],
  events: {
    entry: { says: { en: 'A car drives in', zh: '车辆入场' }, card: true, said: Type.Object({}, closed) },
    exit: {
      says: { en: 'A car drives out', zh: '车辆出场' }, card: true,
      said: Type.Object({
        lost: Type.Optional(Type.Boolean({ description: 'the driver says that the ticket is lost' }))
      }, closed)
    }
  },
  reasons: {
    already_inside: { en: 'This card has a car inside already', zh: '该卡已有车辆在场' },
    no_entry: { en: 'This card has no car inside', zh: '无入场记录' }
  },
  texts: {
    entered: { en: 'in at {time} on {date}', zh: '{date} {time} 入场' },
    free: { en: '{minutes} minutes, {free} are free', zh: '停车 {minutes} 分钟，{free} 分钟内免费' },
    units: { en: '{date}: {count} × {minutes} minutes', zh: '{date}：{count} × {minutes} 分钟' },
    capped: { en: '{date}: not above the cap of the day', zh: '{date}：当日封顶减免' },
    lost: { en: 'lost ticket', zh: '遗失停车凭证' }
  },
  decide: asked => asked.event === 'entry' ? enter(asked) : leave(asked),
  // Who has driven in again since was outside: what was paid is all that is taken back then.
  without: (now, { event, steps, before }) => {
    const paid = lessOf(now?.paid ?? [], steps)
    if (before !== null) return { state: { ...before.state ?? nobodyInside, paid } }
    return event === 'exit' && now !== null ? { state: { ...now, paid } } : null
  }
})
const nobodyInside: State = { inSinceMs: null, lastMs: 0, paid: [] }

/** What the days of a stay paid is still to be paid before their cap. */
const lessOf = (paid: readonly PaidDay[], steps: readonly Step[]): PaidDay[] => paid.map(day => {
  const ofDay = steps.filter(step => step.with['date'] === day.date)
  return { ...day, fen: day.fen - ofDay.reduce((sum, { fen }) => sum + fen, 0) }
})

function enter ({ atMs, date, state }: Asked<Rules, State>): Decision<State> {
  if (state !== null && state.inSinceMs !== null) return declined('already_inside')
  if (state !== null && atMs < state.lastMs) return declined(outOfOrder)
  return {
    reason: null, parts: [],
    steps: [{ say: 'entered', with: { date, time: localTime(atMs) }, fen: 0 }],
    state: { inSinceMs: atMs, lastMs: atMs, paid: state?.paid ?? [] }
  }
}

function leave ({ atMs, date, said, rules, state }: Asked<Rules, State>): Decision<State> {
  const sinceMs = state?.inSinceMs ?? null
  if (sinceMs === null && said['lost'] !== true) return declined('no_entry')
  if (state !== null && atMs < state.lastMs) return declined(outOfOrder)
  const before = state?.paid ?? []
  const { steps, days } = sinceMs === null
    ? { steps: [{ say: 'lost', with: {}, fen: rules.lostFen }], days: [] }
    : priceOfStay(rules, { fromMs: sinceMs, untilMs: atMs }, before)
  return {
    reason: null, steps, parts: ownOnly(steps),
    state: {
      inSinceMs: null, lastMs: atMs, paid: addUp([...before, ...days]).filter(day => day.date >= date)
    }
  }
}

type Stay = { readonly fromMs: number, readonly untilMs: number }

/** Units begin every `unitMinutes` from the entry on; each day pays for those that begin on it. */
export function priceOfStay (
  rules: Rules, { fromMs, untilMs }: Stay, paid: readonly PaidDay[]
): { readonly steps: Step[], readonly days: PaidDay[] } {
  const { freeMinutes, unitMinutes, unitFen, dayCapFen } = rules
  if (untilMs - fromMs <= freeMinutes * minuteMs) {
    const minutes = Math.ceil((untilMs - fromMs) / minuteMs)
    return { steps: [{ say: 'free', with: { minutes, free: freeMinutes }, fen: 0 }], days: [] }
  }
  const begunBefore = (ms: number): number => Math.ceil((ms - fromMs) / (unitMinutes * minuteMs))
  const steps: Step[] = []
  const days: PaidDay[] = []
  for (let date = localDate(fromMs), begun = 0; startOfDate(date) < untilMs; date = addDays(date, 1)) {
    const until = begunBefore(Math.min(untilMs, startOfDate(addDays(date, 1))))
    const count = until - begun
    begun = until
    if (count === 0) continue
    const wholeFen = count * unitFen
    const leftFen = Math.max(0, dayCapFen - (paid.find(day => day.date === date)?.fen ?? 0))
    steps.push({ say: 'units', with: { date, count, minutes: unitMinutes }, fen: wholeFen })
    if (wholeFen > leftFen) steps.push({ say: 'capped', with: { date }, fen: leftFen - wholeFen })
    days.push({ date, fen: Math.min(wholeFen, leftFen) })
  }
  return { steps, days }
}
const minuteMs = 60_000

function addUp (days: readonly PaidDay[]): PaidDay[] {
  const sums = new Map<string, number>()
  for (const { date, fen } of days) sums.set(date, (sums.get(date) ?? 0) + fen)
  return [...sums].map(([date, fen]) => ({ date, fen }))
}
