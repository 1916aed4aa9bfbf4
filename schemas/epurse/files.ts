// The files of a card and of a PSAM as tables: offset, length, kind. Offsets count from 0; `hex` fields are
// upper-case text.
// Where cards of several families differ, each has its own table; what is not established keeps its bytes
// (`raw`).
import type { Parsed } from './apdu.ts'
import { concat } from './hex.ts'
import { field as f, layout } from './layout.ts'

/** File 0015, public application data, as all families share it. */
export const file0015 = layout('file 0015', 30, {
  issuer: f(0, 8, 'hex'),
  applicationType: f(8, 1, 'number'), // city union and T-Union: enabled flag or type
  version: f(9, 1, 'number'),
  serial: f(10, 10, 'hex'),
  startDate: f(20, 4, 'hex'),
  expiryDate: f(24, 4, 'hex'),
  issuerFci: f(28, 2, 'hex')
})
/**
 * File 0015 of CJ/T 166: issuer 2, city 2, industry 2; the serial starts with a two-byte interoperability
 * flag; main and sub card type.
 */
export const file0015Cjt = layout('file 0015 (CJ/T 166)', 30, {
  issuer: f(0, 8, 'hex'),
  issuerCode: f(0, 2, 'hex'),
  cityCode: f(2, 2, 'hex'),
  industryCode: f(4, 2, 'hex'),
  applicationType: f(8, 1, 'number'),
  version: f(9, 1, 'number'),
  serial: f(10, 10, 'hex'),
  startDate: f(20, 4, 'hex'),
  expiryDate: f(24, 4, 'hex'),
  mainType: f(28, 1, 'number'),
  subType: f(29, 1, 'number')
})

const holder = (idLength: 16 | 32) => ({
  cardClass: f(0, 1, 'number'),
  staff: f(1, 1, 'number'),
  name: f(2, 20, 'hex'), // GBK, kept as bytes
  idNumber: f(22, idLength, 'hex'),
  idType: f(22 + idLength, 1, 'number')
})
export const file0016Short = layout('file 0016 (39 bytes)', 39, holder(16))
export const file0016Long = layout('file 0016 (55 bytes)', 55, holder(32))

/**
 * File 0005 of the master file, CJ/T 166. Published order and widths fill 40 bytes, more
 * than the 28 of the published size: the table stops where the file ends.
 */
export const file0005 = layout('file 0005', 28, {
  issuerCode: f(0, 2, 'hex'),
  cityCode: f(2, 2, 'hex'),
  industryCode: f(4, 2, 'hex'),
  test: f(6, 2, 'hex'),
  serial: f(8, 8, 'hex'),
  cardType: f(16, 2, 'hex'),
  issueDate: f(18, 4, 'hex'),
  issuingDevice: f(22, 6, 'hex')
})

/** File 0017 of T-Union: where the card belongs and how it may travel. */
export const file0017TUnion = layout('file 0017 (T-Union)', 60, {
  country: f(0, 4, 'hex'),
  province: f(4, 2, 'hex'),
  city: f(6, 2, 'hex'),
  interoperable: f(8, 2, 'hex'), // 0000 no, 0001 yes
  cardClass: f(10, 1, 'number')
})

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

/**
 * File 1E of T-Union: one trip record. The split of bytes 10–16 into line, station, operator and RFU is from
 * one source.
 */
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
 * File 1A of T-Union: the trip that is under way. Sources differ on ids and length (120 or 128): what is not
 * named stays opaque.
 */
export const ongoingTrip = layout('file 1A record', 128, {
  id: f(0, 2, 'hex'),
  length: f(2, 1, 'number'),
  valid: f(3, 1, 'number'),
  interoperable: f(4, 1, 'number'),
  lock: f(5, 1, 'number'),
  serial: f(6, 8, 'hex'),
  state: f(14, 1, 'number'),
  boardingCity: f(15, 2, 'hex'),
  boardingInstitution: f(17, 8, 'hex'),
  boardingOperator: f(25, 2, 'hex'),
  boardingLine: f(27, 2, 'hex'),
  boardingStation: f(29, 1, 'number'),
  boardingVehicle: f(30, 8, 'text'),
  boardingTerminal: f(38, 8, 'hex'),
  boardingTime: f(46, 7, 'hex'),
  markedFen: f(53, 4, 'number'),
  direction: f(57, 1, 'number'),
  alightingTime: f(89, 7, 'hex'),
  amountFen: f(96, 4, 'number'),
  distance: f(100, 2, 'number')
})

/**
 * One record of the variable CAPP file 0017 of CJ/T 166: tag, length, lock flag, payload; `length` counts
 * what follows it.
 */
export type CappRecord = { readonly tag: number, readonly locked: boolean, readonly payload: Uint8Array }
export function decodeCappRecord (bytes: Uint8Array): Parsed<{ readonly value: CappRecord }> {
  const [tag, length, lock] = bytes
  if (tag === undefined || length === undefined || lock === undefined) {
    return { ok: false, error: `CAPP record of ${bytes.length} bytes: tag, length and lock flag wanted` }
  }
  if (bytes.length !== 2 + length) {
    return {
      ok: false,
      error: `CAPP record: length byte at offset 1 says ${length}, ${bytes.length - 2} follow`
    }
  }
  return { ok: true, value: { tag, locked: lock !== 0, payload: bytes.slice(3) } }
}
export const encodeCappRecord = ({ tag, locked, payload }: CappRecord): Uint8Array =>
  concat(Uint8Array.of(tag, payload.length + 1, locked ? 1 : 0), payload)

/* ---- PSAM ---- */

export const psam0015 = layout('PSAM file 0015', 14, {
  serial: f(0, 10, 'hex'), version: f(10, 1, 'number'), keyCardType: f(11, 1, 'number'), fci: f(12, 2, 'hex')
})
export const psam0016 = layout('PSAM file 0016', 6, { terminal: f(0, 6, 'hex') })
export const psam0017 = layout('PSAM file 0017', 25, {
  keyIndex: f(0, 1, 'number'), issuer: f(1, 8, 'hex'), acceptor: f(9, 8, 'hex'), startDate: f(17, 4, 'hex'),
  expiryDate: f(21, 4, 'hex')
})
