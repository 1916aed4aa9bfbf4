// Every bound of the wire in one place, with the relations between them asserted when the module loads.
// It refuses to know who enforces them.
import assert from 'node:assert/strict'

export const limits = {
  /** Raw bytes and transfers stay so long. */
  evidenceYears: 10,
  recordsPerDeliveryMax: 5_000,
  deliveryBytesMax: 8 * 1024 * 1024,
  fileBytesMax: 256 * 1024 * 1024,
  /** Registries and bank statements are held in memory as a whole. */
  documentBytesMax: 64 * 1024 * 1024,
  fileRecordsMax: 1_000_000,
  amountFenMax: 100_000_00,
  balanceFenMax: 0x7fff_ffff,
  counterMax: 0xffff,
  sequenceMax: 0xffff_ffff,
  registryItemsMax: 50_000,
  holidaysMax: 400,
  pageItemsMax: 1_000,
  /** Characters of an `Idempotency-Key`. */
  idempotencyKeyMax: 128,
  /** Reports of terminals in one call of a gateway. */
  terminalsPerReportMax: 1_000,
  nationalEntriesMax: 1_000,
  nationalReturnsMax: 500,
  buckets: 64
} as const

/** 202 characters and two for the end of the line, as a consumption file has them. */
assert(limits.fileBytesMax >= limits.fileRecordsMax * 204, 'the largest file must be let in')
assert(limits.amountFenMax <= limits.balanceFenMax, 'an amount must fit the four bytes of the chip')
