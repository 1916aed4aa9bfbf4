// A virtual social-security card: its application by name, the records of its files, and beside it a purse
// where there is one. External authentication is not simulated: what is guarded stays so. It refuses to know
// readers.
import { type Command, parseCommand } from '../../schemas/epurse/apdu.ts'
import { concat, hex, u16 } from '../../schemas/epurse/hex.ts'
import {
  type Holder, type SsseFile, buildSsseRecord, ssseFiles, ssseNames
} from '../../schemas/ssse/files.ts'
import { contactAtr, contactlessAtr, givenAtr } from '../atr.ts'
import { type CardChip, cardChip } from '../card/card-chip.ts'
import { type File, type Files, fidOf, isFid, readRecord, recordReference } from '../card/files.ts'
import { tlv } from '../card/maker.ts'
import { type Waiting, isWrongLe, respond, sw, takeWaiting, wrongLe } from '../card/response.ts'
import type { Random } from '../random.ts'
import type { Chip, Power } from '../reader/chip.ts'
import { type FileName, type SsseDescription, type SsseReport, fileNames } from './description.ts'

export type SsseChip = Chip & { report (): SsseReport, stored (): unknown }

/** `stored` is what another chip of this description gave: the memory of its purse. */
export function ssseChip (description: SsseDescription, random: Random, stored?: unknown): SsseChip {
  const facts = factsOf(description)
  const { purse: described } = description
  const purse = described === undefined ? null : cardChip(described, random, stored ?? undefined)
  let session: Session = afterReset

  function reset (): void {
    session = afterReset
    purse?.reset()
  }

  /** The application that a SELECT finds answers, and all that follows until the next. */
  function transmit (bytes: Uint8Array, power: Power): Uint8Array | null {
    const command = parseCommand(bytes)
    const isSelect = command.ok && command.ins === 0xA4 && command.p1 === 0x04
    const isOurs = isSelect ? facts.isName(command.data) : session.current !== 'purse'
    if (!isOurs && purse !== null) return askPurse(purse, bytes, power)
    if (power !== 'steady') {
      reset()
      return null
    }
    const done = command.ok ? answer(facts, session, command) : refusal(session, sw.wrongLength)
    session = done.session
    return done.response
  }

  /** A name that the purse does not know either leaves what is selected as it is. */
  function askPurse (purse: CardChip, bytes: Uint8Array, power: Power): Uint8Array | null {
    const response = purse.transmit(bytes, power)
    const isFound = response !== null && hex(response) !== hex(u16(sw.fileMissing))
    if (response === null) reset()
    else if (isFound) session = { ...afterReset, current: 'purse' }
    return response
  }

  return {
    atr: facts.atr,
    reset,
    transmit,
    report: () => ({ purse: purse?.report() ?? null }),
    stored: () => purse?.stored() ?? null
  }
}

type Session = {
  readonly current: 'none' | 'ssse' | 'purse', readonly file: string | null, readonly waiting: Waiting | null
}
const afterReset: Session = { current: 'none', file: null, waiting: null }

/* ---- what the card is ---- */

type Facts = {
  readonly description: SsseDescription
  readonly atr: Uint8Array
  readonly name: Uint8Array
  readonly files: Files
  isName (name: Uint8Array): boolean
}

function factsOf (description: SsseDescription): Facts {
  const { environment = 'sx1', answers = 'direct', atr } = description
  const name = ssseNames[environment === 'sx1' ? 0 : 1]
  const made = answers === 'direct' ? contactlessAtr : contactAtr
  return {
    description,
    atr: atr === undefined ? made(Buffer.from('SSSE')) : givenAtr(atr),
    name,
    files: Object.fromEntries(fileNames.map(fid => [fid, fileOf(recordsOf(description, fid))])),
    isName: given => given.length >= 5 && hex(name).startsWith(hex(given))
  }
}

const fileOf = (records: readonly string[]): File => ({ kind: 'tagged', lockAt: 0, records })

const recordsOf = ({ holder, records = {} }: SsseDescription, fid: FileName): readonly string[] =>
  records[fid] ?? (fid === 'EF05' ? made(0x05, holder) : fid === 'EF06' ? made(0x06, holder) : ['0101FF'])

const made = (file: SsseFile, holder: Holder): string[] => ssseFiles[file].flatMap(({ name }) => {
  const value = holder[name]
  return value === undefined ? [] : [hex(buildSsseRecord(file, name, value))]
})

/* ---- what it answers ---- */

type Done = { readonly response: Uint8Array, readonly session: Session }

function answer (facts: Facts, session: Session, command: Command): Done {
  const { cla, ins } = command
  if (cla !== 0x00) return refusal(session, sw.badCla)
  switch (ins) {
    case 0xA4: return select(facts, session, command)
    case 0xB2: return read(facts, session, command)
    case 0xC0: {
      const { bytes, waiting } = takeWaiting(session.waiting, command.le)
      return { response: bytes, session: { ...session, waiting } }
    }
    default: return refusal(session, sw.badIns)
  }
}

/** P1 04: the application by its name; 00 and 02: a file of it. */
function select ({ description, name, files, isName }: Facts, session: Session, command: Command): Done {
  const { p1, p2, data } = command
  const { lockedSw, answers = 'direct' } = description
  if (p2 !== 0x00 || ![0x00, 0x02, 0x04].includes(p1)) return refusal(session, sw.badP1P2)
  if (p1 === 0x04) {
    if (!isName(data)) return refusal(session, sw.fileMissing)
    if (lockedSw !== undefined) return refusal(session, Number.parseInt(lockedSw, 16))
    const { bytes, waiting } = respond(answers, tlv(0x6F, tlv(0x84, name)), sw.ok)
    return { response: bytes, session: { current: 'ssse', file: null, waiting } }
  }
  const fid = isFid(data) ? fidOf(data) : ''
  if (session.current !== 'ssse' || files[fid] === undefined) return refusal(session, sw.fileMissing)
  return { response: u16(sw.ok), session: { ...session, file: fid, waiting: null } }
}

/** A record by its number or its tag. A T=0 chip gives what is asked for to the byte, or says 6Cxx. */
function read ({ description, files }: Facts, session: Session, { p1, p2, le }: Command): Done {
  const { guarded = ['EF07', 'EF08'], answers = 'direct' } = description
  const reference = recordReference(p2)
  if (reference === null) return refusal(session, sw.badP1P2)
  const fid = reference.sfi === 0 ? session.file : `EF0${reference.sfi.toString(16).toUpperCase()}`
  if (fid === null) return refusal(session, sw.noFile)
  if (session.current !== 'ssse' || files[fid] === undefined) return refusal(session, sw.fileMissing)
  if (guarded.some(one => one === fid)) return refusal(session, sw.securityNotMet)
  const found = readRecord(files[fid], p1, reference.byTag)
  if ('sw' in found) return refusal(session, found.sw)
  const exact = answers === 'get-response' && le !== found.data.length
  if (exact || isWrongLe(le, found.data)) return refusal(session, wrongLe(found.data))
  return { response: concat(found.data, u16(sw.ok)), session: { ...session, file: fid, waiting: null } }
}

const refusal = (session: Session, status: number): Done =>
  ({ response: u16(status), session: { ...session, waiting: null } })
