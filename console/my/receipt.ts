// Checks a receipt in the page, with nothing but SHA-256 and Ed25519 of the browser: that what a use moved
// is in the ledger under a signed head. It asks nobody, so it works without a network. It says the same as
// bin/verify-proof.ts, which shares no code with it.
import type { Proofs } from '../../schemas/proof.ts'

type Step = Proofs['proofs'][number]['inBatch']

export type Checked =
  /** `keyId`: of who signed. Compare it with what the city has published, or anybody could have made it. */
  | { readonly ok: true, readonly at: string, readonly keyId: string, readonly texts: readonly string[] }
  | { readonly ok: false, readonly fault: ReceiptFault }
/** What does not fit, in the order in which it is looked at. */
export const receiptFaults = ['unreadable', 'empty', 'key', 'signature', 'batch', 'size', 'head'] as const
export type ReceiptFault = typeof receiptFaults[number]

/** Of any value: a file may hold anything. */
export async function checkReceipt (receipt: unknown): Promise<Checked> {
  try {
    const found = receipt as Proofs
    const fault = found.format === 'citizen-card-proof-1' ? await faultOf(found) : 'unreadable'
    if (fault !== null) return { ok: false, fault }
    const { proofs, head: { at, keyId } } = found
    return { ok: true, at, keyId, texts: proofs.map(({ text }) => text) }
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return { ok: false, fault: 'unreadable' }
  }
}

/** A member that is missing, no bytes where bytes are wanted, no key where one is. */
const isUnreadable = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError || error instanceof DOMException

async function faultOf ({ proofs, head, publicKey }: Proofs): Promise<ReceiptFault | null> {
  if (proofs.length === 0) return 'empty'
  const der = derOf(publicKey)
  if (hexOf((await sha256(der)).subarray(0, 4)) !== head.keyId) return 'key'
  const key = await crypto.subtle.importKey('spki', der, 'Ed25519', false, ['verify'])
  const said = `citizen-card-head v1\n${head.size}\n${head.root}\n${head.at}\n${head.keyId}\n`
  if (!await crypto.subtle.verify('Ed25519', key, bytesOf(head.signature), ascii(said))) return 'signature'
  for (const { text, salt, inBatch, batch, inTree } of proofs) {
    const leaf = await hash(0, bytesOf(salt), ascii(text))
    if (!await leadsTo(leaf, inBatch, batch.root)) return 'batch'
    if (inTree.size !== head.size) return 'size'
    const sealed = ascii(`sealed|1|${batch.id}|${batch.date}|${batch.root.toLowerCase()}`)
    if (!await leadsTo(await hash(0, sealed), inTree, head.root)) return 'head'
  }
  return null
}

/** RFC 9162, 2.1.3.2: folds the path from the leaf to the root. */
async function leadsTo (leaf: Uint8Array, { index, size, path }: Step, root: string): Promise<boolean> {
  if (!(index >= 0 && index < size)) return false
  let [node, last, at] = [index, size - 1, leaf]
  for (const sibling of path.map(bytesOf)) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      at = await hash(1, sibling, at)
      while (node % 2 === 0 && node > 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
    } else {
      at = await hash(1, at, sibling)
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && hexOf(at) === root.toUpperCase()
}

type Bytes = Uint8Array<ArrayBuffer>

async function hash (prefix: 0 | 1, ...parts: readonly Uint8Array[]): Promise<Bytes> {
  const whole = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0))
  whole[0] = prefix
  let at = 1
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return await sha256(whole)
}

const sha256 = async (bytes: Bytes): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))

const ascii = (text: string): Bytes => new TextEncoder().encode(text)

const derOf = (pem: string): Bytes =>
  Uint8Array.from(atob(pem.replace(/-----[A-Z ]+-----|\s/g, '')), letter => letter.charCodeAt(0))

/** Throws on what is no bytes in hex. */
function bytesOf (hex: string): Bytes {
  if (!/^([0-9A-Fa-f]{2})*$/.test(hex)) throw new RangeError('no bytes in hex')
  return Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('').toUpperCase()
