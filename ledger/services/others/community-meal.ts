// Meals of a community canteen: who has a concession pays less, the treasury pays the rest up to a sum, so
// many meals a day. The concession is the one of the card, with its dates.
import { Type, type Static } from 'typebox'
import type { LocalDate } from '../../../runtime/instants.ts'
import { limits } from '../../../schemas/limits.ts'
import { declareService, ownOnly, type Asked, type Decision, type Part, type Step } from './service.ts'

const closed = { additionalProperties: false } as const
const Rules = Type.Object({
  subsidies: Type.Array(Type.Object({
    class: Type.String({ minLength: 1, maxLength: 64, description: 'of the concession' }),
    treasuryFen: Type.Integer({
      minimum: 1, maximum: limits.amountFenMax, description: 'the most that the treasury pays of a meal'
    }),
    mealsADay: Type.Integer({ minimum: 1, maximum: 10 })
  }, closed), { minItems: 1, maxItems: 50, description: 'the first whose concession the card has counts' })
}, closed)
type Rules = Static<typeof Rules>
type State = { readonly date: LocalDate, readonly meals: number }

export const communityMeal = declareService<typeof Rules, State>({
  name: { en: 'Community meals', zh: '社区助餐' },
  rules: Rules,
  payers: ['treasury', 'online', 'purse'],
  books: ['commerce', 'treasury'],
  events: {
    meal: {
      says: { en: 'A meal is bought', zh: '用餐' }, card: true,
      said: Type.Object({ amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }) }, closed)
    }
  },
  reasons: {},
  texts: {
    meal: { en: 'meal', zh: '餐费' },
    treasury: { en: 'the treasury pays {yuan} for {class}', zh: '财政补贴 {class} {yuan} 元' },
    used_up: { en: 'all {count} subsidised meals of the day are used', zh: '当日 {count} 次补贴已用完' }
  },
  decide: eat,
  without: (now, { date, parts }) => now?.date === date && parts.some(({ payer }) => payer === 'treasury')
    ? { state: { date, meals: now.meals - 1 } }
    : { state: now }
})

function eat ({ said, date, rules, state, facts }: Asked<Rules, State>): Decision<State> {
  const fen = Number(said['amountFen'])
  const meal: Step = { say: 'meal', with: {}, fen }
  const meals = state?.date === date ? state.meals : 0
  const subsidy = rules.subsidies.find(one => facts.classes.includes(one.class))
  if (subsidy === undefined) return { reason: null, steps: [meal], parts: ownOnly([meal]), state }
  if (meals >= subsidy.mealsADay) {
    const note: Step = { say: 'used_up', with: { count: subsidy.mealsADay }, fen: 0 }
    return { reason: null, steps: [meal, note], parts: ownOnly([meal]), state }
  }
  const treasuryFen = Math.min(fen, subsidy.treasuryFen)
  const parts: Part[] = [
    { payer: 'treasury', fen: treasuryFen, category: subsidy.class },
    { payer: 'own', fen: fen - treasuryFen }]
  const note: Step = { say: 'treasury', with: { class: subsidy.class, yuan: yuanOf(treasuryFen) }, fen: 0 }
  return {
    reason: null, steps: [meal, note], parts: parts.filter(part => part.fen > 0),
    state: { date, meals: meals + 1 }
  }
}

const yuanOf = (fen: number): string => `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, '0')}`
