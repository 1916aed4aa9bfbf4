// Every command a terminal sends to a card or a PSAM, and the parsers of the answers. Builders throw on a
// programmer's argument;
// parsers of foreign bytes return a value that says what is wrong and never throw.
import { concat, hex, readU16, readU24, readU32, u16, u32 } from './hex.ts'

export type Parsed<T> = ({ readonly ok: true } & T) | { readonly ok: false, readonly error: string }
export type PurseId = 1 | 2

const none = new Uint8Array(0)

/**
 * A short APDU (ISO/IEC 7816-4): header, then Lc and data where there is data, then Le where an answer is
 * expected (0 means 256).
 */
export function command (cla: number, ins: number, p1: number, p2: number, data: Uint8Array = none,
  le?: number): Uint8Array {
  for (const byte of [cla, ins, p1, p2, le ?? 0]) {
    if (!Number.isInteger(byte) || byte < 0 || byte > 0xff) {
      throw new RangeError(`not a byte of a command header: ${byte}`)
    }
  }
  if (data.length > 0xff) throw new RangeError(`${data.length} bytes do not fit a short command`)
  return concat(
    Uint8Array.of(cla, ins, p1, p2),
    data.length === 0 ? none : Uint8Array.of(data.length), data,
    le === undefined ? none : Uint8Array.of(le))
}

const sized = (bytes: Uint8Array, length: number, what: string): Uint8Array => {
  if (bytes.length !== length) throw new RangeError(`${what} has ${length} bytes, not ${bytes.length}`)
  return bytes
}
const recordP2 = (sfi: number, by: 'number' | 'tag'): number => sfi << 3 | (by === 'number' ? 4 : 0)

/* ---- generic ---- */

/** SELECT by DF name. The device log of a T-Union terminal sends no Le. */
export const selectByName = (name: Uint8Array, le?: number): Uint8Array =>
  command(0x00, 0xA4, 0x04, 0x00, name, le)
export const selectByFid = (fid: number): Uint8Array => command(0x00, 0xA4, 0x00, 0x00, u16(fid))
/** READ BINARY by short file id; `le` 0 asks for all. */
export const readBinary = (sfi: number, offset: number, le: number): Uint8Array =>
  command(0x00, 0xB0, 0x80 | sfi, offset, none, le)
export const readRecord = (sfi: number, record: number, le: number,
  by: 'number' | 'tag' = 'number'): Uint8Array =>
  command(0x00, 0xB2, record, recordP2(sfi, by), none, le)
export const updateRecord = (sfi: number, record: number, data: Uint8Array,
  by: 'number' | 'tag' = 'number'): Uint8Array =>
  command(0x00, 0xDC, record, recordP2(sfi, by), data)
export const getResponse = (length: number): Uint8Array => command(0x00, 0xC0, 0x00, 0x00, none, length)
export const getChallenge = (length: 4 | 8): Uint8Array => command(0x00, 0x84, 0x00, 0x00, none, length)
export const externalAuth = (keyId: number, cryptogram8: Uint8Array): Uint8Array =>
  command(0x00, 0x82, 0x00, keyId, sized(cryptogram8, 8, 'a cryptogram'))
/** Nine-byte security authentication code of a city-union card. */
export const getAuthCode = (): Uint8Array => command(0x80, 0xCA, 0x00, 0x00, none, 9)

/* ---- purse ---- */

/**
 * GET BALANCE; T-Union reads `selector` 00 spendable, 01 overdraft limit, 02 overdraft used, 03 purse
 * balance.
 */
export const getBalance = (purse: PurseId, selector = 0): Uint8Array =>
  command(0x80, 0x5C, selector, purse, none, 4)

type Init = {
  readonly purse: PurseId, readonly keyIndex: number, readonly amountFen: number,
  readonly terminal6: Uint8Array
}
const initData = ({ keyIndex, amountFen, terminal6 }: Init): Uint8Array =>
  concat(Uint8Array.of(keyIndex), u32(amountFen), sized(terminal6, 6, 'a terminal number'))

export const initPurchase = (init: Init): Uint8Array =>
  command(0x80, 0x50, 0x01, init.purse, initData(init), 0x0F)
export const initCapp = (init: Init): Uint8Array =>
  command(0x80, 0x50, 0x03, init.purse, initData(init), 0x0F)
export const initLoad = (init: Init): Uint8Array =>
  command(0x80, 0x50, 0x00, init.purse, initData(init), 0x10)

/** UPDATE CAPP DATA CACHE: the whole record; P1 is the record number, or the tag where `by` says so. */
export const updateCappCache = (sfi: number, record: number, data: Uint8Array,
  by: 'number' | 'tag' = 'tag'): Uint8Array =>
  command(0x80, 0xDC, record, recordP2(sfi, by), data)

export const debit = ({ sequence4, date4, time3, mac1 }: {
  readonly sequence4: Uint8Array, readonly date4: Uint8Array, readonly time3: Uint8Array,
  readonly mac1: Uint8Array
}): Uint8Array => command(0x80, 0x54, 0x01, 0x00, concat(
  sized(sequence4, 4, 'a PSAM sequence'), sized(date4, 4, 'a date'), sized(time3, 3, 'a time'),
  sized(mac1, 4, 'MAC1')), 8)

export const creditLoad = ({ date4, time3, mac2 }: {
  readonly date4: Uint8Array, readonly time3: Uint8Array, readonly mac2: Uint8Array
}): Uint8Array => command(0x80, 0x52, 0x00, 0x00,
  concat(sized(date4, 4, 'a date'), sized(time3, 3, 'a time'), sized(mac2, 4, 'MAC2')), 4)

/** GET TRANSACTION PROVE; `committedCounter` is the counter of the INITIALIZE answer + 1. */
export const getTransactionProve = (type: number, committedCounter: number): Uint8Array =>
  command(0x80, 0x5A, 0x00, type, u16(committedCounter), 8)

/* ---- PSAM ---- */

/** INIT SAM FOR PURCHASE: one to three 8-byte factors, the card's first (Lc 1C, 24, 2C). */
export const psamInitMac1 = (input: {
  readonly rand4: Uint8Array, readonly counter: number, readonly amountFen: number, readonly type: number,
  readonly date4: Uint8Array, readonly time3: Uint8Array, readonly keyVersion: number,
  readonly algorithm: number,
  readonly factors: readonly Uint8Array[]
}): Uint8Array => {
  if (input.factors.length < 1 || input.factors.length > 3) {
    throw new RangeError(`1 to 3 factors, not ${input.factors.length}`)
  }
  return command(0x80, 0x70, 0x00, 0x00, concat(
    sized(input.rand4, 4, 'a random'), u16(input.counter), u32(input.amountFen), Uint8Array.of(input.type),
    sized(input.date4, 4, 'a date'), sized(input.time3, 3, 'a time'),
    Uint8Array.of(input.keyVersion, input.algorithm),
    ...input.factors.map(factor => sized(factor, 8, 'a factor'))), 8)
}
export const psamCheckMac2 = (mac2: Uint8Array): Uint8Array =>
  command(0x80, 0x72, 0x00, 0x00, sized(mac2, 4, 'MAC2'))
export const psamAuthCode = (authCode9: Uint8Array): Uint8Array =>
  command(0x80, 0xCA, 0x00, 0x00, sized(authCode9, 9, 'an authentication code'))

/* ---- answers ---- */

/** Data and status word. An answer below two bytes is a torn card, not an answer. */
export function splitResponse (bytes: Uint8Array): Parsed<{
  readonly data: Uint8Array,
  readonly sw: number
}> {
  if (bytes.length < 2) return { ok: false, error: `answer of ${bytes.length} bytes: no status word` }
  return { ok: true, data: bytes.subarray(0, -2), sw: readU16(bytes, bytes.length - 2) }
}

const wrongLength = (what: string, wanted: number, found: number) =>
  ({ ok: false, error: `${what}: ${wanted} bytes wanted, ${found} found` }) as const

export type InitPurchaseAnswer = {
  readonly balanceFen: number, readonly counter: number, readonly overdraftFen: number,
  readonly keyVersion: number,
  readonly algorithm: number, readonly rand4: Uint8Array
}
/** balance 4 · offline counter 2 · overdraft 3 · key version 1 · algorithm 1 · random 4. */
export function parseInitPurchase (data: Uint8Array): Parsed<InitPurchaseAnswer> {
  if (data.length !== 15) return wrongLength('INITIALIZE FOR PURCHASE', 15, data.length)
  return {
    ok: true, balanceFen: readU32(data), counter: readU16(data, 4), overdraftFen: readU24(data, 6),
    keyVersion: data[9] ?? 0, algorithm: data[10] ?? 0, rand4: data.slice(11)
  }
}

export type InitLoadAnswer = {
  readonly balanceFen: number, readonly counter: number, readonly keyVersion: number,
  readonly algorithm: number,
  readonly rand4: Uint8Array, readonly mac1: Uint8Array
}
/** balance 4 · online counter 2 · key version 1 · algorithm 1 · random 4 · MAC1 4. */
export function parseInitLoad (data: Uint8Array): Parsed<InitLoadAnswer> {
  if (data.length !== 16) return wrongLength('INITIALIZE FOR LOAD', 16, data.length)
  return {
    ok: true, balanceFen: readU32(data), counter: readU16(data, 4), keyVersion: data[6] ?? 0,
    algorithm: data[7] ?? 0,
    rand4: data.slice(8, 12), mac1: data.slice(12)
  }
}

type TacAndMac2 = { readonly tac: Uint8Array, readonly mac2: Uint8Array }
/** DEBIT answers TAC, then MAC2. */
export const parseDebit = (data: Uint8Array): Parsed<TacAndMac2> =>
  data.length === 8
    ? { ok: true, tac: data.slice(0, 4), mac2: data.slice(4) }
    : wrongLength('DEBIT', 8,
      data.length)
/** GET TRANSACTION PROVE answers the other way round: MAC2, then TAC. */
export const parseProve = (data: Uint8Array): Parsed<TacAndMac2> =>
  data.length === 8
    ? { ok: true, mac2: data.slice(0, 4), tac: data.slice(4) }
    : wrongLength('GET TRANSACTION PROVE', 8, data.length)

export const parsePsamMac1 = (data: Uint8Array): Parsed<{
  readonly sequence4: Uint8Array,
  readonly mac1: Uint8Array
}> =>
  data.length === 8
    ? { ok: true, sequence4: data.slice(0, 4), mac1: data.slice(4) }
    : wrongLength('INIT SAM FOR PURCHASE', 8, data.length)

export const parseBalance = (data: Uint8Array): Parsed<{ readonly balanceFen: number }> =>
  data.length === 4
    ? {
        ok: true,
        balanceFen: readU32(Uint8Array.of((data[0] ?? 0) & 0x7f,
          ...data.subarray(1)))
      } // some issuers set the top bit
    : wrongLength('GET BALANCE', 4, data.length)

/* ---- commands as the chip sees them ---- */

export type Command = {
  readonly cla: number, readonly ins: number, readonly p1: number, readonly p2: number,
  readonly data: Uint8Array, readonly le: number | null
}
/** The four cases of a short APDU (ISO/IEC 7816-3): 4 bytes; + Le; + Lc data; + Lc data Le. */
export function parseCommand (bytes: Uint8Array): Parsed<Command> {
  const [cla, ins, p1, p2, fifth] = bytes
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined) {
    return { ok: false, error: `command of ${bytes.length} bytes: the header needs 4` }
  }
  const header = { ok: true, cla, ins, p1, p2 } as const
  if (fifth === undefined) return { ...header, data: none, le: null }
  if (bytes.length === 5) return { ...header, data: none, le: fifth }
  const data = bytes.slice(5, 5 + fifth)
  if (fifth === 0 || data.length < fifth) {
    return { ok: false, error: `Lc at offset 4 says ${fifth} bytes, ${bytes.length - 5} follow` }
  }
  const rest = bytes.length - 5 - fifth
  if (rest > 1) {
    return {
      ok: false,
      error: `${rest} bytes after the data at offset ${5 + fifth}: at most Le may follow`
    }
  }
  return { ...header, data, le: bytes[5 + fifth] ?? null }
}

/** FCI of SELECT: the application's name and the file 0015 carried in tag 9F0C, where there are such. */
export function parseFci (data: Uint8Array): Parsed<{
  readonly name: Uint8Array,
  readonly issuerData: Uint8Array | null
}> {
  const outer = tlv(data, 0x6F)
  const name = outer === null ? null : tlv(outer, 0x84)
  if (outer === null || name === null) {
    return {
      ok: false,
      error: `no FCI template: ${hex(data.subarray(0, 8))}…`
    }
  }
  const proprietary = tlv(outer, 0xA5)
  return { ok: true, name, issuerData: proprietary === null ? null : tlv(proprietary, 0x9F0C) }
}

function tlv (bytes: Uint8Array, wanted: number): Uint8Array | null {
  let at = 0
  while (at < bytes.length) {
    let tag = bytes[at++] ?? 0
    if ((tag & 0x1f) === 0x1f) tag = tag << 8 | (bytes[at++] ?? 0)
    const length = bytes[at++]
    if (length === undefined || length > 0x7f || at + length > bytes.length) return null
    if (tag === wanted) return bytes.subarray(at, at + length)
    at += length
  }
  return null
}
