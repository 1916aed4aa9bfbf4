// The files of a card and of a PSAM as tables: offset, length, kind. Offsets count from 0.
// Where cards of several families differ, each has its own table; what is not established keeps its bytes
// (`raw`).
import type { Parsed } from './apdu.ts'
import { concat, hex, sized, u8 } from './hex.ts'
import { decode, type Decoded, field as f, layout } from './layout.ts'

/* ---- public data ---- */

/** File 0015, public application data, as the bank profile has it and all families can be read. */
export const file0015 = layout('file 0015', 30, {
  issuer: f(0, 8, 'hex'),
  applicationType: f(8, 1, 'number'), // city union and T-Union: enabled flag or type
  version: f(9, 1, 'number'),
  serial: f(10, 10, 'hex'), // the last 8 bytes are the key factor of the card, in every family
  startDate: f(20, 4, 'hex'),
  expiryDate: f(24, 4, 'hex'),
  issuerFci: f(28, 2, 'hex')
})

/** File 0015 of CJ/T 166; the serial starts with a two-byte interoperability flag. */
export const file0015Cjt = layout('file 0015 (CJ/T 166)', 30, {
  issuer: f(0, 8, 'hex'), // in parts: see cjtIssuer
  applicationType: f(8, 1, 'number'), // 01 enabled, 00 not
  version: f(9, 1, 'number'),
  serial: f(10, 10, 'hex'),
  startDate: f(20, 4, 'hex'),
  expiryDate: f(24, 4, 'hex'),
  mainType: f(28, 1, 'number'),
  subType: f(29, 1, 'number')
})
/** What the issuer field of CJ/T 166 is made of; the last two bytes are RFU. */
export const cjtIssuer = layout('issuer (CJ/T 166)', 8, {
  issuerCode: f(0, 2, 'hex'),
  cityCode: f(2, 2, 'hex'),
  industryCode: f(4, 2, 'hex')
})

/** File 0015 of T-Union: the issuer is four BCD bytes and FFFFFFFF, the serial a PAN of 19 digits. */
export const file0015TUnion = layout('file 0015 (T-Union)', 30, {
  issuer: f(0, 8, 'hex'),
  applicationType: f(8, 1, 'number'), // 02
  enabled: f(9, 1, 'number'), // 01
  serial: f(10, 10, 'hex'), // a zero nibble before the PAN
  startDate: f(20, 4, 'hex'),
  expiryDate: f(24, 4, 'hex'),
  issuerFci: f(28, 2, 'hex')
})
/** PAN of a T-Union card: IIN 6, extension 2, 11 digits; null where the serial is none. */
export function panOf (serial10: Uint8Array): string | null {
  const digits = hex(sized(serial10, 10, 'an application serial number'))
  return /^0[0-9]{19}$/.test(digits) ? digits.slice(1) : null
}

/* ---- holder and place ---- */

const holder = (idLength: 16 | 32) => ({
  cardClass: f(0, 1, 'number'),
  staff: f(1, 1, 'number'),
  name: f(2, 20, 'hex'), // GBK, kept as bytes
  idNumber: f(22, idLength, 'hex'),
  idType: f(22 + idLength, 1, 'number')
})
export const file0016Short = layout('file 0016 (39 bytes)', 39, holder(16))
export const file0016Long = layout('file 0016 (55 bytes)', 55, holder(32))

/** File 0005 of the master file, CJ/T 166: the card as such, beside its applications. */
export const file0005 = layout('file 0005', 40, {
  issuerCode: f(0, 2, 'hex'),
  cityCode: f(2, 2, 'hex'),
  industryCode: f(4, 2, 'hex'),
  test: f(6, 2, 'hex'),
  serial: f(8, 8, 'hex'),
  cardType: f(16, 2, 'hex'),
  issueDate: f(18, 4, 'hex'),
  issuingDevice: f(22, 6, 'hex'),
  version: f(28, 2, 'hex'),
  startDate: f(30, 4, 'hex'),
  expiryDate: f(34, 4, 'hex')
})

/** File 0017 of T-Union: where the card belongs and how it may travel. */
export const file0017TUnion = layout('file 0017 (T-Union)', 60, {
  country: f(0, 4, 'hex'),
  province: f(4, 2, 'hex'),
  city: f(6, 2, 'hex'),
  interoperable: f(8, 2, 'hex'), // 0000 no, 0001 yes
  cardClass: f(10, 1, 'number') // sources number the classes differently: a setting
})

/* ---- logs ---- */

/** File 0018: one record of the card's own log (also what a load log keeps). */
export const logRecord = layout('file 0018 record', 23, {
  counter: f(0, 2, 'number'), // the counter of the INITIALIZE answer + 1
  overdraftFen: f(2, 3, 'number'),
  amountFen: f(5, 4, 'number'),
  type: f(9, 1, 'number'),
  terminal: f(10, 6, 'hex'),
  date: f(16, 4, 'hex'),
  time: f(20, 3, 'hex')
})

/** File 1E of T-Union: one trip record. How bytes 10–16 are split is one source's word. */
export const tripRecord = layout('file 1E record', 48, {
  type: f(0, 1, 'number'),
  terminal: f(1, 8, 'hex'),
  industry: f(9, 1, 'number'),
  line: f(10, 2, 'hex'),
  station: f(12, 2, 'hex'),
  operator: f(14, 2, 'hex'),
  amountFen: f(17, 4, 'number'),
  balanceFen: f(21, 4, 'number'),
  dateTime: f(25, 7, 'hex'),
  city: f(32, 2, 'hex'),
  institution: f(34, 8, 'hex')
})

/**
 * File 1A of T-Union: the trip that is under way, of a bus with section fares. Sources differ on `id` (2701
 * or 2702 is the bus) and on the length.
 */
export const ongoingTrip = layout('file 1A record', 128, {
  id: f(0, 2, 'hex'),
  length: f(2, 1, 'number'), // 7D: what follows
  valid: f(3, 1, 'number'),
  interoperable: f(4, 1, 'number'), // 1 by section, 2 authorised beforehand
  lock: f(5, 1, 'number'),
  serial: f(6, 8, 'hex'),
  state: f(14, 1, 'number'), // 00 none, 01 on board, 02 alighted
  boardingCity: f(15, 2, 'hex'),
  boardingInstitution: f(17, 8, 'hex'),
  boardingOperator: f(25, 2, 'hex'),
  boardingLine: f(27, 2, 'hex'),
  boardingStation: f(29, 1, 'number'),
  boardingVehicle: f(30, 8, 'text'),
  boardingTerminal: f(38, 8, 'hex'),
  boardingTime: f(46, 7, 'hex'),
  markedFen: f(53, 4, 'number'), // the most the trip can cost
  direction: f(57, 1, 'number'), // AB up, BA down
  alightingCity: f(58, 2, 'hex'),
  alightingInstitution: f(60, 8, 'hex'),
  alightingOperator: f(68, 2, 'hex'),
  alightingLine: f(70, 2, 'hex'),
  alightingStation: f(72, 1, 'number'),
  alightingVehicle: f(73, 8, 'text'),
  alightingTerminal: f(81, 8, 'hex'),
  alightingTime: f(89, 7, 'hex'),
  amountFen: f(96, 4, 'number'),
  distance: f(100, 2, 'number')
})
/**
 * Ours, in the RFU bytes of that record: the trip in the terms of a tariff document, which is known by its
 * version. Places count in the order of the document, stops in that of their names.
 */
export const cityTrip = layout('file 1A record, city', ongoingTrip.length, {
  ...ongoingTrip.fields,
  mark: f(102, 2, 'text'), // C1: the form of what follows
  tariffVersion: f(104, 4, 'number'),
  service: f(108, 2, 'number'), // place in the document
  party: f(110, 1, 'number'), // place in the service
  stop: f(111, 2, 'number'), // place + 1; 0 none
  class: f(113, 1, 'number'), // place + 1; 0 ordinary
  riders: f(114, 1, 'number'),
  line: f(115, 8, 'text'),
  at: f(123, 4, 'number') // seconds since 1970
})

/** Ours, another record of file 1A: what transfers, caps, ladders and counted concessions are made of. */
export const earnedRecord = layout('file 1A record, earned', ongoingTrip.length, {
  id: f(0, 2, 'hex'),
  length: f(2, 1, 'number'),
  valid: f(3, 1, 'number'),
  lock: f(5, 1, 'number'),
  mark: f(6, 2, 'text'), // C2
  tariffVersion: f(8, 4, 'number'),
  day: f(12, 2, 'number'), // transit day since 1970 to which the sums belong
  group: f(14, 1, 'number'), // of the first paid journey: place + 1; 0 none
  start: f(15, 4, 'number'), // seconds since 1970, of that journey
  end: f(19, 4, 'number'),
  paidFen: f(23, 3, 'number'), // by all journeys that count with it
  used: f(26, 1, 'number'), // transfers
  lines: f(27, 1, 'number'), // how many were ridden
  lineDigests: f(28, 24, 'hex'), // three bytes of each
  sums: f(52, 76, 'hex') // place of a cap, ladder or counted concession + 1, and three bytes of its sum
})

/** Gates are known whose record has 120 bytes; nothing is established about them. */
export const ongoingTripShort = layout('file 1A record (120 bytes)', 120, {})

export type OngoingTrip =
  | { readonly version: 128, readonly value: Decoded<typeof ongoingTrip.fields> }
  | { readonly version: 120, readonly value: Decoded<typeof ongoingTripShort.fields> }
/** The version is the length. */
export function decodeOngoingTrip (bytes: Uint8Array): Parsed<OngoingTrip> {
  if (bytes.length === ongoingTripShort.length) {
    const short = decode(ongoingTripShort, bytes)
    return short.ok ? { ...short, version: 120 } : short
  }
  const full = decode(ongoingTrip, bytes)
  return full.ok ? { ...full, version: 128 } : full
}

/* ---- composite purchase, CJ/T 166 ---- */

/** One record of the variable file 0017 of CJ/T 166: tag, length of what follows, lock flag, payload. */
export type CappRecord = {
  readonly tag: number
  readonly locked: boolean
  /** As found on the card. Encoding keeps it as long as it says the same as `locked`. */
  readonly lockByte?: number
  readonly payload: Uint8Array
}
export function decodeCappRecord (bytes: Uint8Array): Parsed<{ readonly value: CappRecord }> {
  const [tag, length, lockByte] = bytes
  if (tag === undefined || length === undefined || lockByte === undefined) {
    return { ok: false, error: `CAPP record of ${bytes.length} bytes: tag, length and lock flag wanted` }
  }
  if (bytes.length !== 2 + length) {
    return {
      ok: false,
      error: `CAPP record: the length at offset 1 says ${length} bytes, ${bytes.length - 2} follow`
    }
  }
  return { ok: true, value: { tag, locked: lockByte !== 0, lockByte, payload: bytes.slice(3) } }
}
export function encodeCappRecord ({ tag, locked, lockByte = 0, payload }: CappRecord): Uint8Array {
  const lock = locked === (lockByte !== 0) ? lockByte : locked ? 1 : 0
  return concat(u8(tag), u8(payload.length + 1), u8(lock), payload)
}

/* ---- PSAM ---- */

/** Version 05 and above (FF excepted) announces SM4 in modules of toll roads. */
export const psam0015 = layout('PSAM file 0015', 14, {
  serial: f(0, 10, 'hex'), version: f(10, 1, 'number'), keyCardType: f(11, 1, 'number'), fci: f(12, 2, 'hex')
})
/** The number that the PSAM signs into every MAC1 and TAC. */
export const psam0016 = layout('PSAM file 0016', 6, { terminal: f(0, 6, 'hex') })
export const psam0017 = layout('PSAM file 0017', 25, {
  keyIndex: f(0, 1, 'number'), issuer: f(1, 8, 'hex'), acceptor: f(9, 8, 'hex'), startDate: f(17, 4, 'hex'),
  expiryDate: f(21, 4, 'hex')
})
