// A virtual purchase PSAM as a value: terminal number, master purchase keys, transaction sequence; MAC1 for
// the terminal, MAC2 checked. It refuses to know readers, and cards but by their factors.

import assert from 'node:assert/strict'
import { type Command, parseCommand } from '../../schemas/epurse/apdu.ts'
import { psam0015, psam0016, psam0017 } from '../../schemas/epurse/files.ts'
import { concat, equalConstantTime, hex, readU16, readU32, u32, u8, unhex } from '../../schemas/epurse/hex.ts'
import { diversify } from '../../schemas/epurse/keys.ts'
import { encode } from '../../schemas/epurse/layout.ts'
import { purchaseMac1, purchaseMac2, purchaseSessionKey } from '../../schemas/epurse/mac.ts'
import { type SuiteName, suites } from '../../schemas/epurse/suite.ts'
import { transactionTypes as types } from '../../schemas/epurse/transaction-types.ts'
import { limits } from '../../schemas/limits.ts'
import { contactAtr, givenAtr } from '../atr.ts'
import { type File, fidOf, fidOfSfi, isFid, readBinary } from '../card/files.ts'
import { tlv } from '../card/maker.ts'
import {
  type AnswerForm, type Waiting, isWrongLe, respond, statusOnly, sw, takeWaiting, wrongLe
} from '../card/response.ts'
import { testMasterKey } from '../keys.ts'
import type { Power } from '../reader/chip.ts'
import { type PsamDescription, type PsamReport, checkDescription } from './description.ts'

export type PsamState = {
  readonly chip: PsamFacts, readonly memory: PsamMemory, readonly session: PsamSession
}

type PsamFacts = {
  readonly description: PsamDescription
  readonly terminal6: Uint8Array
  readonly keys: readonly { readonly version: number, readonly suite: SuiteName, readonly key: string }[]
  readonly master: Readonly<Record<string, File>>
  readonly application: Readonly<Record<string, File>>
  readonly answers: AnswerForm
  readonly errorsMax: number
  readonly atr: Uint8Array
}

/** Non-volatile, and plain data. */
export type PsamMemory = { readonly sequence: number, readonly errors: number, readonly locked: boolean }

/** Volatile. `mac2` is what the card's answer must be; `authCode9` is signed by the next MAC1. */
type PsamSession = {
  readonly directory: 'master' | 'application'
  readonly mac2: Uint8Array | null
  readonly authCode9: Uint8Array | null
  readonly waiting: Waiting | null
}

const afterReset: PsamSession = { directory: 'master', mac2: null, authCode9: null, waiting: null }

/** A new PSAM. Throws RangeError naming the field of the description that cannot be. */
export function createPsam (description: PsamDescription): PsamState {
  checkDescription(description)
  return restorePsam(description, { sequence: description.sequence ?? 1, errors: 0, locked: false })
}

export function restorePsam (description: PsamDescription, memory: PsamMemory): PsamState {
  const { terminal, answers = 'get-response', errorsMax = 3, atr } = description
  return {
    chip: {
      description,
      terminal6: unhex(terminal),
      keys: description.keys ?? [{ version: 1, suite: '3des', key: hex(testMasterKey('MPK')) }],
      ...makeFiles(description),
      answers,
      errorsMax,
      atr: atr === undefined ? contactAtr(Buffer.from('PSAM')) : givenAtr(atr)
    },
    memory,
    session: afterReset
  }
}

export const powerOff = (psam: PsamState): PsamState => ({ ...psam, session: afterReset })

export const reportPsam = ({ chip, memory }: PsamState): PsamReport =>
  ({ terminal: hex(chip.terminal6), ...memory })

function makeFiles (description: PsamDescription): Pick<PsamFacts, 'master' | 'application'> {
  const { terminal, serial = `00000000${terminal}`, keyIndex = 1 } = description
  const { issuer = 'FFFFFFFFFFFFFFFF', acceptor = 'FFFFFFFFFFFFFFFF' } = description
  const binary = (bytes: Uint8Array): File => ({ kind: 'binary', bytes: hex(bytes) })
  return {
    master: {
      '0015': binary(encode(psam0015, { serial, version: 1, keyCardType: 0 })),
      '0016': binary(encode(psam0016, { terminal }))
    },
    application: {
      '0017': binary(encode(
        psam0017, { keyIndex, issuer, acceptor, startDate: '20200101', expiryDate: '20991231' }
      ))
    }
  }
}

/** The answer (null where power was cut) and the PSAM after it. Any bytes are taken; nothing is thrown. */
export function transmitPsam (
  psam: PsamState, bytes: Uint8Array, power: Power = 'steady'
): { readonly response: Uint8Array | null, readonly psam: PsamState } {
  const done = execute(psam, bytes)
  if (power === 'steady') return done
  const memory = power === 'cut_before_commit' ? psam.memory : done.psam.memory
  return { response: null, psam: powerOff({ ...psam, memory }) }
}

/** A status word other than 9000 is a refusal; memory may still change (the error counter). */
type Outcome = {
  readonly sw: number, readonly data?: Uint8Array
  readonly memory?: PsamMemory, readonly session?: Partial<PsamSession>
}

const commands: readonly { cla: number, ins: number, run (psam: PsamState, command: Command): Outcome }[] = [
  { cla: 0x00, ins: 0xA4, run: select },
  { cla: 0x00, ins: 0xB0, run: read },
  { cla: 0x80, ins: 0xCA, run: takeAuthCode },
  { cla: 0x80, ins: 0x70, run: makeMac1 },
  { cla: 0x80, ins: 0x72, run: checkMac2 }
]

function execute (psam: PsamState, bytes: Uint8Array): { response: Uint8Array, psam: PsamState } {
  const command = parseCommand(bytes)
  const finish = (outcome: Outcome, { bytes: response, waiting }: ReturnType<typeof respond>) => ({
    response,
    psam: {
      ...psam,
      memory: outcome.memory ?? psam.memory,
      session: { ...psam.session, ...outcome.session, waiting }
    }
  })
  if (!command.ok) return finish({ sw: sw.wrongLength }, statusOnly(sw.wrongLength))
  if (command.cla === 0x00 && command.ins === 0xC0) {
    return finish({ sw: sw.ok }, takeWaiting(psam.session.waiting, command.le))
  }
  const outcome = runOf(command)(psam, command)
  const data = outcome.data ?? new Uint8Array()
  if (isWrongLe(command.le, data)) return { response: statusOnly(wrongLe(data)).bytes, psam }
  return finish(outcome, respond(psam.chip.answers, data, outcome.sw))
}

function runOf ({ cla, ins }: Command): (psam: PsamState, command: Command) => Outcome {
  const known = commands.find(row => row.cla === cla && row.ins === ins)
  if (known !== undefined) return known.run
  return () => ({ sw: cla === 0x00 || cla === 0x80 ? sw.badIns : sw.badCla })
}

/* ---- files ---- */

/** By profile: the application's file id, its DF name, and the rest of its FCI. */
const mohurd = {
  fid: '1001', name: unhex('BDA8C9E8B2BF0000'), proprietary: (file17: Uint8Array) => tlv(0x9F0C, file17)
}
const applications = {
  't-union': {
    fid: '8011',
    name: unhex('A0000006324D4F542E435053414D3031'),
    proprietary: () => concat(tlv(0x9F08, u8(2)), tlv(0x9F0C))
  },
  cjt166: mohurd,
  'cjt166-auth': mohurd,
  pboc: mohurd
} as const

function select ({ chip }: PsamState, { p1, p2, data }: Command): Outcome {
  const { fid, name, proprietary } = applications[chip.description.profile]
  if ((p1 !== 0x00 && p1 !== 0x04) || p2 !== 0x00) return { sw: sw.badP1P2 }
  if (p1 === 0x00 && !isFid(data)) return { sw: sw.wrongLength }
  if (p1 === 0x00 && fidOf(data) === '3F00') return { sw: sw.ok, session: afterReset }
  const isNamed = p1 === 0x04 && data.length >= 5 && hex(name).startsWith(hex(data))
  if (!isNamed && !(p1 === 0x00 && fidOf(data) === fid)) return { sw: sw.fileMissing }
  const file17 = readBinary(chip.application['0017'], 0, null)
  assert('data' in file17)
  const fci = tlv(0x6F, tlv(0x84, name), tlv(0xA5, proprietary(file17.data)))
  return { sw: sw.ok, data: fci, session: { ...afterReset, directory: 'application' } }
}

function read ({ chip, session }: PsamState, { p1, p2, data, le }: Command): Outcome {
  if ((p1 & 0x80) === 0) return { sw: sw.noFile }
  if (data.length > 0) return { sw: sw.wrongLength }
  const found = readBinary(chip[session.directory][fidOfSfi(p1 & 0x1f)], p2, le)
  return 'data' in found ? { sw: sw.ok, data: found.data } : found
}

/* ---- purchase ---- */

/** Accepted for the next MAC1 alone. */
function takeAuthCode (psam: PsamState, { p1, p2, data }: Command): Outcome {
  const refusal = refusalOf(psam)
  if (refusal !== null) return { sw: refusal }
  if (p1 !== 0x00 || p2 !== 0x00) return { sw: sw.dataMissing }
  if (data.length !== 9) return { sw: sw.wrongLength }
  const { authCodes } = psam.chip.description
  const isAccepted = authCodes === undefined || authCodes.some(code => hex(unhex(code)) === hex(data))
  return isAccepted ? { sw: sw.ok, session: { authCode9: data } } : { sw: sw.authenticationFailed }
}

/** Random 4, counter 2, amount 4, type 1, date 4, time 3, key version 1, algorithm 1; the factors follow. */
const purchaseBytes = 20

function makeMac1 (psam: PsamState, { p1, p2, data }: Command): Outcome {
  const refusal = refusalOf(psam)
  if (refusal !== null) return { sw: refusal }
  if (p1 !== 0x00 || p2 !== 0x00) return { sw: sw.badP1P2 }
  if (![0x1C, 0x24, 0x2C].includes(data.length)) return { sw: sw.wrongLength }
  const { chip, memory, session: { authCode9 } } = psam
  const [type = 0, keyVersion] = [data[10], data[18]]
  const held = chip.keys.find(({ version }) => version === keyVersion)
  if (held === undefined) return { sw: sw.keyIndex }
  if (!purchaseTypes.includes(type)) return { sw: sw.badData }
  if (memory.sequence >= limits.sequenceMax) return { sw: sw.counterMax }
  const suite = suites[held.suite]
  const sequence4 = u32(memory.sequence)
  const amountFen = readU32(data, 6)
  const dpk = diversify(suite, unhex(held.key), factorsOf(data, chip.description.order))
  const sessionKey = purchaseSessionKey({
    suite, dpk, rand4: data.subarray(0, 4), counter: readU16(data, 4), sequence4
  })
  const { terminal6 } = chip
  const [date4, time3] = [data.subarray(11, 15), data.subarray(15, 18)]
  const signed = { suite, sessionKey, amountFen, type, terminal6, date4, time3 }
  const mac1 = purchaseMac1({ ...signed, ...(authCode9 && { authCode9 }) })
  return {
    sw: sw.ok,
    data: concat(sequence4, mac1),
    memory: { ...memory, sequence: memory.sequence + 1 },
    session: { mac2: purchaseMac2(signed), authCode9: null }
  }
}

const purchaseTypes: readonly number[] = [types.edPurchase, types.epPurchase, types.cappPurchase]

/** In the order of their levels; the command brings the card's factor first. */
function factorsOf (data: Uint8Array, order: PsamDescription['order'] = 'city-first'): Uint8Array[] {
  const given: Uint8Array[] = []
  for (let at = purchaseBytes; at < data.length; at += 8) given.push(data.subarray(at, at + 8))
  return order === 'city-first' ? given.reverse() : given
}

/** One try per MAC1; so many wrong ones in a row lock the application. */
function checkMac2 (psam: PsamState, { p1, p2, data }: Command): Outcome {
  const { chip, memory, session: { mac2 } } = psam
  const refusal = refusalOf(psam)
  if (refusal !== null) return { sw: refusal }
  if (p1 !== 0x00 || p2 !== 0x00) return { sw: sw.badP1P2 }
  if (data.length !== 4) return { sw: sw.wrongLength }
  if (mac2 === null) return { sw: sw.outOfOrder }
  if (equalConstantTime(mac2, data)) {
    return { sw: sw.ok, memory: { ...memory, errors: 0 }, session: { mac2: null } }
  }
  const errors = memory.errors + 1
  return {
    sw: sw.macWrong, memory: { ...memory, errors, locked: errors >= chip.errorsMax }, session: { mac2: null }
  }
}

function refusalOf ({ memory, session }: PsamState): number | null {
  if (session.directory !== 'application') return sw.conditions
  return memory.locked ? sw.lockedForEver : null
}
