// The key store of a development ledger: an encrypted file. Its keys are in the memory of whoever opens it.
// It refuses to know what keys are for.
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { openSealedJson, sealJson } from '../../runtime/sealed-json.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import { checkValue, keyBytes } from './components.ts'
import type { KeyStore, KeyVault } from './key-store.ts'
import {
  findKey, KeyRefused, keyName, purposes, type HeldKey, type MasterRef, type Purpose, type Validity
} from './master-keys.ts'

const isoDate = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' })
const Master = Type.Object({
  keyVersion: Type.Integer({ minimum: 0, maximum: 255 }),
  suite: Type.Union([Type.Literal('3des'), Type.Literal('sm4')]),
  master: Type.String({ pattern: '^[0-9A-Fa-f]{32}$' }),
  city: Type.Optional(Type.String({ pattern: '^[0-9A-F]{16}$', description: 'factor; the key is its own' })),
  from: Type.Optional(isoDate),
  to: Type.Optional(isoDate)
}, { additionalProperties: false })
const Masters = Type.Optional(Type.Array(Master))

/** Master keys, hexadecimal, by purpose: the roots that card keys are diversified from. */
export const KeySet = Type.Object({
  tac: Type.Array(Master), load: Masters, maintenance: Masters, purchase: Masters, pin_unblock: Masters,
  pin_reload: Masters, card_master: Masters, transport: Masters
}, { additionalProperties: false })
export type KeySet = Static<typeof KeySet>

const format = 'citizen-card-keys-1'
/** Of keys of before there were dates. */
const always: Validity = { from: '2000-01-01', to: null }

/** The text of a key file. `salt` has 16 random bytes, `iv` 12. */
export const sealKeys = (keys: KeySet, passphrase: string, salt: Uint8Array, iv: Uint8Array): string =>
  sealJson(format, keys, passphrase, salt, iv)

/** Throws with the path and what to do when it is missing, damaged, or the passphrase is another. */
export const openKeyFile = (path: string, passphrase: string): KeyStore =>
  storeOf(path, rowsIn(Value.Parse(KeySet, openSealedJson(format, path, passphrase))))

/** For a ceremony: each change is on disk, in a new file under the old name, before the call returns. */
export function openKeyFileVault (
  path: string, passphrase: string, random: (length: number) => Uint8Array
): KeyVault {
  const rows = existsSync(path)
    ? rowsIn(Value.Parse(KeySet, openSealedJson(format, path, passphrase)))
    : []
  const save = (): void => {
    const text = sealKeys(keySetOf(rows), passphrase, random(16), random(12))
    writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  }
  const put = (ref: MasterRef, { from, to }: Validity, key: Uint8Array): void => {
    if (findKey(rows.map(({ held }) => held), ref) !== null) throw new KeyRefused('key_exists', keyName(ref))
    rows.push(rowOf(ref, { from, to }, Uint8Array.from(key)))
    save()
  }
  return {
    ...storeOf(path, rows),
    put,
    generate: (ref, validity) => {
      const key = random(keyBytes)
      put(ref, validity, key)
      key.fill(0)
    },
    end: (ref, to) => {
      const at = placeOf(rows, ref)
      const { held, master } = rows[at] as Row
      rows[at] = rowOf(held, { from: held.from, to }, master)
      save()
    },
    destroy: ref => {
      for (const { master } of rows.splice(placeOf(rows, ref), 1)) master.fill(0)
      save()
    }
  }
}

/* ---- rows ---- */

type Row = { readonly held: HeldKey, readonly master: Uint8Array }

function storeOf (path: string, rows: readonly Row[]): KeyStore {
  return {
    place: path,
    opensCities: true,
    list: () => rows.map(({ held }) => held),
    encrypt: (ref, blocks) => suites[ref.suite].encrypt((rows[placeOf(rows, ref)] as Row).master, blocks),
    close: () => { for (const { master } of rows) master.fill(0) }
  }
}

function placeOf (rows: readonly Row[], ref: MasterRef): number {
  const at = rows.findIndex(({ held }) => findKey([held], ref) !== null)
  if (at < 0) throw new KeyRefused('key_unknown', keyName(ref))
  return at
}

const rowOf = (ref: MasterRef, { from, to }: Validity, master: Uint8Array): Row => {
  const { purpose, suite, keyVersion, city } = ref
  return { held: { purpose, suite, keyVersion, city, from, to, check: checkValue(suite, master) }, master }
}

const purposeNames = Object.keys(purposes) as Purpose[]

const rowsIn = (keys: KeySet): Row[] => purposeNames.flatMap(purpose => (keys[purpose] ?? []).map(row => {
  const { suite, keyVersion, city = null, from = always.from, to = always.to } = row
  return rowOf({ purpose, suite, keyVersion, city }, { from, to }, unhex(row.master))
}))

function keySetOf (rows: readonly Row[]): KeySet {
  const of = (purpose: Purpose) => rows.filter(({ held }) => held.purpose === purpose)
    .map(({ held: { keyVersion, suite, city, from, to }, master }) => ({
      keyVersion, suite, master: hex(master), from, ...city === null ? {} : { city },
      ...to === null ? {} : { to }
    }))
  return { ...Object.fromEntries(purposeNames.map(purpose => [purpose, of(purpose)])), tac: of('tac') }
}
