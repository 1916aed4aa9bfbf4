// From what a scenario says of a record to the record itself: what is not said is what chip, PSAM and
// terminal would have said.
import { Type, type Static } from 'typebox'
import { bcdDateTime } from '../../runtime/instants.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { hex, moment, name, oneOf, whole, yes, yuan } from './values.ts'
import { StepError } from './verb.ts'
import { tacOf } from './tac.ts'
import { known, psamNumber, type Chip, type SentRecord, type World } from './world.ts'

export const RecordSaid = Type.Object(
  {
    id: Type.Optional(name('a name for it; CARD/COUNTER when absent')),
    again: Type.Optional(name('the same as an earlier record, with what is said here changed')),
    repeat: Type.Optional(whole('so many of them, a second apart')),
    card: Type.Optional(name('the card')),
    amount: Type.Optional(yuan('what was debited')),
    at: Type.Optional(moment('when, by the clock of the terminal')),
    terminal: Type.Optional(name('the terminal')),
    counter: Type.Optional(whole('committed counter; the next one of the card when absent')),
    before: Type.Optional(yuan('balance before; what the card held when absent')),
    sequence: Type.Optional(whole('PSAM sequence; the next one of the PSAM when absent')),
    psam: Type.Optional(name('name or 12 digits; the PSAM of the terminal when absent')),
    operator: Type.Optional(name('the party; the owner of the terminal when absent')),
    tac: Type.Optional(
      oneOf(['valid', 'wrong', 'absent', 'kept'], 'valid when absent; kept: that of the earlier record')
    ),
    grey: Type.Optional(yes('true: the terminal does not know whether the chip paid; no TAC')),
    type: Type.Optional(oneOf(['05', '06', '09'], '06 when absent')),
    purse: Type.Optional(oneOf(['ep', 'ed'], 'ep when absent')),
    card_number: Type.Optional(hex('20 digits instead of those of the card')),
    record_no: Type.Optional(whole('serial number at its terminal')),
    key_version: Type.Optional(whole()),
    line: Type.Optional(name('line or counter')),
    vehicle: Type.Optional(name('vehicle or desk')),
    shift: Type.Optional(name('driver or clerk shift')),
    ride: Type.Optional(Type.Object({
      stop: Type.Optional(name('stop or station')),
      sense: Type.Optional(oneOf(['in', 'out', 'either'], 'either when absent')),
      rider: Type.Optional(whole('1 the holder, 2, 3, … whom the holder pays for')),
      riders: Type.Optional(whole('how many the terminal was told of'))
    }, { additionalProperties: false, description: 'where and how the card was at the reader' })),
    last_tac: Type.Optional(name('the record of the debit before, whose TAC the chip was asked for')),
    tariff_version: Type.Optional(whole('tariff version it was priced with')),
    blacklist_version: Type.Optional(whole('blacklist version the terminal held'))
  },
  { additionalProperties: false, description: 'a record' }
)
export type RecordSaid = Static<typeof RecordSaid>

/** `repeat` written out. */
export function writtenOut<Line extends object> (
  lines: readonly (Line | RecordSaid)[]
): (Line | RecordSaid)[] {
  return lines.flatMap(line => {
    if (!('repeat' in line) || line.repeat === undefined) return [line]
    const { repeat, ...one } = line
    const at = (index: number) => one.at === undefined ? {} : { at: one.at + index * 1_000 }
    return Array.from({ length: repeat }, (_, index) => ({ ...one, ...at(index) }))
  })
}

/** Plans one record: works it out, remembers it under its name, and lets chip and PSAM go on. */
export function sayRecord (world: World, said: RecordSaid): SentRecord {
  const record =
    said.again === undefined
      ? newRecord(world, said)
      : changed(world, known(world.records, 'record', said.again).record, said)
  const label = labelFor(world, said, record)
  const sent: SentRecord = { label, record, places: [], answers: [] }
  world.records.set(label, sent)
  return sent
}

function newRecord (world: World, said: RecordSaid): TransactionRecord {
  const chip = known(world.chips, 'card', needed(said.card, 'card', 'card: A'))
  const terminal = needed(said.terminal, 'terminal', 'terminal: BUS-1')
  const facts = known(world.terminals, 'terminal', terminal)
  const psam = known(world.psams, 'PSAM', facts.psam)
  const unsigned: TransactionRecord = {
    card: { ...chip.ref, ...(said.card_number === undefined ? {} : { serial: said.card_number }) },
    purse: said.purse ?? 'ep',
    type: said.type ?? '06',
    counter: said.counter ?? chip.counter + 1,
    balanceBeforeFen: said.before ?? chip.balanceFen,
    amountFen: needed(said.amount, 'amount', 'amount: 1.80'),
    psam: said.psam === undefined ? psam.number : psamOf(world, said.psam),
    sequence: said.sequence ?? psam.sequence + 1,
    dateTime: bcdOf(needed(said.at, 'at', 'at: D 08:00')),
    tac: null,
    grey: said.grey ?? false,
    keyVersion: said.key_version ?? chip.keyVersion,
    algorithm: 0,
    operator: said.operator ?? facts.operator,
    terminal,
    recordNo: said.record_no ?? ++world.counter,
    ...lastTacOf(world, said),
    ...extras(said)
  }
  // Only what the chip and the PSAM would have done themselves moves them on.
  if (said.card_number === undefined && unsigned.counter >= chip.counter) {
    chip.counter = unsigned.counter
    chip.balanceFen = unsigned.balanceBeforeFen - unsigned.amountFen
  }
  if (said.psam === undefined) psam.sequence = Math.max(psam.sequence, unsigned.sequence)
  return signed(world, unsigned, said, null)
}

function changed (world: World, earlier: TransactionRecord, said: RecordSaid): TransactionRecord {
  if (said.card !== undefined) {
    throw new StepError('“card” changes in a record that is sent again', 'any other field')
  }
  const record: TransactionRecord = {
    ...earlier,
    ...(said.counter === undefined ? {} : { counter: said.counter }),
    ...(said.before === undefined ? {} : { balanceBeforeFen: said.before }),
    ...(said.amount === undefined ? {} : { amountFen: said.amount }),
    ...(said.at === undefined ? {} : { dateTime: bcdOf(said.at) }),
    ...(said.terminal === undefined ? {} : { terminal: said.terminal }),
    ...(said.operator === undefined ? {} : { operator: said.operator }),
    ...(said.psam === undefined ? {} : { psam: psamOf(world, said.psam) }),
    ...(said.sequence === undefined ? {} : { sequence: said.sequence }),
    ...(said.type === undefined ? {} : { type: said.type }),
    ...(said.purse === undefined ? {} : { purse: said.purse }),
    ...(said.grey === undefined ? {} : { grey: said.grey }),
    ...(said.card_number === undefined ? {} : { card: { ...earlier.card, serial: said.card_number } }),
    ...(said.record_no === undefined ? {} : { recordNo: said.record_no }),
    ...(said.key_version === undefined ? {} : { keyVersion: said.key_version }),
    ...extras(said)
  }
  return signed(world, record, said, earlier.tac)
}

function signed (
  world: World,
  record: TransactionRecord,
  said: RecordSaid,
  earlierTac: string | null
): TransactionRecord {
  const how = said.tac ?? (record.grey ? 'absent' : 'valid')
  if (how === 'absent') return { ...record, tac: null }
  if (how === 'kept') return { ...record, tac: earlierTac }
  const tac = tacOf(chipOf(world, record), record)
  return { ...record, tac: how === 'valid' ? tac : wrong(tac) }
}

/** A card number that no chip has is signed as a chip with that number would. */
function chipOf (
  world: World,
  record: TransactionRecord
): Pick<Chip, 'ref' | 'suite' | 'keyVersion' | 'cityFactor'> {
  const chip = [...world.chips.values()].find(
    one => one.ref.serial === record.card.serial && one.ref.issue === record.card.issue
  )
  return { suite: '3des', cityFactor: null, ...chip, keyVersion: record.keyVersion, ref: record.card }
}

/** What a chip remembers of a debit, whether its terminal saw the answer or not. */
function lastTacOf (world: World, { last_tac: label }: RecordSaid): { lastTac?: string } {
  if (label === undefined) return {}
  const { record } = known(world.records, 'record', label)
  return { lastTac: tacOf(chipOf(world, record), record) }
}

/** One bit off. */
const wrong = (tac: string): string =>
  tac.slice(0, -1) + (Number.parseInt(tac.slice(-1), 16) ^ 1).toString(16).toUpperCase()

function labelFor (world: World, said: RecordSaid, record: TransactionRecord): string {
  if (said.id !== undefined) {
    if (world.records.has(said.id)) {
      throw new StepError(`two records are called “${said.id}”`, 'each name once')
    }
    return said.id
  }
  const plain = `${said.card ?? said.again ?? ''}/${record.counter}`
  for (let label = plain, n = 2; ; label = `${plain}.${n++}`) if (!world.records.has(label)) return label
}

function needed<T> (value: T | undefined, what: string, example: string): T {
  if (value === undefined) throw new StepError(`a new record says no “${what}”`, example)
  return value
}

const psamOf = (world: World, psam: string): string => world.psams.get(psam)?.number ?? psamNumber(psam)

const bcdOf = (at: number): string => Buffer.from(bcdDateTime(at)).toString('hex').toUpperCase()

const extras = (said: RecordSaid) => ({
  ...(said.line === undefined ? {} : { line: said.line }),
  ...(said.vehicle === undefined ? {} : { vehicle: said.vehicle }),
  ...(said.shift === undefined ? {} : { shift: said.shift }),
  ...(said.ride === undefined ? {} : { ride: { sense: 'either' as const, ...said.ride } }),
  ...(said.tariff_version === undefined ? {} : { tariffVersion: said.tariff_version }),
  ...(said.blacklist_version === undefined ? {} : { blacklistVersion: said.blacklist_version })
})
