// when: a till sells to an online account, puts money there, or takes a sale back. What it calls a sale is
// the key of its request: the same name again is the same request again.
import { Type } from 'typebox'
import type { PosKind } from '../../../schemas/pos-line/messages.ts'
import { askAt, cardTextOf, type TillAnswer, type TillRequest } from '../tills.ts'
import { codeSaid } from '../phones.ts'
import { name, yes, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import type { World } from '../world.ts'

const closed = { additionalProperties: false } as const
const lost = Type.Optional(yes('true: the answer gets lost on its way'))

export const tillAnswer = (world: World, sale: string): TillAnswer => {
  const answer = world.answers.get(`at a till: ${sale}`)
  if (answer !== undefined) return answer as TillAnswer
  throw new StepError(`no till asked for “${sale}”`, 'the sale, load or take-back of a step before')
}

const ask = (world: World, sale: string, request: TillRequest, lost: boolean | undefined) => [{
  act: async () => {
    world.answers.set(`at a till: ${sale}`, await askAt(world, request, lost ?? false))
  }
}]

/** Four letters at least. */
const keyOf = (sale: string): string => `key-${sale}`

const moneyVerb = (kind: PosKind, says: string, example: string) => whenVerb({
  says,
  example,
  schema: Type.Object(
    {
      till: name('a till'), card: name('whose online account'), amount: yuan(),
      sale: name('what the till calls it; the same again is a repeat'), lost
    },
    closed
  ),
  plan: (world, { till, card, amount, sale, lost }) => ask(world, sale, {
    till, kind, fields: { key: keyOf(sale), card: cardTextOf(world, card), amountFen: String(amount) }
  }, lost)
})

export const sell = moneyVerb('SALE', 'a till sells to the online account of a card',
  'sell: { till: SHP-1, card: A, amount: 5.00, sale: S1, lost: true }')

export const topUp = moneyVerb('TOPUP', 'a till takes cash and puts it on the online account of a card',
  'top_up: { till: SHP-1, card: A, amount: 50.00, sale: T1 }')

export const sellToPhone = whenVerb({
  says: 'a till with a scanner takes the code of a phone; the gateway alone knows whether it is good',
  example: 'sell_to_phone: { till: SHP-1, code: C1, amount: 5.00, sale: S1, lost: true }',
  schema: Type.Object(
    {
      till: name('a till'), code: name('a code'), amount: yuan(),
      sale: name('what the till calls it; the same again is a repeat'), lost
    },
    closed
  ),
  plan: (world, { till, code, amount, sale, lost }) => [{
    act: async () => {
      const fields = { key: keyOf(sale), code: codeSaid(world, code), amountFen: String(amount) }
      const request: TillRequest = { till, kind: 'CODE', fields }
      world.answers.set(`at a till: ${sale}`, await askAt(world, request, lost ?? false))
    }
  }]
})

export const takeBack = whenVerb({
  says: 'a till takes a sale back, all of it or a part',
  example: 'take_back: { of: S1, amount: 2.00, sale: B1 }',
  schema: Type.Object(
    {
      of: name('the sale'), amount: Type.Optional(yuan('a part; all of it when absent')),
      sale: name('what the till calls the taking back'), lost
    },
    closed
  ),
  plan: (world, { of, amount, sale, lost }) => [{
    act: async () => {
      const { till, fields } = tillAnswer(world, of).request
      const part = amount === undefined ? {} : { partFen: String(amount) }
      const { card = '', amountFen = '' } = fields
      const request: TillRequest = {
        till, kind: 'VOID', fields: { key: keyOf(sale), of: keyOf(of), card, amountFen, ...part }
      }
      world.answers.set(`at a till: ${sale}`, await askAt(world, request, lost ?? false))
    }
  }]
})
