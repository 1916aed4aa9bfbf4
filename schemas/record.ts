// The transaction record: what a terminal tells of one use of a chip counter, whatever cable it came through.
// It refuses to know transport, keys and money's way after it.
import { hash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { writeHex } from './epurse/hex.ts'
import { limits } from './limits.ts'
import { sha256 } from './sha256.ts'

const closed = { additionalProperties: false } as const
const hexText = (bytes: number, description: string) =>
  Type.String({ pattern: `^[0-9A-F]{${bytes * 2}}$`, description: `${description}; upper-case hex` })

/** A card: issuer, application serial, issue number. */
export const CardRef = Type.Object({
  issuer: hexText(8, 'bytes 0–7 of file 0015'),
  serial: hexText(10, 'application serial number, bytes 10–19 of file 0015'),
  issue: Type.Integer({
    minimum: 1, maximum: 255,
    description: 'issue number; 1 unless the serial was issued again'
  })
}, { ...closed, description: 'one card' })
export type CardRef = Static<typeof CardRef>

export const Purse = Type.Union([Type.Literal('ep'), Type.Literal('ed')], {
  description: 'ep: electronic purse (chip id 02), ed: electronic deposit (chip id 01)'
})

/** Where and how a card was at a validator: what its price needs beside line and vehicle. */
export const senses = ['in', 'out', 'either'] as const
export const Sense = Type.Union([Type.Literal('in'), Type.Literal('out'), Type.Literal('either')], {
  description: 'either: a reader that does not know, as on a bus with one door'
})

export const Ride = Type.Object({
  stop: Type.Optional(Type.String({
    minLength: 1, maxLength: 64, description: 'stop or station, as tariffs name it'
  })),
  sense: Sense,
  rider: Type.Optional(Type.Integer({
    minimum: 1, maximum: 99, description: '1 the holder, 2, 3, … whom the holder pays for; 1 when absent'
  })),
  riders: Type.Optional(Type.Integer({
    minimum: 1, maximum: 99, description: 'how many the terminal was told of; 1 when absent'
  }))
}, { ...closed, description: 'no content of the event: evidence of a price, never of a debit' })
export type Ride = Static<typeof Ride>

/** A debit (05 ED purchase, 06 EP purchase, 09 composite purchase) that a chip made, or may have made. */
export const TransactionRecord = Type.Object({
  card: CardRef,
  purse: Purse,
  type: Type.Union([Type.Literal('05'), Type.Literal('06'), Type.Literal('09')], {
    description: 'transaction type byte of file 0018'
  }),
  counter: Type.Integer({
    minimum: 1, maximum: limits.counterMax,
    description: 'committed offline counter: the counter of the INITIALIZE answer + 1'
  }),
  balanceBeforeFen: Type.Integer({
    minimum: -limits.balanceFenMax, maximum: limits.balanceFenMax, description: 'purse balance before, in fen'
  }),
  amountFen: Type.Integer({
    minimum: 0, maximum: limits.balanceFenMax,
    description: 'debited amount, in fen'
  }),
  psam: hexText(6, 'terminal number of the PSAM (file 0016), as signed in MAC1 and TAC'),
  sequence: Type.Integer({
    minimum: 0, maximum: limits.sequenceMax,
    description: 'PSAM transaction sequence'
  }),
  dateTime: hexText(7, 'BCD YYYYMMDDhhmmss, the very bytes the card signed (local time of the city)'),
  tac: Type.Union([hexText(4, 'transaction authentication code'), Type.Null()], {
    description: 'null where the answer of the card was lost'
  }),
  grey: Type.Boolean({ description: 'true where the terminal does not know whether the chip paid' }),
  keyVersion: Type.Integer({ minimum: 0, maximum: 255, description: 'key version of the INITIALIZE answer' }),
  algorithm: Type.Integer({ minimum: 0, maximum: 255, description: 'algorithm id of the INITIALIZE answer' }),
  operator: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'party code of the service operator' }),
  terminal: Type.String({
    pattern: '^[A-Z0-9-]{1,8}$',
    description: "the operator's number of the terminal"
  }),
  recordNo: Type.Integer({
    minimum: 1, maximum: 99_999_999, description: 'serial number at its terminal, or line in a file'
  }),
  line: Type.Optional(Type.String({ maxLength: 8, description: 'line or counter at the operator' })),
  vehicle: Type.Optional(Type.String({ maxLength: 8, description: 'vehicle or desk' })),
  shift: Type.Optional(Type.String({ maxLength: 8, description: 'driver or clerk shift' })),
  ride: Type.Optional(Ride),
  lastTac: Type.Optional(hexText(4,
    'what the chip said, before this debit, of the debit before it: its TAC (GET TRANSACTION PROVE)')),
  tariffVersion: Type.Optional(Type.Integer({
    minimum: 0,
    description: 'tariff version the terminal priced with'
  })),
  blacklistVersion: Type.Optional(Type.Integer({
    minimum: 0,
    description: 'blacklist version the terminal held'
  }))
},
{
  ...closed, $id: 'TransactionRecord',
  description: 'history of one chip event; the ledger cannot refuse that it happened'
})
export type TransactionRecord = Static<typeof TransactionRecord>

/**
 * The content of an event: what must be equal for two records to tell the same event. 47 bytes: issuer 8 ·
 * serial 10 · issue 1 · purse 1 (02 EP, 01 ED) · counter kind 1 (00 offline) · committed counter 4 · type 1 ·
 * amount 4 · PSAM terminal number 6 · sequence 4 · BCD date-time 7. TAC, grey flag, path, file and operator
 * serial are not content.
 */
export const eventContent = (record: TransactionRecord): Uint8Array =>
  Buffer.from(contentOfRecord(record))

/** What {@link eventContent} is made of, as a database keeps it. */
export type ContentParts = Pick<CardRef, 'issuer' | 'serial' | 'issue'> &
  Pick<TransactionRecord, 'counter' | 'amountFen' | 'psam' | 'sequence'> &
  { readonly purse: number, readonly type: number, readonly dateTime: Uint8Array }

export function contentOf (parts: ContentParts): Uint8Array {
  writeCard(parts)
  content[19] = parts.purse
  content[25] = parts.type
  writeUse(parts)
  content.set(parts.dateTime, 40)
  return Buffer.from(content)
}

/** Filled for one record and hashed at once: a buffer for each would be half of the work. */
export const contentBytes = 47
const content = Buffer.alloc(contentBytes)

function contentOfRecord (record: TransactionRecord): Buffer {
  writeCard(record.card)
  content[19] = record.purse === 'ep' ? 2 : 1
  writeHex(content, 25, record.type)
  writeUse(record)
  writeHex(content, 40, record.dateTime)
  return content
}

function writeCard ({ issuer, serial, issue }: CardRef): void {
  writeHex(content, 0, issuer)
  writeHex(content, 8, serial)
  content[18] = issue
}

function writeUse (use: Pick<TransactionRecord, 'counter' | 'amountFen' | 'psam' | 'sequence'>): void {
  content.writeUInt32BE(use.counter, 21)
  content.writeUInt32BE(use.amountFen, 26)
  writeHex(content, 30, use.psam)
  content.writeUInt32BE(use.sequence, 36)
}

/**
 * SHA-256 over {@link eventContent}: equal for the same tap whether it came as JSON, in a file or from a POS
 * record.
 */
export const contentHash = (record: TransactionRecord): Buffer => sha256(contentOfRecord(record))

/** SHA-256 over the content, TAC and grey flag: one piece of evidence. */
export const evidenceHash = (record: TransactionRecord): Buffer => sha256(
  contentOfRecord(record), Buffer.from(record.tac ?? ''), Uint8Array.of(record.grey ? 1 : 0))

/**
 * The bucket of a card, 1…63; 0 is the house, for what has no card. A stable function: it is stored in every
 * hot key.
 */
export function bucketOf (card: CardRef): number {
  const digest = hash('sha256', card.issuer + card.serial, 'hex')
  return 1 + Number.parseInt(digest.slice(0, 8), 16) % (limits.buckets - 1)
}

/** `02313750FFFFFFFF-03104990600000000016-1`: the card in a path or a scenario. */
export const cardKey = (card: CardRef): string => `${card.issuer}-${card.serial}-${card.issue}`
export function parseCardKey (text: string): CardRef | null {
  const match = /^([0-9A-F]{16})-([0-9A-F]{20})-(\d{1,3})$/.exec(text)
  if (match === null) return null
  const [, issuer, serial, issue] = match
  return { issuer: issuer ?? '', serial: serial ?? '', issue: Number(issue) }
}
