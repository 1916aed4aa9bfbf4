// A canteen of a school: the subsidy of a pupil is spent first, the rest is the pupil's own. Above a sum a
// day the PIN is asked for. A subsidy may be for some terminals alone, such as those of the boiler room.
import { Type, type Static } from 'typebox'
import type { LocalDate } from '../../../runtime/instants.ts'
import { limits } from '../../../schemas/limits.ts'
import { declareService, declined, type Asked, type Decision, type Part } from './service.ts'

const closed = { additionalProperties: false } as const
const Rules = Type.Object({
  withoutPinFen: Type.Integer({
    minimum: 0, maximum: limits.amountFenMax, description: 'what a card may spend on one day without a PIN'
  }),
  subsidyAt: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Z0-9-]{1,8}$' }), {
    minItems: 1, maxItems: 500, description: 'terminals that take subsidies; all when absent'
  }))
}, closed)
type Rules = Static<typeof Rules>
type State = { readonly date: LocalDate, readonly spentFen: number }

export const canteen = declareService<typeof Rules, State>({
  name: { en: 'Campus canteen', zh: '校园食堂' },
  rules: Rules,
  payers: ['campus-subsidy', 'online', 'purse'],
  books: ['commerce', 'campus'],
  events: {
    pay: {
      says: { en: 'A pupil pays', zh: '消费' }, card: true,
      said: Type.Object({
        amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }),
        pin: Type.Optional(Type.Boolean({ description: 'the card has verified its PIN at the terminal' }))
      }, closed)
    }
  },
  reasons: { pin_needed: { en: 'Please enter the PIN', zh: '超过日限额，请输入密码' } },
  texts: { sale: { en: 'canteen', zh: '食堂消费' } },
  decide: pay,
  without: (now, { date, said }) => now?.date === date
    ? { state: { date, spentFen: now.spentFen - Number(said['amountFen']) } }
    : { state: now }
})

function pay ({ said, date, terminal, rules, state, facts }: Asked<Rules, State>): Decision<State> {
  const fen = Number(said['amountFen'])
  const steps = [{ say: 'sale', with: {}, fen }]
  const spentFen = (state?.date === date ? state.spentFen : 0) + fen
  if (spentFen > rules.withoutPinFen && said['pin'] !== true) return declined('pin_needed', steps)
  const { subsidyAt } = rules
  const isTaken = subsidyAt === undefined || (terminal !== null && subsidyAt.includes(terminal))
  const subsidyFen = isTaken ? Math.min(fen, facts.subsidyFen) : 0
  const parts: Part[] = [
    { payer: 'campus-subsidy', fen: subsidyFen }, { payer: 'own', fen: fen - subsidyFen }]
  return { reason: null, steps, parts: parts.filter(part => part.fen > 0), state: { date, spentFen } }
}
