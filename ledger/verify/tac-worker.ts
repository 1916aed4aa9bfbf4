// A worker thread that verifies TACs. Master keys live only here: it opens the key file itself; card keys are
// made for one check and forgotten.
import { parentPort, workerData } from 'node:worker_threads'
import { diversify, orderFactors, type FactorOrder } from '../../schemas/epurse/keys.ts'
import { equalConstantTime, unhex } from '../../schemas/epurse/hex.ts'
import { purchaseTac } from '../../schemas/epurse/mac.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import { openKeys } from './key-file.ts'
import { itemLength, readItem } from './tac-item.ts'

export type TacTask = { readonly task: number, readonly items: Uint8Array, readonly order: FactorOrder }
/** 1 the TAC is right, 0 it is wrong or its key version is not known. */
export type TacAnswer = { readonly task: number, readonly valid: Uint8Array }

const { path, passphrase } = workerData as { path: string, passphrase: string }
const masters = new Map(openKeys(path, passphrase).tac.map(({ suite, keyVersion, master }) =>
  [`${suite}/${keyVersion}`, unhex(master)] as const))

function verify (bytes: Uint8Array, order: FactorOrder): boolean {
  const item = readItem(bytes)
  const master = masters.get(`${item.suite}/${item.keyVersion}`)
  if (master === undefined) return false
  const suite = suites[item.suite]
  const dtk = diversify(suite, master, orderFactors(order, item.cityFactor, item.cardFactor))
  return equalConstantTime(purchaseTac({ ...item, suite, dtk }), item.tac)
}

parentPort?.on('message', ({ task, items, order }: TacTask) => {
  const valid = new Uint8Array(items.length / itemLength)
  for (let index = 0; index < valid.length; index++) {
    valid[index] = verify(items.subarray(index * itemLength, (index + 1) * itemLength), order) ? 1 : 0
  }
  parentPort?.postMessage({ task, valid } satisfies TacAnswer, [valid.buffer])
})
