// What the ledger asks of whoever keeps its master keys: to encrypt blocks under one of them. All else is
// made from that. It refuses to know what the blocks are for, and has no word for taking a key out.
import type { HeldKey, MasterRef, Validity } from './master-keys.ts'

export type KeyStore = {
  /** For people; without any secret. */
  readonly place: string
  readonly list: () => readonly HeldKey[]
  /** Whole blocks under a master key, ECB. Throws KeyRefused where it has no such key or is away. */
  readonly encrypt: (ref: MasterRef, blocks: Uint8Array) => Uint8Array
  /**
   * Whether the key of a city may be made from the root in this memory, for the length of a batch. A token
   * holds the keys of its cities as keys of its own, so that none of them is ever here.
   */
  readonly opensCities: boolean
  readonly close: () => void
}

/** What a ceremony may do besides; no ledger opens a store like this. Each throws KeyRefused. */
export type KeyVault = KeyStore & {
  /** The caller overwrites `key`. */
  readonly put: (ref: MasterRef, validity: Validity, key: Uint8Array) => void
  /** Made inside: nobody has seen it, and nobody can make it again. */
  readonly generate: (ref: MasterRef, validity: Validity) => void
  readonly end: (ref: MasterRef, to: string | null) => void
  readonly destroy: (ref: MasterRef) => void
}
