// The consumption files of a city's day, written to disk before the clock runs, and what the books must say
// afterwards: a calculation beside the ledger's, which it asks nothing.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Card, Registry } from '../../schemas/api.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord } from '../../schemas/clearing-file/event.ts'
import { hex, u32, unhex } from '../../schemas/epurse/hex.ts'
import { diversifier, diversify } from '../../schemas/epurse/keys.ts'
import { purchaseTac } from '../../schemas/epurse/mac.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { createRandom, type Random } from '../../terminal-sim/random.ts'
import { testMasterKey } from '../../terminal-sim/keys.ts'

export const date = '2026-03-02'
export const masterTacKey = testMasterKey('MTK')

const cardCount = 200_000
const operatorCount = 10
const terminalsEach = 200
const tapsPerCard = 5
const openingFen = 100_000
const openingCounter = 100
export const issuer = '02313750FFFFFFFF'
const cityFactor = '0231375042100000'
const fares = [100, 180, 200, 300]

const operatorOf = (number: number): string => `OP-${number}`
const merchantOf = (number: number): string => String(898_421_000_000_000 + number)
const terminalOf = (operator: number, terminal: number): string => `T${operator}-${terminal}`
const psamOf = (operator: number, terminal: number): string =>
  String(990_000_000_000 + operator * 1_000 + terminal)
export const serialOf = (card: number): string => `0310499060${String(card).padStart(10, '0')}`

export const operators = Array.from({ length: operatorCount }, (_, number) => operatorOf(number))

/* ---- who takes part ---- */

export const registry = (): Registry => ({
  clearingDate: date,
  policies: { tacKeyLevels: 2 },
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
    ...operators.map((code, number) => ({
      code, kind: 'operator' as const, nameZh: code, nameEn: code, merchant: merchantOf(number),
      industry: '01', service: 'transit' as const
    }))],
  commissions: operators.map(party => ({ party, product: 'debit', ratePpm: 3_000, from: '2026-01-01' })),
  terminals: operators.flatMap((operator, number) => Array.from({ length: terminalsEach }, (_, terminal) =>
    ({ terminal: terminalOf(number, terminal), operator }))),
  psams: operators.flatMap((_, number) => Array.from({ length: terminalsEach }, (_, terminal) => ({
    psam: psamOf(number, terminal), issue: 1, terminal: terminalOf(number, terminal),
    from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
  })))
})

/** Cards that may be somebody's; the first is used on every day. */
export const namedCards = 25

/** All cards, in portions that one call takes. */
export function * cardPortions (): Generator<Card[]> {
  const portion = 20_000
  for (let from = 0; from < cardCount; from += portion) {
    yield Array.from({ length: portion }, (_, index): Card => ({
      card: { issuer, serial: serialOf(from + index), issue: 1 }, profile: 't-union',
      type: from + index < namedCards ? 'named' : 'anonymous',
      suite: '3des', keyVersion: 1, cityFactor, balanceFen: openingFen, counter: openingCounter, soldBy: null,
      depositFen: 0
    }))
  }
}
export const cardsFen = cardCount * openingFen

/* ---- the day ---- */

export type DayFile = { readonly name: string, readonly path: string, readonly records: number }
export type Expected = {
  readonly lines: number
  /** By operator: what it must be owed in the end. */
  readonly owedFen: Readonly<Record<string, number>>
  /** Lines refused, by reason. */
  readonly refused: { readonly tac_wrong: number, readonly duplicate: number, readonly malformed: number }
  /** Grey lines that no later record proves. */
  readonly held: number
}

/** How often something goes wrong: once in so many records each. */
const oddEvery = 1_000

type Chip = {
  counter: number, balanceFen: number, readonly home: number, readonly second: number
  /** A grey debit that the next record would prove. */
  grey: { operator: string, amountFen: number } | null
}

/**
 * `changing`: share of cards that use two operators on this day. Their counters come in two files, so that
 * one has gaps until the other is there.
 */
export function writeDay (folder: string, wanted: {
  readonly records: number, readonly fileRecords: number, readonly changing: number
}): { files: DayFile[], expected: Expected } {
  const random = createRandom(`day ${wanted.records}`)
  const chips = Array.from({ length: Math.min(cardCount, Math.ceil(wanted.records / tapsPerCard)) },
    () => newChip(random, wanted.changing))
  const spread = Math.floor(cardCount / chips.length)
  const sequences = new Uint32Array(operatorCount * terminalsEach)
  const drafts = operators.map(() => [] as string[])
  const files: DayFile[] = []
  const expected = {
    lines: 0, owedFen: Object.fromEntries(operators.map(code => [code, 0])),
    refused: { tac_wrong: 0, duplicate: 0, malformed: 0 }, held: 0
  }
  const finish = (operator: number): void => {
    const lines = drafts[operator] as string[]
    if (lines.length === 0) return
    const sequence = files.filter(file => file.name.includes(merchantOf(operator))).length + 1
    const { name, text } = writeConsumptionFile(
      { date: date.replaceAll('-', ''), industry: '01', merchant: merchantOf(operator), sequence }, lines)
    const path = join(folder, name)
    writeFileSync(path, text, 'latin1')
    files.push({ name, path, records: lines.length })
    drafts[operator] = []
  }
  for (let nth = 0; expected.lines < wanted.records; nth++) {
    const number = random.int(0, chips.length - 1)
    const chip = chips[number] as Chip
    const operator = random.chance(0.5) ? chip.home : chip.second
    const terminal = random.int(0, terminalsEach - 1)
    const amountFen = random.pick(fares)
    const lines = drafts[operator] as string[]
    const record: TransactionRecord = {
      card: { issuer, serial: serialOf(number * spread), issue: 1 }, purse: 'ep', type: '06',
      counter: ++chip.counter, balanceBeforeFen: chip.balanceFen, amountFen, psam: psamOf(operator, terminal),
      sequence: ++(sequences as unknown as number[])[operator * terminalsEach + terminal]!,
      dateTime: timeOf(nth, wanted.records), tac: null, grey: false, keyVersion: 1, algorithm: 0,
      operator: operatorOf(operator), terminal: terminalOf(operator, terminal), recordNo: lines.length + 1,
      line: `L${operator}`, vehicle: `V${terminal}`, shift: 'S1'
    }
    chip.balanceFen -= amountFen
    const text = (more: Partial<TransactionRecord> = {}): string => writeConsumptionRecord(
      toConsumptionRecord({ ...record, tac: tacOf(record, number * spread), ...more }, merchantOf(operator),
        lines.length + 1))
    const odd = random.int(0, oddEvery - 1)
    const code = operatorOf(operator)
    const pay = (fen: number, to = code): void => { expected.owedFen[to] = (expected.owedFen[to] ?? 0) + fen }
    expected.lines++
    if (odd === 0) {
      expected.refused.tac_wrong++
      lines.push(text({ tac: '0123ABCD' }))
      settleGrey(chip, expected, null)
    } else if (odd === 1) {
      expected.refused.malformed++
      lines.push(text().replace(/^(.{115})\d\d/, '$1XX'))
      settleGrey(chip, expected, null)
    } else if (odd === 2) {
      settleGrey(chip, expected, null)
      lines.push(text({ tac: null, grey: true }))
      chip.grey = { operator: code, amountFen }
    } else {
      settleGrey(chip, expected, pay)
      pay(amountFen)
      lines.push(text())
      if (odd === 3 && expected.lines < wanted.records) {
        expected.lines++
        expected.refused.duplicate++
        lines.push(text())
      }
    }
    if (lines.length >= wanted.fileRecords) finish(operator)
  }
  for (const [operator] of operators.entries()) finish(operator)
  for (const chip of chips) settleGrey(chip, expected, null)
  return { files, expected }
}

function newChip (random: Random, changing: number): Chip {
  const home = random.int(0, operatorCount - 1)
  const second = random.chance(changing) ? random.int(0, operatorCount - 1) : home
  return { counter: openingCounter, balanceFen: openingFen, home, second, grey: null }
}

/** The next record of the chip proves a grey debit; anything unreadable or unsigned proves nothing. */
function settleGrey (
  chip: Chip, expected: { held: number }, pay: ((fen: number, to: string) => void) | null
): void {
  if (chip.grey === null) return
  if (pay === null) expected.held++
  else pay(chip.grey.amountFen, chip.grey.operator)
  chip.grey = null
}

/** From 06:00 to 18:00, evenly. */
function timeOf (nth: number, records: number): string {
  const second = 6 * 3_600 + Math.floor(nth / (records + 1) * 12 * 3_600)
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  return `${date.replaceAll('-', '')}${two(second / 3_600)}${two(second / 60 % 60)}${two(second % 60)}`
}

/* ---- TACs ---- */

const suite = suites['3des']
const cityKey = diversify(suite, masterTacKey, [unhex(cityFactor)])
const cardKeyOf = diversifier(suite, cityKey)

function tacOf (record: TransactionRecord, card: number): string {
  return hex(purchaseTac({
    suite, dtk: cardKeyOf(unhex(serialOf(card)).subarray(2)), amountFen: record.amountFen, type: 6,
    terminal6: unhex(record.psam), sequence4: u32(record.sequence), date4: unhex(record.dateTime.slice(0, 8)),
    time3: unhex(record.dateTime.slice(8))
  }))
}
