// Proofs that a stranger checks: that a tap is in the ledger, that nothing under an older signed head was
// changed since. The ledger makes them, a program without any of its code checks them.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SignedHead } from '../schemas/api.ts'
import { leafHash } from '../schemas/merkle.ts'
import type { AuditProof, Consistency } from '../schemas/proof.ts'
import { headWitness } from '../gateway/uplink/witness.ts'
import { auditGenesis, auditHash } from '../ledger/core/audit-chain.ts'
import { rootOf } from '../ledger/core/merkle.ts'
import { openDb, inTransaction } from '../ledger/store/db.ts'
import type { AuditRow } from '../ledger/store/audit.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { createLog } from '../runtime/log.ts'
import {
  allHeads, completeTiles, insertLeaves, leafHashes, subtreeRoot, tilesFrom
} from '../ledger/store/tree.ts'
import { retain } from '../ledger/upkeep.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { recordOf } from './support/posting.ts'
import { city } from './support/small-day.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
const folder = mkdtempSync(join(tmpdir(), 'proof-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

/** One process for many documents: what it says of each, and its exit code. */
function check (documents: readonly unknown[], ...more: string[]): { code: number | null, says: string[] } {
  const files = documents.map((document, index) => {
    const file = join(folder, `document-${index}.json`)
    writeFileSync(file, JSON.stringify(document))
    return file
  })
  const { status, stdout } = spawnSync(process.execPath,
    ['runtime/start.mjs', 'bin/verify-proof.ts', ...files, ...more], { encoding: 'utf8' })
  return { code: status, says: stdout.split(/^.*document-\d+\.json: /m).slice(1) }
}

/** Deliveries one after the other, a head after each. */
async function heads (door: Door, count: number): Promise<SignedHead[]> {
  await door.ok('registrar', 'PUT', '/v1/registry', city(count))
  const signed: SignedHead[] = [await door.ledger.sealer.seal()]
  for (let card = 0; card < count; card++) {
    const body = { delivery: `tap-of-${card}-0`, records: [recordOf(card, 1)] }
    await door.ok('gateway', 'POST', '/v1/records', body)
    signed.push(await door.ledger.sealer.seal())
  }
  return signed
}
const query = (first: number, second?: number) =>
  `?first=${first}${second === undefined ? '' : `&second=${second}`}`
const flip = (hex: string) => (hex.startsWith('0') ? '1' : '0') + hex.slice(1)

t.test('each signed head grew out of the ones before', async t => {
  const door = await doors.open()
  const signed = await heads(door, 7)
  const ask = async (first: number, second?: number): Promise<Consistency> =>
    await door.ok(null, 'GET', '/v1/consistency' + query(first, second))
  const proofs: Consistency[] = []
  for (const older of signed) {
    for (const newer of signed) {
      if (older.size <= newer.size) proofs.push(await ask(older.size, newer.size))
    }
  }
  writeFileSync(join(folder, 'city.pem'), door.ledger.signer.publicKeyPem)
  const all = check(proofs, '--key', join(folder, 'city.pem'))
  t.equal(all.code, 0)
  t.equal(all.says.filter(said => /is the beginning of that of/.test(said)).length, proofs.length)
  const [registered, first, ...later] = signed.map(head => head.size)
  t.strictSame([first, ...later], [1, 2, 3, 4, 5, 6, 7].map(nth => (registered ?? 0) + nth),
    'a batch each, on those of the registry')
  t.strictSame((await ask(first ?? 0)).second, signed.at(-1), 'without a second size the last head is meant')
  for (const wrong of ['first=99', `first=${first}&second=99`, `first=${later[2]}&second=${first}`]) {
    t.match(await door.ask(null, 'GET', `/v1/consistency?${wrong}`),
      { status: 404, json: { reason: 'not_found' } })
  }
  t.equal((await door.ask(null, 'GET', '/v1/consistency?first=0')).status, 400)

  const proof = await ask(later[0] ?? 0, later[5])
  const forged: Record<string, object> = {
    'the older root': { first: { ...proof.first, root: flip(proof.first.root) } },
    'the newer size': { second: { ...proof.second, size: proof.second.size - 1 } },
    'a step': { path: [flip(proof.path[0] ?? ''), ...proof.path.slice(1)] },
    'a step less': { path: proof.path.slice(1) },
    'a step more': { path: [...proof.path, proof.path[0]] },
    'another head as the older one': { first: signed[1] },
    'another head as the newer one': { second: signed[5] },
    'the format': { format: 'citizen-card-consistency-2' }
  }
  const said = check(Object.values(forged).map(change => ({ ...proof, ...change })))
  t.equal(said.code, 1)
  Object.keys(forged).forEach((what, index) => t.match(said.says[index], /^NOT PROVEN/, `forged ${what}`))

  const witness = join(folder, 'heads.jsonl')
  writeFileSync(witness, signed.map(head => JSON.stringify(head) + '\n').join(''))
  t.equal(check([proof], '--witness', witness).code, 0)
  writeFileSync(witness, JSON.stringify({ ...proof.second, root: flip(proof.second.root) }) + '\n')
  const another = new RegExp(`was shown another tree of ${later[5]}`)
  t.match(check([proof], '--witness', witness), { code: 1, says: [another] })
  await door.close()
})

/* ---- the audit log ---- */

type Kept = { readonly door: Door, readonly shown: SignedHead[], readonly witness: string }

/** A ledger in which people do things between batches, and what a gateway and its witness keep of it. */
async function withDeeds (name: string): Promise<Kept> {
  const door = await doors.open()
  const shown = await heads(door, 2)
  for (let deed = 0; deed < 3; deed++) {
    await door.ok('registrar', 'POST', '/v1/blacklist', { add: [], remove: [] })
    shown.push(await door.ledger.sealer.seal())
  }
  const witness = join(folder, `${name}.jsonl`)
  writeFileSync(witness, shown.map(head => JSON.stringify(head) + '\n').join(''))
  return { door, shown, witness }
}
const rowsOf = (head: SignedHead | undefined): number => head?.audit?.rows ?? NaN
const faultsOf = async (door: Door, shown: SignedHead | null = null): Promise<string[]> =>
  (await verifyBooks(door.db, { shown })).checks.filter(one => !one.ok).map(one => one.detail)

t.test('deeds are proven to a stranger who kept signed heads', async t => {
  const { door, shown, witness } = await withDeeds('deeds')
  const [before, last] = shown.slice(-2)
  t.equal(before?.size, last?.size, 'a deed without a batch makes a head of its own')
  t.equal(rowsOf(last), rowsOf(before) + 1)
  t.strictSame(await door.ledger.sealer.seal(), last, 'and nothing done makes none')
  const log: AuditProof = await door.ok('auditor', 'GET', '/v1/audit/proof')
  const later: AuditProof = await door.ok('auditor', 'GET', `/v1/audit/proof?after=${rowsOf(before)}`)
  t.match([log.entries.length, later.entries.length, later.after],
    [rowsOf(last), 1, { rows: rowsOf(before), hash: before?.audit?.hash }])
  writeFileSync(join(folder, 'city.pem'), door.ledger.signer.publicKeyPem)
  const sound = check([log, later], '--key', join(folder, 'city.pem'), '--witness', witness)
  t.equal(sound.code, 0, sound.says.join())
  t.match(sound.says[0], new RegExp(`^deeds 1 to ${rowsOf(last)} are the audit log of 2026-03-02T12`))
  const [first, ...others] = log.entries
  const forged: Record<string, object> = {
    'a deed': { entries: [{ ...first, by: 'nobody' }, ...others] },
    'a deed less': { entries: log.entries.slice(0, -1) },
    'the first deed less': { entries: others, after: { rows: 1, hash: log.after.hash } },
    'another beginning': { after: { rows: 0, hash: flip(log.after.hash) } },
    'an older head': { head: before },
    'the count under the head': {
      entries: others, head: { ...last, audit: { ...last?.audit, rows: rowsOf(last) - 1 } }
    },
    'a head without a log': { head: { ...last, audit: undefined } }
  }
  const said = check(Object.values(forged).map(change => ({ ...log, ...change })))
  Object.keys(forged).forEach((what, index) => t.match(said.says[index], /^NOT PROVEN/, `forged ${what}`))
  const rights = [['auditor', 404], ['admin-1', 404], ['clerk', 403], ['gateway', 403]] as const
  for (const [as, status] of rights) {
    t.equal((await door.ask(as, 'GET', '/v1/audit/proof?after=999')).status, status, as)
  }
  await door.close()
})

t.test('an audit log that was cut or written anew is found here and outside', async t => {
  const { door, shown, witness } = await withDeeds('cut')
  t.strictSame(await faultsOf(door, shown.at(-1) ?? null), [])
  const last = rowsOf(shown.at(-1))

  const { rows } = await door.db.query<AuditRow>(
    'select seq, at as "atMs", by_whom as by, action, subject, detail from audit order by seq')
  let previous: Uint8Array = auditGenesis
  for (const row of rows) { // the second deed becomes somebody else's, and all hashes are made anew
    const forged = row.seq === 2n ? { ...row, by: 'clerk' } : row
    const hash = auditHash(previous, forged)
    await door.db.query('update audit set by_whom = $2, previous = $3, hash = $4 where seq = $1',
      [row.seq, forged.by, previous, hash])
    previous = hash
  }
  t.match(await door.ok('auditor', 'GET', '/v1/audit/integrity'), { ok: true }, 'a chain in order')
  t.match((await faultsOf(door))[0],
    new RegExp(`^audit 3 .* tree_head .*; audit ${last} is missing or not the one under tree_head \\d+`))
  await t.rejects(door.ledger.sealer.seal(), /audit log was cut or rewritten/, 'nothing is signed over it')
  await door.close()

  const other = await withDeeds('shortened')
  await other.door.db.query('delete from audit where seq > $1', [last - 2])
  t.match(await faultsOf(other.door), [`audit ${last - 1} is missing or not the one under tree_head`])
  await other.door.db.query('delete from tree_head where audit_rows > $1', [last - 2])
  t.strictSame(await faultsOf(other.door), [], 'without its last heads it is a ledger in order')
  t.match(await faultsOf(other.door, other.shown.at(-1)), [`over ${last} rows of the audit log, was shown`],
    'but not for whoever kept the last one')
  other.door.clock.advance(60_000)
  await other.door.ok('registrar', 'POST', '/v1/blacklist', { add: [], remove: [] })
  const head = await other.door.ledger.sealer.seal()
  const log = await other.door.ok('auditor', 'GET', '/v1/audit/proof')
  t.equal(check([log]).code, 0, 'a proof of its own')
  t.match(check([log], '--witness', other.witness), { code: 1, says: [/was shown (other|\d+) deeds/] })
  const gateway = headWitness(other.witness, createLog('test', { level: 'silent' }))
  gateway.see(head)
  t.equal(gateway.contradictions(), 1, 'a gateway sees it without asking anybody')
  await other.door.close()
  t.match(check([{ ...log, head: shown.at(-1) }]).says, [/^NOT PROVEN/])
  t.ok(witness !== other.witness)
})

t.test('a tree of thousands is proven from its tiles', async t => {
  const door = await doors.open()
  const db = openDb(door.databaseUrl, { max: 1 })
  const leaves = Array.from({ length: 1_100 }, (_, index) => ({
    batchId: BigInt(index + 1), date: '2026-03-02', root: Buffer.alloc(32),
    hash: leafHash(Buffer.from(`leaf ${index}`))
  }))
  await inTransaction(db, async tx => {
    await insertLeaves(tx, 0, leaves.slice(0, 300))
    await completeTiles(tx, 300)
    await insertLeaves(tx, 300, leaves.slice(300)) // by a process that knows no tiles
    await completeTiles(tx, 1_100)
  })
  t.equal((await tilesFrom(db, 0, 99)).length, 4)
  const hashes = await leafHashes(db)
  for (const [from, to] of [
    [0, 1_024], [0, 1_100], [512, 1_024], [1_024, 1_100], [768, 1_024], [256, 512], [5, 6], [1_096, 1_100]
  ] as const) {
    t.strictSame(await subtreeRoot(db, { from, to }), rootOf(hashes.slice(from, to)), `${from} to ${to}`)
  }
  await db.query('delete from tree_tile where tile = 1')
  t.strictSame(await subtreeRoot(db, { from: 0, to: 1_024 }), rootOf(hashes.slice(0, 1_024)),
    'a tile is missing')
  await db.end()
  await door.close()
})

t.test('of old heads the last of each hour stay, and those that others were given', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(3))
  const signed: SignedHead[] = []
  const at = (nth: number) => signed[nth] as SignedHead
  for (let nth = 0; nth < 12; nth++) { // three an hour, in every fifth hour
    const records = [recordOf(nth % 3, 1 + Math.floor(nth / 3))]
    await door.ok('gateway', 'POST', '/v1/records', { delivery: `every-twenty-minutes-${nth}`, records })
    signed.push(await door.ledger.sealer.seal())
    if (nth === 6) t.strictSame(await door.ok(null, 'GET', '/v1/head'), at(6))
    if (nth === 7) await door.ok(null, 'GET', '/v1/consistency' + query(at(2).size))
    door.clock.advance(nth % 3 === 2 ? 260 * 60_000 : 20 * 60_000)
  }
  await door.db.query(`
    insert into gateway_state (gateway, reported_at, every_seconds, started_at) values ('away', $1, 60, $1)`,
  [at(4).at])
  const after = async (days: number) =>
    await retain(door.db, { nowMs: Date.parse(at(11).at) + days * 86_400_000, apply: true })
  const kept = async () => (await allHeads(door.db)).map(({ head }) => head.size)
  const all = await kept()
  await after(39)
  t.strictSame(await kept(), all, 'forty days all of them')
  await after(41)
  const wanted = [2, 3, 4, 5, 6, 7, 8, 11] // of the fourth to sixth a gateway is away with one
  t.strictSame(await kept(), wanted.map(nth => at(nth).size))
  t.strictSame(await faultsOf(door, at(0)), [], 'what was shown is proven by its leaves')
  const grown: Consistency[] = []
  for (const nth of wanted.slice(0, -1)) {
    grown.push(await door.ok(null, 'GET', '/v1/consistency' + query(at(nth).size)))
  }
  t.equal(check(grown).code, 0, 'each that stays is the beginning of the last')
  t.equal((await door.ask(null, 'GET', '/v1/consistency' + query(at(1).size))).status, 404)
  await door.db.query('delete from tree_head where size = $1', [at(6).size])
  t.match(await faultsOf(door), [new RegExp(`^head_given ${at(6).size} over \\d+ rows`)])
  await door.close()
})

t.test('a refused record is proven by the header of its batch, which covers every verdict', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(2))
  await door.ok('gateway', 'POST', '/v1/records', {
    delivery: 'one-free-ride', records: [recordOf(0, 1, { amountFen: 0 }), recordOf(1, 1)]
  })
  await door.ledger.sealer.seal()
  const { card } = recordOf(0, 1)
  const id = `${card.issuer}-${card.serial}-${card.issue}/101`
  const free = await door.ok('inspector', 'GET', `/v1/proofs?id=${id}`)
  t.match(free.proofs[0].text,
    /^batch\|2\|\d+\|2026-03-02\|1\|[0-9a-f]{64}\|records\|\d+\|1\|2\|[0-9a-f]{64}$/)
  t.equal(check([free]).code, 0)
  t.equal((await door.ask(null, 'GET', `/v1/proofs?id=${id}`)).status, 401,
    'a proof of a tap is not for everybody')
  await door.close()
})

t.test('every answer matched its description', async t => {
  t.strictSame(doors.mismatches(), [])
})
