// Checks proofs offline: no database, no code of the ledger, nothing but SHA-256 and Ed25519. A proof of
// inclusion says that a transfer is in the ledger under a signed head; one of consistency that nothing under
// an older head was changed or taken away since; one of the audit log that these are the deeds under a head.
//
//   tsx bin/verify-proof.ts PROOF.json… [--key PUBLIC.pem] [--witness HEADS.jsonl]
//
// Says of each file which step fails, if one does; then it exits 1. Without --key the key that came with the
// proof is used, and its id is shown: compare it with the one the city has published, or anybody could have
// made the whole proof. --witness: heads that a gateway has kept; no head of the proof may deny one of them.
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

type Step = { index: number, size: number, path: string[] }
type Proof = {
  text: string, salt: string, inBatch: Step, batch: { id: string, date: string, root: string }, inTree: Step
}
type Head = {
  size: number, root: string, at: string, keyId: string, signature: string
  audit?: { rows: number, hash: string, signature: string }
}
type Proofs = { format: 'citizen-card-proof-1', proofs: Proof[], head: Head, publicKey: string }
type Consistency = {
  format: 'citizen-card-consistency-1', first: Head, second: Head, path: string[]
  publicKeys: [string, string]
}
type Deed = { atMs: number, by: string, action: string, subject: string, detail: string }
type AuditLog = {
  format: 'citizen-card-audit-1', after: { rows: number, hash: string }, entries: Deed[], head: Head
  publicKey: string
}
type Document = Proofs | Consistency | AuditLog

const { values: { key, witness }, positionals: paths } = parseArgs({
  allowPositionals: true, options: { key: { type: 'string' }, witness: { type: 'string' } }
})
if (paths.length === 0) {
  console.error('usage: verify-proof PROOF.json… [--key PUBLIC.pem] [--witness HEADS.jsonl]')
  process.exit(2)
}
const ownKey = key === undefined ? null : readFileSync(key, 'utf8')
const kept = witness === undefined
  ? []
  : readFileSync(witness, 'utf8').split('\n').filter(line => line !== '')
    .map(line => JSON.parse(line) as Head)
for (const path of paths) {
  const document = JSON.parse(readFileSync(path, 'utf8')) as Document
  const fault = firstFault(document)
  console.log(`${path}: ${fault === null ? proven(document) : `NOT PROVEN: ${fault}`}`)
  if (fault !== null) process.exitCode = 1
}

function proven (document: Document): string {
  const origin = ownKey === null ? ', which came with the proof' : ''
  const by = ({ keyId }: Head) => `signed by key ${keyId}${origin}`
  if (document.format === 'citizen-card-consistency-1') {
    const { first, second } = document
    return `the ledger of ${first.at}, ${first.size} batches, ${by(first)},\n` +
      `  is the beginning of that of ${second.at}, ${second.size} batches, ${by(second)}`
  }
  if (document.format === 'citizen-card-audit-1') {
    const { after, entries, head } = document
    return `deeds ${after.rows + 1} to ${after.rows + entries.length} are the audit log of ${head.at}` +
      (after.rows === 0 ? '' : ` after the deed with hash ${after.hash}`) + `,\n  ${by(head)}`
  }
  const { proofs, head } = document
  return [
    ...proofs.map(inWords),
    `  is in the ledger of ${head.at}: ${head.size} batches, root ${head.root}`,
    `  ${by(head)}`
  ].join('\n')
}

function firstFault (document: Document): string | null {
  if (document.format === 'citizen-card-consistency-1') return faultOfGrowth(document)
  if (document.format === 'citizen-card-proof-1') return faultOfInclusion(document)
  if (document.format === 'citizen-card-audit-1') return faultOfDeeds(document)
  return `unknown format ${String((document as { format?: unknown }).format)}`
}

function faultOfGrowth ({ first, second, path, publicKeys: [older, newer] }: Consistency): string | null {
  const fault = faultOfHead(first, older) ?? faultOfHead(second, newer)
  if (fault !== null) return fault
  return grew(first, second, path) ? null : `the ${second.size} batches do not begin with the ${first.size}`
}

function faultOfHead (head: Head, cameWith: string): string | null {
  const pem = ownKey ?? cameWith
  if (keyIdOf(pem) !== head.keyId) return `the head names key ${head.keyId}, this is key ${keyIdOf(pem)}`
  const signed = `citizen-card-head v1\n${head.size}\n${head.root}\n${head.at}\n${head.keyId}\n`
  if (!verify(null, Buffer.from(signed, 'ascii'), pem, Buffer.from(head.signature, 'hex'))) {
    return 'the signature of the head is wrong'
  }
  const other = kept.find(one => one.size === head.size && one.root !== head.root)
  return other === undefined
    ? faultOfAuditHead(head, pem)
    : `a gateway was shown another tree of ${head.size} at ${other.at}`
}

/** The audit log under a head is signed apart, together with the tree; heads of before have none. */
function faultOfAuditHead ({ audit, ...head }: Head, pem: string): string | null {
  if (audit === undefined) return null
  const signed = `citizen-card-audit v1\n${audit.rows}\n${audit.hash}\n` +
    `${head.size}\n${head.root}\n${head.at}\n${head.keyId}\n`
  return verify(null, Buffer.from(signed, 'ascii'), pem, Buffer.from(audit.signature, 'hex'))
    ? null
    : 'the signature of the audit log under the head is wrong'
}

/**
 * Each deed is hashed over the one before; the last hash, and those of all heads that were kept, are signed.
 */
function faultOfDeeds ({ after, entries, head, publicKey }: AuditLog): string | null {
  const fault = faultOfHead(head, publicKey)
  if (fault !== null) return fault
  if (head.audit === undefined) return 'no audit log stands under the head'
  if (after.rows === 0 && after.hash !== '00'.repeat(32)) return 'the first deed does not begin the log'
  const hashes = new Map([[after.rows, after.hash]])
  let [rows, last] = [after.rows, after.hash]
  for (const { atMs, by, action, subject, detail } of entries) {
    const text = JSON.stringify(['audit', 1, String(++rows), atMs, by, action, subject, detail])
    last = createHash('sha256').update(last, 'hex').update(text, 'utf8').digest('hex').toUpperCase()
    hashes.set(rows, last)
  }
  if (rows !== head.audit.rows) return `there are ${rows} deeds, the head was signed over ${head.audit.rows}`
  if (last !== head.audit.hash) return `the ${rows} deeds are not those that the head was signed over`
  for (const { audit, at } of kept) {
    if (audit === undefined || audit.rows < after.rows || Date.parse(at) > Date.parse(head.at)) continue
    if (audit.rows > rows) return `a gateway was shown ${audit.rows} deeds at ${at}, now there are ${rows}`
    if (hashes.get(audit.rows) === audit.hash) continue
    return `a gateway was shown other deeds up to ${audit.rows} at ${at}`
  }
  return null
}

function faultOfInclusion ({ proofs, head, publicKey }: Proofs): string | null {
  if (proofs.length === 0) return 'there is nothing in it'
  const fault = faultOfHead(head, publicKey)
  if (fault !== null) return fault
  for (const proof of proofs) {
    const leaf = hash(0, Buffer.from(proof.salt, 'hex'), Buffer.from(proof.text, 'ascii'))
    const { id, date, root } = proof.batch
    if (!leadsTo(leaf, proof.inBatch, root)) return `"${proof.text}" is not in batch ${id}`
    const sealed = hash(0, Buffer.from(`sealed|1|${id}|${date}|${root.toLowerCase()}`, 'ascii'))
    const { size } = proof.inTree
    if (size !== head.size) return `the proof is for ${size} batches, the head for ${head.size}`
    if (!leadsTo(sealed, proof.inTree, head.root)) return `batch ${id} is not under the head`
  }
  return null
}

function keyIdOf (pem: string): string {
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(der).digest('hex').slice(0, 8).toUpperCase()
}

function hash (prefix: number, ...parts: readonly Uint8Array[]): Buffer {
  const digest = createHash('sha256').update(Uint8Array.of(prefix))
  for (const part of parts) digest.update(part)
  return digest.digest()
}

/** RFC 9162, 2.1.3.2: folds the path from the leaf to the root. */
function leadsTo (leaf: Buffer, { index, size, path }: Step, root: string): boolean {
  if (!(index >= 0 && index < size)) return false
  let [node, last, at] = [index, size - 1, leaf]
  for (const each of path) {
    const sibling = Buffer.from(each, 'hex')
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      at = hash(1, sibling, at)
      while (node % 2 === 0 && node > 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
    } else {
      at = hash(1, at, sibling)
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && at.toString('hex').toUpperCase() === root.toUpperCase()
}

/** RFC 9162, 2.1.4.2: one path leads to both roots. */
function grew (first: Head, second: Head, path: readonly string[]): boolean {
  if (first.size === second.size) return path.length === 0 && first.root === second.root
  if (first.size < 1 || first.size > second.size) return false
  const steps = [...Number.isInteger(Math.log2(first.size)) ? [first.root] : [], ...path]
  let [node, last] = [first.size - 1, second.size - 1]
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  let older: Buffer = Buffer.from(steps[0] ?? '', 'hex')
  let newer = older
  for (const each of steps.slice(1)) {
    const step = Buffer.from(each, 'hex')
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      [older, newer] = [hash(1, step, older), hash(1, step, newer)]
      while (node % 2 === 0 && node > 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
    } else {
      newer = hash(1, newer, step)
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  const is = (root: string, built: Buffer) => built.toString('hex').toUpperCase() === root.toUpperCase()
  return last === 0 && is(first.root, older) && is(second.root, newer)
}

/** The fields of a leaf, which stand between bars in a fixed order; form 1 is that of older batches. */
function inWords ({ text }: Proof): string {
  const [kind, form, ...fields] = text.split('|')
  if (kind !== 'transfer') {
    const [batch, date, transfers, digest] = fields
    return `batch ${batch} of ${date}: ${transfers} transfers from a delivery with SHA-256 ${digest}`
  }
  const [id, journal, date, code, book, debit, credit, amount, card, at, delivery, line, corrects] =
    form === '1' ? fields : fields.slice(1)
  const yuan = Number(amount) / 100
  return [
    `transfer ${id} (journal ${journal}, kind ${code}) of ${date} in the ${book} book:`,
    `  ${yuan} yuan from account ${debit} to account ${credit}, card no. ${card}`,
    `  event ${new Date(Number(at)).toISOString()}, delivery ${delivery} line ${line}` +
      (corrects === '-' ? '' : `, corrects ${corrects}`)
  ].join('\n')
}
