// The whole of a virtual card as a value: who it is, what survives without power, what does not.
// It refuses to know commands.

import { contactlessAtr, givenAtr } from '../atr.ts'
import { decode } from '../../schemas/epurse/layout.ts'
import { logRecord } from '../../schemas/epurse/files.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import type { KeyName } from '../../schemas/epurse/key-set.ts'
import { profiles } from '../../schemas/epurse/profiles.ts'
import { suites, type Suite } from '../../schemas/epurse/suite.ts'
import { testMasterKey } from '../keys.ts'
import {
  type Blank, type CardDescription, type CardKeys, type CardReport, type CardSettings, type Lock,
  type LogEntry, type Proof, type PurseReport,
  algorithmOf, checkDescription, personalise, settingsOf, testMasterKeys
} from './description.ts'
import type { Files, RecordUpdate } from './files.ts'
import { makeFiles } from './maker.ts'
import { type Purse, balanceFen } from './purse.ts'
import type { Waiting } from './response.ts'
import type { State } from './session.ts'

export type CardState = { readonly chip: ChipFacts, readonly memory: Memory, readonly session: Session }

/** What never changes. */
export type ChipFacts = {
  readonly description: CardDescription
  readonly settings: CardSettings
  readonly suite: Suite
  /** As described; a key that was written since stands in the memory. */
  readonly keys: Readonly<Record<keyof Required<CardKeys>, Uint8Array>>
  readonly keyVersion: number
  readonly algorithm: number
  readonly authCode9: Uint8Array | null
  readonly atr: Uint8Array
}

/** Non-volatile, and plain data: a commit replaces it as a whole, so it is never half done. */
export type Memory = {
  readonly ep: Purse
  readonly ed: Purse | null
  readonly master: Files
  readonly application: Files
  readonly lock: Lock
  readonly proof: Proof | null
  /** Wrong MACs of APPLICATION UNBLOCK in a row. */
  readonly unblockFailures?: number
  /** How often a PIN may still be tried; absent: as often as the description says. */
  readonly pinTriesLeft?: number
  /** The PIN, where it is another than the description's. */
  readonly pinDigits?: string
  /** Written by WRITE KEY; a blank card has no others. */
  readonly keys?: Readonly<Partial<Record<KeyName, StoredKey>>>
  /** Wrong MACs in a row under keys that count them. */
  readonly macFailures?: Readonly<Partial<Record<KeyName, number>>>
}

/** 16 bytes, hex. */
export type StoredKey = { readonly version: number, readonly key: string }

export type PurseName = 'ep' | 'ed'

/** Volatile. */
export type Session = {
  readonly state: State
  readonly directory: 'master' | 'application'
  /** Id of the selected elementary file. */
  readonly file: string | null
  readonly initialised: Initialised | null
  readonly cache: readonly RecordUpdate[]
  readonly waiting: Waiting | null
  /** Of GET CHALLENGE, for the very next command. */
  readonly challenge: Uint8Array | null
  /** Until another application is selected. */
  readonly pinVerified: boolean
}

/** What INITIALIZE fixed for the transaction under way. */
export type Initialised = {
  readonly purse: PurseName, readonly type: number, readonly amountFen: number, readonly counter: number
  readonly terminal6: Uint8Array, readonly rand4: Uint8Array
}

export const afterReset: Session = {
  state: 'idle', directory: 'master', file: null, initialised: null, cache: [], waiting: null,
  challenge: null, pinVerified: false
}

/** A new card. Throws RangeError naming the field of the description that cannot be. */
export function createCard (description: CardDescription): CardState {
  checkDescription(description)
  const { overdraft, depositFen } = description
  return {
    chip: factsOf(description),
    memory: {
      ep: newPurse(description, description.balanceFen ?? 0, overdraft),
      ed: depositFen === undefined ? null : newPurse({}, depositFen, undefined),
      ...makeFiles(description),
      ...description.blank === undefined ? {} : { keys: transportKeys(description.blank) },
      lock: description.lock ?? 'none',
      proof: null
    },
    session: afterReset
  }
}

function transportKeys ({ transportKey }: Blank): NonNullable<Memory['keys']> {
  const key = { version: 0, key: transportKey ?? hex(testMasterKey('TRK')) }
  return { maintenance: key, master: key }
}

/** The card as {@link Memory} kept it. */
export const restoreCard = (description: CardDescription, memory: Memory): CardState =>
  ({ chip: factsOf(description), memory, session: afterReset })

/** What is left of a card when the field is gone. */
export const powerOff = (card: CardState): CardState => ({ ...card, session: afterReset })

function factsOf (description: CardDescription): ChipFacts {
  const made = personalise(description, testMasterKeys())
  const keys = { ...made, ...description.keys }
  const hasAuthCode = profiles[description.profile].authCode
  const authCode = description.authCode ?? (hasAuthCode ? defaultAuthCode : undefined)
  return {
    description,
    settings: settingsOf(description),
    suite: suites[description.suite ?? '3des'],
    keys: {
      dpk: unhex(keys.dpk), dlk: unhex(keys.dlk), dtk: unhex(keys.dtk), damk: unhex(keys.damk),
      dpuk: unhex(keys.dpuk), drpk: unhex(keys.drpk), dmk: unhex(keys.dmk)
    },
    keyVersion: description.keyVersion ?? 1,
    algorithm: algorithmOf(description),
    authCode9: authCode === undefined ? null : unhex(authCode),
    atr: description.atr === undefined ? contactlessAtr(Buffer.from('CITYCARD')) : givenAtr(description.atr)
  }
}

/** Null where the card has no such key yet. */
export function keyOf (
  { chip, memory }: CardState, name: KeyName
): { readonly version: number, readonly bytes: Uint8Array } | null {
  const stored = memory.keys?.[name]
  if (stored !== undefined) return { version: stored.version, bytes: unhex(stored.key) }
  if (chip.description.blank !== undefined) return null
  return { version: chip.keyVersion, bytes: chip.keys[describedKeys[name]] }
}
const describedKeys = {
  purchase: 'dpk', load: 'dlk', tac: 'dtk', maintenance: 'damk', pin_unblock: 'dpuk', pin_reload: 'drpk',
  master: 'dmk'
} as const satisfies Record<KeyName, keyof CardKeys>

/** How a code is made is not public; 85 in front is. */
const defaultAuthCode = '850011223300112233'

const newPurse = (
  { offlineCounter = 0, onlineCounter = 0 }: Pick<CardDescription, 'offlineCounter' | 'onlineCounter'>,
  realFen: number, overdraft: CardDescription['overdraft']
): Purse => ({
  realFen, usedFen: overdraft?.usedFen ?? 0, limitFen: overdraft?.limitFen ?? 0, offlineCounter, onlineCounter
})

export function reportCard ({ chip, memory }: CardState): CardReport {
  const { profile } = chip.description
  return {
    profile,
    ...identityOf(chip.description, memory),
    lock: memory.lock,
    pinTriesLeft: pinOf({ chip, memory })?.triesLeft ?? null,
    purse: reportPurse(memory.ep),
    deposit: memory.ed === null ? null : reportPurse(memory.ed),
    log: recordsOf(memory.application['0018']).map(logEntry),
    capp: Object.fromEntries(cappFiles[profile].map(fid => [fid, recordsOf(memory.application[fid])])),
    proof: memory.proof
  }
}

function identityOf ({ blank, issuer, serial }: CardDescription, { application }: Memory) {
  const file = application['0015']
  if (blank === undefined || file?.kind !== 'binary') return { issuer, serial }
  return { issuer: file.bytes.slice(0, 16), serial: file.bytes.slice(20, 40) }
}

export type PinState = { readonly digits: string, readonly triesLeft: number }

/** Null for a card without a PIN. */
export function pinOf ({ chip, memory }: Pick<CardState, 'chip' | 'memory'>): PinState | null {
  const digits = memory.pinDigits ?? chip.description.pin?.digits
  return digits === undefined ? null : { digits, triesLeft: memory.pinTriesLeft ?? pinTriesMax(chip) }
}

/** Whether a PIN can be loaded: a blank card is made for one, another card only if it has one. */
export const hasPinFile = ({ chip: { description } }: CardState): boolean =>
  description.pin !== undefined || description.blank !== undefined

export const pinTriesMax = ({ description: { pin } }: ChipFacts): number => pin?.tries ?? pinTries
const pinTries = 3

const cappFiles = {
  't-union': ['001E', '001A'], cjt166: ['0017'], 'cjt166-auth': ['0017'], pboc: []
} as const

const reportPurse = (purse: Purse): PurseReport => ({ balanceFen: balanceFen(purse), ...purse })

const recordsOf = (file: Files[string] | undefined): readonly string[] =>
  file === undefined || file.kind === 'binary' ? [] : file.records

function logEntry (record: string): LogEntry {
  const decoded = decode(logRecord, unhex(record))
  if (!decoded.ok) throw new Error(decoded.error)
  const { raw: _, ...entry } = decoded.value
  return entry
}
