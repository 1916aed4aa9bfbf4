// Checks an inclusion proof offline: no database, no code of the ledger, nothing but SHA-256 and Ed25519.
//
//   tsx bin/verify-proof.ts PROOF.json… [--key PUBLIC.pem]
//
// Says of each file which step fails, if one does; then it exits 1. Without --key the key that came with the
// proof is used, and its id is shown: compare it with the one the city has published, or anybody could have
// made the whole proof.
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

type Step = { index: number, size: number, path: string[] }
type Proof = {
  text: string, salt: string, inBatch: Step, batch: { id: string, date: string, root: string }, inTree: Step
}
type Head = { size: number, root: string, at: string, keyId: string, signature: string }
type Proofs = { format: string, proofs: Proof[], head: Head, publicKey: string }

const { values: { key }, positionals: paths } =
  parseArgs({ allowPositionals: true, options: { key: { type: 'string' } } })
if (paths.length === 0) {
  console.error('usage: verify-proof PROOF.json… [--key PUBLIC.pem]')
  process.exit(2)
}
for (const path of paths) {
  const proofs = JSON.parse(readFileSync(path, 'utf8')) as Proofs
  const pem = key === undefined ? proofs.publicKey : readFileSync(key, 'utf8')
  const fault = firstFault(proofs, pem)
  console.log(`${path}: ${fault === null ? proven(proofs, key === undefined) : `NOT PROVEN: ${fault}`}`)
  if (fault !== null) process.exitCode = 1
}

function proven ({ proofs, head }: Proofs, ownKey: boolean): string {
  return [
    ...proofs.map(inWords),
    `  is in the ledger of ${head.at}: ${head.size} batches, root ${head.root}`,
    `  signed by key ${head.keyId}${ownKey ? ', which came with the proof' : ''}`
  ].join('\n')
}

function firstFault ({ format, proofs, head }: Proofs, pem: string): string | null {
  if (format !== 'citizen-card-proof-1') return `unknown format ${format}`
  if (proofs.length === 0) return 'there is nothing in it'
  if (keyIdOf(pem) !== head.keyId) return `the head names key ${head.keyId}, this is key ${keyIdOf(pem)}`
  const signed = `citizen-card-head v1\n${head.size}\n${head.root}\n${head.at}\n${head.keyId}\n`
  if (!verify(null, Buffer.from(signed, 'ascii'), pem, Buffer.from(head.signature, 'hex'))) {
    return 'the signature of the head is wrong'
  }
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
