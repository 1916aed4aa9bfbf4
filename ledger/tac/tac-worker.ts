// A worker thread that verifies TACs. It opens the key store itself: master keys are in the token, or only
// here where the store is a file. Card keys are made for one task and overwritten with it.
import { parentPort, workerData } from 'node:worker_threads'
import { groupBy } from '../../runtime/collections.ts'
import type { FactorOrder } from '../../schemas/epurse/keys.ts'
import { equalConstantTime, readU32, unhex } from '../../schemas/epurse/hex.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import { withCardKeys } from '../keys/card-keys.ts'
import { keyBytes } from '../keys/components.ts'
import type { HeldKey } from '../keys/master-keys.ts'
import { openKeyStore } from '../keys/open-store.ts'
import { answerChip, type ChipAnswer, type ChipQuestion } from './chip-keys.ts'
import { answerLoad, type LoadAnswer, type LoadQuestion } from './load-keys.ts'
import {
  cardFactorsAt, cityFactorAt, coveredAt, dateAt, groupOf, itemLength, readScheme, schemeOf, tacAt
} from './tac-item.ts'

export type TacTask = { readonly task: number, readonly items: Uint8Array, readonly order: FactorOrder }
export type LoadTask = { readonly task: number, readonly load: LoadQuestion }
/** 1 the TAC is right; 0 it is wrong, its key version is not known, or it is of after that key's last day. */
export type TacAnswer = { readonly task: number, readonly valid: Uint8Array }
export type LoadTaskAnswer = { readonly task: number, readonly load: LoadAnswer }
export type ChipTask = { readonly task: number, readonly chip: ChipQuestion }
export type ChipTaskAnswer = { readonly task: number, readonly chip: ChipAnswer }

const { path, passphrase } = workerData as { path: string, passphrase: string }
const store = await openKeyStore(path, passphrase)

function verifyAll (items: Uint8Array, order: FactorOrder): Uint8Array {
  const valid = new Uint8Array(items.length / itemLength)
  const places = Array.from(valid, (_, index) => index * itemLength)
  for (const own of groupBy(places, at => groupOf(items, at)).values()) verifyGroup(items, own, order, valid)
  return valid
}

/** Items of one master key: one suite, one version, and one city or none. */
function verifyGroup (
  items: Uint8Array, own: readonly number[], order: FactorOrder, valid: Uint8Array
): void {
  const [first] = own as readonly [number, ...number[]]
  const { suite: name, keyVersion, levels } = readScheme(schemeOf(items, first))
  const suite = suites[name]
  const city = levels === 2 ? cityFactorAt(items, first) : null
  const factors = { cards: cardFactorsAt(items, own), city, order }
  withCardKeys(store, { purpose: 'tac', suite: name, keyVersion }, factors, (keys, master) => {
    const lastDay = lastDayOf(master)
    for (const [index, at] of own.entries()) {
      const key = suite.tacKey(keys.subarray(index * keyBytes, (index + 1) * keyBytes))
      const right = equalConstantTime(suite.tac(key, coveredAt(items, at)), tacAt(items, at))
      key.fill(0)
      if (right && dateAt(items, at) <= lastDay) valid[at / itemLength] = 1
    }
  })
}

/**
 * As the four BCD bytes of a date compare. Its first day is not asked for: a terminal whose clock stands in
 * the past makes true records, and what is wrong with them is not their key.
 */
const lastDayOf = ({ to }: HeldKey): number =>
  to === null ? Number.MAX_SAFE_INTEGER : readU32(unhex(to.replaceAll('-', '')))

type Task = TacTask | LoadTask | ChipTask
/** What comes after it is not read; with nothing left to wait for, the thread ends. */
export type Closing = 'close'

parentPort?.on('message', (asked: Task | Closing) => {
  if (asked === 'close') {
    store.close()
    parentPort?.close()
    return
  }
  try {
    answer(asked)
  } catch (error) {
    store.close() // or the token would keep the connection of a thread that is gone
    throw error
  }
})

function answer (asked: Task): void {
  if ('chip' in asked) {
    const chip = answerChip(store, asked.chip)
    parentPort?.postMessage({ task: asked.task, chip } satisfies ChipTaskAnswer)
    return
  }
  if ('load' in asked) {
    const load = answerLoad(store, asked.load)
    parentPort?.postMessage({ task: asked.task, load } satisfies LoadTaskAnswer)
    return
  }
  const { task, items, order } = asked
  const valid = verifyAll(items, order)
  parentPort?.postMessage({ task, valid } satisfies TacAnswer, [valid.buffer as ArrayBuffer])
}
