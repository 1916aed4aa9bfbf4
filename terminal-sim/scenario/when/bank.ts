// when: the bank tells what it did, and a payment that came back is sent again.
import { Type } from 'typebox'
import type { Instruction } from '../../../schemas/api.ts'
import type { BankLineView } from '../../../schemas/settlement.ts'
import { statementFile, statementFormats } from '../../bank/statement-file.ts'
import { mappingOf } from '../check.ts'
import { peopleSaid, propose } from '../proposals.ts'
import { day, name, oneOf, text, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { bankAccountOf, known, type World } from '../world.ts'

const closed = { additionalProperties: false } as const
const settler = 'settler'

const Line = Type.Object({
  carries_out: Type.Optional(name('the party whose instruction is carried out')),
  returns: Type.Optional(name('the party whose instruction comes back')),
  instruction: Type.Optional(text('its id, where not the last one of the party is meant')),
  reason: Type.Optional(text('why it came back; AC04, a closed account, when absent')),
  from: Type.Optional(name('the party from whose account money comes')),
  amount: Type.Optional(yuan('positive: money comes; that of the instruction when absent')),
  text: Type.Optional(text('what the bank writes beside it'))
}, closed)

export const bankStatement = whenVerb({
  says: 'the bank tells a day of our account: instructions carried out or come back, other money',
  example: 'bank_statement: { day: D+1, paying: D, lines: [{ carries_out: BUS }, { amount: 12.00 }] }',
  schema: Type.Object({
    day: day('the day it is about'),
    paying: Type.Optional(day('the clearing day of the instructions that it names')),
    of: Type.Optional(name('whose book our account is of, such as the treasury; the issuer when absent')),
    lines: Type.Array(Line, { description: 'its lines, in order' }),
    opening: Type.Optional(yuan('what it opens with; what the one before closed with when absent')),
    as: Type.Optional(oneOf(statementFormats, 'its format; camt.053.001.08 when absent')),
    again: Type.Optional(oneOf(['true'], 'true: sent twice'))
  }, closed),
  plan: (world, { day: date, paying, of, lines, opening, as = 'camt.053.001.08', again }) => [{
    act: async () => {
      const told = paying === undefined ? [] : await instructionsOf(world, paying)
      const bank = world.bank
      bank.statements += 1
      const standsFen = of === undefined ? bank.balanceFen : bank.others.get(of) ?? 0
      const openingFen = opening ?? standsFen
      const written = lines.map((line, index) => ({
        reference: `BANK-${bank.statements}-${index + 1}`, bookedOn: date, text: line.text,
        ...meant(told, line)
      }))
      const file = statementFile(as, {
        account: of === undefined ? bank.account ?? '' : bankAccountOf(of).number,
        id: `STMT-${bank.statements}`, sequence: bank.statements, fromDate: date, toDate: date, openingFen,
        lines: written
      })
      const closingFen = openingFen + written.reduce((sum, line) => sum + line.amountFen, 0)
      if (of === undefined) bank.balanceFen = closingFen
      else bank.others.set(of, closingFen)
      for (let times = again === undefined ? 1 : 2; times > 0; times--) {
        await world.api.call({
          method: 'POST', path: '/v1/bank-statements', as: { staff: settler }, bytes: Buffer.from(file.text),
          type: file.type
        })
      }
    }
  }]
})

type Said = {
  carries_out?: string, returns?: string, instruction?: string, reason?: string, from?: string,
  amount?: number
}
type Meant = {
  amountFen: number, endToEndId?: string, returnReason?: string, counterparty?: string
}

function meant (told: readonly Instruction[], said: Said): Meant {
  const party = said.carries_out ?? said.returns
  if (party === undefined) {
    if (said.amount === undefined) {
      throw new StepError('a bank line without an amount',
        'an amount, or a party')
    }
    const counterparty = said.from === undefined ? {} : { counterparty: bankAccountOf(said.from).number }
    return { amountFen: said.amount, ...counterparty }
  }
  const one = told.filter(({ id, party: of }) => of === party && (said.instruction ?? id) === id).at(-1)
  if (one === undefined) {
    throw new StepError(`there is no such instruction of ${party}`,
      told.map(({ id }) => id).join(', ') || 'none')
  }
  const dueFen = one.direction === 'pay' ? -Number(one.amountFen) : Number(one.amountFen)
  const amountFen = said.amount ?? (said.returns === undefined ? dueFen : -dueFen)
  return {
    amountFen, endToEndId: one.id,
    ...(said.returns === undefined ? {} : { returnReason: said.reason ?? 'AC04' })
  }
}

export const replaceInstruction = whenVerb({
  says: 'what came back is sent again, under a new id',
  example: 'replace_instruction: { day: D, instruction: 20260302-commerce-BUS }',
  schema: Type.Object({
    day: day('its clearing day'), instruction: text('the id of the old one')
  }, closed),
  plan: (world, { day: date, instruction }) => [{
    act: async () => {
      await world.api.call({
        method: 'POST', path: `/v1/instructions/${date}/replacements`, as: { staff: settler },
        json: { instruction }
      })
    }
  }]
})

const instructionsOf = (world: World, date: string): Promise<readonly Instruction[]> =>
  world.api.all<Instruction>(`/v1/instructions/${date}`)

export const holderPaid = whenVerb({
  says: 'people say for which cards unidentified lines of the bank are, found by their amounts',
  example: 'holder_paid: { cards: { A: 50.00 }, approved_by: [approver-1] }',
  schema: Type.Object({
    cards: mappingOf(name('a card'), yuan('of the line'), 'amounts by card'), ...peopleSaid
  }, closed),
  plan: (world, { cards, by, approved_by: approvers }) => [{
    act: async () => {
      const lines = await world.api.all<BankLineView>('/v1/bank-lines?state=unidentified')
      for (const [card, amount] of Object.entries(cards)) {
        const place = lines.findIndex(one => Number(one.amountFen) === amount)
        const [line] = place < 0 ? [] : lines.splice(place, 1)
        if (line === undefined) throw new StepError('no unidentified line has this amount', 'bank_statement')
        const body = { line: line.id, card: known(world.chips, 'card', card).ref }
        await propose(world, { kind: 'attribute_line', body, reason: 'as its holder wrote', by, approvers })
      }
    }
  }]
})
