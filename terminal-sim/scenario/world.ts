// All that a running scenario knows: who was named, what was sent, what was answered. Numbers of cards,
// PSAMs and parties are worked out from their short names, the same in every run.
import { createHash } from 'node:crypto'
import type { Instant } from '../../runtime/clock.ts'
import type { FileReply, RecordResult, Registry, TrialBalance } from '../../schemas/api.ts'
import type { ProfileName } from '../../schemas/epurse/profiles.ts'
import type { CardRef, TransactionRecord } from '../../schemas/record.ts'
import type { Api } from './api.ts'
import type { Edge } from './edge.ts'
import type { LaneSaid, Readers } from './readers.ts'
import type { Access, Stack } from './stack.ts'
import type { Reading } from './values.ts'
import { StepError } from './verb.ts'

/** A card as its chip would be: what the next record says where the scenario is silent. */
export type Chip = {
  readonly name: string
  readonly ref: CardRef
  readonly profile: ProfileName
  readonly type: string
  /** Limit of the chip. */
  readonly overdraftFen: number
  readonly suite: '3des' | 'sm4'
  readonly keyVersion: number
  readonly cityFactor: string | null
  /** Its keys are not those of the city. */
  readonly forged: boolean
  /** Nobody has made it yet: its chip comes blank. */
  readonly blank: boolean
  /** As it was handed out. */
  readonly opening: { readonly balanceFen: number, readonly counter: number }
  counter: number
  balanceFen: number
  /** Value that a reader wrote onto it, and the offline counter it had then. */
  readonly loads: { readonly counter: number, readonly amountFen: number }[]
}

/** Titles of books, and the card that each reader has now. */
export type LibraryFacts = { readonly books: Map<string, string>, readonly readers: Map<string, string> }

export type PartyFacts = { readonly merchant: string, readonly industry: string }
export type TerminalFacts = { readonly operator: string, readonly psam: string }
export type PsamFacts = { readonly number: string, sequence: number }

/**
 * One record, with every place it was delivered at and, sending by sending, the answer on each connection.
 */
export type SentRecord = {
  readonly label: string
  readonly record: TransactionRecord
  readonly places: { delivery: string, line: number }[]
  readonly answers: RecordResult[][]
}

export type SentFile = {
  readonly label: string
  readonly name: string
  readonly bytes: Uint8Array
  readonly replies: FileReply[]
}

export type World = {
  readonly reading: Reading
  readonly stack: Stack
  readonly api: Api
  readonly access: Access
  readonly ledgerUrl: () => string
  readonly modifiers: Modifiers
  /** What the given verbs ask for, sent in one call. */
  readonly registry: { [Key in keyof Registry]?: Registry[Key] }
  /** What is published or acknowledged before the scenario starts, in the order of its instants. */
  readonly before: { readonly at: Instant, readonly act: () => Promise<void> }[]
  readonly parties: Map<string, PartyFacts>
  readonly terminals: Map<string, TerminalFacts>
  readonly psams: Map<string, PsamFacts>
  readonly chips: Map<string, Chip>
  readonly records: Map<string, SentRecord>
  readonly files: Map<string, SentFile>
  readonly answers: Map<string, unknown>
  /** Lanes the scenario wants, and the readers behind them once they are there. */
  readonly lanes: Record<string, LaneSaid>
  readers: Readers | null
  /** Libraries by party, and the library at which each self-check stands. */
  readonly libraries: Map<string, LibraryFacts>
  readonly selfChecks: Map<string, string>
  /** Levels of clinics, by party. */
  readonly clinics: Map<string, string>
  /** Terminals that ask over a POS line. */
  readonly tills: string[]
  /** The gateway, once it runs. */
  edge: Edge | null
  /** Clock of the stack. */
  now: Instant
  /** Balances when all that is given was given. */
  opening: TrialBalance | null
  /** The bank of the house: our account there, what it holds, how many statements it wrote. */
  readonly bank: {
    account: string | null, balanceFen: number, statements: number
    /** What our accounts in other books hold, by the party that owes there. */
    readonly others: Map<string, number>
  }
  /** For names that must differ. */
  counter: number
}

export type Modifiers = { readonly shuffle?: number, readonly duplicate?: boolean, readonly crash?: number }

export const createWorld = (
  base: Pick<World, 'reading' | 'stack' | 'api' | 'access' | 'ledgerUrl' | 'modifiers' | 'now'>
): World => ({
  ...base,
  registry: {},
  before: [],
  parties: new Map(),
  terminals: new Map(),
  psams: new Map(),
  chips: new Map(),
  records: new Map(),
  files: new Map(),
  answers: new Map(),
  lanes: {},
  readers: null,
  libraries: new Map(),
  selfChecks: new Map(),
  clinics: new Map(),
  tills: [],
  edge: null,
  opening: null,
  bank: { account: null, balanceFen: 1_000_000_00, statements: 0, others: new Map() },
  counter: 0
})

/** What goes by that name, or an error that lists the names there are. */
export function known<T> (things: ReadonlyMap<string, T>, kind: string, name: string): T {
  const thing = things.get(name)
  if (thing !== undefined) return thing
  throw new StepError(
    `there is no ${kind} “${name}”`,
    things.size === 0 ? 'none was named yet' : [...things.keys()].join(', ')
  )
}

export const nextName = (world: World, prefix: string): string => `${prefix}-${++world.counter}`

/** The same issuer for all cards: bytes 0–7 of the card's public file. */
export const issuer = '02313750FFFFFFFF'

/** `A` is 0310499060 0000000001; longer names get nine digits of their hash. */
export const cardOf = (name: string, issue = 1): CardRef => ({
  issuer,
  serial: '0310499060' + tenDigits(name),
  issue
})

/** The twelve digits of a PSAM's terminal number. */
export const psamNumber = (name: string): string => (/^\d{12}$/.test(name) ? name : `99${tenDigits(name)}`)

/** The fifteen digits of a merchant that the scenario did not number. */
export const merchantNumber = (name: string): string => `43040${tenDigits(name)}`

/** The account of a party at its bank. */
export const bankAccountOf = (party: string): { number: string, bankCode: string } =>
  ({ number: `6222${merchantNumber(party)}`, bankCode: '104554000001' })

function tenDigits (name: string): string {
  if (/^[A-Z]$/.test(name)) return String(name.charCodeAt(0) - 64).padStart(10, '0')
  const hash = createHash('sha256').update(name).digest().readBigUInt64BE()
  return `1${String(hash % 1_000_000_000n).padStart(9, '0')}`
}
