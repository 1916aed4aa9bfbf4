// given: terminals with their PSAMs, and cards.
import { Type, type Static } from 'typebox'
import { profileNames } from '../../../schemas/epurse/profiles.ts'
import { formatIso, startOfDate, addDays } from '../../../runtime/instants.ts'
import { mappingOf } from '../check.ts'
import { hex, moment, name, oneOf, text, whole, yes, yuan } from '../values.ts'
import { givenVerb } from '../verb.ts'
import { cardOf, known, psamNumber, type World } from '../world.ts'
import { add } from './parties.ts'

const closed = { additionalProperties: false } as const

export const TerminalsSaid = mappingOf(
  name('a terminal, such as BUS-1'),
  Type.Object(
    {
      operator: name('the party it belongs to'),
      psam: Type.Optional(name('name or 12 digits of the PSAM in it')),
      reachable: Type.Optional(yes('false: cut off, its blacklist window does not run out')),
      called: Type.Optional(text('the name people read'))
    },
    closed
  ),
  'terminals by number'
)

export const terminals = givenVerb({
  says: 'terminals, each with a PSAM of its own unless another is named',
  example: 'terminals: { BUS-1: { operator: BUS }, BUS-2: { operator: BUS, psam: P7, reachable: false } }',
  schema: TerminalsSaid,
  prepare: (world, said) => {
    const { terminals, psams } = terminalsOf(world, said)
    for (const one of terminals) add(world, 'terminals', one)
    for (const one of psams) add(world, 'psams', one)
  }
})

export const terminalsElsewhere = givenVerb({
  says: 'terminals in other cities, each with its PSAM: nobody registers them, a centre brings their records',
  example: 'terminals_elsewhere: { CHD-1: { centre: NAT } }',
  schema: mappingOf(
    name('a terminal, at most eight letters and digits'),
    Type.Object({ centre: name('the national centre that claims for it') }, closed),
    'terminals by number'
  ),
  prepare: (world, said) => {
    for (const [terminal, { centre }] of Object.entries(said)) {
      known(world.parties, 'party', centre)
      world.terminals.set(terminal, { operator: centre, psam: terminal })
      world.psams.set(terminal, { number: psamNumber(terminal), sequence: 0 })
    }
  }
})

type Entry<List extends 'terminals' | 'psams'> = NonNullable<World['registry'][List]>[number]

/** As the registry wants them; from now on the scenario knows them. */
export function terminalsOf (
  world: World, said: Static<typeof TerminalsSaid>
): { terminals: Entry<'terminals'>[], psams: Entry<'psams'>[] } {
  const terminals: Entry<'terminals'>[] = []
  const psams: Entry<'psams'>[] = []
  for (const [terminal, one] of Object.entries(said)) {
    known(world.parties, 'party', one.operator)
    const psam = one.psam ?? terminal
    world.terminals.set(terminal, { operator: one.operator, psam })
    terminals.push({
      terminal,
      operator: one.operator,
      ...(one.called === undefined ? {} : { name: one.called }),
      ...(one.reachable === undefined ? {} : { reachable: one.reachable })
    })
    if (!world.psams.has(psam)) psams.push(psamOf(world, psam, { terminal }))
  }
  return { terminals, psams }
}

const Psam = Type.Object(
  {
    terminal: Type.Optional(name('the terminal it is bound to')),
    issue: Type.Optional(whole('1 when absent')),
    from: Type.Optional(moment('bound from; D-365 00:00 when absent')),
    to: Type.Optional(moment('bound until')),
    stolen: Type.Optional(moment('reported stolen')),
    test: Type.Optional(yes('a PSAM of the test bench: shown, never settled')),
    sequence: Type.Optional(whole('its last transaction sequence; 0 when absent'))
  },
  closed
)

export const psams = givenVerb({
  says: 'PSAMs that are bound for a time, stolen, or for tests',
  example: 'psams: { P7: { terminal: BUS-2, from: D-10 00:00, stolen: D 07:00 } }',
  schema: mappingOf(name('a PSAM: a name or its 12 digits'), Psam, 'PSAMs by name'),
  prepare: (world, said) => {
    for (const [psam, one] of Object.entries(said)) add(world, 'psams', psamOf(world, psam, one))
  }
})

type PsamSaid = {
  terminal?: string
  issue?: number
  from?: number
  to?: number
  stolen?: number
  test?: boolean
  sequence?: number
}

function psamOf (world: World, psam: string, said: PsamSaid): Entry<'psams'> {
  const number = psamNumber(psam)
  world.psams.set(psam, { number, sequence: said.sequence ?? 0 })
  return {
    psam: number,
    issue: said.issue ?? 1,
    terminal: said.terminal ?? null,
    from: formatIso(said.from ?? startOfDate(addDays(world.reading.day, -365))),
    to: said.to === undefined ? null : formatIso(said.to),
    stolenAt: said.stolen === undefined ? null : formatIso(said.stolen),
    test: said.test ?? false
  }
}

const cardTypes = ['anonymous', 'named', 'student', 'senior', 'staff', 'test', 'social-security'] as const

export const cards = givenVerb({
  says: 'cards: what the chip holds and which counter it committed last',
  example: 'cards: { A: { balance: 50.00, counter: 100 }, S: { type: student, balance: 20.00 } }',
  schema: mappingOf(
    name('a card, such as A'),
    Type.Object(
      {
        type: Type.Optional(oneOf(cardTypes, 'anonymous when absent')),
        balance: Type.Optional(yuan('0.00 when absent')),
        counter: Type.Optional(whole('offline counter; 0 when absent')),
        profile: Type.Optional(oneOf(profileNames, 'cjt166 when absent')),
        overdraft: Type.Optional(yuan('how far the chip goes below zero, once; not at all when absent')),
        suite: Type.Optional(oneOf(['3des', 'sm4'], '3des when absent')),
        key_version: Type.Optional(whole('1 when absent')),
        city_factor: Type.Optional(hex('8 bytes; none when absent')),
        issue: Type.Optional(whole('issue number; 1 when absent')),
        sold_by: Type.Optional(
          name('the agent that sold it; its deposit and balance are then owed by the agent')
        ),
        deposit: Type.Optional(yuan('0.00 when absent')),
        forged: Type.Optional(yes('its chip has other keys than the city\'s')),
        blank: Type.Optional(yes('its chip is blank, and nobody has registered it: make_cards')),
        branch: Type.Optional(name('the branch it belongs to; everybody\'s when absent')),
        issuer: Type.Optional(
          name('a card of another city, not registered here: first digits of its issuer identifier')
        )
      },
      closed
    ),
    'cards by name'
  ),
  prepare: (world, said) => {
    for (const [card, one] of Object.entries(said)) {
      const chip = {
        name: card,
        ref: one.issuer === undefined
          ? cardOf(card, one.issue)
          : { ...cardOf(card, one.issue), issuer: one.issuer.padEnd(16, 'F') },
        profile: one.profile ?? 'cjt166',
        type: one.type ?? 'anonymous',
        overdraftFen: one.overdraft ?? 0,
        suite: one.suite ?? '3des',
        keyVersion: one.key_version ?? 1,
        cityFactor: one.city_factor ?? null,
        forged: one.forged ?? false,
        blank: one.blank ?? false,
        opening: { balanceFen: one.balance ?? 0, counter: one.counter ?? 0 },
        counter: one.counter ?? 0,
        balanceFen: one.balance ?? 0,
        loads: []
      }
      world.chips.set(card, chip)
      if (one.issuer !== undefined || chip.blank) continue
      add(world, 'cards', {
        card: chip.ref,
        profile: chip.profile,
        type: chip.type,
        suite: chip.suite,
        keyVersion: chip.keyVersion,
        cityFactor: chip.cityFactor,
        balanceFen: chip.balanceFen,
        counter: chip.counter,
        soldBy: one.sold_by ?? null,
        depositFen: one.deposit ?? 0,
        ...(one.branch === undefined ? {} : { branch: one.branch })
      })
    }
  }
})
