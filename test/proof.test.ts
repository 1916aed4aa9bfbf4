// Proofs that a stranger checks: that a tap is in the ledger, that nothing under an older signed head was
// changed since. The ledger makes them, a program without any of its code checks them.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SignedHead } from '../schemas/api.ts'
import { leafHash } from '../schemas/merkle.ts'
import type { Consistency } from '../schemas/proof.ts'
import { rootOf } from '../ledger/core/merkle.ts'
import { openDb, inTransaction } from '../ledger/store/db.ts'
import { completeTiles, insertLeaves, leafHashes, subtreeRoot, tilesFrom } from '../ledger/store/tree.ts'
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
    ['--import', 'tsx', 'bin/verify-proof.ts', ...files, ...more], { encoding: 'utf8' })
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
  t.strictSame((await ask(2)).second, signed.at(-1), 'without a second size the last head is meant')
  for (const wrong of ['first=99', 'first=3&second=99', 'first=5&second=3']) {
    t.match(await door.ask(null, 'GET', `/v1/consistency?${wrong}`),
      { status: 404, json: { reason: 'not_found' } })
  }
  t.equal((await door.ask(null, 'GET', '/v1/consistency?first=0')).status, 400)

  const proof = await ask(3, 8)
  const forged: Record<string, object> = {
    'the older root': { first: { ...proof.first, root: flip(proof.first.root) } },
    'the newer size': { second: { ...proof.second, size: 7 } },
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
  t.match(check([proof], '--witness', witness), { code: 1, says: [/was shown another tree of 8/] })
  await door.close()
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
