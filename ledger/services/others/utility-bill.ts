// Bills of water, power and the like: the utility tells them, any card pays them, each once. What is late
// costs a surcharge for each day, up to a part of the bill.
import { Type, type Static } from 'typebox'
import { daysBetween } from '../../../runtime/instants.ts'
import { LocalDate } from '../../../schemas/api.ts'
import { limits } from '../../../schemas/limits.ts'
import { rateOf } from '../../core/rounding.ts'
import { declareService, declined, ownOnly, type Asked, type Decision, type Step } from './service.ts'

const closed = { additionalProperties: false } as const
const ppm = (description: string) => Type.Integer({ minimum: 0, maximum: 1_000_000, description })
const Rules = Type.Object({
  latePerDayPpm: ppm('of the bill, for each day after the one on which it is due'),
  lateMaxPpm: ppm('the most of it')
}, closed)
type Rules = Static<typeof Rules>
type State = { readonly amountFen: number, readonly dueOn: string, readonly isPaid: boolean }

const bill = Type.String({ pattern: '^[0-9A-Za-z._-]{1,40}$', description: "the utility's own number" })
const subject = (said: Readonly<Record<string, unknown>>): string => `bill/${String(said['bill'])}`

export const utilityBill = declareService<typeof Rules, State>({
  name: { en: 'Utility bills', zh: '公用事业缴费' },
  rules: Rules,
  payers: ['online', 'purse'],
  books: ['commerce'],
  events: {
    tell: {
      says: { en: 'The utility tells a bill', zh: '账单登记' }, card: false, subject,
      said: Type.Object({
        bill, amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }), dueOn: LocalDate
      }, closed)
    },
    pay: {
      says: { en: 'Somebody pays it', zh: '缴费' }, card: true, subject, said: Type.Object({ bill }, closed)
    }
  },
  reasons: {
    bill_known: { en: 'This bill was told before', zh: '账单已登记' },
    bill_unknown: { en: 'There is no such bill', zh: '账单不存在' },
    bill_paid: { en: 'This bill is paid', zh: '账单已缴清' }
  },
  texts: {
    told: { en: 'due on {date}', zh: '缴费截止 {date}' },
    bill: { en: 'bill', zh: '账单金额' },
    late: { en: '{days} days late', zh: '逾期 {days} 天违约金' }
  },
  decide: asked => asked.event === 'tell' ? tell(asked) : pay(asked)
})

function tell ({ said, state }: Asked<Rules, State>): Decision<State> {
  if (state !== null) return declined('bill_known')
  const [amountFen, dueOn] = [Number(said['amountFen']), String(said['dueOn'])]
  return {
    reason: null, parts: [], steps: [{ say: 'told', with: { date: dueOn }, fen: 0 }],
    state: { amountFen, dueOn, isPaid: false }
  }
}

function pay ({ date, rules, state }: Asked<Rules, State>): Decision<State> {
  if (state === null) return declined('bill_unknown')
  if (state.isPaid) return declined('bill_paid')
  const { amountFen, dueOn } = state
  const days = Math.max(0, daysBetween(dueOn, date))
  const ratePpm = Math.min(days * rules.latePerDayPpm, rules.lateMaxPpm)
  const late: Step = { say: 'late', with: { days }, fen: Number(rateOf(BigInt(amountFen), ratePpm)) }
  const steps = [{ say: 'bill', with: {}, fen: amountFen }, ...days === 0 ? [] : [late]]
  return { reason: null, steps, parts: ownOnly(steps), state: { ...state, isPaid: true } }
}
