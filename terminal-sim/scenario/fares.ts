// Tariff documents, feeds and concessions over the public API, for the given and when verbs alike.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import type { FeedReply } from '../../schemas/fares.ts'
import { cardKey } from '../../schemas/record.ts'
import { mappingOf } from './check.ts'
import { activate, draftSaid, type Published } from './parameters.ts'
import { day, moment, name, percent, text, whole } from './values.ts'
import { StepError } from './verb.ts'
import { known, type World } from './world.ts'

const closed = { additionalProperties: false } as const

export const documentSaid = Type.Object(
  {
    file: text('path of the document as JSON, without version and instant'),
    version: whole('1 or more'),
    from: moment('counts from'),
    free: Type.Optional(Type.Object({
      reason: text('why nobody pays until the next version'),
      groups: Type.Optional(Type.Array(name('a group'), { description: 'where; everywhere when absent' })),
      treasury: Type.Optional(percent('of the card fare, which the treasury pays'))
    }, closed)),
    draft: Type.Optional(draftSaid)
  },
  closed
)
export type DocumentSaid = Static<typeof documentSaid>

export async function publishDocument (
  world: World, { file, version, from, free, draft }: DocumentSaid
): Promise<void> {
  const document = {
    ...JSON.parse(readFileSync(file, 'utf8')) as object, version, from: formatIso(from),
    ...free === undefined ? {} : { free: freeOf(free) }
  }
  await publish(world, document, draft === true)
}

const freeOf = ({ reason, groups, treasury }: NonNullable<DocumentSaid['free']>) => ({
  reason, ...groups === undefined ? {} : { groups },
  ...treasury === undefined ? {} : { treasury: { sharePpm: treasury, reference: 'card' } }
})

async function publish (world: World, json: object, draft: boolean): Promise<void> {
  const call = { method: 'POST', path: '/v1/services/transit/tariffs', as: 'registrar', json } as const
  const published = (await world.api.call(call)) as Published
  if (!draft) await activate(world, published)
}

export const feedSaid = Type.Object(
  {
    directory: text('path of a GTFS directory; from where the command is started'),
    version: whole('1 or more'),
    from: moment('counts from'),
    operator: name('whose lines these are'),
    errors: Type.Optional(whole('rows that were left out; 0 when absent'))
  },
  closed
)
export type FeedSaid = Static<typeof feedSaid>

/** What the feed got wrong is counted; what comes of it is published like any other document. */
export async function publishFeed (
  world: World, { directory, version, from, operator, errors = 0 }: FeedSaid
): Promise<void> {
  const names = readdirSync(directory).filter(one => one.endsWith('.txt'))
  const json = {
    files: Object.fromEntries(names.map(one => [one, readFileSync(join(directory, one), 'utf8')])),
    settings: {
      version, from: formatIso(from), operator, openMinutesMax: 180, duplicateTapSeconds: 5,
      transitDay: { startsAtMinute: 270, crossing: 'start' }
    }
  }
  const call = { method: 'POST', path: '/v1/services/transit/feeds', as: 'registrar', json } as const
  const { document, warnings } = (await world.api.call(call)) as FeedReply
  const found = warnings.filter(({ severity }) => severity === 'error')
  if (document === null || found.length !== errors) {
    throw new StepError(`the feed has ${found.length} errors: ${found.map(({ en }) => en).join('; ')}`,
      `${errors} errors, and a document`)
  }
  await publish(world, document, false)
}

export const concessionsSaid = mappingOf(
  name('a card'),
  mappingOf(
    name('a concession'),
    Type.Object({ from: Type.Optional(day()), until: Type.Optional(day()) }, closed),
    'concessions by name'
  ),
  'concessions by card'
)

export async function enterConcessions (
  world: World, said: Static<typeof concessionsSaid>
): Promise<void> {
  for (const [card, rights] of Object.entries(said)) {
    const key = cardKey(known(world.chips, 'card', card).ref)
    const concessions = Object.entries(rights)
      .map(([name, { from = null, until = null }]) => ({ class: name, from, until }))
    const path = `/v1/services/transit/cards/${key}/concessions`
    await world.api.call({ method: 'PUT', path, as: 'registrar', json: { concessions } })
  }
}
