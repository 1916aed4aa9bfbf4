// Checks a folder of archived clearing dates (npm run archive) offline: no database, no code of the ledger,
// nothing but SHA-256 and Ed25519. Each file is the one of its manifest, each manifest names the one before,
// statements stand under a signed head, their nets are the positions, and two people approved those.
//
//   tsx bin/verify-archive.ts FOLDER [--key PUBLIC.pem] [--last SHA256]
//
// Says of each date what is wrong; then it exits 1. --key: the key the city has published; without it the one
// that came with the archive is used. --last: digest of the last manifest as the audit log has it
// (archive.make); without it nobody knows whether the whole archive was made anew.
import { createHash, createPublicKey, verify } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'

type Manifest = {
  format: string, date: string, previous: { date: string, sha256: string } | null
  files: { name: string, bytes: number, sha256: string }[]
}
type Head = { size: number, root: string, at: string, keyId: string, signature: string }
type Statement = { party: string, date: string, netFen: number, head: Head }
type Position = {
  party: string, book: string, claimsFen: number, commissionFen: number, loadsFen: number
  loadCommissionFen: number, adjustmentsFen: number, netFen: number
}

const { values: { key, last }, positionals: [folder] } = parseArgs({
  allowPositionals: true, options: { key: { type: 'string' }, last: { type: 'string' } }
})
if (folder === undefined) {
  console.error('usage: verify-archive FOLDER [--key PUBLIC.pem] [--last SHA256]')
  process.exit(2)
}
const ownKey = key === undefined ? null : readFileSync(key, 'utf8')
const dates = readdirSync(folder).filter(name => /^\d{4}-\d{2}-\d{2}$/.test(name)).sort()
let previous: { date: string, sha256: string } | null = null
for (const date of dates) {
  const faults = faultsOf(join(folder, date), date, previous)
  const text = readText(join(folder, date, 'manifest.json'))
  previous = { date, sha256: sha256(text ?? '') }
  console.log(`${date}: ${faults.length === 0 ? `as it was archived, manifest ${previous.sha256}` : 'WRONG'}`)
  for (const fault of faults) console.log(`  ${fault}`)
  if (faults.length > 0) process.exitCode = 1
}
if (dates.length === 0 || (last !== undefined && previous?.sha256 !== last.toUpperCase())) {
  console.log(dates.length === 0 ? 'no dates are there' : `WRONG: the last manifest is not ${last}`)
  process.exitCode = 1
}

function faultsOf (
  place: string, date: string, before: { readonly date: string, readonly sha256: string } | null
): string[] {
  const text = readText(join(place, 'manifest.json'))
  if (text === null) return ['there is no manifest']
  const manifest = parsed<Manifest>(text)
  if (manifest?.format !== 'citizen-card-archive-1' || manifest.date !== date) {
    return ['the manifest is none of this date']
  }
  const there = filesIn(place).filter(name => name !== 'manifest.json')
  const named = new Set(manifest.files.map(({ name }) => name))
  const faults = [
    ...JSON.stringify(manifest.previous) === JSON.stringify(before)
      ? []
      : [`it follows ${shown(manifest.previous)}, and ${shown(before)} stands before it`],
    ...there.filter(name => !named.has(name)).map(name => `${name} is in no manifest`),
    ...manifest.files.flatMap(({ name, bytes, sha256: digest }) => {
      const content = readText(join(place, name))
      if (content === null) return [`${name} is missing`]
      const same = sha256(content) === digest && Buffer.byteLength(content) === bytes
      return same ? [] : [`${name} is not the file of the manifest`]
    })
  ]
  return faults.length > 0 ? faults : faultsInside(place, date, there)
}

function shown (one: { readonly date: string, readonly sha256: string } | null): string {
  return one === null ? 'nothing' : `${one.date} ${one.sha256.slice(0, 16)}…`
}

/* ---- what the files say together ---- */

function faultsInside (place: string, date: string, names: readonly string[]): string[] {
  const read = <T>(name: string): T => JSON.parse(readFileSync(join(place, name), 'utf8')) as T
  const positions = read<Position[]>('positions.json')
  const digest = positionsDigest(date, positions)
  const people = new Set(read<{ staff: string, digest: string }[]>('approvals.json')
    .filter(one => one.digest === digest).map(({ staff }) => staff))
  const keys = read<Record<string, string>>('keys.json')
  const faults = people.size >= 2 ? [] : [`${people.size} people approved these positions, not two`]
  const statements = names.filter(name => name.startsWith('statements/'))
  if (statements.length !== positions.length) {
    faults.push(`${statements.length} statements for ${positions.length} positions`)
  }
  for (const { book, party, netFen } of positions) {
    const name = `statements/${book}-${party}.json`
    if (!statements.includes(name)) {
      faults.push(`${name} is missing`)
      continue
    }
    const statement = read<Statement>(name)
    if (statement.netFen !== netFen || statement.party !== party || statement.date !== date) {
      faults.push(`${name} says another net than the position: ${statement.netFen}, not ${netFen}`)
    }
    const fault = faultOfHead(statement.head, keys[statement.head.keyId])
    if (fault !== null) faults.push(`${name}: ${fault}`)
  }
  return faults
}

/** The text that people approved, as docs/settlement.md says it. */
function positionsDigest (date: string, positions: readonly Position[]): string {
  const lines = positions.map(p => [
    p.book, p.party, p.claimsFen, p.commissionFen, p.loadsFen, p.loadCommissionFen, p.adjustmentsFen, p.netFen
  ].join('|')).sort()
  return sha256([`positions|1|${date}`, ...lines].join('\n'))
}

function faultOfHead (head: Head, came: string | undefined): string | null {
  const pem = ownKey ?? came
  if (pem === undefined) return `key ${head.keyId} did not come with the archive`
  const publicKey = createPublicKey(pem)
  const id = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('hex')
  if (id.slice(0, 8).toUpperCase() !== head.keyId) return `signed by ${head.keyId}, not by this key`
  const text = `citizen-card-head v1\n${head.size}\n${head.root}\n${head.at}\n${head.keyId}\n`
  return verify(null, Buffer.from(text, 'ascii'), publicKey, Buffer.from(head.signature, 'hex'))
    ? null
    : 'the head is not signed by its key'
}

/* ---- files ---- */

function sha256 (text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex').toUpperCase()
}

function readText (path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

function filesIn (place: string): string[] {
  return readdirSync(place, { recursive: true, withFileTypes: true }).filter(one => one.isFile())
    .map(one => relative(place, join(one.parentPath, one.name)).replaceAll('\\', '/')).sort()
}

function parsed<T> (text: string): T | null {
  try {
    return JSON.parse(text) as T
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return null
  }
}
