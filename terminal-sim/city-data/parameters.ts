// What a city is made of, as its file says it: read with the place of whatever is wrong. It refuses to know
// how taps come of it.
import { Type, type Static } from 'typebox'
import { check, mappingOf, type Checking } from '../scenario/check.ts'
import { day, hex, name, oneOf, percent, text, whole, yuan } from '../scenario/values.ts'
import { readYaml } from '../scenario/yaml-text.ts'

const closed = { additionalProperties: false } as const
const weight = (says: string) => whole(`${says}; a weight`)
const span = (says: string) =>
  Type.Array(yuan(), { minItems: 2, maxItems: 2, description: `${says}: from, to` })

const Service = Type.Object({
  name: text('in English'), zh: text('in Chinese'),
  service: oneOf(['transit', 'retail', 'clinic', 'library'], 'what it does'),
  industry: text('two digits'), merchant: text('fifteen digits'),
  share: weight('of all taps'), curve: name('one of the curves'),
  taps_per_terminal: whole('taps of a day for each of its terminals'),
  lines: Type.Optional(whole('of a bus company')),
  prices: Type.Optional(Type.Object({
    full: yuan(), card: yuan(), student: yuan(), senior: yuan()
  }, { ...closed, description: 'of a ride' })),
  amounts: Type.Optional(span('what is paid there')),
  commission: percent('of what it claims')
}, { ...closed, description: 'a service' })

const City = Type.Object({
  city: text('its name'),
  day: day('the clearing date'),
  issuer: hex('bytes 0 to 7 of file 0015'),
  card_company: Type.Object({ name: text('in English'), zh: text('in Chinese') }, closed),
  taps_per_card: text('a number such as 2.8'),
  cards: Type.Object({
    anonymous: Kind(), named: Kind(), student: Kind(), senior: Kind()
  }, { ...closed, description: 'kinds of cards' }),
  curves: mappingOf(name('a curve'), Type.Array(weight('of an hour'), { minItems: 24 }), 'curves of a day'),
  services: mappingOf(name('a party'), Service, 'services'),
  faults: Type.Object({
    wrong_tac: whole(), torn: whole(), told_twice: whole()
  }, { ...closed, description: 'of a million taps' })
}, { ...closed, description: 'a city' })

function Kind () {
  return Type.Object({ share: weight('of all cards'), holds: span('yuan in the morning') }, closed)
}

export type CityParameters = Static<typeof City>
export type CardKind = keyof CityParameters['cards']
export type ServiceParameters = Static<typeof Service>

/** Every problem of a file, one a line. */
export class ParametersError extends Error {}

/** Throws ParametersError, or ScenarioError where it is no YAML. */
export function readParameters (file: string, source: string): CityParameters {
  const problems: string[] = []
  const checking: Checking = { file, problems, day: '2026-01-01' }
  const city = check(City, readYaml(file, source), checking)
  if (problems.length === 0) problems.push(...wrongIn(city).map(why => `${file}: ${why}`))
  if (problems.length > 0) throw new ParametersError(problems.join('\n'))
  return city
}

function wrongIn ({ curves, services, taps_per_card: perCard, cards }: CityParameters): string[] {
  const sum = (weights: readonly number[]): number => weights.reduce((all, one) => all + one, 0)
  return [
    ...Number(perCard) >= 1 && Number(perCard) <= 1_000 ? [] : [`taps_per_card ${perCard}: 1 to 1000`],
    ...Object.entries(curves).filter(([, hours]) => hours.length !== 24 || sum(hours) === 0)
      .map(([curve, hours]) => `curve ${curve} has ${hours.length} hours, 24 are wanted, not all of them 0`),
    ...Object.entries(services).flatMap(([party, { curve, prices, amounts, merchant, industry }]) => [
      ...Object.hasOwn(curves, curve) ? [] : [`${party}: there is no curve ${curve}`],
      ...(prices === undefined) === (amounts === undefined) ? [`${party}: either prices or amounts`] : [],
      ...amounts !== undefined && !(amounts[0] !== undefined && amounts[1] !== undefined &&
        amounts[0] > 0 && amounts[1] >= amounts[0])
        ? [`${party}: amounts from something to as much or more`]
        : [],
      ...(/^\d{15}$/.test(merchant) && /^\d{2}$/.test(industry) ? [] : [`${party}: merchant 15 digits, industry 2`])
    ]),
    ...sum(Object.values(services).map(({ share }) => share)) > 0 ? [] : ['services: no shares'],
    ...sum(Object.values(cards).map(({ share }) => share)) > 0 ? [] : ['cards: no shares']
  ]
}
