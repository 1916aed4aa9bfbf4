// The annual pass of a city's scenic spots: bought once, begun within a window or some days later, good for
// so many months, once a day at each spot. What was sold is shared by who was visited. What a pass was sold
// with stays with it, whatever rules come later.
import { Type, type Static } from 'typebox'
import { addDays, localTime, startOfDate, type LocalDate } from '../../../runtime/instants.ts'
import { limits } from '../../../schemas/limits.ts'
import { declareService, declined, ownOnly, type Asked, type Decision, type Step } from './service.ts'

const closed = { additionalProperties: false } as const
const months = (description: string) => Type.Integer({ minimum: 1, maximum: 120, description })

const clock = (description: string) =>
  Type.String({ pattern: '^(([01]\\d|2[0-3]):[0-5]\\d|24:00)$', description })

const Rules = Type.Object({
  priceFen: Type.Integer({ minimum: 0, maximum: limits.amountFenMax }),
  activateWithinMonths: Type.Optional(months('who has not begun it by then: it begins by itself')),
  waitDays: Type.Optional(Type.Integer({
    minimum: 0, maximum: 366, description: 'in place of a window: it begins so many days after it was bought'
  })),
  validMonths: months('it ends at the beginning of the same day so many months later'),
  spots: Type.Array(Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }), {
    minItems: 1, maxItems: 500, uniqueItems: true, description: 'party codes'
  }),
  sellerPpm: Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'what the seller keeps of a sale' }),
  quotas: Type.Optional(Type.Array(Type.Object({
    spot: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }),
    from: Type.Optional(clock('the whole day when absent')), until: Type.Optional(clock('not any more then')),
    entries: Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'with passes, on each day' })
  }, closed), { maxItems: 5_000, description: 'a spot that has any is open in these slots only' }))
}, closed)
type Rules = Static<typeof Rules>

type Pass = { readonly from: LocalDate, readonly until: LocalDate }
export type PassState = {
  /** Bought, not begun: on which day it begins by itself. */
  readonly waiting: { readonly beginsOn: LocalDate, readonly validMonths: number } | null
  /** The first day, and the day on which it is over. */
  readonly passes: readonly Pass[]
  /** The last day at each spot. */
  readonly used: Readonly<Record<string, LocalDate>>
}
type State = PassState
const nothing: State = { waiting: null, passes: [], used: {} }
const plain = { said: Type.Object({}, closed), card: true } as const

export const annualPass = declareService<typeof Rules, State>({
  name: { en: 'Annual pass', zh: '旅游年卡' },
  rules: Rules,
  rulesWrong: ({ activateWithinMonths, waitDays, spots, quotas = [] }) => {
    if ((activateWithinMonths === undefined) === (waitDays === undefined)) {
      return { where: '/activateWithinMonths', text: 'either a window or days to wait' }
    }
    const slots = quotas.map(slotOf)
    const wrong = slots.findIndex(({ spot, from, until }, place) => !spots.includes(spot) || from >= until ||
      slots.slice(0, place).some(one => one.spot === spot && one.from < until && from < one.until))
    const text = 'a slot of another spot, without end, or over one before it'
    return wrong < 0 ? null : { where: `/quotas/${wrong}`, text }
  },
  places: ({ spots }) => spots,
  payers: ['online', 'purse'],
  books: ['commerce'],
  events: {
    buy: { says: { en: 'A pass is bought, or renewed', zh: '购买或续办年卡' }, ...plain },
    activate: { says: { en: 'It is begun', zh: '激活' }, ...plain },
    enter: { says: { en: 'Somebody enters a spot', zh: '入园' }, ...plain }
  },
  share: { sold: 'buy', counted: 'enter', sellerPpm: ({ sellerPpm }) => sellerPpm },
  reasons: {
    pass_waits: { en: 'A pass is bought already: activate it', zh: '已有未激活的年卡' },
    pass_missing: { en: 'There is no pass on this card', zh: '该卡未办理年卡' },
    pass_not_active: { en: 'The pass is not activated', zh: '年卡未激活' },
    pass_not_begun: { en: 'The pass has not begun', zh: '年卡尚未生效' },
    pass_over: { en: 'The pass is over', zh: '年卡已过期' },
    spot_unknown: { en: 'The pass does not count here', zh: '该景点不适用年卡' },
    slot_none: { en: 'No entry with a pass at this time', zh: '当前时段不接待年卡' },
    slot_full: { en: 'All entries of this slot are taken', zh: '本时段年卡名额已满' },
    used_today: { en: 'Used here today already', zh: '今日已在此景点使用' }
  },
  texts: {
    price: { en: 'annual pass', zh: '年卡' },
    window: { en: 'begins by itself on {date}', zh: '最迟 {date} 自动生效' },
    valid: { en: 'from {from} until the beginning of {until}', zh: '有效期 {from} 至 {until} 零时' },
    entered: { en: 'entry at {place}', zh: '{place} 入园' },
    slot: { en: 'one of {entries} from {from} to {until}', zh: '{from} 至 {until} 时段，名额 {entries}' }
  },
  decide: asked => {
    const state = begun(asked.state ?? nothing, asked.date)
    if (asked.event === 'buy') return buy(asked, state)
    return asked.event === 'activate' ? activate(asked, state) : enter(asked, state)
  },
  without: (now, { event, date, place, before }) => {
    const { [place]: day, ...used } = now?.used ?? {}
    if (event === 'enter') return { state: day === date && now !== null ? { ...now, used } : now }
    // A pass is taken back, or not begun, only while nobody has used it.
    return before === null ? null : { state: { ...before.state ?? nothing, used: now?.used ?? {} } }
  }
})

/** Who has waited too long: it began by itself. */
function begun (state: State, date: LocalDate): State {
  const { waiting } = state
  return waiting === null || date < waiting.beginsOn ? state : beginning(state, waiting.beginsOn)
}

const beginning = ({ waiting, passes, used }: State, from: LocalDate): State => ({
  waiting: null, used,
  passes: [...passes, { from, until: addMonths(from, waiting?.validMonths ?? 0) }]
})

function buy ({ date, rules }: Asked<Rules, State>, state: State): Decision<State> {
  if (state.waiting !== null) return declined('pass_waits')
  const { priceFen, activateWithinMonths, waitDays = 0, validMonths } = rules
  const price: Step = { say: 'price', with: {}, fen: priceFen }
  const lastUntil = state.passes.at(-1)?.until ?? date
  if (activateWithinMonths !== undefined) {
    const earliest = lastUntil > date ? lastUntil : date // a renewal begins where the old one ends
    const beginsOn = addMonths(earliest, activateWithinMonths)
    return sold(price, { say: 'window', with: { date: beginsOn }, fen: 0 },
      { ...state, waiting: { beginsOn, validMonths } })
  }
  const from = lastUntil > date ? lastUntil : addDays(date, waitDays)
  const pass = { from, until: addMonths(from, validMonths) }
  return sold(price, { say: 'valid', with: pass, fen: 0 }, { ...state, passes: [...state.passes, pass] })
}

const sold = (price: Step, says: Step, state: State): Decision<State> =>
  ({ reason: null, steps: [price, says], parts: ownOnly([price]), state })

function activate ({ date }: Asked<Rules, State>, state: State): Decision<State> {
  const lastUntil = state.passes.at(-1)?.until ?? date
  const after = state.waiting === null ? state : beginning(state, lastUntil > date ? lastUntil : date)
  const pass = after.passes.at(-1)
  if (pass === undefined) return declined('pass_missing')
  return { reason: null, parts: [], steps: [{ say: 'valid', with: pass, fen: 0 }], state: after }
}

function enter ({ atMs, date, place, rules }: Asked<Rules, State>, state: State): Decision<State> {
  if (!rules.spots.includes(place)) return declined('spot_unknown')
  const pass = state.passes.find(({ from, until }) => from <= date && date < until)
  if (pass === undefined) return declined(whyNone(state, date))
  if (state.used[place] === date) return declined('used_today')
  const entered: Step = { say: 'entered', with: { place }, fen: 0 }
  const done = {
    reason: null, parts: [], steps: [entered], state: { ...state, used: { ...state.used, [place]: date } }
  } as const
  const slots = (rules.quotas ?? []).filter(({ spot }) => spot === place).map(slotOf)
  if (slots.length === 0) return done
  const time = localTime(atMs).slice(0, 5)
  const slot = slots.find(({ from, until }) => from <= time && time < until)
  if (slot === undefined) return declined('slot_none')
  const { from, until, entries } = slot
  return {
    ...done, steps: [entered, { say: 'slot', with: { entries, from, until }, fen: 0 }],
    takes: { name: `${place}/${from}`, most: entries, reason: 'slot_full' }
  }
}

type Slot = { readonly spot: string, readonly from: string, readonly until: string, readonly entries: number }
const slotOf = ({ from = '00:00', until = '24:00', ...one }: Omit<Slot, 'from' | 'until'> & {
  readonly from?: string, readonly until?: string
}): Slot => ({ ...one, from, until })

function whyNone ({ waiting, passes }: State, date: LocalDate): string {
  if (passes.some(({ from }) => date < from)) return 'pass_not_begun'
  if (waiting !== null) return 'pass_not_active'
  return passes.length === 0 ? 'pass_missing' : 'pass_over'
}

/** The same day so many months later, or the last of its month where that is shorter. */
export function addMonths (date: LocalDate, count: number): LocalDate {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number)
  const first = new Date(Date.UTC(year, month - 1 + count, 1))
  const last = new Date(Date.UTC(year, month + count, 0)).getUTCDate()
  const later = `${first.toISOString().slice(0, 8)}${String(Math.min(day, last)).padStart(2, '0')}`
  startOfDate(later) // throws beyond the calendar
  return later
}
