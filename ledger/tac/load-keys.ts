// What a load needs of the host's keys: whether the chip's MAC1 is right, the MAC2 it waits for, whether its
// TAC is right. Runs in the worker thread, where the key store is open. It refuses to know money.
import { equalConstantTime, unhex } from '../../schemas/epurse/hex.ts'
import type { FactorOrder } from '../../schemas/epurse/keys.ts'
import { loadMac1, loadMac2, loadSessionKey, loadTac } from '../../schemas/epurse/mac.ts'
import { suites, type SuiteName } from '../../schemas/epurse/suite.ts'
import { transactionTypes } from '../../schemas/epurse/transaction-types.ts'
import { withCardKeys } from '../keys/card-keys.ts'
import type { KeyStore } from '../keys/key-store.ts'
import { isValidOn } from '../keys/master-keys.ts'

/** All bytes in hexadecimal text, as they stand in commands and answers. */
export type LoadMacs = {
  readonly suite: SuiteName
  readonly keyVersion: number
  /** Last 8 bytes of the application serial. */
  readonly cardFactor: string
  /** On the chip: before the load for MAC1, after it for the TAC. */
  readonly balanceFen: number
  readonly amountFen: number
  readonly counter: number
  readonly terminal: string
  readonly dateTime: string
}
export type LoadQuestion =
  | LoadMacs & { readonly ask: 'macs', readonly random: string, readonly mac1: string }
  | LoadMacs & {
    readonly ask: 'tac', readonly tac: string, readonly order: FactorOrder, readonly cityFactor: string | null
  }

/** `mac2`: null where MAC1 was wrong, or a TAC was asked about. */
export type LoadAnswer = {
  readonly known: boolean, readonly right: boolean, readonly mac2: Uint8Array | null
}

const unknown: LoadAnswer = { known: false, right: false, mac2: null }

export const answerLoad = (store: KeyStore, asked: LoadQuestion): LoadAnswer =>
  asked.ask === 'macs' ? checkMacs(store, asked) : checkTac(store, asked)

/** A version whose days are over puts no more value onto chips. */
function checkMacs (store: KeyStore, asked: Extract<LoadQuestion, { ask: 'macs' }>): LoadAnswer {
  const suite = suites[asked.suite]
  const card = { cards: unhex(asked.cardFactor), city: null, order: 'city-first' } as const
  return withCardKeys(store, { ...schemeOf(asked), purpose: 'load' }, card, (dlk, master): LoadAnswer => {
    if (!isValidOn(master, dateOf(asked))) return unknown
    const sessionKey = loadSessionKey({ suite, dlk, rand4: unhex(asked.random), counter: asked.counter })
    const signed = signedOf(asked)
    const mac1 = loadMac1({ suite, sessionKey, ...signed, oldBalanceFen: asked.balanceFen })
    if (!equalConstantTime(mac1, unhex(asked.mac1))) return { known: true, right: false, mac2: null }
    const mac2 = loadMac2({ suite, sessionKey, ...signed })
    sessionKey.fill(0)
    return { known: true, right: true, mac2 }
  }) ?? unknown
}

/** `balanceFen`: after the load, as the TAC covers it. Its date was looked at when MAC2 was given. */
function checkTac (store: KeyStore, asked: Extract<LoadQuestion, { ask: 'tac' }>): LoadAnswer {
  const suite = suites[asked.suite]
  const city = asked.cityFactor === null ? null : unhex(asked.cityFactor)
  const card = { cards: unhex(asked.cardFactor), city, order: asked.order }
  return withCardKeys(store, { ...schemeOf(asked), purpose: 'tac' }, card, (dtk): LoadAnswer => {
    const newBalanceFen = asked.balanceFen
    const tac = loadTac({ suite, dtk, newBalanceFen, counter: asked.counter, ...signedOf(asked) })
    return { known: true, right: equalConstantTime(tac, unhex(asked.tac)), mac2: null }
  }) ?? unknown
}

const schemeOf = ({ suite, keyVersion }: LoadMacs) => ({ suite, keyVersion })
const dateOf = ({ dateTime }: LoadMacs): string =>
  `${dateTime.slice(0, 4)}-${dateTime.slice(4, 6)}-${dateTime.slice(6, 8)}`

function signedOf ({ amountFen, terminal, dateTime }: LoadMacs) {
  const moment = unhex(dateTime)
  return {
    amountFen, type: transactionTypes.epLoad, terminal6: unhex(terminal), date4: moment.slice(0, 4),
    time3: moment.slice(4)
  }
}
