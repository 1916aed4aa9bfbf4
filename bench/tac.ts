// TACs verified in a second, and card keys made: master keys in the encrypted file beside master keys in a
// token (SoftHSM2 behind p11-kit, in a process of its own), with one worker and two, in turn in one run; keys
// in bulk beside keys one by one. `npm run bench -- tac [COUNT [ROUNDS]]`. Every TAC is another card's, one
// in a hundred is wrong, and the wrong ones must be found.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { softHsmMissing, startSoftHsm } from '../bin/soft-hsm.ts'
import { count as grouped, table } from '../bin/table.ts'
import { suites } from '../schemas/epurse/suite.ts'
import { withCardKeys } from '../ledger/keys/card-keys.ts'
import { keyBytes } from '../ledger/keys/components.ts'
import type { KeyStore } from '../ledger/keys/key-store.ts'
import { openKeyStore, openKeyVault } from '../ledger/keys/open-store.ts'
import { tokenUri } from '../ledger/keys/token-uri.ts'
import { cardFactorsAt, coveredAt, itemLength, tacFrom } from '../ledger/tac/tac-item.ts'
import { startTacPool } from '../ledger/tac/tac-pool.ts'
import type { Bench } from './main.ts'

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
    print(rates, keys)
    return { count, rounds, ...Object.fromEntries(rates), ...Object.fromEntries(keys) }
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

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN

function print (rates: readonly Figure[], keys: readonly Figure[]): void {
  const verified = [['keys', 'TACs/s'], ...rates.map(([name, rate]) => [name, grouped(rate)])]
  const made = [['card keys', 'µs each'], ...keys.map(([name, cost]) => [name, cost.toFixed(2)])]
  console.log([...table(verified, ['left', 'right']), '', ...table(made, ['left', 'right'])].join('\n'))
}
