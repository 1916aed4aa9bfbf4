// A worker thread that verifies TACs. Master keys live only here: it opens the key file itself; card keys are
// made for one task and forgotten with it.
import { parentPort, workerData } from 'node:worker_threads'
import { groupBy } from '../../runtime/collections.ts'
import { orderFactors, type FactorOrder } from '../../schemas/epurse/keys.ts'
import { equalConstantTime, unhex } from '../../schemas/epurse/hex.ts'
import { suites, type Suite } from '../../schemas/epurse/suite.ts'
import { openKeys } from './key-file.ts'
import { answerBlock, type BlockQuestion } from './block-keys.ts'
import { answerLoad, type LoadAnswer, type LoadQuestion } from './load-keys.ts'
import { cardFactorAt, cityFactorAt, coveredAt, itemLength, readScheme, schemeOf, tacAt } from './tac-item.ts'

export type TacTask = { readonly task: number, readonly items: Uint8Array, readonly order: FactorOrder }
export type LoadTask = { readonly task: number, readonly load: LoadQuestion }
/** 1 the TAC is right, 0 it is wrong or its key version is not known. */
export type TacAnswer = { readonly task: number, readonly valid: Uint8Array }
export type BlockTask = { readonly task: number, readonly block: BlockQuestion }
export type LoadTaskAnswer = { readonly task: number, readonly load: LoadAnswer }
export type BlockTaskAnswer = { readonly task: number, readonly block: Uint8Array | null }

const { path, passphrase } = workerData as { path: string, passphrase: string }
const keySet = openKeys(path, passphrase)
const masters = new Map(keySet.tac.map(({ suite, keyVersion, master }) =>
  [`${suite}/${keyVersion}`, unhex(master)] as const))

function verifyAll (items: Uint8Array, order: FactorOrder): Uint8Array {
  const valid = new Uint8Array(items.length / itemLength)
  const places = Array.from(valid, (_, index) => index * itemLength)
  for (const [scheme, own] of groupBy(places, at => schemeOf(items, at))) {
    const { suite: name, keyVersion, levels } = readScheme(scheme)
    const master = masters.get(`${name}/${keyVersion}`)
    if (master === undefined) continue
    const suite = suites[name]
    const keys = cardKeys(suite, master, own.map(at =>
      orderFactors(order, levels === 2 ? cityFactorAt(items, at) : null, cardFactorAt(items, at))))
    for (const [index, at] of own.entries()) {
      const key = suite.tacKey(keys.subarray(index * keyBytes, (index + 1) * keyBytes))
      if (equalConstantTime(suite.tac(key, coveredAt(items, at)), tacAt(items, at))) {
        valid[at / itemLength] = 1
      }
    }
  }
  return valid
}

const keyBytes = 16
const factorBytes = 8

/** The keys of all cards, one behind the other. Every level is computed for every card, but many at once. */
function cardKeys (
  suite: Suite, master: Uint8Array, factors: readonly (readonly Uint8Array[])[]
): Uint8Array {
  const [first = [], ...rest] = levelsOf(factors)
  let keys = suite.divertAll(master, joined(first))
  for (const level of rest) keys = divertEach(suite, keys, joined(level))
  return keys
}

/** Factor lists of cards, turned into lists of one level. */
const levelsOf = (factors: readonly (readonly Uint8Array[])[]): Uint8Array[][] =>
  (factors[0] ?? []).map((_, level) => factors.map(own => own[level] as Uint8Array))

function joined (factors: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(factors.length * factorBytes)
  for (const [index, factor] of factors.entries()) all.set(factor, index * factorBytes)
  return all
}

/** Each factor under its own key. Neighbours whose key is the same, as cards of one city, share a call. */
function divertEach (suite: Suite, keys: Uint8Array, factors: Uint8Array): Uint8Array {
  const diverted = new Uint8Array(keys.length)
  const count = keys.length / keyBytes
  for (let from = 0, to = 0; from < count; from = to) {
    const key = keys.subarray(from * keyBytes, (from + 1) * keyBytes)
    for (to = from + 1; to < count && sameKey(key, keys, to * keyBytes);) to++
    const own = factors.subarray(from * factorBytes, to * factorBytes)
    diverted.set(suite.divertAll(key, own), from * keyBytes)
  }
  return diverted
}

function sameKey (key: Uint8Array, keys: Uint8Array, at: number): boolean {
  for (let byte = 0; byte < keyBytes; byte++) if (key[byte] !== keys[at + byte]) return false
  return true
}

parentPort?.on('message', (asked: TacTask | LoadTask | BlockTask) => {
  if ('block' in asked) {
    const block = answerBlock(keySet, asked.block)
    parentPort?.postMessage({ task: asked.task, block } satisfies BlockTaskAnswer)
    return
  }
  if ('load' in asked) {
    const load = answerLoad(keySet, asked.load)
    parentPort?.postMessage({ task: asked.task, load } satisfies LoadTaskAnswer)
    return
  }
  const { task, items, order } = asked
  const valid = verifyAll(items, order)
  parentPort?.postMessage({ task, valid } satisfies TacAnswer, [valid.buffer as ArrayBuffer])
})
