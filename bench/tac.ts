// TACs verified in a second, and card keys made: master keys in the encrypted file beside master keys in a
// token (SoftHSM2 behind p11-kit, in a process of its own), with one worker and two, in turn in one run; keys
// in bulk beside keys one by one. `npm run bench -- tac [COUNT [ROUNDS]]`. Every TAC is another card's, one
// in a hundred is wrong, and the wrong ones must be found. At the end the memory of a process that verifies
// is searched for the master key: found where it is a file, or the look says nothing; not with a token.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { softHsmMissing, startSoftHsm } from '../bin/soft-hsm.ts'
import { count as grouped, table } from '../bin/table.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import { suites } from '../schemas/epurse/suite.ts'
import { withCardKeys } from '../ledger/keys/card-keys.ts'
import { keyBytes } from '../ledger/keys/components.ts'
import type { KeyStore } from '../ledger/keys/key-store.ts'
import { openKeyStore, openKeyVault } from '../ledger/keys/open-store.ts'
import { tokenUri } from '../ledger/keys/token-uri.ts'
import { cardFactorsAt, coveredAt, itemLength, tacFrom } from '../ledger/tac/tac-item.ts'
import { startTacPool } from '../ledger/tac/tac-pool.ts'
import type { Bench } from './main.ts'
import { searchMemory, shapesOf } from './support/memory.ts'

const batchItems = 5_000
const wrongEvery = 100
const scheme = { purpose: 'tac', suite: '3des', keyVersion: 1 } as const
type Figure = readonly [name: string, value: number]
type Place = { readonly name: string, readonly place: string, readonly secret: string }

export const bench: Bench = async ({ args: [countText = '200000', roundsText = '3'] }) => {
  const [count, rounds] = [Number(countText), Number(roundsText)]
  const lacks = softHsmMissing()
  if (lacks !== null) throw new Error(lacks)
  const dir = mkdtempSync(join(tmpdir(), 'tac-'))
  const hsm = await startSoftHsm({ dir: join(dir, 'hsm') })
  Object.assign(process.env, hsm.ceremonyEnv)
  try {
    const places: readonly Place[] = [
      { name: 'file', place: join(dir, 'keys.sealed'), secret: 'bench' },
      { name: 'token', place: tokenUri({ token: hsm.label, module: hsm.clientModule }), secret: hsm.pin }]
    const master = createHash('sha256').update('bench').digest().subarray(0, keyBytes)
    for (const { place, secret } of places) await putMaster(place, secret, master)
    Object.assign(process.env, hsm.env)
    const items = await signedItems(places[0] as Place, count)
    const rates = await verificationRates(places, items, rounds)
    const keys = await keyCosts(places, items)
    const masters = await mastersInMemory(places, items, join(dir, 'items'), master)
    const ratios = ratiosOf(new Map([...rates, ...keys]))
    print(rates, keys, ratios)
    console.log(Object.entries(masters).map(([name, { times, mebibytes }]) =>
      `master keys in ${mebibytes} MiB of a process that verified by the ${name}: ${times}`).join('\n'))
    return { count, rounds, ...Object.fromEntries(rates), ...Object.fromEntries(keys), ratios, masters }
  } finally {
    await hsm.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function putMaster (place: string, secret: string, master: Uint8Array): Promise<void> {
  const vault = await openKeyVault(place, secret, length => new Uint8Array(length).fill(1))
  vault.put({ ...scheme, city: null }, { from: '2020-01-01', to: null }, master)
  vault.close()
}

/** Items of `count` cards with the TAC that each chip makes; every hundredth is changed afterwards. */
async function signedItems ({ place, secret }: Place, count: number): Promise<Buffer> {
  const items = Buffer.alloc(count * itemLength)
  for (let at = 0; at < items.length; at += itemLength) {
    items[at + 1] = scheme.keyVersion
    items[at + 2] = 1
    items.writeUInt32BE(at / itemLength, at + 7)
    items.write('000000C80699000000000100000123' + '20260105083015', at + 19, 'hex')
  }
  const store = await openKeyStore(place, secret)
  const places = placesOf(items)
  withCardKeys(store, scheme, cardsOf(items, places), keys => {
    const suite = suites[scheme.suite]
    for (const [index, at] of places.entries()) {
      const key = suite.tacKey(keys.subarray(keyBytes * index, keyBytes * (index + 1)))
      items.set(suite.tac(key, coveredAt(items, at)), at + tacFrom)
      if (index % wrongEvery === 0) items[at + tacFrom] = (items[at + tacFrom] as number) ^ 1
    }
  })
  store.close()
  return items
}

const placesOf = (items: Uint8Array): readonly number[] =>
  Array.from({ length: items.length / itemLength }, (_, index) => index * itemLength)
const cardsOf = (items: Uint8Array, places: readonly number[]) =>
  ({ cards: cardFactorsAt(items, places), city: null, order: 'city-first' }) as const

/** By name, TACs a second in the median round. The first round of each is not counted. */
async function verificationRates (
  places: readonly Place[], items: Buffer, rounds: number
): Promise<Figure[]> {
  const runs = await Promise.all(places.flatMap(({ name, place, secret }) => [1, 2].map(async workers => ({
    name: `${name}, ${workers} ${workers === 1 ? 'worker' : 'workers'}`, workers, rates: [] as number[],
    pool: await startTacPool({ workers, keyFile: place, passphrase: secret })
  }))))
  for (let round = 0; round <= rounds; round++) {
    for (const { pool, workers, rates } of runs) {
      const rate = await verifyAll(pool, items, workers)
      if (round > 0) rates.push(rate)
    }
  }
  await Promise.all(runs.map(({ pool }) => pool.close()))
  return runs.map(({ name, rates }) => [name, median(rates)])
}

/** Two batches a worker are under way. */
async function verifyAll (
  pool: Awaited<ReturnType<typeof startTacPool>>, items: Buffer, workers: number
): Promise<number> {
  const count = items.length / itemLength
  let [next, valid] = [0, 0]
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: 2 * workers }, async () => {
    while (next < items.length) {
      const from = next
      next = Math.min(from + batchItems * itemLength, items.length)
      const answer = await pool.verify(new Uint8Array(items.subarray(from, next)), 'city-first')
      valid += answer.reduce((sum, one) => sum + one, 0)
    }
  }))
  const seconds = (performance.now() - startedAt) / 1_000
  assert.equal(valid, count - Math.ceil(count / wrongEvery))
  return Math.round(count / seconds)
}

/** By name, microseconds for a card key: a batch in one call, and each in a call of its own. */
async function keyCosts (places: readonly Place[], items: Buffer): Promise<Figure[]> {
  const costs: Figure[] = []
  for (const { name, place, secret } of places) {
    const store = await openKeyStore(place, secret)
    const own = placesOf(items).slice(0, batchItems)
    const few = own.slice(0, 1_000)
    const inBulk = () => made(store, items, own)
    const each = () => few.reduce((sum, at) => sum + made(store, items, [at]), 0)
    inBulk()
    each()
    costs.push([`${name}, in bulk`, microseconds(inBulk, 20, own.length)],
      [`${name}, one by one`, microseconds(each, 3, few.length)])
    store.close()
  }
  return costs
}

const made = (store: KeyStore, items: Buffer, places: readonly number[]): number =>
  withCardKeys(store, scheme, cardsOf(items, places), keys => keys.length) ?? 0

function microseconds (work: () => number, times: number, count: number): number {
  const each = Array.from({ length: times }, () => {
    const startedAt = performance.now()
    assert.equal(work(), count * keyBytes)
    return (performance.now() - startedAt) * 1_000 / count
  })
  return Number(median(each).toFixed(3))
}

/** The file beside the token, two workers beside one, keys one by one beside keys in bulk. */
function ratiosOf (figures: ReadonlyMap<string, number>): Record<string, number> {
  const ratio = (one: string, other: string): number =>
    Number(((figures.get(one) ?? NaN) / (figures.get(other) ?? NaN)).toFixed(3))
  return {
    'token/file, 1 worker': ratio('token, 1 worker', 'file, 1 worker'),
    'token/file, 2 workers': ratio('token, 2 workers', 'file, 2 workers'),
    'file, 2/1 workers': ratio('file, 2 workers', 'file, 1 worker'),
    'token, 2/1 workers': ratio('token, 2 workers', 'token, 1 worker'),
    'file, one by one/bulk': ratio('file, one by one', 'file, in bulk'),
    'token, one by one/bulk': ratio('token, one by one', 'token, in bulk')
  }
}

/** A process each, which nobody tells a key: it opens its store, verifies a batch and stands still. */
async function mastersInMemory (
  places: readonly Place[], items: Buffer, path: string, master: Uint8Array
): Promise<Record<string, { readonly times: number, readonly mebibytes: number }>> {
  writeFileSync(path, items.subarray(0, batchItems * itemLength))
  const program = join(import.meta.dirname, 'support/verifier-main.ts')
  const found: Record<string, { times: number, mebibytes: number }> = {}
  for (const { name, place, secret } of places) {
    const child = await superviseChild<{ valid: number }>({
      name: 'verifier', ...nodeCommand(program, [place, secret, path])
    })
    try {
      assert.ok(child.ready.valid > 0, `${name}: it has verified nothing`)
      const { bytesRead, times } = searchMemory(child.pid, shapesOf('master', master))
      const all = Object.values(times).reduce((sum, one) => sum + one, 0)
      found[name] = { times: all, mebibytes: Math.round(bytesRead / 2 ** 20) }
    } finally {
      await child.stop()
    }
  }
  assert.ok((found['file']?.times ?? 0) > 0, 'the look does not find a key that is there')
  assert.equal(found['token']?.times, 0, 'a master key of the token is in our memory')
  return found
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN

function print (
  rates: readonly Figure[], keys: readonly Figure[], ratios: Readonly<Record<string, number>>
): void {
  const verified = [['keys', 'TACs/s'], ...rates.map(([name, rate]) => [name, grouped(rate)])]
  const made = [['card keys', 'µs each'], ...keys.map(([name, cost]) => [name, cost.toFixed(2)])]
  const beside = [['ratio', ''], ...Object.entries(ratios).map(([name, ratio]) => [name, ratio.toFixed(2)])]
  const rows = [verified, made, beside].map(one => table(one, ['left', 'right']).join('\n'))
  console.log(rows.join('\n\n'))
}
