// A terminal's master key on its way from the key custodian through the ledger to a gateway: AES-256-GCM
// under a transport key that only gateways have, bound to the terminal, so that it opens for no other one. It
// refuses to know where keys are kept.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { hex, unhex } from './epurse/hex.ts'
import type { SuiteName } from './epurse/suite.ts'
import { terminalKey, type TerminalRef } from './terminals.ts'

export type MasterKey = { readonly suite: SuiteName, readonly key: Uint8Array }

const cipher = 'aes-256-gcm'
export const transportKeyBytes = 32
const [ivBytes, tagBytes] = [12, 16]

/** `SUITE.IV.KEY AND TAG`; `iv` has twelve bytes that were never used before. */
export function wrapMaster (
  transport: Uint8Array, of: TerminalRef, { suite, key }: MasterKey, iv: Uint8Array
): string {
  const sealing = createCipheriv(cipher, transport, iv).setAAD(boundTo(of, suite))
  const sealed = Buffer.concat([sealing.update(key), sealing.final(), sealing.getAuthTag()])
  return `${suite}.${hex(iv)}.${hex(sealed)}`
}

/** Null where it was made under another transport key or for another terminal, or is damaged. */
export function unwrapMaster (transport: Uint8Array, of: TerminalRef, wrapped: string): MasterKey | null {
  const [suite = '', iv = '', sealed = ''] = wrapped.split('.')
  if (suite !== '3des' && suite !== 'sm4') return null
  const [ivGiven, bytes] = [unhex(iv), unhex(sealed)]
  if (ivGiven.length !== ivBytes || bytes.length <= tagBytes) return null
  const opening = createDecipheriv(cipher, transport, ivGiven).setAAD(boundTo(of, suite))
  opening.setAuthTag(bytes.subarray(-tagBytes))
  try {
    return { suite, key: Buffer.concat([opening.update(bytes.subarray(0, -tagBytes)), opening.final()]) }
  } catch (error) {
    if (!/authenticate/.test((error as Error).message)) throw error
    return null
  }
}

const boundTo = (of: TerminalRef, suite: SuiteName): Buffer =>
  Buffer.from(`citizen-card-terminal-master-1\t${terminalKey(of)}\t${suite}`)
