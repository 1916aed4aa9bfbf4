// How a chip puts data and a status word on the wire: at once, or 61xx first and the data on GET RESPONSE.
// It refuses to know which command was asked. Cards and PSAMs share it.

import { concat, hex, u16, unhex } from '../../schemas/epurse/hex.ts'

/** `direct`: T=1 and contactless. `get-response`: T=0, ISO/IEC 7816-3. */
export type AnswerForm = 'direct' | 'get-response'

/** What GET RESPONSE will bring, hex; kept without power it is not. */
export type Waiting = { readonly data: string, readonly sw: number }

export type Response = { readonly bytes: Uint8Array, readonly waiting: Waiting | null }

/** The status words that the chips here give (ISO/IEC 7816-4; 93xx and 94xx of the electronic purse). */
export const sw = {
  ok: 0x9000, wrongLength: 0x6700,
  outOfOrder: 0x6901, wrongFileType: 0x6981, securityNotMet: 0x6982, pinBlocked: 0x6983, keyBlocked: 0x6983,
  conditions: 0x6985, noFile: 0x6986,
  authenticationFailed: 0x6300, badData: 0x6A80, locked: 0x6A81, fileMissing: 0x6A82, recordMissing: 0x6A83,
  badP1P2: 0x6A86, dataMissing: 0x6A88, badOffset: 0x6B00, badIns: 0x6D00, badCla: 0x6E00,
  noRandom: 0x6984, smMissing: 0x6987, smMacWrong: 0x6988, macWrong: 0x9302, lockedForEver: 0x9303,
  insufficient: 0x9401, counterMax: 0x9402, keyIndex: 0x9403, noProof: 0x9406
} as const

export const statusOnly = (status: number): Response => ({ bytes: u16(status), waiting: null })

/** Le that asks for another length than there is: the command is not carried out, xx is the right one. */
export const isWrongLe = (le: number | null, data: Uint8Array): boolean =>
  le !== null && le !== 0 && data.length > 0 && le !== data.length
export const wrongLe = ({ length }: Uint8Array): number => 0x6C00 | length

export function respond (form: AnswerForm, data: Uint8Array, status: number): Response {
  if (form === 'direct' || data.length === 0) return { bytes: concat(data, u16(status)), waiting: null }
  return { bytes: u16(0x6100 | data.length), waiting: { data: hex(data), sw: status } }
}

/** GET RESPONSE; a shorter Le takes the data in pieces. */
export function takeWaiting (waiting: Waiting | null, le: number | null): Response {
  if (waiting === null) return statusOnly(sw.conditions)
  const data = unhex(waiting.data)
  const wanted = le === null || le === 0 ? data.length : le
  if (wanted > data.length) return { bytes: u16(wrongLe(data)), waiting }
  if (wanted === data.length) return { bytes: concat(data, u16(waiting.sw)), waiting: null }
  const rest = data.subarray(wanted)
  return {
    bytes: concat(data.subarray(0, wanted), u16(0x6100 | rest.length)),
    waiting: { ...waiting, data: hex(rest) }
  }
}
