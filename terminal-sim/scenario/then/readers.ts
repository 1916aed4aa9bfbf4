// then: what the gateway said of a tap, and what the chip itself holds.
import { Type } from 'typebox'
import { tapReasons, type TapView } from '../../../schemas/gateway.ts'
import { mappingOf } from '../check.ts'
import { name, oneOf, text, whole, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { known } from '../world.ts'
import { money, plain } from './balances.ts'

const closed = { additionalProperties: false } as const

export const tap = thenVerb({
  says: 'what the gateway said of a tap; the last one without a name when none is said',
  example: 'tap: { outcome: approved, reason: paid, amount: 1.80, balance: 48.20 }',
  schema: Type.Object(
    {
      of: Type.Optional(name('the name of the tap')),
      outcome: Type.Optional(oneOf(['approved', 'declined', 'unknown'], 'what the passenger sees')),
      reason: Type.Optional(oneOf(Object.keys(tapReasons), 'why')),
      amount: Type.Optional(yuan('what was debited')),
      balance: Type.Optional(yuan('what the card holds after it')),
      because: Type.Optional(text('words that say more: of the ledger, or of the chip')),
      recovered: Type.Optional(yes('an interrupted payment that is proven now'))
    },
    closed
  ),
  check: async (world, said) => {
    const found = known(world.answers, 'tap', said.of ?? 'last tap') as TapView
    return [
      ...plain('tap', said.outcome, found.outcome),
      ...plain('reason of the tap', said.reason, found.reason),
      ...money('amount of the tap', said.amount, Number(found.amountFen)),
      ...money('balance after the tap', said.balance, Number(found.balanceAfterFen)),
      ...plain('tap recovered', said.recovered, found.recovered ?? false),
      // An answer that a death made the ledger give again has the reason without its figures.
      ...(said.because === undefined || found.why?.includes(said.because) === true ||
        world.modifiers.crash !== undefined
        ? []
        : compare('words of the tap', `…${said.because}…`, found.why ?? 'none'))
    ]
  }
})

export const chips = thenVerb({
  says: 'the true state of chips, whatever any terminal believes',
  example: 'chips: { A: { balance: 48.20, counter: 101 } }',
  schema: mappingOf(
    name('a card'),
    Type.Object(
      {
        balance: Type.Optional(yuan()),
        counter: Type.Optional(whole('committed offline counter')),
        loads: Type.Optional(whole('committed online counter: how often value was written onto it')),
        locked: Type.Optional(oneOf(['none', 'temporary', 'permanent'], 'whether it is blocked, and how'))
      },
      closed
    ),
    'chips by card'
  ),
  check: async (world, said) => {
    const misses = await Promise.all(
      Object.entries(said).map(async ([card, wanted]) => {
        const report = (await world.readers?.inspect(known(world.chips, 'card', card).name)) ?? null
        if (report === null) {
          return [{ what: `chip ${card}`, expected: 'tapped before', found: 'never tapped' }]
        }
        return [
          ...money(`chip ${card} balance`, wanted.balance, report.purse.balanceFen),
          ...plain(`chip ${card} counter`, wanted.counter, report.purse.offlineCounter),
          ...plain(`chip ${card} loads`, wanted.loads, report.purse.onlineCounter),
          ...plain<string>(`chip ${card} locked`, wanted.locked, report.lock)
        ]
      })
    )
    return misses.flat()
  }
})
