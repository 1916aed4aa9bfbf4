// then: what a city platform sees of terminals, as components of the city.
import { Type } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import {
  componentStates, type Component, type ComponentNews
} from '../../../schemas/components.ts'
import { healths, type Availability } from '../../../schemas/estate.ts'
import { mappingOf } from '../check.ts'
import { moment, name, oneOf, text, whole } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { refOf } from '../when/terminals.ts'
import { plain } from './balances.ts'

const closed = { additionalProperties: false } as const

export const components = thenVerb({
  says: 'terminals as the city platform lists them: those that are said, by number',
  example: 'components: { BUS-1: { state: enrolled, health: down, events: [silent], owner: 公交公司 } }',
  schema: mappingOf(name('a terminal'), Type.Object({
    state: Type.Optional(oneOf([...componentStates, 'none'], 'none: it is not listed')),
    health: Type.Optional(oneOf(healths, 'how it is doing')),
    events: Type.Optional(Type.Array(name('an event'), { description: 'what is wrong now' })),
    place: Type.Optional(text('where it stands, in words')),
    owner: Type.Optional(text('its operator, in Chinese'))
  }, closed), 'terminals by number'),
  check: async (world, said) => {
    const listed = await world.api.all<Component>('/v1/components', 'platform')
    const secrets = listed.filter(one => /certificate|"keys?"|gateway/.test(JSON.stringify(one)))
    return [
      ...compare('components that tell of keys, certificates or gateways', '', secrets.map(one =>
        one.component).join(', ')),
      ...Object.entries(said).flatMap(([terminal, wanted]) => {
        const { operator } = refOf(world, terminal)
        const found = listed.find(({ component }) => component === `${operator}/${terminal}`)
        const what = `component ${terminal}`
        return [
          ...plain(`${what} state`, wanted.state, found?.state ?? 'none'),
          ...plain(`${what} health`, wanted.health, found?.health ?? ('none' as never)),
          ...plain(`${what} place`, wanted.place, found?.place ?? 'none'),
          ...plain(`${what} owner`, wanted.owner, found?.operatorZh ?? 'none'),
          ...wanted.events === undefined
            ? []
            : compare(`${what} events`, [...wanted.events].sort().join(', '),
              [...found?.events ?? []].sort().join(', '))
        ]
      })
    ]
  }
})

export const componentNews = thenVerb({
  says: 'what the city platform reads of components, from where this verb stood last, in order',
  example: 'component_news: [found BUS-2 printer, cleared BUS-2 printer, suspended LIB-1]',
  schema: Type.Array(text('WHAT TERMINAL, and the event if it is one'), { description: 'all that is new' }),
  check: async (world, said) => {
    const last = world.answers.get('component news') as number | undefined ?? 0
    const news = await world.api.all<ComponentNews>(`/v1/components/news?after=${last}`, 'platform')
    const numbers = news.map(({ number }) => number)
    world.answers.set('component news', numbers.at(-1) ?? last)
    const shown = news.map(({ what, component, event }) =>
      [what, component.split('/')[1], ...event === null ? [] : [event]].join(' '))
    const wordless = news.filter(({ says: { en, zh } }) => en === '' || !/[\u4e00-\u9fff]/.test(zh))
    return [
      ...compare('news without words in both languages', '', wordless.map(({ number }) => number).join()),
      ...compare('news of components', said.join(', ') || 'none', shown.join(', ') || 'none'),
      ...compare('their numbers', [...numbers].sort((one, other) => one - other).join(), numbers.join())
    ]
  }
})

export const availability = thenVerb({
  says: 'how much of the time the fleet served, and events dealt with in time, as the city platform asks',
  example: 'component_availability: { from: D 08:00, to: D 10:00, known_seconds: 7200, down_seconds: 600 }',
  schema: Type.Object({
    from: moment('from when'), to: moment('until when'), known_seconds: Type.Optional(whole()),
    down_seconds: Type.Optional(whole()), found: Type.Optional(whole('events that are over, or were due')),
    handled: Type.Optional(whole('of them in time'))
  }, closed),
  check: async (world, said) => {
    const query = new URLSearchParams({ from: formatIso(said.from), to: formatIso(said.to) })
    const { fleet } = await world.api.get<Availability>(`/v1/terminals/availability?${query}`, 'platform')
    return [
      ...plain('known seconds', said.known_seconds, fleet.knownSeconds),
      ...plain('down seconds', said.down_seconds, fleet.downSeconds),
      ...plain('events found', said.found, fleet.found),
      ...plain('events handled', said.handled, fleet.handled)
    ]
  }
})
