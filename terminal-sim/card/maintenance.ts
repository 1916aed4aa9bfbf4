// What an issuer does to a virtual card under secure messaging: block and unblock, write files and keys. It
// refuses to know purses and PINs.
import type { Command } from '../../schemas/epurse/apdu.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { keyOfUsage, parseKeyRecord } from '../../schemas/epurse/key-set.ts'
import {
  type Files, checkBinaryWrite, checkRecordWrite, fidOfSfi, recordReference, updateBinary, updateRecord
} from './files.ts'
import { type Outcome, type Run, refusal } from './outcome.ts'
import { sw } from './response.ts'
import { takeSecured } from './secure-messaging.ts'
import type { CardState, Memory } from './state.ts'

/* ---- locks ---- */

/** Blocked for ever stays so; a temporary block may become a permanent one. */
export const block: Run = (card, command) => {
  const { memory, session } = card
  if (session.directory !== 'application') return refusal(sw.conditions)
  if (memory.lock === 'permanent') return refusal(sw.lockedForEver)
  if (command.p1 !== 0x00 || command.p2 > 0x01) return refusal(sw.badP1P2)
  const wrong = bareMac(card, command)
  if (wrong !== null) return wrong
  return { sw: sw.ok, memory: { ...memory, lock: command.p2 === 0x01 ? 'permanent' : 'temporary' } }
}

/** Three wrong MACs lock the application for ever. */
export const unblock: Run = (card, command) => {
  const { memory, session } = card
  if (session.directory !== 'application') return refusal(sw.conditions)
  if (memory.lock === 'permanent') return refusal(sw.lockedForEver)
  if (memory.lock !== 'temporary') return refusal(sw.conditions)
  if (command.p1 !== 0x00 || command.p2 !== 0x00) return refusal(sw.badP1P2)
  const wrong = bareMac(card, command)
  if (wrong === null) return { sw: sw.ok, memory: { ...memory, lock: 'none', unblockFailures: 0 } }
  if (wrong.sw !== sw.smMacWrong) return wrong
  const unblockFailures = (memory.unblockFailures ?? 0) + 1
  const lock = unblockFailures >= unblockFailuresMax ? 'permanent' : memory.lock
  const answer = lock === 'permanent' ? sw.lockedForEver : wrong.sw
  return { sw: answer, memory: { ...memory, lock, unblockFailures } }
}
const unblockFailuresMax = 3

export const blockCard: Run = (card, command) => {
  if (command.p1 !== 0x00 || command.p2 !== 0x00) return refusal(sw.badP1P2)
  return bareMac(card, command) ?? { sw: sw.ok, memory: { ...card.memory, lock: 'card' } }
}

/** Null where the MAC, all that such a command carries, is right. */
function bareMac (card: CardState, command: Command): Outcome | null {
  if (command.data.length !== 4) return refusal(sw.wrongLength)
  const taken = takeSecured(card, command, 'maintenance', 'clear')
  return 'sw' in taken ? taken : null
}

/* ---- files ---- */

/** Into the file with the short id in P1, else into the selected one. */
export const binaryUpdate: Run = (card, command) => {
  const locked = lockOf(card)
  if (locked !== null) return refusal(locked)
  const { p1, p2, data } = command
  const bySfi = (p1 & 0x80) !== 0
  const fid = bySfi ? fidOfSfi(p1 & 0x1F) : card.session.file
  if (fid === null) return refusal(sw.noFile)
  const offset = bySfi ? p2 : p1 << 8 | p2
  const status = checkBinaryWrite(filesOf(card)[fid], offset, data.length - 4)
  if (status !== sw.ok) return refusal(status)
  const taken = takeSecured(card, command, 'maintenance', 'clear')
  if ('sw' in taken) return taken
  return written(card, fid, updateBinary(filesOf(card), fid, offset, taken.data))
}

/** The lock byte inside a record hinders composite purchases, not the issuer. */
export const recordUpdate: Run = (card, command) => {
  const locked = lockOf(card)
  if (locked !== null) return refusal(locked)
  const { p1, p2, data } = command
  const reference = recordReference(p2)
  if (reference === null) return refusal(sw.badP1P2)
  const fid = reference.sfi === 0 ? card.session.file : fidOfSfi(reference.sfi)
  if (fid === null) return refusal(sw.noFile)
  const record = data.subarray(0, -4)
  const status = checkRecordWrite(filesOf(card)[fid], p1, reference.byTag, record)
  if (status !== sw.ok) return refusal(status)
  const taken = takeSecured(card, command, 'maintenance', 'clear')
  if ('sw' in taken) return taken
  return written(card, fid, updateRecord(filesOf(card), { fid, record: p1, data: hex(taken.data) }))
}

/** Files and keys of a finished card take nothing without a MAC. */
export const unsecured: Run = () => refusal(sw.smMissing)

const lockOf = ({ memory, session }: CardState): number | null => {
  if (session.directory === 'master' || memory.lock === 'none') return null
  return memory.lock === 'permanent' ? sw.lockedForEver : sw.conditions
}

const filesOf = ({ memory, session }: CardState): Files => memory[session.directory]

const written = ({ memory, session }: CardState, fid: string, files: Files): Outcome =>
  ({ sw: sw.ok, memory: { ...memory, [session.directory]: files }, session: { file: fid } })

/* ---- keys ---- */

/** Under the master key that is there; a new one has all its tries. */
export const writeKey: Run = (card, command) => {
  const { chip } = card
  if (command.p1 !== 0x00 || command.p2 !== 0x00) return refusal(sw.badP1P2)
  const taken = takeSecured(card, command, 'master', 'enciphered')
  if ('sw' in taken) return taken
  const record = parseKeyRecord(taken.data)
  if (!record.ok || record.algorithm !== chip.algorithm) return refusal(sw.badData)
  const name = keyOfUsage(chip.settings.keyUsages, record.usage)
  if (name === null) return refusal(sw.dataMissing)
  const { version, key16 } = record
  const keys = { ...taken.memory.keys, [name]: { version, key: hex(key16) } }
  const macFailures = { ...taken.memory.macFailures, [name]: 0 }
  const memory: Memory = { ...taken.memory, keys, macFailures }
  return { sw: sw.ok, memory }
}
