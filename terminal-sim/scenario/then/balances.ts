// then: what cards and accounts hold.
import { Type } from 'typebox'
import type { CardView, TrialBalance } from '../../../schemas/api.ts'
import { cardKey } from '../../../schemas/record.ts'
import { accountCode, accountPattern, accountsAllowed } from '../accounts.ts'
import { balanceOf } from '../api.ts'
import { mappingOf } from '../check.ts'
import { name, showYuan, text, whole, yes, yuan } from '../values.ts'
import { compare, thenVerb, type Miss } from '../verb.ts'
import { known } from '../world.ts'

export const cards = thenVerb({
  says: 'what the ledger knows of cards: the balance after the last record, and what it owes (shadow)',
  example: 'cards: { A: { last: 48.20, shadow: 48.20, counter: 101, open_items: 0 } }',
  schema: mappingOf(
    name('a card'),
    Type.Object(
      {
        last: Type.Optional(yuan('balance after the last record, as the chip told it')),
        shadow: Type.Optional(yuan('what the ledger owes the holder')),
        counter: Type.Optional(whole('last committed offline counter')),
        open_items: Type.Optional(whole('held records and gaps')),
        state: Type.Optional(text('normal, …')),
        blacklisted: Type.Optional(yes('on the list now'))
      },
      { additionalProperties: false }
    ),
    'cards by name'
  ),
  check: async (world, said) => {
    const misses = await Promise.all(
      Object.entries(said).map(async ([card, wanted]) => {
        const view = await world.api.get<CardView>(
          `/v1/cards/${cardKey(known(world.chips, 'card', card).ref)}`
        )
        const { purse } = view
        return [
          ...money(`card ${card} last`, wanted.last, purse.lastBalanceFen),
          ...money(`card ${card} shadow`, wanted.shadow, purse.shadowFen),
          ...plain(`card ${card} counter`, wanted.counter, purse.lastCounter),
          ...plain(`card ${card} open items`, wanted.open_items, purse.openItems),
          ...plain(`card ${card} state`, wanted.state, view.state),
          ...plain(`card ${card} blacklisted`, wanted.blacklisted, view.blacklisted)
        ]
      })
    )
    return misses.flat()
  }
})

const accountsSaid = (says: string) =>
  mappingOf(
    Type.Unsafe<string>({ type: 'string', pattern: accountPattern, description: accountsAllowed } as never),
    yuan(),
    says
  )

export const accounts = thenVerb({
  says: 'balances of accounts, each on its normal side; sum: debits less credits of all of them',
  example: 'accounts: { BUS pending: 1.80, purses: 48.20, HOS pending in medical: 0.00, sum: 0.00 }',
  schema: accountsSaid('balances by account'),
  check: async (world, said) => balances(await world.api.accounts(), null, said)
})

export const changes = thenVerb({
  says: 'what accounts gained or lost since the scenario began',
  example: 'changes: { purses: -1.80, BUS pending: +1.80 }',
  schema: accountsSaid('changes by account'),
  check: async (world, said) => balances(await world.api.accounts(), world.opening, said)
})

function balances (
  now: TrialBalance,
  before: TrialBalance | null,
  said: Readonly<Record<string, number>>
): Miss[] {
  return Object.entries(said).flatMap(([account, wanted]) => {
    if (account === 'sum') return money('sum of all accounts', wanted, Number(now.sumFen))
    const code = accountCode(account)
    const found = balanceOf(now.accounts, code) - (before === null ? 0 : balanceOf(before.accounts, code))
    return money(account, wanted, found)
  })
}

export const money = (what: string, wanted: number | undefined, found: number): Miss[] =>
  wanted === undefined ? [] : compare(what, showYuan(wanted), showYuan(found))

export const plain = <T extends string | number | boolean>(
  what: string,
  wanted: T | undefined,
  found: T
): Miss[] => (wanted === undefined ? [] : compare(what, String(wanted), String(found)))
