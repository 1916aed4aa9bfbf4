// What the validators of the buses have on their tapes: records of further cards with right chains and TACs,
// and the faults of a real city mixed in. Pure; each line knows what the published rules make of it.
import assert from 'node:assert/strict'
import { bcdDateTime, parseIso } from '../../runtime/instants.ts'
import type { Card, Psam, Terminal } from '../../schemas/api.ts'
import { hex, u32, unhex } from '../../schemas/epurse/hex.ts'
import { cardFactor, diversifier } from '../../schemas/epurse/keys.ts'
import { purchaseTac } from '../../schemas/epurse/mac.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import type { Outcome, VerdictReason } from '../../schemas/reasons.ts'
import type { CardRef, TransactionRecord } from '../../schemas/record.ts'
import { priceBoarding } from '../../schemas/tariff/tariff.ts'
import { testMasterKey } from '../keys.ts'
import type { Random } from '../random.ts'
import { days, families, psamNumber, serialOf, tariff } from './cast.ts'

type Rule = {
  /** Of all records. */
  readonly share: number
  /** The first answer, whatever arrives before it. */
  readonly expect: { readonly outcome: Outcome, readonly reason: VerdictReason }
  readonly from: string, readonly to: string
}
const morning = { from: '2026-03-02T05:00:00+08:00', to: '2026-03-02T06:29:00+08:00' } as const
const says = (outcome: Outcome, reason: VerdictReason) => ({ outcome, reason })

/** What can become of a tap on its way into the books. All that is not listed here is plain. */
const faults = {
  late: {
    share: 0.03, expect: says('accepted', 'late'),
    from: '2026-03-01T20:00:00+08:00', to: '2026-03-01T23:30:00+08:00'
  },
  overdue: {
    share: 0.001, expect: says('refused', 'overdue'),
    from: '2025-11-27T08:00:00+08:00', to: '2025-11-27T20:00:00+08:00'
  },
  wrong_tac: { share: 0.004, expect: says('refused', 'tac_wrong'), ...morning },
  grey_paid: { share: 0.003, expect: says('held', 'grey'), ...morning },
  grey_unpaid: { share: 0.003, expect: says('held', 'grey'), ...morning },
  psam_unknown: { share: 0.002, expect: says('refused', 'psam_unknown'), ...morning },
  terminal_unknown: { share: 0.002, expect: says('refused', 'terminal_unknown'), ...morning },
  card_unknown: { share: 0.001, expect: says('refused', 'card_unknown'), ...morning },
  test_card: { share: 0.002, expect: says('excluded', 'test_card'), ...morning },
  test_psam: { share: 0.001, expect: says('excluded', 'test_psam'), ...morning },
  listed: { share: 0.003, expect: says('refused', 'blacklisted'), ...morning },
  listed_cut_off: { share: 0.001, expect: says('accepted', 'issuer_risk'), ...morning },
  psam_elsewhere: { share: 0.001, expect: says('refused', 'psam_terminal_mismatch'), ...morning },
  other_operator: { share: 0.001, expect: says('refused', 'merchant_mismatch'), ...morning },
  stolen: { share: 0.001, expect: says('refused', 'psam_stolen'), ...morning },
  clock_reset: { share: 0.001, expect: says('held', 'clock_implausible'), ...morning },
  malformed: { share: 0.0005, expect: says('refused', 'malformed'), ...morning },
  clone: {
    share: 0.0005, expect: says('held', 'conflict'),
    from: '2026-03-02T06:00:00+08:00', to: morning.to
  }
} as const satisfies Record<string, Rule>
export type Fault = keyof typeof faults
const plain: Rule = { share: 0, expect: says('accepted', 'ok'), ...morning }
const ruleOf = (kind: Kind): Rule => kind === 'plain' ? plain : faults[kind]
type Kind = Fault | 'plain'

export type Line = {
  /** A TransactionRecord, but for the lines that nobody can read. */
  readonly record: unknown
  readonly expect: Rule['expect']
  /** The verdict when all is known: later records prove or disprove a grey one. */
  readonly finally: Outcome
  readonly operator: string
  readonly amountFen: number
  /** Lines of the second wave leave when all of the first are answered: later evidence on earlier records. */
  readonly wave: 1 | 2
}
export type Batch = {
  readonly delivery: string, readonly lines: readonly Line[]
  /** Sent once more under the same id. */
  readonly twice: boolean
}

/** A chip of this morning as it is at the end; `opening` is what the registry was told. */
export type Purse = {
  readonly card: CardRef, readonly opening: { readonly balanceFen: number, readonly counter: number }
  readonly balanceFen: number, readonly counter: number
}

export type RecordPlan = {
  readonly cards: readonly Card[]
  readonly listed: readonly CardRef[]
  readonly purses: readonly Purse[]
  readonly terminals: readonly Terminal[]
  readonly psams: readonly Psam[]
  /** Terminals that had applied the blacklist. */
  readonly acknowledged: readonly string[]
  readonly waves: readonly (readonly Batch[])[]
  /** Lines before any repetition. */
  readonly distinct: number
  readonly repeated: number
}

export type RecordOptions = {
  readonly seed: number, readonly records: number, readonly linesAtOnce?: number
}

/** `records` from 200, so that each fault occurs. */
export function planRecords (options: RecordOptions, random: Random): RecordPlan {
  const { records } = options
  assert(records >= 200, `offline records: 200 at least, not ${records}`)
  const city = buildCity(records, random.fork('city'))
  const moments = random.fork('moments')
  const slots = kindsOf(records).map(kind => ({ kind, atMs: momentOf(ruleOf(kind), moments) }))
  slots.sort((a, b) => a.atMs - b.atMs)
  const riding = random.fork('riding')
  const lines = slots.map(({ kind, atMs }) => ride(city, kind, atMs, riding)).map(settled)
  const repeated = Math.round(records * 0.03)
  return {
    cards: city.pool.filter(({ known }) => known).map(({ registered }) => registered),
    listed: city.listed.map(({ registered }) => registered.card),
    purses: city.pool.filter(({ known }) => known).map(purseOf),
    ...registryOf(city),
    waves: batchesOf(lines, repeated, options, random.fork('mail')),
    distinct: lines.length,
    repeated
  }
}

function kindsOf (records: number): Kind[] {
  const kinds = Object.entries(faults).flatMap(([kind, { share }]) =>
    Array.from({ length: Math.max(1, Math.round(records * share)) }, () => kind as Kind))
  return [...kinds, ...Array.from({ length: records - kinds.length }, () => 'plain' as const)]
}

const momentOf = ({ from, to }: Rule, random: Random): number =>
  parseIso(from) + 1_000 * random.int(0, (parseIso(to) - parseIso(from)) / 1_000)

/* ---- the city: cards and validators ---- */

type Chip = {
  readonly registered: Card
  readonly known: boolean
  readonly sign: (record: TransactionRecord) => string
  readonly purchase: '06' | '09'
  balanceFen: number
  counter: number
  lastAtMs: number
  /** One fault a card at most: what comes of two at once is nobody's plan. */
  faulty: boolean
  wave: 1 | 2
  rides: number
}
type Validator = {
  readonly operator: string, readonly terminal: string, readonly psam: string
  readonly line: string, readonly vehicle: string
  sequence: number
  recordNo: number
}
type City = {
  readonly pool: Chip[]
  readonly plain: readonly Chip[], readonly listed: readonly Chip[], readonly test: readonly Chip[]
  readonly strangers: readonly Chip[]
  readonly validators: readonly Validator[]
  readonly special: Readonly<Record<Special, Validator>>
  readonly clonable: { readonly chip: Chip, readonly record: TransactionRecord, readonly atMs: number }[]
}

function buildCity (records: number, random: Random): City {
  const few = Math.max(2, Math.round(records / 500))
  const makeMany = (count: number, from: number, make: Make = {}) =>
    Array.from({ length: count }, (_, at) => makeChip(from + at, random, make))
  const cards = {
    plain: makeMany(Math.ceil(records / 4.5), 1_000),
    listed: makeMany(few, 800_000),
    test: makeMany(few, 850_000, { type: 'test' }),
    strangers: makeMany(few, 900_000, { known: false })
  }
  // Each operator has two at least, so that a PSAM can turn up in a neighbour.
  const count = Math.max(5, Math.round(records / 250))
  const validators = Array.from({ length: count }, (_, at) => makeValidator(at, random))
  return {
    pool: Object.values(cards).flat(), ...cards, validators, special: specialValidators(random), clonable: []
  }
}

type Make = { readonly type?: Card['type'], readonly known?: boolean }
const tacMaster = diversifier(suites['3des'], testMasterKey('MTK'))

function makeChip (number: number, random: Random, { type, known = true }: Make): Chip {
  const family = random.int(0, families.length - 1)
  const { issuer, profile, purchase } = families[family] as typeof families[number]
  const balanceFen = 1_000 * random.int(2, 10)
  const counter = random.int(0, 900)
  const serial = serialOf(family, number)
  const drawn = random.pick(['named', 'named', 'named', 'student', 'senior'] as const)
  return {
    registered: {
      card: { issuer, serial, issue: 1 },
      profile,
      type: type ?? (profile === 'pboc' ? 'anonymous' : drawn),
      suite: '3des',
      keyVersion: 1,
      cityFactor: null,
      balanceFen,
      counter,
      soldBy: null,
      depositFen: 0
    },
    known,
    purchase,
    sign: signerOf(serial),
    balanceFen,
    counter,
    lastAtMs: 0,
    faulty: false,
    wave: 1,
    rides: 0
  }
}

/** The TAC that the chip of this serial makes. */
function signerOf (serial: string): (record: TransactionRecord) => string {
  let key: Uint8Array | null = null
  return record => {
    key ??= tacMaster(cardFactor(unhex(serial)))
    return hex(purchaseTac({
      suite: suites['3des'],
      dtk: key,
      amountFen: record.amountFen,
      type: Number.parseInt(record.type, 16),
      terminal6: unhex(record.psam),
      sequence4: u32(record.sequence),
      date4: unhex(record.dateTime.slice(0, 8)),
      time3: unhex(record.dateTime.slice(8))
    }))
  }
}

function makeValidator (at: number, random: Random): Validator {
  const operator = at % 5 < 3 ? 'BUS' : 'RIV'
  const line = operator === 'BUS' ? 103 + at % 17 : 202 + at % 9
  return {
    operator,
    terminal: `V${String(at + 1).padStart(4, '0')}`,
    psam: psamNumber(10_001 + at),
    line: String(line),
    vehicle: `D${line}${String(at).padStart(2, '0')}`.slice(0, 8),
    sequence: random.int(1, 900_000),
    recordNo: random.int(1, 90_000)
  }
}

const specials = ['unknownPsam', 'unknownTerminal', 'testPsam', 'cutOff', 'stolen'] as const
type Special = typeof specials[number]

function specialValidators (random: Random): Record<Special, Validator> {
  const made = specials.map((name, at) => {
    const validator = { ...makeValidator(0, random), psam: psamNumber(90_001 + at), terminal: `S${at + 1}` }
    return [name, validator] as const
  })
  return Object.fromEntries(made) as Record<Special, Validator>
}

type Places = Pick<RecordPlan, 'terminals' | 'psams' | 'acknowledged'>

function registryOf ({ validators, special }: City): Places {
  const terminalOf = ({ terminal, operator, line }: Validator): Terminal =>
    ({ terminal, operator, name: `line ${line}` })
  const psamOf = ({ psam, terminal }: Validator): Psam =>
    ({ psam, issue: 1, terminal, from: days.opened, to: null, stolenAt: null, test: false })
  const { unknownPsam, unknownTerminal: spare, testPsam, cutOff, stolen } = special
  return {
    terminals: [
      ...[...validators, unknownPsam, testPsam, stolen].map(terminalOf),
      { ...terminalOf(cutOff), reachable: false }
    ],
    psams: [
      ...[...validators, cutOff].map(psamOf),
      { ...psamOf(spare), terminal: null },
      { ...psamOf(testPsam), test: true },
      { ...psamOf(stolen), stolenAt: '2026-03-02T04:00:00+08:00' }
    ],
    acknowledged: validators.map(({ terminal }) => terminal)
  }
}

/* ---- one ride ---- */

type Ride = { readonly chip: Chip, readonly at: Validator, readonly atMs: number }
/** `rides`: how often the card had been used with it. */
type Ridden = Omit<Line, 'finally'> & {
  readonly kind: Kind, readonly chip: Chip, readonly rides: number
}

function ride (city: City, kind: Kind, atMs: number, random: Random): Ridden {
  if (kind === 'clone') return cloned(city, atMs, random)
  const chip = chipFor(city, kind, atMs, random)
  const at = validatorFor(city, kind, random)
  const signed = signedRecord({ chip, at, atMs }, kind, city)
  // A chip that did not pay says the same counter at its next use.
  if (kind !== 'grey_unpaid') pay(chip, signed.amountFen)
  chip.lastAtMs = atMs
  chip.rides++
  const wave = chip.wave
  if (isGrey(kind)) chip.wave = 2
  if (!isHarmless(kind)) chip.faulty = true
  if (kind === 'plain' && wave === 1 && !chip.faulty) city.clonable.push({ chip, record: signed, atMs })
  return ridden(kind, chip, signed, wave)
}

const ridden = (kind: Kind, chip: Chip, signed: TransactionRecord, wave: 1 | 2): Ridden => ({
  kind,
  chip,
  rides: chip.rides,
  record: damaged(signed, kind),
  expect: ruleOf(kind).expect,
  operator: signed.operator,
  amountFen: signed.amountFen,
  wave
})

/** The next use of the card, signed, tells by counter and balance whether the grey one was paid. */
function settled ({ kind, chip, rides, ...line }: Ridden): Line {
  const known = isGrey(kind) && chip.rides > rides
  const proven = kind === 'grey_paid' ? 'accepted' : 'refused'
  return { ...line, finally: known ? proven : line.expect.outcome }
}

function pay (chip: Chip, amountFen: number): void {
  chip.counter++
  chip.balanceFen -= amountFen
}

/** As the validator's tape has it when nothing went wrong on the way. */
function signedRecord ({ chip, at, atMs }: Ride, kind: Kind, city: City): TransactionRecord {
  const price = priceBoarding(tariff, at.operator, chip.registered.type)
  assert(price !== null, `the tariff has no fare of ${at.operator}`)
  const record: TransactionRecord = {
    card: chip.registered.card,
    purse: 'ep',
    type: chip.purchase,
    counter: chip.counter + 1,
    balanceBeforeFen: chip.balanceFen,
    amountFen: price.amountFen,
    psam: at.psam,
    sequence: ++at.sequence,
    dateTime: hex(bcdDateTime(kind === 'clock_reset' ? atMs - clockLagMs : atMs)),
    tac: null,
    grey: false,
    keyVersion: 1,
    algorithm: 0,
    operator: at.operator,
    terminal: kind === 'psam_elsewhere' ? neighbourOf(city, at).terminal : at.terminal,
    recordNo: ++at.recordNo,
    line: at.line,
    vehicle: at.vehicle,
    tariffVersion: price.tariffVersion,
    blacklistVersion: 1
  }
  if (kind === 'other_operator') Object.assign(record, { operator: at.operator === 'BUS' ? 'RIV' : 'BUS' })
  return { ...record, tac: chip.sign(record) }
}

/** Its battery ran out: it counts from the year 2000 since the morning began. */
const clockLagMs = parseIso(morning.from) - parseIso('2000-01-01T00:00:00+08:00')

const neighbourOf = ({ validators }: City, at: Validator): Validator =>
  validators.find(one => one.operator === at.operator && one !== at) ?? at

function damaged (record: TransactionRecord, kind: Kind): unknown {
  switch (kind) {
    case 'wrong_tac': return { ...record, tac: oneBitOff(record.tac ?? '') }
    case 'grey_paid':
    case 'grey_unpaid': return { ...record, tac: null, grey: true }
    case 'malformed': return { ...record, amountFen: (record.amountFen / 100).toFixed(2) }
    default: return record
  }
}

const oneBitOff = (tac: string): string =>
  tac.slice(0, -1) + (Number.parseInt(tac.slice(-1), 16) ^ 1).toString(16).toUpperCase()

/** A copy of a chip pays with the counter that the real one has used a little earlier. */
function cloned (city: City, atMs: number, random: Random): Ridden {
  const earlier = city.clonable.filter(one => one.atMs < atMs - 120_000 && !one.chip.faulty)
  const { chip, record: real } = random.pick(earlier)
  chip.faulty = true
  const at = random.pick(city.validators)
  const copy = { ...chip, counter: real.counter - 1, balanceFen: real.balanceBeforeFen }
  return ridden('clone', chip, signedRecord({ chip: copy, at, atMs }, 'clone', city), 2)
}

/** Nobody rides twice within a minute, nor without the money. */
function chipFor (city: City, kind: Kind, atMs: number, random: Random): Chip {
  const pools: Partial<Record<Kind, readonly Chip[]>> =
    { listed: city.listed, listed_cut_off: city.listed, test_card: city.test, card_unknown: city.strangers }
  const special = pools[kind]
  const pool = special ?? city.plain
  const fits = (chip: Chip) => chip.lastAtMs < atMs - 60_000 && chip.balanceFen >= dearestFareFen &&
    (special !== undefined || isHarmless(kind) || !chip.faulty) && (!isGrey(kind) || isPaying(chip))
  for (let attempt = 0; attempt < 50; attempt++) {
    const chip = random.pick(pool)
    if (fits(chip)) return chip
  }
  const [first] = pool.filter(fits)
  assert(first !== undefined, `no card is left for a ${kind} ride; more records need more cards`)
  return first
}

const dearestFareFen = 250
const isHarmless = (kind: Kind): boolean => kind === 'plain' || kind === 'late'
/** Whether a free ride was taken cannot be seen from the balance. */
const isGrey = (kind: Kind): boolean => kind === 'grey_paid' || kind === 'grey_unpaid'
const isPaying = ({ registered }: Chip): boolean => registered.type !== 'senior'

function validatorFor ({ special, validators }: City, kind: Kind, random: Random): Validator {
  const places: Partial<Record<Kind, Validator>> = {
    psam_unknown: special.unknownPsam,
    terminal_unknown: special.unknownTerminal,
    test_psam: special.testPsam,
    listed_cut_off: special.cutOff,
    stolen: special.stolen
  }
  return places[kind] ?? random.pick(validators)
}

const purseOf = ({ registered: { card, balanceFen, counter }, ...now }: Chip): Purse =>
  ({ card, opening: { balanceFen, counter }, balanceFen: now.balanceFen, counter: now.counter })

/* ---- the mail: repeats, shuffling, deliveries ---- */

function batchesOf (
  lines: readonly Line[], repeated: number, { seed, linesAtOnce = 500 }: RecordOptions, random: Random
): Batch[][] {
  const size = Math.min(linesAtOnce, Math.max(25, Math.round(lines.length / 40)))
  const mail: { line: Line, wave: 1 | 2 }[] = lines.map(line => ({ line, wave: line.wave }))
  for (let copies = 0; copies < repeated; copies++) {
    const line = random.pick(lines)
    mail.push({ line, wave: line.wave === 2 || random.chance(0.3) ? 2 : 1 })
  }
  return ([1, 2] as const).map(wave => {
    const together = mail.filter(one => one.wave === wave).map(({ line }) => line)
    return cut(random.shuffle(together), `${seed}.${wave}`, size)
  })
}

function cut (lines: readonly Line[], name: string, size: number): Batch[] {
  const batches: Batch[] = []
  for (let from = 0; from < lines.length; from += size) {
    const number = batches.length + 1
    const delivery = `depot.${name}.${String(number).padStart(4, '0')}`
    batches.push({ delivery, lines: lines.slice(from, from + size), twice: number % 10 === 5 })
  }
  return batches
}
