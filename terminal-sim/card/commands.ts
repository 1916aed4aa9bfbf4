// What each command of a virtual card does; those of files and purses stand here. Each is pure: the moment of
// the commit is the caller's. It refuses to know which command may come when.

import type { Command } from '../../schemas/epurse/apdu.ts'
import { logRecord } from '../../schemas/epurse/files.ts'
import {
  concat, equalConstantTime, hex, readU16, readU32, u16, u24, u32, u8, unhex
} from '../../schemas/epurse/hex.ts'
import type { KeyName } from '../../schemas/epurse/key-set.ts'
import { encode } from '../../schemas/epurse/layout.ts'
import {
  loadMac1, loadMac2, loadSessionKey, loadTac, purchaseMac1, purchaseMac2, purchaseSessionKey, purchaseTac
} from '../../schemas/epurse/mac.ts'
import { ppse, profiles, pse } from '../../schemas/epurse/profiles.ts'
import { transactionTypes as types } from '../../schemas/epurse/transaction-types.ts'
import { limits } from '../../schemas/limits.ts'
import {
  type Found, appendRecord, checkUpdate, fidOf, fidOfSfi, isFid, readBinary, readRecord, recordReference,
  updateRecord
} from './files.ts'
import {
  binaryUpdate, block, blockCard, recordUpdate, unblock, unsecured, writeKey
} from './maintenance.ts'
import { tlv } from './maker.ts'
import { type Draw, type Outcome, type Run, done, refusal } from './outcome.ts'
import { changePin, reloadPin, unblockPin, verifyPin } from './pin.ts'
import { type Purse, fits, load, spend, spendableFen } from './purse.ts'
import { sw } from './response.ts'
import {
  type CardState, type Initialised, type Memory, type PurseName, keyOf, pinOf
} from './state.ts'
import type { Step } from './session.ts'

export const runs: Readonly<Record<Step, Run>> = {
  select,
  read_binary: binaryRead,
  read_record: recordRead,
  get_balance: getBalance,
  get_challenge: getChallenge,
  get_auth_code: getAuthCode,
  init_load: initialiseLoad,
  init_purchase: (card, command, random) => initialisePurchase(card, command, random, 'simple'),
  init_capp: (card, command, random) => initialisePurchase(card, command, random, 'capp'),
  update_capp: updateCapp,
  credit,
  debit,
  prove,
  block_application: block,
  unblock_application: unblock,
  block_card: blockCard,
  verify_pin: verifyPin,
  change_pin: changePin,
  reload_pin: reloadPin,
  unblock_pin: unblockPin,
  update_binary: binaryUpdate,
  update_record: recordUpdate,
  write_key: writeKey,
  unsecured
}

/* ---- files ---- */

function select (card: CardState, { p1, p2, data }: Command): Outcome {
  if ((p1 !== 0x00 && p1 !== 0x04) || p2 !== 0x00) return refusal(sw.badP1P2)
  return p1 === 0x04 ? selectByName(card, data) : selectByFid(card, data)
}

/** A DF answers to its name and to a beginning of it of 5 bytes or more, the registered part. */
function selectByName (card: CardState, name: Uint8Array): Outcome {
  const named = (whole: Uint8Array) => name.length >= 5 && hex(whole).startsWith(hex(name))
  if (named(pse)) return selectMaster()
  if (named(ppse)) return done(directoryOfPpse(card))
  const { aid } = profiles[card.chip.description.profile]
  return named(aid) ? selectApplication(card) : refusal(sw.fileMissing)
}

function selectByFid (card: CardState, data: Uint8Array): Outcome {
  if (!isFid(data)) return refusal(sw.wrongLength)
  const fid = fidOf(data)
  if (fid === '3F00') return selectMaster()
  if (fid === '3F01') return selectApplication(card)
  if (card.memory[card.session.directory][fid] === undefined) return refusal(sw.fileMissing)
  return done(undefined, { file: fid })
}

const selectMaster = () =>
  done(tlv(0x6F, tlv(0x84, pse), tlv(0xA5, tlv(0x88, u8(1)))),
    { directory: 'master', file: null, pinVerified: false })

const directoryOfPpse = ({ chip }: CardState) =>
  tlv(0x6F, tlv(0x84, ppse), tlv(0xA5, tlv(0xBF0C, tlv(0x61,
    tlv(0x4F, profiles[chip.description.profile].aid), tlv(0x87, u8(1))))))

/**
 * A locked application still tells its FCI, with the status word of its family; a permanently locked one
 * does not.
 */
function selectApplication ({ chip, memory }: CardState): Outcome {
  if (memory.lock === 'permanent') return refusal(sw.lockedForEver)
  const { fciVersion, lockedSw } = chip.settings
  const version = fciVersion === null ? [] : [tlv(0x9F08, u8(fciVersion))]
  const published = readBinary(memory.application['0015'], 0, null)
  const fci = tlv(0x6F, tlv(0x84, profiles[chip.description.profile].aid), tlv(0xA5,
    ...version, tlv(0x9F0C, 'data' in published ? published.data : new Uint8Array())))
  const status = memory.lock === 'temporary' ? lockedSw : sw.ok
  return { ...done(fci, { directory: 'application', file: null, pinVerified: false }), sw: status }
}

function binaryRead ({ memory, session }: CardState, { p1, p2, data, le }: Command): Outcome {
  if (data.length > 0) return refusal(sw.wrongLength)
  const bySfi = (p1 & 0x80) !== 0
  const fid = bySfi ? fidOfSfi(p1 & 0x1f) : session.file
  if (fid === null) return refusal(sw.noFile)
  return readOutcome(readBinary(memory[session.directory][fid], bySfi ? p2 : p1 << 8 | p2, le), fid)
}

function recordRead ({ memory, session }: CardState, { p1, p2, data }: Command): Outcome {
  const reference = recordReference(p2)
  if (data.length > 0) return refusal(sw.wrongLength)
  if (reference === null) return refusal(sw.badP1P2)
  const fid = reference.sfi === 0 ? session.file : fidOfSfi(reference.sfi)
  if (fid === null) return refusal(sw.noFile)
  return readOutcome(readRecord(memory[session.directory][fid], p1, reference.byTag), fid)
}

const readOutcome = (found: Found, fid: string) =>
  'data' in found ? done(found.data, { file: fid }) : refusal(found.sw)

/* ---- balance, random, authentication code ---- */

function getBalance ({ chip, memory, session }: CardState, { p1, p2, data }: Command): Outcome {
  if (session.directory !== 'application') return refusal(sw.conditions)
  const purse = purseAt(memory, p2)
  if (data.length > 0) return refusal(sw.wrongLength)
  if (purse === null) return refusal(sw.badP1P2)
  const amounts = chip.settings.balanceSelectors
    ? [spendableFen(purse[1]), purse[1].limitFen, purse[1].usedFen, purse[1].realFen]
    : [purse[1].realFen]
  const amount = amounts[p1]
  return amount === undefined ? refusal(sw.badP1P2) : done(u32(amount))
}

function getChallenge (_: CardState, { p1, p2, data, le }: Command, random: Draw): Outcome {
  if (p1 !== 0x00 || p2 !== 0x00) return refusal(sw.badP1P2)
  if (data.length > 0 || (le !== 4 && le !== 8)) return refusal(sw.wrongLength)
  const challenge = random(le)
  return done(challenge, { challenge })
}

function getAuthCode ({ chip }: CardState, { p1, p2, data }: Command): Outcome {
  if (chip.authCode9 === null) return refusal(sw.badIns)
  if (p1 !== 0x00 || p2 !== 0x00) return refusal(sw.dataMissing)
  return data.length === 0 ? done(chip.authCode9) : refusal(sw.wrongLength)
}

/** P2 of the purse commands. */
function purseAt ({ ep, ed }: Memory, p2: number): readonly [PurseName, Purse] | null {
  if (p2 === 0x02) return ['ep', ep]
  return p2 === 0x01 && ed !== null ? ['ed', ed] : null
}

/* ---- load ---- */

function initialiseLoad (card: CardState, command: Command, random: Draw): Outcome {
  const { chip, memory } = card
  const asked = askedOf(memory, command)
  if ('sw' in asked) return asked
  const { purse, name, keyIndex, amountFen, terminal6 } = asked
  if (pinOf(card) !== null && !card.session.pinVerified) return refusal(sw.securityNotMet)
  const key = keyOf(card, 'load')
  const hasKeys = key !== null && keyOf(card, 'tac') !== null
  if (keyIndex !== chip.settings.loadKeyIndex || !hasKeys) return refusal(sw.keyIndex)
  if (purse.onlineCounter >= limits.counterMax) return refusal(sw.counterMax)
  if (!fits(purse, amountFen)) return refusal(sw.badData)
  const type = name === 'ep' ? types.epLoad : types.edLoad
  const counter = purse.onlineCounter
  const initialised = { purse: name, type, amountFen, counter, terminal6, rand4: random(4) }
  const mac1 = loadMac1({ ...loadSession(card, initialised), ...initialised, oldBalanceFen: purse.realFen })
  return done(concat(
    u32(purse.realFen), u16(counter), u8(key.version), u8(chip.algorithm), initialised.rand4, mac1
  ), { initialised })
}

function credit (card: CardState, { p1, p2, data }: Command): Outcome {
  const { chip, memory, session: { initialised } } = card
  if (initialised === null) return refusal(chip.settings.outOfOrderSw)
  if (p1 !== 0x00 || p2 !== 0x00) return refusal(sw.badP1P2)
  if (data.length !== 11) return refusal(sw.wrongLength)
  const signed = { ...initialised, date4: data.slice(0, 4), time3: data.slice(4, 7) }
  const mac2 = data.slice(7)
  const expected = loadMac2({ ...loadSession(card, initialised), ...signed })
  if (!equalConstantTime(mac2, expected)) return refusal(sw.macWrong)

  const purse = load(purseOf(memory, initialised.purse), initialised.amountFen)
  const tac = loadTac({ ...signed, suite: chip.suite, dtk: keyAt(card, 'tac'), newBalanceFen: purse.realFen })
  const written = commit(memory, signed, purse, mac2, tac)
  const application = appendRecord(written.application, '001A', logOf(signed, purse))
  return { sw: sw.ok, data: tac, memory: { ...written, application } }
}

function loadSession (card: CardState, { rand4, counter }: Initialised) {
  const { suite } = card.chip
  return { suite, sessionKey: loadSessionKey({ suite, dlk: keyAt(card, 'load'), rand4, counter }) }
}

/* ---- purchase ---- */

function initialisePurchase (
  card: CardState, command: Command, random: Draw, form: 'simple' | 'capp'
): Outcome {
  const { chip, memory } = card
  const asked = askedOf(memory, command)
  if ('sw' in asked) return asked
  const { purse, name, keyIndex, amountFen, terminal6 } = asked
  if (form === 'capp' && name !== 'ep') return refusal(sw.badP1P2)
  const key = keyOf(card, 'purchase')
  const hasKeys = key !== null && keyOf(card, 'tac') !== null
  if (keyIndex !== chip.settings.purchaseKeyIndex || !hasKeys) return refusal(sw.keyIndex)
  if (purse.offlineCounter >= limits.counterMax) return refusal(sw.counterMax)
  if (amountFen > spendableFen(purse)) return refusal(sw.insufficient)
  const type = form === 'capp' ? types.cappPurchase : name === 'ep' ? types.epPurchase : types.edPurchase
  const rand4 = random(4)
  return done(concat(
    u32(purse.realFen), u16(purse.offlineCounter), u24(purse.limitFen),
    u8(key.version), u8(chip.algorithm), rand4
  ), { initialised: { purse: name, type, amountFen, counter: purse.offlineCounter, terminal6, rand4 } })
}

/** The record waits in the cache; only the debit writes it. */
function updateCapp ({ memory, session }: CardState, { p1, p2, data }: Command): Outcome {
  const reference = recordReference(p2)
  if (reference === null || reference.sfi === 0) return refusal(sw.badP1P2)
  const fid = fidOfSfi(reference.sfi)
  const status = checkUpdate(memory.application[fid], p1, reference.byTag, data)
  if (status !== sw.ok) return refusal(status)
  return done(undefined, { cache: [...session.cache, { fid, record: p1, data: hex(data) }] })
}

function debit (card: CardState, { p1, p2, data }: Command): Outcome {
  const { chip, memory, session: { initialised, cache } } = card
  if (initialised === null) return refusal(chip.settings.outOfOrderSw)
  if (p1 !== 0x01 || p2 !== 0x00) return refusal(sw.badP1P2)
  if (data.length !== 15) return refusal(sw.wrongLength)
  const { suite, authCode9 } = chip
  const sequence4 = data.slice(0, 4)
  const signed = { ...initialised, date4: data.slice(4, 8), time3: data.slice(8, 11) }
  const sessionKey = purchaseSessionKey({
    ...initialised, suite, dpk: keyAt(card, 'purchase'), sequence4
  })
  const expected = purchaseMac1({ ...signed, suite, sessionKey, ...(authCode9 && { authCode9 }) })
  if (!equalConstantTime(data.subarray(11), expected)) return refusal(sw.macWrong)

  const purse = spend(purseOf(memory, initialised.purse), initialised.amountFen)
  const mac2 = purchaseMac2({ suite, sessionKey, amountFen: initialised.amountFen })
  const tac = purchaseTac({ ...signed, suite, dtk: keyAt(card, 'tac'), sequence4 })
  const written = commit(memory, signed, purse, mac2, tac)
  const application = cache.reduce(updateRecord, written.application)
  return { sw: sw.ok, data: concat(tac, mac2), memory: { ...written, application } }
}

/** MAC2, then TAC: the other way round than DEBIT. Only of the last committed transaction. */
function prove ({ memory: { proof } }: CardState, { p1, p2, data }: Command): Outcome {
  if (p1 !== 0x00) return refusal(sw.badP1P2)
  if (data.length !== 2) return refusal(sw.wrongLength)
  if (proof === null || proof.type !== p2 || proof.counter !== readU16(data)) return refusal(sw.noProof)
  return done(concat(unhex(proof.mac2), unhex(proof.tac)))
}

/* ---- shared ---- */

type Asked = {
  readonly name: PurseName, readonly purse: Purse, readonly keyIndex: number, readonly amountFen: number
  readonly terminal6: Uint8Array
}

/** Data of every INITIALIZE: key index 1, amount 4, terminal number 6. */
function askedOf (memory: Memory, { p2, data }: Command): Asked | { readonly sw: number } {
  const found = purseAt(memory, p2)
  if (found === null) return { sw: sw.badP1P2 }
  if (data.length !== 11) return { sw: sw.wrongLength }
  const [name, purse] = found
  return { name, purse, keyIndex: data[0] ?? 0, amountFen: readU32(data, 1), terminal6: data.subarray(5) }
}

type Signed = Initialised & { readonly date4: Uint8Array, readonly time3: Uint8Array }

/** Purse, counter, log and proof change together or not at all. */
function commit (memory: Memory, signed: Signed, purse: Purse, mac2: Uint8Array, tac: Uint8Array): Memory {
  return {
    ...memory,
    [signed.purse]: purse,
    application: appendRecord(memory.application, '0018', logOf(signed, purse)),
    proof: { type: signed.type, counter: signed.counter + 1, mac2: hex(mac2), tac: hex(tac) }
  }
}

/** File 0018 keeps the counter of the INITIALIZE answer + 1. */
const logOf = ({ counter, amountFen, type, terminal6, date4, time3 }: Signed, { limitFen }: Purse) =>
  hex(encode(logRecord, {
    counter: counter + 1, overdraftFen: limitFen, amountFen, type,
    terminal: hex(terminal6), date: hex(date4), time: hex(time3)
  }))

/** Of a transaction that INITIALIZE has begun. */
function keyAt (card: CardState, name: KeyName): Uint8Array {
  const key = keyOf(card, name)
  if (key === null) throw new Error(`INITIALIZE found the key ${name}, and now it is gone`)
  return key.bytes
}

function purseOf (memory: Memory, name: PurseName): Purse {
  const purse = memory[name]
  if (purse === null) throw new Error(`INITIALIZE found the purse ${name}, and now it is gone`)
  return purse
}
