// The keys of many cards from one master key: one call to the store for a whole batch, since diversification
// is an encryption under the master and a block of ECB knows nothing of its neighbours. They live as long as
// one function runs and are then overwritten. It refuses to know what they are used for.
import type { FactorOrder } from '../../schemas/epurse/keys.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { diversionBlocks, suites, type Suite, type SuiteName } from '../../schemas/epurse/suite.ts'
import { keyBytes } from './components.ts'
import type { KeyStore } from './key-store.ts'
import { findKey, type HeldKey, type Purpose } from './master-keys.ts'

export type Scheme = { readonly purpose: Purpose, readonly suite: SuiteName, readonly keyVersion: number }

/** Cards of one city, or cards whose keys have no city level. */
export type CardFactors = {
  /** Eight bytes a card, one behind the other. */
  readonly cards: Uint8Array
  /** Eight bytes; null for the card level alone. */
  readonly city: Uint8Array | null
  readonly order: FactorOrder
}

/**
 * Gives `use` the keys of all cards, 16 bytes each in the order of the factors, and the master they are of;
 * null without calling it where the store holds none of that version. What `use` keeps of them is zeros
 * afterwards.
 */
export function withCardKeys<T> (
  store: KeyStore, scheme: Scheme, { cards, city, order }: CardFactors,
  use: (keys: Uint8Array, master: HeldKey) => T
): T | null {
  const twoLevels = order === 'city-first' ? cityThenCard : cardThenCity
  const found = city === null ? cardLevel(store, scheme, cards) : twoLevels(store, scheme, city, cards)
  if (found === null) return null
  try {
    return use(found.keys, found.master)
  } finally {
    found.keys.fill(0)
  }
}

type Found = { readonly keys: Uint8Array, readonly master: HeldKey }

function cardLevel (store: KeyStore, scheme: Scheme, cards: Uint8Array): Found | null {
  const master = findKey(store.list(), { ...scheme, city: null })
  return master === null ? null : { keys: store.encrypt(master, diversionBlocks(cards)), master }
}

/**
 * Under the city's own key where the store has it; otherwise from the root, where that may be opened here.
 */
function cityThenCard (store: KeyStore, scheme: Scheme, city: Uint8Array, cards: Uint8Array): Found | null {
  const own = findKey(store.list(), { ...scheme, city: hex(city) })
  if (own !== null) return { keys: store.encrypt(own, diversionBlocks(cards)), master: own }
  if (!store.opensCities) return null
  const opened = cardLevel(store, scheme, city)
  if (opened === null) return null
  const keys = suites[scheme.suite].divertAll(opened.keys, cards)
  opened.keys.fill(0)
  return { keys, master: opened.master }
}

/** The second level is under a key of each card's own, so it is made here, one by one. */
function cardThenCity (store: KeyStore, scheme: Scheme, city: Uint8Array, cards: Uint8Array): Found | null {
  const first = cardLevel(store, scheme, cards)
  if (first === null) return null
  const keys = divertEach(suites[scheme.suite], first.keys, city)
  first.keys.fill(0)
  return { keys, master: first.master }
}

function divertEach (suite: Suite, keys: Uint8Array, factor8: Uint8Array): Uint8Array {
  const diverted = new Uint8Array(keys.length)
  for (let at = 0; at < keys.length; at += keyBytes) {
    diverted.set(suite.divert(keys.subarray(at, at + keyBytes), factor8), at)
  }
  return diverted
}
