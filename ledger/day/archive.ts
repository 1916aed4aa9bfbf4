// The archive of a clearing date: statements, positions and who approved them, instructions, proposals that
// ended on it, each a file under its digest in a manifest that names the manifest before. It is made once and
// kept outside; bin/verify-archive.ts checks it without the ledger. It refuses to know where it is kept.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { addDays, formatIso, localDate, startOfDate } from '../../runtime/instants.ts'
import type { DayState, Statement } from '../../schemas/api.ts'
import { canonical } from '../core/canonical.ts'
import { hasReached } from '../core/day.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { Refusal } from '../refusal.ts'
import {
  approvalsOf, datesToArchive, endedProposals, firstInstructionsOf, insertManifest, lastManifest, lockArchive,
  readManifest, readManifests, statementsOf
} from '../store/archive.ts'
import { readSteps } from '../store/days.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { readPositions } from '../store/settlement.ts'
import { publicKeys } from '../store/tree.ts'

export type ArchiveFile = { readonly name: string, readonly text: string }

/**
 * Makes the manifest of a date, and of all before it that have none; what was made stays. Throws Refusal
 * not_found, day_state while a date is not instructed or not over.
 */
export async function makeArchive (
  { db, clock }: Pick<Ledger, 'db' | 'clock'>, until: string, by: string
): Promise<void> {
  const atMs = clock.now()
  await inTransaction(db, async tx => {
    await lockArchive(tx)
    if (await readManifest(tx, until) !== null) return
    let last = await lastManifest(tx)
    const dates = await datesToArchive(tx, last?.date ?? null, until)
    if (dates.at(-1)?.date !== until) throw new Refusal('not_found', `there is no clearing date ${until}`)
    for (const { date, state } of dates) {
      if (!hasReached(state as DayState, 'INSTRUCTED') || date >= localDate(atMs)) {
        throw new Refusal('day_state', `${date} is ${state}: it is archived once it is instructed and over`)
      }
      const files = await archiveFiles(tx, date)
      const manifest = canonical({
        format: 'citizen-card-archive-1', date,
        previous: last === null ? null : { date: last.date, sha256: hex(last.digest) },
        files: files.map(({ name, text }) =>
          ({ name, bytes: Buffer.byteLength(text), sha256: hex(sha256(text)) }))
      })
      last = { date, manifest, digest: sha256(manifest) }
      await insertManifest(tx, last, by, atMs)
      const detail = { sha256: hex(last.digest), files: files.length }
      await audit(tx, atMs, { by, action: 'archive.make', subject: `day/${date}`, detail })
    }
  })
}

/** SHA-256 of the manifest, hex. */
export const archiveDigest = async (db: Db, date: string): Promise<string> =>
  hex((await readManifest(db, date))?.digest ?? Buffer.alloc(0))

/** The manifest, and the files as they are now: whether they still fit it is for the verifier to say. */
export async function readArchive (db: Db | Tx, date: string): Promise<ArchiveFile[]> {
  const made = await readManifest(db, date)
  if (made === null) throw new Refusal('not_found', `${date} was not archived`)
  return [{ name: 'manifest.json', text: made.manifest }, ...await archiveFiles(db, date)]
}

/**
 * Archived dates up to one as folders, those that are not there yet; a folder appears whole or not at all.
 * Answers which were written.
 */
export async function writeArchive (db: Db, folder: string, until: string): Promise<string[]> {
  const written: string[] = []
  for (const { date } of await readManifests(db)) {
    const place = join(folder, date)
    if (date > until || existsSync(place)) continue
    const draft = join(folder, `.${date}.new`)
    rmSync(draft, { recursive: true, force: true })
    for (const { name, text } of await readArchive(db, date)) {
      mkdirSync(dirname(join(draft, name)), { recursive: true })
      writeFileSync(join(draft, name), text)
    }
    renameSync(draft, place)
    written.push(date)
  }
  return written
}

/** Archived dates of which a file would be another one now; for `verify`. */
export async function archiveDifferences (tx: Tx): Promise<string[]> {
  const wrong: string[] = []
  let previous: { readonly date: string, readonly sha256: string } | null = null
  for (const { date, manifest, digest } of await readManifests(tx)) {
    const said = JSON.parse(manifest) as {
      previous: object | null, files: { name: string, sha256: string }[]
    }
    if (!sha256(manifest).equals(digest)) wrong.push(`archive of ${date}: another manifest than was made`)
    if (canonical(said.previous) !== canonical(previous)) wrong.push(`archive of ${date}: broken chain`)
    const now = new Map((await archiveFiles(tx, date)).map(({ name, text }) => [name, hex(sha256(text))]))
    for (const { name, sha256: then } of said.files) {
      if (now.get(name) !== then) wrong.push(`archive of ${date}: ${name} is not what was archived`)
    }
    previous = { date, sha256: hex(digest) }
  }
  return wrong.slice(0, 20)
}

async function archiveFiles (tx: Tx | Db, date: string): Promise<ArchiveFile[]> {
  const json = (name: string, value: unknown): ArchiveFile => ({ name, text: canonical(plain(value)) })
  const statements = await statementsOf(tx, date)
  const steps = (await readSteps(tx, date)).filter(({ state }) => state !== 'CONFIRMED')
  const approvals = await approvalsOf(tx, date)
  const proposals = await endedProposals(tx, startOfDate(date), startOfDate(addDays(date, 1)))
  const keyIds = new Set(statements.map(({ document }) => (document as Statement).head.keyId))
  const keys = [...await publicKeys(tx)].filter(([id]) => keyIds.has(id))
  return [
    json('approvals.json', approvals.map(({ staff, digest, atMs }) =>
      ({ staff, digest: hex(digest), at: formatIso(atMs) }))),
    json('instructions.json', await firstInstructionsOf(tx, date)),
    json('keys.json', Object.fromEntries(keys)),
    json('positions.json', await readPositions(tx, date)),
    json('proposals.json', proposals.map(({ startedAtMs, endedAtMs, body, ...one }) => ({
      ...one, bodySha256: body.toUpperCase(), startedAt: formatIso(startedAtMs), endedAt: formatIso(endedAtMs)
    }))),
    ...statements.map(({ book, party, document }) => json(`statements/${book}-${party}.json`, document)),
    json('steps.json', steps.map(({ state, by, atMs }) => ({ state, by, at: formatIso(atMs) })))
  ]
}

/** Whole numbers for JSON: fen and identities are below 2^53. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, one: unknown) => typeof one === 'bigint' ? Number(one) : one))
const sha256 = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()
const hex = (digest: Uint8Array): string => Buffer.from(digest).toString('hex').toUpperCase()
