// What a virtual PSAM is made from, and what it can be asked outside its protocol: plain data, fit for JSON.
// It refuses to know commands.

import type { FactorOrder } from '../../schemas/epurse/keys.ts'
import { profiles, type ProfileName } from '../../schemas/epurse/profiles.ts'
import type { SuiteName } from '../../schemas/epurse/suite.ts'
import { limits } from '../../schemas/limits.ts'
import type { AnswerForm } from '../card/response.ts'
import { wantBytes, wantNumber } from '../checks.ts'

export type PsamDescription = {
  /** Which family's PSAM: how its application is selected. */
  readonly profile: ProfileName
  /** Terminal number, 6 bytes: file 0016, and signed in MAC1 and TAC. */
  readonly terminal: string
  /** 10 bytes; made from the terminal number unless given. */
  readonly serial?: string
  /** File 0017, byte 0. */
  readonly keyIndex?: number
  readonly issuer?: string
  readonly acceptor?: string
  /** What the next INIT SAM FOR PURCHASE answers; 1 on a new PSAM. */
  readonly sequence?: number
  /** Master purchase keys; the test scheme's version 1 unless given. */
  readonly keys?: readonly { readonly version: number, readonly suite: SuiteName, readonly key: string }[]
  /** In which order factors of city and card are applied; the command brings the card's first. */
  readonly order?: FactorOrder
  readonly answers?: AnswerForm
  /** So many wrong MAC2 in a row lock the application; the chips seen do not say, 3 unless given. */
  readonly errorsMax?: number
  /**
   * Authentication codes (9 bytes) it accepts; any unless given, since how they are checked is not public.
   */
  readonly authCodes?: readonly string[]
  readonly atr?: string
}

/** Throws RangeError naming the field that cannot be. */
export function checkDescription ({
  profile, terminal, serial, sequence, errorsMax, keys, authCodes
}: PsamDescription): void {
  if (!(profile in profiles)) throw new RangeError(`psam.profile: no family named ${profile}`)
  wantBytes('psam.terminal', terminal, 6)
  if (serial !== undefined) wantBytes('psam.serial', serial, 10)
  for (const { key } of keys ?? []) wantBytes('psam.keys.key', key, 16)
  for (const code of authCodes ?? []) wantBytes('psam.authCodes', code, 9)
  wantNumber('psam.sequence', sequence, 0, limits.sequenceMax)
  wantNumber('psam.errorsMax', errorsMax, 1, 15)
}

/** The true state of a PSAM; `sequence` is the next one. */
export type PsamReport = {
  readonly terminal: string, readonly sequence: number, readonly errors: number, readonly locked: boolean
}
