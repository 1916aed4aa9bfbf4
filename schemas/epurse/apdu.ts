// Every command a terminal sends to a card or a PSAM, and the parsers of the answers. Builders throw
// RangeError on a programmer's argument; parsers of foreign bytes return a value that says what is wrong and
// never throw.
import { concat, hex, readU16, readU24, readU32, sized, u16, u24, u32, u8 } from './hex.ts'

export type Parsed<T> = ({ readonly ok: true } & T) | { readonly ok: false, readonly error: string }

/** On the chip: 01 electronic deposit, 02 electronic purse. */
export type PurseId = 1 | 2

const none = new Uint8Array(0)

/**
 * A short APDU (ISO/IEC 7816-4): header, then Lc and data where there is data, then Le where an answer is
 * expected (0 means 256).
 */
export function command (
  cla: number, ins: number, p1: number, p2: number, data: Uint8Array = none, le?: number
): Uint8Array {
  if (data.length > 0xff) throw new RangeError(`${data.length} bytes do not fit a short command`)
  return concat(
    u8(cla), u8(ins), u8(p1), u8(p2),
    data.length === 0 ? none : u8(data.length), data,
    le === undefined ? none : u8(le))
}

/** Makes the MAC of a maintenance command from its bytes up to the MAC; Lc counts the MAC already. */
export type Sign = (message: Uint8Array) => Uint8Array

/** A command under secure messaging: data in the clear or already enciphered, then the four bytes of MAC. */
export function secured (
  cla: number, ins: number, p1: number, p2: number, data: Uint8Array, sign: Sign
): Uint8Array {
  const message = concat(u8(cla), u8(ins), u8(p1), u8(p2), u8(data.length + 4), data)
  return concat(message, sized(sign(message), 4, 'a MAC'))
}

/* ---- files ---- */

/** SELECT by DF name. */
export const selectByName = (name: Uint8Array, le?: number): Uint8Array =>
  command(0x00, 0xA4, 0x04, 0x00, inRange(name, 1, 16, 'a DF name'), le)
export const selectByFid = (fid: number): Uint8Array => command(0x00, 0xA4, 0x00, 0x00, u16(fid))

/** READ BINARY by short file id; `le` 0 asks for all. */
export const readBinary = (sfi: number, offset: number, le: number): Uint8Array =>
  command(0x00, 0xB0, 0x80 | shortId(sfi), offset, none, le)
export const updateBinary = (sfi: number, offset: number, data: Uint8Array): Uint8Array =>
  command(0x00, 0xD6, 0x80 | shortId(sfi), offset, data)
export const updateBinarySecured = (sfi: number, offset: number, data: Uint8Array, sign: Sign): Uint8Array =>
  secured(0x04, 0xD6, 0x80 | shortId(sfi), offset, data, sign)
/** Of the selected file; its offset has 15 bits. */
export const updateSelectedSecured = (offset: number, data: Uint8Array, sign: Sign): Uint8Array =>
  secured(0x04, 0xD6, offset >> 8 & 0x7F, offset & 0xFF, data, sign)

/** `record` is a number (1 is the newest of a cyclic file), or the tag of the record where `by` says so. */
export const readRecord = (
  sfi: number, record: number, le: number, by: RecordBy = 'number'
): Uint8Array => command(0x00, 0xB2, record, recordP2(sfi, by), none, le)
export const updateRecord = (
  sfi: number, record: number, data: Uint8Array, by: RecordBy = 'number'
): Uint8Array => command(0x00, 0xDC, record, recordP2(sfi, by), data)
export const updateRecordSecured = (
  sfi: number, record: number, data: Uint8Array, sign: Sign, by: RecordBy = 'number'
): Uint8Array => secured(0x04, 0xDC, record, recordP2(sfi, by), data, sign)

/** The rest of an answer that a T=0 chip has announced with 61xx; `length` 0 means 256. */
export const getResponse = (length: number): Uint8Array => command(0x00, 0xC0, 0x00, 0x00, none, length)

/* ---- access ---- */

export const getChallenge = (length: 4 | 8): Uint8Array => command(0x00, 0x84, 0x00, 0x00, none, length)

/** The cryptogram is one block: 8 bytes under 3DES. */
export const externalAuth = (keyId: number, cryptogram: Uint8Array): Uint8Array =>
  command(0x00, 0x82, 0x00, keyId, inRange(cryptogram, 8, 16, 'a cryptogram'))

const internalAuthP1 = { encrypt: 0x00, decrypt: 0x01, mac: 0x02 } as const
export const internalAuth = (
  operation: keyof typeof internalAuthP1, keyId: number, data: Uint8Array
): Uint8Array => command(0x00, 0x88, internalAuthP1[operation], keyId, data)

/** PINs are 2 to 6 bytes of BCD. */
export const verifyPin = (keyId: number, pin: Uint8Array): Uint8Array =>
  command(0x00, 0x20, 0x00, keyId, inRange(pin, 2, 6, 'a PIN'))
export const changePin = (keyId: number, oldPin: Uint8Array, newPin: Uint8Array): Uint8Array =>
  command(0x80, 0x5E, 0x01, keyId,
    concat(inRange(oldPin, 2, 6, 'a PIN'), u8(0xFF), inRange(newPin, 2, 6, 'a PIN')))
export const reloadPin = (keyId: number, newPin: Uint8Array, mac: Uint8Array): Uint8Array =>
  command(0x80, 0x5E, 0x00, keyId, concat(inRange(newPin, 2, 6, 'a PIN'), sized(mac, 4, 'a MAC')))
/** PIN UNBLOCK; one manual puts the key id in P1, a fuel card in P2. */
export const unblockPin = (p1: number, p2: number, cryptogram: Uint8Array, sign: Sign): Uint8Array =>
  secured(0x84, 0x24, p1, p2, cryptogram, sign)

/** APPLICATION BLOCK, under the application maintenance key. A permanent block cannot be undone. */
export const blockApplication = (how: 'temporary' | 'permanent', sign: Sign): Uint8Array =>
  secured(0x84, 0x1E, 0x00, how === 'permanent' ? 0x01 : 0x00, none, sign)
/** APPLICATION UNBLOCK; three failures lock the application for ever. */
export const unblockApplication = (sign: Sign): Uint8Array => secured(0x84, 0x18, 0x00, 0x00, none, sign)
export const blockCard = (sign: Sign): Uint8Array => secured(0x84, 0x16, 0x00, 0x00, none, sign)

/** WRITE KEY with the key enciphered, as in personalisation. */
export const writeKeySecured = (cryptogram: Uint8Array, sign: Sign): Uint8Array =>
  secured(0x84, 0xD4, 0x00, 0x00, cryptogram, sign)

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
type DepositInit = Omit<Init, 'purse'>
const initialize = (p1: number, { purse, keyIndex, amountFen, terminal6 }: Init, le: number): Uint8Array =>
  command(0x80, 0x50, p1, purse, concat(u8(keyIndex), u32(amountFen), terminalNo(terminal6)), le)

export const initLoad = (init: Init): Uint8Array => initialize(0x00, init, 0x10)
export const initPurchase = (init: Init): Uint8Array => initialize(0x01, init, 0x0F)
export const initCash = (init: DepositInit): Uint8Array => initialize(0x02, { ...init, purse: 1 }, 0x0F)
export const initCapp = (init: Init): Uint8Array => initialize(0x03, init, 0x0F)
export const initUnload = (init: DepositInit): Uint8Array => initialize(0x05, { ...init, purse: 1 }, 0x10)
export const initOverdraftUpdate = ({ keyIndex, terminal6 }: Omit<DepositInit, 'amountFen'>): Uint8Array =>
  command(0x80, 0x50, 0x04, 0x01, concat(u8(keyIndex), terminalNo(terminal6)), 0x13)

/** UPDATE CAPP DATA CACHE: the whole record; P1 is the record number, or the tag where `by` says so. */
export const updateCappCache = (
  sfi: number, record: number, data: Uint8Array, by: RecordBy = 'tag'
): Uint8Array => command(0x80, 0xDC, record, recordP2(sfi, by), data)

type DateTime = { readonly date4: Uint8Array, readonly time3: Uint8Array }

/** DEBIT FOR PURCHASE, composite purchase and cash. */
export const debit = ({ sequence4, date4, time3, mac1 }: DateTime & {
  readonly sequence4: Uint8Array, readonly mac1: Uint8Array
}): Uint8Array => command(0x80, 0x54, 0x01, 0x00,
  concat(sequenceNo(sequence4), dateTime({ date4, time3 }), sized(mac1, 4, 'MAC1')), 8)

export const creditLoad = ({ date4, time3, mac2 }: DateTime & { readonly mac2: Uint8Array }): Uint8Array =>
  command(0x80, 0x52, 0x00, 0x00, concat(dateTime({ date4, time3 }), sized(mac2, 4, 'MAC2')), 4)
export const debitUnload = ({ date4, time3, mac2 }: DateTime & { readonly mac2: Uint8Array }): Uint8Array =>
  command(0x80, 0x54, 0x03, 0x00, concat(dateTime({ date4, time3 }), sized(mac2, 4, 'MAC2')), 4)
export const updateOverdraft = ({ limitFen, date4, time3, mac2 }: DateTime & {
  readonly limitFen: number, readonly mac2: Uint8Array
}): Uint8Array => command(0x80, 0x58, 0x00, 0x00,
  concat(u24(limitFen), dateTime({ date4, time3 }), sized(mac2, 4, 'MAC2')), 4)

/** GET TRANSACTION PROVE; `committedCounter` is the counter of the INITIALIZE answer + 1. */
export const getTransactionProve = (type: number, committedCounter: number): Uint8Array =>
  command(0x80, 0x5A, 0x00, type, u16(committedCounter), 8)

/* ---- grey lock (fuel): where a printed manual and working terminals differ, as the terminals do ---- */

export const initGreyLock = ({ purse, keyIndex, terminal6 }: Omit<Init, 'amountFen'>): Uint8Array =>
  command(0xE0, 0x7A, 0x08, purse, concat(u8(keyIndex), terminalNo(terminal6)), 0x0F)
export const greyLock = ({ sequence4, terminalRand4, date4, time3, mac1 }: DateTime & {
  readonly sequence4: Uint8Array, readonly terminalRand4: Uint8Array, readonly mac1: Uint8Array
}): Uint8Array => command(0xE0, 0x7C, 0x08, 0x00, concat(
  sequenceNo(sequence4), sized(terminalRand4, 4, 'a random'), dateTime({ date4, time3 }),
  sized(mac1, 4, 'MAC1')), 8)
/** Debit and unlock; `counter` is the offline counter of the locking INITIALIZE. */
export const greyDebit = (input: DateTime & Omit<Init, 'keyIndex'> & {
  readonly counter: number, readonly sequence4: Uint8Array, readonly gmac: Uint8Array
}): Uint8Array => command(0xE0, 0x7E, 0x08, input.purse, concat(
  u32(input.amountFen), u16(input.counter), terminalNo(input.terminal6), sequenceNo(input.sequence4),
  dateTime(input), sized(input.gmac, 4, 'GMAC')), 4)
export const initGreyUnlock = ({ purse, keyIndex, terminal6 }: Omit<Init, 'amountFen'>): Uint8Array =>
  command(0xE0, 0x7A, 0x09, purse, concat(u8(keyIndex), terminalNo(terminal6)), 0x12)
export const greyUnlock = ({ amountFen, date4, time3, mac2 }: DateTime & {
  readonly amountFen: number, readonly mac2: Uint8Array
}): Uint8Array => command(0xE0, 0x7E, 0x09, 0x00,
  concat(u32(amountFen), dateTime({ date4, time3 }), sized(mac2, 4, 'MAC2')), 4)
export const getGreyStatus = (): Uint8Array => command(0xE0, 0xCA, 0x00, 0x00, none, 0x1E)

/* ---- PSAM ---- */

/** INIT SAM FOR PURCHASE: one to three 8-byte factors, the card's first (Lc 1C, 24, 2C). */
export const psamInitMac1 = (input: DateTime & {
  readonly rand4: Uint8Array, readonly counter: number, readonly amountFen: number, readonly type: number,
  readonly keyVersion: number, readonly algorithm: number, readonly factors: readonly Uint8Array[]
}): Uint8Array => command(0x80, 0x70, 0x00, 0x00, concat(
  sized(input.rand4, 4, 'a random'), u16(input.counter), u32(input.amountFen), u8(input.type),
  dateTime(input), u8(input.keyVersion), u8(input.algorithm), factorBytes(input.factors)), 8)

/**
 * What INIT SAM FOR PURCHASE repeats of the card's answer to INITIALIZE FOR PURCHASE: `length` bytes from
 * `from` of its data, at `to` of the command: random, counter, key version with algorithm.
 */
export const initIntoPsamMac1 = [
  { from: 11, length: 4, to: 5 }, { from: 4, length: 2, to: 9 }, { from: 9, length: 2, to: 23 }
] as const

export const psamCheckMac2 = (mac2: Uint8Array): Uint8Array =>
  command(0x80, 0x72, 0x00, 0x00, sized(mac2, 4, 'MAC2'))
/** Before INIT SAM FOR PURCHASE, where the card has an authentication code. */
export const psamAuthCode = (authCode9: Uint8Array): Uint8Array =>
  command(0x80, 0xCA, 0x00, 0x00, sized(authCode9, 9, 'an authentication code'))

const psamUsages = {
  master: 0, maintenance: 1, purchase: 2, pinUnblock: 3, pinReload: 4, cardMaintenance: 5, mac: 6, encrypt: 7,
  both: 8
} as const
/** INIT FOR DES CRYPT: the key for {@link psamCrypt}, diversified by up to three factors. */
export const psamInitCrypt = (
  usage: keyof typeof psamUsages, keyVersion: number, factors: readonly Uint8Array[]
): Uint8Array => command(0x80, 0x1A, factors.length << 5 | psamUsages[usage], keyVersion,
  factors.length === 0 ? none : factorBytes(factors))

/** MAC data starts with its initial value; one command suffices, or the first, further ones and the last. */
const psamOperations = {
  encrypt: 0x00, macSingle: 0x05, macFirst: 0x07, macNext: 0x03, macLast: 0x01
} as const
/** DES CRYPT under the key of {@link psamInitCrypt}. */
export const psamCrypt = (operation: keyof typeof psamOperations, data: Uint8Array): Uint8Array =>
  command(0x80, 0xFA, psamOperations[operation], 0x00, data)

/* ---- answers ---- */

/** Data and status word. An answer below two bytes is a torn card, not an answer. */
export function splitResponse (
  bytes: Uint8Array
): Parsed<{ readonly data: Uint8Array, readonly sw: number }> {
  if (bytes.length < 2) return { ok: false, error: `answer of ${bytes.length} bytes: no status word` }
  return { ok: true, data: bytes.subarray(0, -2), sw: readU16(bytes, bytes.length - 2) }
}

export type InitPurchaseAnswer = {
  readonly balanceFen: number, readonly counter: number, readonly overdraftFen: number,
  readonly keyVersion: number, readonly algorithm: number, readonly rand4: Uint8Array
}
/** balance 4 · offline counter 2 · overdraft 3 · key version 1 · algorithm 1 · random 4. */
export const parseInitPurchase = (data: Uint8Array): Parsed<InitPurchaseAnswer> =>
  ofLength('INITIALIZE FOR PURCHASE', 15, data, () => ({
    balanceFen: readU32(data), counter: readU16(data, 4), overdraftFen: readU24(data, 6),
    keyVersion: data[9] ?? 0, algorithm: data[10] ?? 0, rand4: data.slice(11)
  }))

export type InitLoadAnswer = {
  readonly balanceFen: number, readonly counter: number, readonly keyVersion: number,
  readonly algorithm: number, readonly rand4: Uint8Array, readonly mac1: Uint8Array
}
/** balance 4 · online counter 2 · key version 1 · algorithm 1 · random 4 · MAC1 4. */
export const parseInitLoad = (data: Uint8Array): Parsed<InitLoadAnswer> =>
  ofLength('INITIALIZE FOR LOAD', 16, data, () => ({
    balanceFen: readU32(data), counter: readU16(data, 4), keyVersion: data[6] ?? 0, algorithm: data[7] ?? 0,
    rand4: data.slice(8, 12), mac1: data.slice(12)
  }))

export type InitOverdraftUpdateAnswer = InitLoadAnswer & { readonly limitFen: number }
/** balance 4 · online counter 2 · old limit 3 · key version 1 · algorithm 1 · random 4 · MAC1 4. */
export const parseInitOverdraftUpdate = (data: Uint8Array): Parsed<InitOverdraftUpdateAnswer> =>
  ofLength('INITIALIZE FOR UPDATE', 19, data, () => ({
    balanceFen: readU32(data), counter: readU16(data, 4), limitFen: readU24(data, 6),
    keyVersion: data[9] ?? 0, algorithm: data[10] ?? 0, rand4: data.slice(11, 15), mac1: data.slice(15)
  }))

export type InitGreyUnlockAnswer = InitLoadAnswer & { readonly offlineCounter: number }
/** balance 4 · offline counter 2 · online counter 2 · key version 1 · algorithm 1 · random 4 · MAC1 4. */
export const parseInitGreyUnlock = (data: Uint8Array): Parsed<InitGreyUnlockAnswer> =>
  ofLength('INITIALIZE FOR GREY UNLOCK', 18, data, () => ({
    balanceFen: readU32(data), offlineCounter: readU16(data, 4), counter: readU16(data, 6),
    keyVersion: data[8] ?? 0, algorithm: data[9] ?? 0, rand4: data.slice(10, 14), mac1: data.slice(14)
  }))

type TacAndMac2 = { readonly tac: Uint8Array, readonly mac2: Uint8Array }
/** DEBIT answers TAC, then MAC2. Grey lock answers GTAC, then MAC2, alike. */
export const parseDebit = (data: Uint8Array): Parsed<TacAndMac2> =>
  ofLength('DEBIT', 8, data, () => ({ tac: data.slice(0, 4), mac2: data.slice(4) }))
/** GET TRANSACTION PROVE answers the other way round: MAC2, then TAC. */
export const parseProve = (data: Uint8Array): Parsed<TacAndMac2> =>
  ofLength('GET TRANSACTION PROVE', 8, data, () => ({ mac2: data.slice(0, 4), tac: data.slice(4) }))
export const parseCreditLoad = (data: Uint8Array): Parsed<{ readonly tac: Uint8Array }> =>
  ofLength('CREDIT FOR LOAD', 4, data, () => ({ tac: data.slice() }))

export const parsePsamMac1 = (
  data: Uint8Array
): Parsed<{ readonly sequence4: Uint8Array, readonly mac1: Uint8Array }> =>
  ofLength('INIT SAM FOR PURCHASE', 8, data, () => ({ sequence4: data.slice(0, 4), mac1: data.slice(4) }))

/** Some issuers set the top bit of the balance: it is no money. */
export const parseBalance = (data: Uint8Array): Parsed<{ readonly balanceFen: number }> =>
  ofLength('GET BALANCE', 4, data, () => ({ balanceFen: readU32(data) % 0x8000_0000 }))

/* ---- commands as the chip sees them ---- */

export type Command = {
  readonly cla: number, readonly ins: number, readonly p1: number, readonly p2: number,
  /** Empty where there is none. */
  readonly data: Uint8Array
  /** As sent, 0 meaning 256; null where no answer is expected. */
  readonly le: number | null
}
/** The four cases of a short APDU (ISO/IEC 7816-3): 4 bytes; + Le; + Lc data; + Lc data Le. */
export function parseCommand (bytes: Uint8Array): Parsed<Command> {
  const [cla, ins, p1, p2, fifth] = bytes
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined) {
    return { ok: false, error: `command ends at offset ${bytes.length}: the header needs 4 bytes` }
  }
  const header = { ok: true, cla, ins, p1, p2 } as const
  if (fifth === undefined) return { ...header, data: none, le: null }
  if (bytes.length === 5) return { ...header, data: none, le: fifth }
  if (fifth === 0) return { ok: false, error: 'Lc 00 at offset 4: extended length is not spoken here' }
  const end = 5 + fifth
  if (bytes.length < end) {
    return { ok: false, error: `Lc at offset 4 says ${fifth} bytes, ${bytes.length - 5} follow` }
  }
  if (bytes.length > end + 1) {
    return { ok: false, error: `${bytes.length - end} bytes at offset ${end}: only Le may follow` }
  }
  return { ...header, data: bytes.slice(5, end), le: bytes[end] ?? null }
}

/* ---- FCI ---- */

export type Fci = {
  readonly name: Uint8Array
  /** Tag 9F0C: for purse applications the content of file 0015. */
  readonly issuerData: Uint8Array | null
  /** Tag 9F08. */
  readonly version: Uint8Array | null
}
/** The answer of SELECT: 6F { 84 name, A5 { 9F08 version, 9F0C issuer data } }. */
export function parseFci (data: Uint8Array): Parsed<Fci> {
  const template = tlv(data, 0x6F)
  if (template === null) return { ok: false, error: `FCI at offset 0: no template (6F) in ${start(data)}` }
  const name = tlv(template, 0x84)
  if (name === null) {
    const offset = template.byteOffset - data.byteOffset
    return { ok: false, error: `FCI at offset ${offset}: no name (84) in ${start(template)}` }
  }
  const proprietary = tlv(template, 0xA5) ?? none
  const copied = (tag: number): Uint8Array | null => tlv(proprietary, tag)?.slice() ?? null
  return { ok: true, name: name.slice(), issuerData: copied(0x9F0C), version: copied(0x9F08) }
}

const start = (bytes: Uint8Array): string =>
  `${bytes.length} bytes ${hex(bytes.subarray(0, 8))}${bytes.length > 8 ? '…' : ''}`

/** Value of the first data object of this tag; tags of one or two bytes, lengths of one or 81 xx. */
function tlv (bytes: Uint8Array, wanted: number): Uint8Array | null {
  let at = 0
  while (at < bytes.length) {
    let tag = bytes[at++] ?? 0
    if ((tag & 0x1f) === 0x1f) tag = tag << 8 | (bytes[at++] ?? 0)
    let length = bytes[at++]
    if (length === 0x81) length = bytes[at++]
    else if (length !== undefined && length > 0x7f) return null
    if (length === undefined || at + length > bytes.length) return null
    if (tag === wanted) return bytes.subarray(at, at + length)
    at += length
  }
  return null
}

/* ---- parts ---- */

export type RecordBy = 'number' | 'tag'

function ofLength<T extends object> (
  what: string, length: number, data: Uint8Array, read: () => T
): Parsed<T> {
  if (data.length === length) return { ok: true, ...read() }
  return { ok: false, error: `${what}: ${length} bytes wanted, ${data.length} found` }
}

/** ISO/IEC 7816-4 ends at 30; T-Union cards use 31 as well. 0 is the selected file. */
function shortId (sfi: number): number {
  if (Number.isInteger(sfi) && sfi >= 0 && sfi <= 31) return sfi
  throw new RangeError(`a short file id is 0 to 31, not ${sfi}`)
}
const recordP2 = (sfi: number, by: RecordBy): number => shortId(sfi) << 3 | (by === 'number' ? 4 : 0)

function inRange (bytes: Uint8Array, min: number, max: number, what: string): Uint8Array {
  if (bytes.length >= min && bytes.length <= max) return bytes
  throw new RangeError(`${what} has ${min} to ${max} bytes, not ${bytes.length}`)
}
const terminalNo = (bytes: Uint8Array): Uint8Array => sized(bytes, 6, 'a terminal number')
const sequenceNo = (bytes: Uint8Array): Uint8Array => sized(bytes, 4, 'a PSAM sequence')
const dateTime = ({ date4, time3 }: DateTime): Uint8Array =>
  concat(sized(date4, 4, 'a date'), sized(time3, 3, 'a time'))
function factorBytes (factors: readonly Uint8Array[]): Uint8Array {
  if (factors.length < 1 || factors.length > 3) {
    throw new RangeError(`1 to 3 key factors, not ${factors.length}`)
  }
  return concat(...factors.map(factor => sized(factor, 8, 'a key factor')))
}
