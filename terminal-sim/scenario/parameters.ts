// Blacklist and tariff over the public API, for the given, when and then verbs alike.
import { Type, type Static } from 'typebox'
import type { Instant } from '../../runtime/clock.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { BlacklistPublication, CalendarChange } from '../../schemas/api.ts'
import type { Tariff } from '../../schemas/tariff/tariff.ts'
import { mappingOf } from './check.ts'
import { day, moment, name, oneOf, readDay, whole, yes, yuan } from './values.ts'
import { StepError } from './verb.ts'
import { known, type World } from './world.ts'

const closed = { additionalProperties: false } as const
const reasons = ['loss', 'oral_loss', 'fraud', 'cancelled', 'death'] as const
const card = name('a card')
export const draftSaid =
  yes('true: what needs a second person is left waiting; else approver-1 agrees at once')

export const blacklistSaid = Type.Object(
  {
    version: Type.Optional(whole('the next number when absent')),
    add: Type.Optional(
      Type.Union([
        mappingOf(card, oneOf(reasons, 'why it is listed'), 'cards and why they are listed'),
        Type.Array(card, { description: 'cards that are listed for loss' })
      ])
    ),
    remove: Type.Optional(Type.Array(card, { description: 'cards that may be used again' })),
    reported: Type.Optional(moment('when the loss was reported; when absent, the instant of publishing')),
    draft: Type.Optional(draftSaid)
  },
  closed
)
export type BlacklistSaid = Static<typeof blacklistSaid>

/** The version that was published. */
export async function publishBlacklist (world: World, said: BlacklistSaid, at: Instant): Promise<number> {
  const listed = Array.isArray(said.add)
    ? said.add.map(name => [name, 'loss'] as const)
    : Object.entries(said.add ?? {})
  const publication: BlacklistPublication = {
    ...(said.version === undefined ? {} : { version: said.version }),
    add: listed.map(([name, reason]) => ({
      card: known(world.chips, 'card', name).ref,
      reason,
      at: formatIso(said.reported ?? at)
    })),
    remove: (said.remove ?? []).map(name => known(world.chips, 'card', name).ref)
  }
  const json = publication
  const call = { method: 'POST', path: '/v1/blacklist', as: 'registrar', json } as const
  const published = (await world.api.call(call)) as Published
  if (said.draft !== true) await activate(world, published)
  return published.version
}

/** What the ledger answers to parameters; `proposal`: they wait there for a second person. */
export type Published = { version: number, proposal?: number }

export async function activate (world: World, { proposal }: Published): Promise<void> {
  if (proposal === undefined) return
  const path = `/v1/proposals/${proposal}/decisions`
  await world.api.call({ method: 'POST', path, as: { staff: 'approver-1' }, json: { approves: true } })
}

export const calendarSaid =
  mappingOf(day(), oneOf(['rest', 'worked'], 'rest, or worked'), 'what a day is instead')

export const calendarOf = (
  { reading }: World, said: Readonly<Record<string, string>>
): Pick<CalendarChange, 'add' | 'remove'> => ({
  add: Object.entries(said).map(([written, kind]) => ({
    date: readDay(written, reading), worked: kind === 'worked', name: kind === 'worked' ? 'worked' : 'holiday'
  })),
  remove: []
})

export const tariffSaid = Type.Object(
  {
    version: whole('1 or more'),
    from: moment('valid from'),
    prices: mappingOf(
      name('a party'),
      mappingOf(
        name('fare, card, or a card type'),
        yuan(),
        'fare: the full fare; card: the fare of a card; a card type: its own fare'
      ),
      'prices by party'
    ),
    draft: Type.Optional(draftSaid)
  },
  closed
)
export type TariffSaid = Static<typeof tariffSaid>

export async function publishTariff (
  world: World,
  { version, from, prices, draft }: TariffSaid
): Promise<void> {
  const operators = Object.fromEntries(
    Object.entries(prices).map(([party, { fare, card, ...byCardType }]) => {
      known(world.parties, 'party', party)
      if (fare === undefined) {
        throw new StepError(`the tariff of ${party} names no full fare`, 'fare: 2.00, card: 1.80')
      }
      return [party, { kind: 'flat' as const, fareFen: fare, cardFareFen: card ?? fare, byCardType }]
    })
  )
  const tariff: Tariff = { version, from: formatIso(from), operators }
  const call = { method: 'POST', path: '/v1/tariffs', as: 'registrar', json: tariff } as const
  const published = (await world.api.call(call)) as Published
  if (draft !== true) await activate(world, published)
}

export type AcknowledgeSaid =
  { terminal: string, blacklist?: number, tariff?: number, cities?: number, at: Instant }

export async function acknowledge (
  world: World,
  { terminal, blacklist, tariff, cities, at }: AcknowledgeSaid
): Promise<void> {
  const { operator } = known(world.terminals, 'terminal', terminal)
  const versions = [
    ['blacklist', blacklist],
    ['tariff', tariff],
    ['cities', cities]
  ] as const
  for (const [kind, version] of versions) {
    if (version === undefined) continue
    const json = { operator, terminal, kind, version, appliedAt: formatIso(at) }
    await world.api.call({ method: 'POST', path: '/v1/parameters/applied', as: 'gateway', json })
  }
}
