// given: who takes part, at what commission, under which rules.
import { Type } from 'typebox'
import { mappingOf } from '../check.ts'
import { day, name, oneOf, percent, text, whole, yuan } from '../values.ts'
import { givenVerb, StepError } from '../verb.ts'
import { bankAccountOf, known, merchantNumber, type World } from '../world.ts'

const closed = { additionalProperties: false } as const
const party = name('a party, such as BUS')

const Party = Type.Object(
  {
    kind: oneOf(['issuer', 'operator', 'agent', 'centre', 'bureau', 'bank', 'treasury'], 'what the party is'),
    name: Type.Optional(text('its name in English')),
    zh: Type.Optional(text('its name in Chinese')),
    merchant: Type.Optional(
      text('merchant number in clearing files, 15 digits; worked out from the code when absent')
    ),
    industry: Type.Optional(text('industry code in clearing files, 2 digits; 01 when absent')),
    service: Type.Optional(oneOf(['transit', 'clinic', 'library', 'retail'], 'what it offers')),
    counter_convention: Type.Optional(oneOf(['committed', 'init'], 'which counter its files carry')),
    settle_from: Type.Optional(yuan('smaller nets carry over')),
    wire_codes: Type.Optional(
      mappingOf(text('a reason'), text('two digits'), 'codes of its own in SS files, by reason')
    ),
    branch: Type.Optional(name('the branch it belongs to; everybody\'s when absent'))
  },
  closed
)

export const parties = givenVerb({
  says: 'parties and what they are',
  example: 'parties: { BUS: { kind: operator, service: transit, name: City Bus, zh: 公交公司 } }',
  schema: mappingOf(party, Party, 'parties by code'),
  prepare: (world, said) => {
    for (const [code, one] of Object.entries(said)) {
      const facts = { merchant: one.merchant ?? merchantNumber(code), industry: one.industry ?? '01' }
      world.parties.set(code, facts)
      add(world, 'parties', {
        code,
        kind: one.kind,
        nameEn: one.name ?? code,
        nameZh: one.zh ?? code,
        ...facts,
        ...(one.service === undefined ? {} : { service: one.service }),
        ...(one.counter_convention === undefined ? {} : { counterConvention: one.counter_convention }),
        ...(one.settle_from === undefined ? {} : { settleFromFen: one.settle_from }),
        ...(one.wire_codes === undefined ? {} : { wireCodes: one.wire_codes }),
        ...(one.branch === undefined ? {} : { branch: one.branch })
      })
    }
  }
})

export const commissions = givenVerb({
  says: 'what each party pays on debits, and gets on loads',
  example: 'commissions: { BUS: { debit: 0.30 % }, SHP: { debit: 0.80 %, load: 0.20 % } }',
  schema: mappingOf(
    party,
    Type.Object(
      {
        debit: Type.Optional(percent()),
        load: Type.Optional(percent()),
        from: Type.Optional(day('first day; D-365 when absent'))
      },
      closed
    ),
    'rates by party'
  ),
  prepare: (world, said) => {
    for (const [code, { from, ...rates }] of Object.entries(said)) {
      if (!world.parties.has(code)) {
        throw new StepError(`there is no party “${code}”`, [...world.parties.keys()].join(', '))
      }
      for (const product of ['debit', 'load'] as const) {
        const ratePpm = rates[product]
        if (ratePpm === undefined) continue
        add(world, 'commissions', { party: code, product, ratePpm, from: from ?? '2025-01-01' })
      }
    }
  }
})

export const bankAccounts = givenVerb({
  says: 'parties with an account at the bank; that of the issuer is ours',
  example: 'bank_accounts: [ISS, BUS]',
  schema: Type.Array(party, { description: 'parties' }),
  prepare: (world, said) => {
    for (const code of said) {
      known(world.parties, 'party', code)
      const account = bankAccountOf(code)
      const isOurs = world.registry.parties?.some(one => one.code === code && one.kind === 'issuer') === true
      if (isOurs) world.bank.account = account.number
      add(world, 'bankAccounts', { party: code, holder: code, ...account })
    }
  }
})

export const policies = givenVerb({
  says: 'limits and windows of the city',
  example: 'policies: { late_days: 90, blacklist_window_hours: 24, clock_tolerance_minutes: 10 }',
  schema: Type.Object(
    {
      late_days: Type.Optional(whole('older records are overdue')),
      blacklist_window_hours: Type.Optional(whole('time a terminal has to get a new list')),
      clock_tolerance_minutes: Type.Optional(whole('how far a terminal clock may be ahead')),
      debit_max: Type.Optional(yuan('largest debit')),
      overdraft_max: Type.Optional(yuan('how far a purse may go below zero')),
      load_step: Type.Optional(yuan('loads for cash are multiples of it')),
      refund_max: Type.Optional(yuan('larger refunds of one sale take a second person')),
      grey_days: Type.Optional(whole('a grey record may be given up after')),
      top_debit: Type.Optional(yuan('a debit from here on is of top value')),
      top_debits_per_hour: Type.Optional(whole('more at one terminal are held for fraud')),
      return_days: Type.Optional(whole('how long the national centre may return')),
      oral_loss_days: Type.Optional(whole('an oral report lapses so many days after it')),
      replacement_wait_days: Type.Optional(whole('working days until the value of a lost card moves')),
      own_outlets: Type.Optional(Type.Array(party, { description: 'agents that are the issuer\'s own' })),
      return_anywhere_below: Type.Optional(yuan('from here on a card is given back at own outlets alone')),
      card_types: Type.Optional(mappingOf(
        oneOf(['transit', 'clinic', 'library', 'retail'], 'a service'),
        Type.Array(name('a type of card'), { description: 'types of cards' }),
        'types of cards that a service takes; all where it is not said'))
    },
    closed
  ),
  prepare: (world, said) => {
    world.registry.policies = {
      ...world.registry.policies,
      ...(said.late_days === undefined ? {} : { lateDays: said.late_days }),
      ...(said.blacklist_window_hours === undefined
        ? {}
        : { blacklistWindowHours: said.blacklist_window_hours }),
      ...(said.clock_tolerance_minutes === undefined
        ? {}
        : { clockToleranceMinutes: said.clock_tolerance_minutes }),
      ...(said.debit_max === undefined ? {} : { debitFenMax: said.debit_max }),
      ...(said.overdraft_max === undefined ? {} : { overdraftFenMax: said.overdraft_max }),
      ...(said.load_step === undefined ? {} : { topUpStepFen: said.load_step }),
      ...(said.refund_max === undefined ? {} : { refundFenMax: said.refund_max }),
      ...(said.grey_days === undefined ? {} : { greyDays: said.grey_days }),
      ...(said.top_debit === undefined ? {} : { topDebitFen: said.top_debit }),
      ...(said.top_debits_per_hour === undefined ? {} : { topDebitsPerHourMax: said.top_debits_per_hour }),
      ...(said.return_days === undefined ? {} : { returnDays: said.return_days }),
      ...(said.oral_loss_days === undefined ? {} : { oralLossDays: said.oral_loss_days }),
      ...(said.replacement_wait_days === undefined
        ? {}
        : { replacementWaitDays: said.replacement_wait_days }),
      ...(said.own_outlets === undefined ? {} : { ownOutlets: said.own_outlets }),
      ...(said.return_anywhere_below === undefined
        ? {}
        : { returnAnywhereBelowFen: said.return_anywhere_below }),
      ...(said.card_types === undefined ? {} : { cardTypesAllowed: said.card_types })
    }
  }
})

export const clearingDate = givenVerb({
  says: 'the first clearing date; the day D when absent',
  example: 'clearing_date: D',
  schema: day(),
  prepare: (world, said) => {
    world.registry.clearingDate = said
  }
})

type Lists = 'parties' | 'bankAccounts' | 'commissions' | 'terminals' | 'psams' | 'cards'

/** One more entry for the registry. */
export function add<Key extends Lists> (
  world: World,
  list: Key,
  entry: NonNullable<World['registry'][Key]>[number]
): void {
  const entries = (world.registry[list] ?? []) as (typeof entry)[]
  entries.push(entry)
  world.registry[list] = entries as NonNullable<World['registry'][Key]>
}
