// Which card lies on the reader: selection in the published order, the files a terminal reads, and what they
// say. It refuses to know prices, blacklists and the PSAM.
import { getAuthCode, parseFci, readBinary, readRecord, selectByName } from '../../schemas/epurse/apdu.ts'
import { decodeCappRecord, file0015, file0017TUnion } from '../../schemas/epurse/files.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { decode } from '../../schemas/epurse/layout.ts'
import {
  type FileToRead, type Profile, type ProfileName, profiles, selectionOrder
} from '../../schemas/epurse/profiles.ts'
import { isLocked, isOk } from '../../schemas/epurse/status-words.ts'
import type { CardRules, ProfileRules, TapReason } from '../../schemas/gateway.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import type { Answer, Channel, Step } from './exchange.ts'

export type CardSeen = {
  readonly profile: Profile
  readonly card: CardRef
  readonly key: string
  /** Last 8 bytes of the serial and the issuer's 8 bytes: what keys are diversified by. */
  readonly factors: { readonly card: Uint8Array, readonly issuer: Uint8Array }
  readonly enabled: boolean
  /** YYYYMMDD */
  readonly startDate: string
  readonly expiryDate: string
  /** Card class byte, hex; null where the card does not say. */
  readonly cardClass: string | null
  readonly localOnly: boolean
  /** The record of the CAPP file that a composite purchase writes anew; null where there is none. */
  readonly cappRecord: Uint8Array | null
  readonly cappLocked: boolean
  readonly authCode: Uint8Array | null
}

/** `locked`: the card, where its application is locked and still says whose it is. */
type Seen =
  | { ok: true, seen: CardSeen }
  | { ok: false, reason: TapReason, locked?: CardRef }

/**
 * Selects the first application that is there and accepted, and reads its files. `greeting`: answers to
 * `greetingFor` where the card has been asked already.
 */
export async function readCard (
  card: Channel, rules: CardRules, greeting: readonly Answer[] | null
): Promise<Seen> {
  let answers = greeting
  for (const { accepted, steps } of applicationsFor(rules)) {
    const [selected, ...files] = answers ?? await card.run(steps())
    answers = null
    if (selected === undefined || selected.kind === 'unknown') return left
    if (isLocked(selected.sw)) return lockedCard(selected.data)
    if (isOk(selected.sw)) return seenIn(card, accepted, files)
  }
  return { ok: false, reason: 'card_unsupported' }
}

/** What is said first to every card: the application that most have, and its files. */
export const greetingFor = (rules: CardRules): readonly Step[] =>
  applicationsFor(rules).next().value?.steps() ?? []

type Application = { readonly accepted: readonly ProfileName[], steps (): readonly Step[] }

/** In the published order. Only where SELECT and the first file succeed are the others asked for. */
function * applicationsFor (rules: CardRules): Generator<Application, undefined> {
  for (const { aid, profiles: names } of selectionOrder) {
    const accepted = names.filter(name => rulesOf(rules, name).accepted !== false)
    const [first] = accepted
    if (first !== undefined) yield { accepted, steps: () => stepsInto(aid, profiles[first].reads) }
  }
}

function stepsInto (aid: Uint8Array, [file15, ...others]: readonly FileToRead[]): Step[] {
  return [
    { command: selectByName(aid), goOn: 'if_ok' },
    ...file15 === undefined ? [] : [{ command: readCommand(file15), goOn: 'if_ok' } as const],
    ...others.map(file => ({ command: readCommand(file), goOn: 'always' } as const))
  ]
}

export const rulesOf = (rules: CardRules, name: ProfileName): ProfileRules => rules.profiles?.[name] ?? {}

const left: Seen = { ok: false, reason: 'card_removed' }
const locked = { ok: false, reason: 'card_locked' } as const
const unreadable: Seen = { ok: false, reason: 'card_unreadable' }

/** SELECT of a locked application answers its FCI all the same, with file 0015 in it. */
function lockedCard (fci: Uint8Array): Seen {
  const parsed = parseFci(fci)
  const published = parsed.ok && parsed.issuerData !== null ? decode(file0015, parsed.issuerData) : null
  if (published === null || !published.ok) return locked
  const { issuer, serial } = published.value
  return { ...locked, locked: { issuer, serial, issue: 1 } }
}

/** Cards of several families answer to one name: the files that are there tell them apart. */
async function seenIn (
  card: Channel, accepted: readonly ProfileName[], [file15, ...more]: readonly Answer[]
): Promise<Seen> {
  if (file15 === undefined || file15.kind === 'unknown') return left
  if (!isOk(file15.sw)) return isLocked(file15.sw) ? locked : unreadable
  if (more.some(answer => answer.kind === 'unknown')) return left
  const others = more.map(answer => answer.kind === 'answer' && isOk(answer.sw) ? answer.data : null)
  const family = await familyOf(card, accepted, others)
  if (family === 'left') return left
  if (family === null) return { ok: false, reason: 'card_unsupported' }
  return seenFrom(family, file15.data, others)
}

const readCommand = (file: FileToRead): Uint8Array =>
  file.kind === 'binary' ? readBinary(file.sfi, 0, file.le) : readRecord(file.sfi, file.record, file.le)

type Family = { readonly name: ProfileName, readonly authCode: Uint8Array | null }

/**
 * A city-union card has its CAPP record; of these, some give an authentication code, the others do not know
 * the command.
 */
async function familyOf (
  card: Channel, accepted: readonly ProfileName[], others: readonly (Uint8Array | null)[]
): Promise<Family | 'left' | null> {
  if (accepted.includes('t-union')) return { name: 't-union', authCode: null }
  const cityUnion = others.length > 0 && others[0] !== null
  if (!cityUnion) return accepted.includes('pboc') ? { name: 'pboc', authCode: null } : null
  if (accepted.includes('cjt166-auth')) {
    const answer = await card.transmit(getAuthCode())
    if (answer.kind === 'unknown') return 'left'
    if (isOk(answer.sw) && answer.data.length === 9) return { name: 'cjt166-auth', authCode: answer.data }
  }
  return accepted.includes('cjt166') ? { name: 'cjt166', authCode: null } : null
}

function seenFrom (
  { name, authCode }: Family, file15: Uint8Array, [second = null]: readonly (Uint8Array | null)[]
): Seen {
  const publicData = decode(file0015, file15)
  if (!publicData.ok) return unreadable
  const { issuer, serial, startDate, expiryDate, applicationType, version } = publicData.value
  const card: CardRef = { issuer, serial, issue: 1 }
  const common = {
    profile: profiles[name],
    card,
    key: cardKey(card),
    factors: { card: unhex(serial).subarray(2), issuer: unhex(issuer) },
    startDate,
    expiryDate,
    authCode
  }
  switch (name) {
    case 't-union': return { ok: true, seen: { ...common, enabled: version !== 0, ...nationalData(second) } }
    case 'pboc': return { ok: true, seen: { ...common, enabled: true, cardClass: null, ...noCapp } }
  }
  const cardClass = hex(file15.subarray(28, 29))
  return { ok: true, seen: { ...common, enabled: applicationType === 1, cardClass, ...cityData(second) } }
}

const noCapp = { localOnly: false, cappRecord: null, cappLocked: false }

/** File 0017 of a T-Union card: class, and whether it may be used in other cities. */
function nationalData (file17: Uint8Array | null) {
  const decoded = file17 === null ? null : decode(file0017TUnion, file17)
  if (decoded === null || !decoded.ok) return { cardClass: null, ...noCapp }
  const { cardClass, interoperable } = decoded.value
  return { cardClass: hex(Uint8Array.of(cardClass)), ...noCapp, localOnly: interoperable === '0000' }
}

/** The CAPP record of a city-union card carries a lock of its own. */
function cityData (record: Uint8Array | null) {
  const decoded = record === null ? null : decodeCappRecord(record)
  const cappLocked = decoded !== null && decoded.ok && decoded.value.locked
  return { localOnly: false, cappRecord: record, cappLocked }
}
