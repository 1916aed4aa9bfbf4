// A virtual card and a virtual PSAM side by side on a table, with scripts of commands and answers; and the
// other side of the wire, a terminal and a host that know the card's keys.
import type { Test } from 'tap'
import { hex, readU16, u32, unhex } from '../../schemas/epurse/hex.ts'
import { loadMac2, loadSessionKey, purchaseMac1, purchaseSessionKey } from '../../schemas/epurse/mac.ts'
import type { CardDescription } from '../../terminal-sim/card/description.ts'
import { type CardState, createCard } from '../../terminal-sim/card/state.ts'
import { transmit } from '../../terminal-sim/card/transmit.ts'
import type { PsamDescription } from '../../terminal-sim/psam/description.ts'
import { type PsamState, createPsam, transmitPsam } from '../../terminal-sim/psam/psam.ts'
import type { Power } from '../../terminal-sim/reader/chip.ts'

export type Table = { card: CardState, psam: PsamState, random (count: number): Uint8Array }

export const selectCityUnion = '00A4040009A00000000386980701'
export const selectTUnion = '00A4040008A000000632010105'
export const selectPsam = '00A40000021001'

/** The card and the PSAM of the worked example W: one-level keys of the test scheme. */
export const cardW: CardDescription = {
  profile: 'cjt166', issuer: '9900FF0000000000', serial: '00990000000012345678',
  balanceFen: 0x2710, offlineCounter: 0x2A, onlineCounter: 7
}
export const psamW: PsamDescription = {
  profile: 'cjt166', terminal: '990000000001', sequence: 0x123, answers: 'direct'
}

/** Randoms are drawn in this order; a draw beyond them throws. */
const drawing = (randoms: string[]) => (count: number) => {
  const drawn = unhex(randoms.shift() ?? '')
  if (drawn.length !== count) throw new Error(`${count} random bytes drawn, ${drawn.length} prepared`)
  return drawn
}

export const tableOf = (card: CardDescription, psam: PsamDescription, ...randoms: string[]): Table =>
  ({ card: createCard(card), psam: createPsam(psam), random: drawing(randoms) })

/** The card of W with some of it otherwise, application selected, random always zero. */
export function atWork (description: Partial<CardDescription> = {}): Table {
  const card = createCard({ ...cardW, ...description })
  const table = { card, psam: createPsam(psamW), random: (count: number) => new Uint8Array(count) }
  ask(table, 'card', description.profile === 't-union' ? selectTUnion : selectCityUnion)
  return table
}

/** The answer in hex, or null where power was cut. */
export function ask (
  table: Table, chip: 'card' | 'psam', command: string, power: Power = 'steady'
): string | null {
  if (chip === 'psam') {
    const done = transmitPsam(table.psam, unhex(command), power)
    table.psam = done.psam
    return done.response && hex(done.response)
  }
  const done = transmit(table.card, unhex(command), { random: table.random, power })
  table.card = done.card
  return done.response && hex(done.response)
}

const exchange = /([CP])> ([0-9A-F ]+?)\s+\1< ([0-9A-F ]+)/g

/** Rows of `C> command  C< answer` for the card, `P> … P< …` for the PSAM; blanks do not count. */
export function play (test: Test, table: Table, script: string): void {
  const rest = script.replace(exchange, '').trim()
  if (rest !== '') throw new Error(`not a row of a script: ${rest}`)
  for (const [row, chip, command = '', answer = ''] of script.matchAll(exchange)) {
    test.equal(ask(table, chip === 'P' ? 'psam' : 'card', command), answer.replaceAll(' ', ''), row.trim())
  }
}

const terminal6 = unhex('990000000001')
const when = { date4: unhex('20260105'), time3: unhex('083015') }

type Tap = { power?: Power, updates?: readonly string[] }

/** INITIALIZE and DEBIT, composite where there are records to write; `power` is that of the DEBIT. */
export function purchase (
  table: Table, amountFen: number, { power = 'steady', updates = [] }: Tap = {}
): string | null {
  const [form, type] = updates.length > 0 ? ['03', 9] as const : ['01', 6] as const
  const init = ask(table, 'card', `8050${form}020B01${hex(u32(amountFen))}${hex(terminal6)}0F`)
  if (init === null || init.length !== 34) return init
  for (const update of updates) ask(table, 'card', update)
  return ask(table, 'card', debitCommand(table.card, init, amountFen, type), power)
}

/** The right DEBIT for what INITIALIZE answered. */
export function debitCommand ({ chip }: CardState, answer: string, amountFen: number, type: number): string {
  const { suite, keys, authCode9 } = chip
  const init = unhex(answer)
  const sequence4 = u32(1)
  const variable = { rand4: init.slice(11, 15), counter: readU16(init, 4), sequence4 }
  const sessionKey = purchaseSessionKey({ suite, dpk: keys.dpk, ...variable })
  const signed = { suite, sessionKey, amountFen, type, terminal6, ...when }
  const mac1 = purchaseMac1({ ...signed, ...(authCode9 && { authCode9 }) })
  return `805401000F${hex(sequence4)}20260105083015${hex(mac1)}08`
}

export function loadBy (table: Table, amountFen: number, power: Power = 'steady'): string | null {
  const init = ask(table, 'card', `805000020B01${hex(u32(amountFen))}${hex(terminal6)}10`)
  if (init === null || init.length !== 36) return init
  return ask(table, 'card', creditCommand(table.card, init, amountFen), power)
}

/** The right CREDIT for what INITIALIZE answered. */
export function creditCommand ({ chip }: CardState, answer: string, amountFen: number): string {
  const { suite, keys } = chip
  const init = unhex(answer)
  const variable = { rand4: init.slice(8, 12), counter: readU16(init, 4) }
  const sessionKey = loadSessionKey({ suite, dlk: keys.dlk, ...variable })
  const mac2 = loadMac2({ suite, sessionKey, amountFen, type: 2, terminal6, ...when })
  return `805200000B20260105083015${hex(mac2)}04`
}
