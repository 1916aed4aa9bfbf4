// The PSAM of a lane: start of day, signing a purchase, checking the card's answer. One that failed is not
// trusted again before its next start of day. It refuses to know readers and what is sold.
import {
  type InitPurchaseAnswer, initIntoPsamMac1, parsePsamMac1, psamAuthCode, psamCheckMac2, psamInitMac1,
  readBinary, selectByFid, selectByName
} from '../../schemas/epurse/apdu.ts'
import { psam0015, psam0016 } from '../../schemas/epurse/files.ts'
import { readU32, unhex } from '../../schemas/epurse/hex.ts'
import { decode } from '../../schemas/epurse/layout.ts'
import { type Profile, profiles } from '../../schemas/epurse/profiles.ts'
import { describeStatus, isOk } from '../../schemas/epurse/status-words.ts'
import type { Answer, Channel, Step } from './exchange.ts'

export type Psam = {
  readonly serial: string
  /** Terminal number, hex, as it goes into MAC1 and TAC. */
  readonly terminal: string
  /** Purchase key index of the application for these cards, null where the module does not serve them. */
  keyIndex (profile: Profile): number | null
  /** Sequence of the last signature; MAC2 of that purchase, and of no other, can be checked. */
  lastSequence (): number | null
  sign (request: SigningRequest): Promise<Signature>
  /**
   * The same in the errand in which the card answers to INITIALIZE, right behind it. Null where the module
   * has to be told something else before.
   */
  relayed (request: Omit<SigningRequest, 'init'>): RelayedSigning | null
  checkMac2 (mac2: Uint8Array): Promise<'right' | 'wrong' | 'lost'>
}

export type SigningRequest = {
  readonly profile: Profile
  readonly init: InitPurchaseAnswer
  readonly amountFen: number
  readonly type: number
  readonly dateTime: Uint8Array
  readonly factors: readonly Uint8Array[]
  readonly authCode: Uint8Array | null
}

export type RelayedSigning = { readonly step: Step, read (answer: Answer): Signature }

export type Signature =
  | { kind: 'signed', sequence4: Uint8Array, sequence: number, mac1: Uint8Array }
  | { kind: 'refused', why: string }
  | { kind: 'lost', why: string }

export type Started =
  | { ok: true, psam: Psam }
  /** `final`: the same module would be refused again. */
  | { ok: false, why: string, final: boolean }

/**
 * Start of day: serial, terminal number, key index of each application. `expected`: the configured number.
 */
export async function startPsam (
  channel: Channel, atr: Uint8Array, expected: string | undefined
): Promise<Started> {
  if (atr.length === 0) return { ok: false, why: 'no ATR', final: false }
  const file15 = await read(channel, 0x15, 14)
  const file16 = await read(channel, 0x16, 6)
  if (typeof file15 === 'string') return { ok: false, why: `file 0015: ${file15}`, final: false }
  if (typeof file16 === 'string') return { ok: false, why: `file 0016: ${file16}`, final: false }
  const identity = decode(psam0015, file15)
  const place = decode(psam0016, file16)
  if (!identity.ok) return { ok: false, why: identity.error, final: true }
  if (!place.ok) return { ok: false, why: place.error, final: true }
  const { terminal } = place.value
  if (expected !== undefined && terminal !== expected) {
    return {
      ok: false, why: `terminal number ${terminal}, ${expected} is configured for this lane`, final: true
    }
  }
  const applications = await findApplications(channel)
  if (typeof applications === 'string') return { ok: false, why: applications, final: false }
  if (applications.size === 0) return { ok: false, why: 'no purchase application', final: true }
  return { ok: true, psam: readyPsam(channel, identity.value.serial, terminal, applications) }
}

async function read (channel: Channel, sfi: number, length: number): Promise<Uint8Array | string> {
  const answer = await channel.transmit(readBinary(sfi, 0, length))
  if (answer.kind === 'unknown') return answer.why
  return isOk(answer.sw) ? answer.data : describeStatus(answer.sw)
}

type Application = { readonly select: Uint8Array, readonly keyIndex: number }

/** By the text of the select command; the one that most cards need is selected last, and stays. */
async function findApplications (channel: Channel): Promise<Map<string, Application> | string> {
  const found = new Map<string, Application>()
  const selects = new Map(
    Object.values(profiles).map(profile => [selectText(profile), selectCommand(profile)])
  )
  for (const [text, select] of [...selects].reverse()) {
    const selected = await channel.transmit(select)
    if (selected.kind === 'unknown') return selected.why
    if (!isOk(selected.sw)) continue
    const file17 = await read(channel, 0x17, 1)
    if (typeof file17 === 'string') return `file 0017: ${file17}`
    found.set(text, { select, keyIndex: file17[0] ?? 0 })
  }
  return found
}

const selectCommand = ({ psamSelect }: Profile): Uint8Array =>
  'fid' in psamSelect ? selectByFid(psamSelect.fid) : selectByName(psamSelect.name)
const selectText = (profile: Profile): string => Buffer.from(selectCommand(profile)).toString('hex')

function readyPsam (
  channel: Channel, serial: string, terminal: string, applications: ReadonlyMap<string, Application>
): Psam {
  /** Undefined after a bad answer: nobody knows what the module thinks of it. */
  let selected = [...applications.keys()].at(-1)
  let lastSequence: number | null = null

  async function sign (request: SigningRequest): Promise<Signature> {
    lastSequence = null
    const text = selectText(request.profile)
    const application = applications.get(text)
    if (application === undefined) {
      return { kind: 'refused', why: `no application for ${request.profile.name}` }
    }
    const select = text === selected ? null : application.select
    selected = undefined
    for (const command of [select, request.authCode === null ? null : psamAuthCode(request.authCode)]) {
      if (command === null) continue
      const answer = await channel.transmit(command)
      if (!isGood(answer)) return badOf(answer)
    }
    const signature = signatureOf(await channel.transmit(initialiseFor(request)))
    if (signature.kind === 'signed') selected = text
    return signature
  }

  function relayed (request: Omit<SigningRequest, 'init'>): RelayedSigning | null {
    const text = selectText(request.profile)
    if (text !== selected || request.authCode !== null) return null
    const command = initialiseFor({ ...request, init: toBeCopied })
    return {
      step: { command, goOn: 'always', relay: { to: channel, copies: initIntoPsamMac1 } },
      read: answer => {
        const signature = signatureOf(answer)
        if (signature.kind !== 'signed') selected = undefined
        return signature
      }
    }
  }

  function signatureOf (answer: Answer): Signature {
    lastSequence = null
    if (!isGood(answer)) return badOf(answer)
    const signed = parsePsamMac1(answer.data)
    if (!signed.ok) return { kind: 'refused', why: signed.error }
    const sequence = readU32(signed.sequence4)
    lastSequence = sequence
    return { kind: 'signed', sequence4: signed.sequence4, sequence, mac1: signed.mac1 }
  }

  async function checkMac2 (mac2: Uint8Array): Promise<'right' | 'wrong' | 'lost'> {
    lastSequence = null
    const answer = await channel.transmit(psamCheckMac2(mac2))
    if (answer.kind === 'unknown') return 'lost'
    return isOk(answer.sw) ? 'right' : answer.sw === 0x9302 ? 'wrong' : 'lost'
  }

  return {
    serial,
    terminal,
    keyIndex: profile => applications.get(selectText(profile))?.keyIndex ?? null,
    lastSequence: () => lastSequence,
    sign,
    relayed,
    checkMac2
  }
}

function initialiseFor ({ init, amountFen, type, dateTime, factors }: SigningRequest): Uint8Array {
  const { rand4, counter, keyVersion, algorithm } = init
  const [date4, time3] = [dateTime.subarray(0, 4), dateTime.subarray(4)]
  return psamInitMac1({ rand4, counter, amountFen, type, date4, time3, keyVersion, algorithm, factors })
}
const toBeCopied: InitPurchaseAnswer = {
  balanceFen: 0, counter: 0, overdraftFen: 0, keyVersion: 0, algorithm: 0, rand4: new Uint8Array(4)
}

type Good = Extract<Answer, { kind: 'answer' }>
const isGood = (answer: Answer): answer is Good => answer.kind === 'answer' && isOk(answer.sw)
const badOf = (answer: Answer): Signature => answer.kind === 'unknown'
  ? { kind: 'lost', why: answer.why }
  : { kind: 'refused', why: describeStatus(answer.sw) }

/** The six bytes of a terminal number. */
export const terminalBytes = (psam: Psam): Uint8Array => unhex(psam.terminal)
