// What is done with master keys in a ceremony, as text in and text out: components go into the store and are
// overwritten here. It refuses to take a key out of one, and to know where words and components come from.
import { parseArgs } from 'node:util'
import { unhex } from '../../schemas/epurse/hex.ts'
import { diversionBlocks } from '../../schemas/epurse/suite.ts'
import { checkValue, combine, componentText, keyBytes, readComponent } from './components.ts'
import type { KeyVault } from './key-store.ts'
import {
  findKey, keyName, KeyRefused, mayDestroy, mayRetire, nextVersion, readKeyName, readLineName, stateOf,
  validityOf, type MasterRef, type Validity
} from './master-keys.ts'

export const usage = 'component SUITE | list | import NAME | generate NAME | derive NAME | rotate LINE | ' +
  'retire NAME | destroy NAME   [--from DATE] [--to DATE] [--check ABCDEF] [--components]'

/** Where and when it is held. */
export type Ceremony = {
  readonly openVault: () => Promise<KeyVault>
  readonly today: string
  readonly random: (length: number) => Uint8Array
  /** Lines that custodians type. */
  readonly typed: AsyncIterable<string>
}

/** What is said of it. Throws KeyRefused, and Error with the usage. */
export async function hold (ceremony: Ceremony, words: readonly string[]): Promise<string> {
  const text = { type: 'string' } as const
  const { values, positionals: [verb = '', name = ''] } = parseArgs({
    args: [...words], allowPositionals: true,
    options: { from: text, to: text, check: text, components: { type: 'boolean' } }
  })
  if (verb === 'component' && (name === '3des' || name === 'sm4')) return component(ceremony, name)
  const act = verbs[verb]
  if (act === undefined || (verb !== 'list' && name === '')) throw new Error(usage)
  const vault = await ceremony.openVault()
  try {
    return await act({ ...ceremony, vault }, name, values)
  } finally {
    vault.close()
  }
}

type Options = {
  readonly from?: string, readonly to?: string, readonly check?: string, readonly components?: boolean
}
type Held = Ceremony & { readonly vault: KeyVault }
type Verb = (held: Held, name: string, options: Options) => string | Promise<string>

const verbs: Readonly<Record<string, Verb>> = {
  list, import: importKey, generate, derive, rotate, retire, destroy, export: refuseExport
}

/** Needs no store. */
function component ({ random }: Ceremony, suite: '3des' | 'sm4'): string {
  const bytes = random(keyBytes)
  const text = componentText(suite, bytes)
  bytes.fill(0)
  return text
}

function list ({ vault, today }: Held): string {
  const all = [...vault.list()].sort((one, other) => keyName(one) < keyName(other) ? -1 : 1)
  const rows = all.map(key =>
    [keyName(key), key.check, key.from, key.to ?? '-', stateOf(key, all, today)].join('\t'))
  return ['name\tcheck\tfrom\tto\tstate', ...rows].join('\n')
}

async function importKey (held: Held, name: string, options: Options): Promise<string> {
  const { vault, typed, today } = held
  const ref = refOf(name)
  const key = await keyFromComponents(typed, ref, options)
  vault.put(ref, daysOf(name, today, options), key)
  key.fill(0)
  return lineOf(vault, ref)
}

function generate ({ vault, today }: Held, name: string, options: Options): string {
  const ref = refOf(name)
  vault.generate(ref, daysOf(name, today, options))
  return lineOf(vault, ref)
}

/**
 * The key of a city is the root's encryption of its factor, so it is in this memory between two calls: make
 * it where the root is, on a machine for that, and never in a ledger.
 */
function derive ({ vault, today }: Held, name: string, options: Options): string {
  const ref = refOf(name)
  if (ref.city === null) throw new Error(`${name} is no key of a city: PURPOSE.SUITE.VERSION.CITY`)
  const root = { ...ref, city: null }
  const held = findKey(vault.list(), root)
  if (held === null) throw new KeyRefused('key_unknown', keyName(root))
  const key = vault.encrypt(root, diversionBlocks(unhex(ref.city)))
  const { from, to } = held
  vault.put(ref, daysOf(name, today, { from, ...to === null ? {} : { to }, ...options }), key)
  key.fill(0)
  return lineOf(vault, ref)
}

/** The version before goes on verifying: its cards live on until it is retired. */
async function rotate (held: Held, name: string, options: Options): Promise<string> {
  const line = readLineName(name)
  if (line === null) throw new Error(`${name} is no line of keys: PURPOSE.SUITE[.CITY]`)
  const ref = nextVersion(held.vault.list(), line)
  if (options.components !== true) return generate(held, keyName(ref), options)
  return await importKey(held, keyName(ref), options)
}

function retire ({ vault }: Held, name: string, { to }: Options): string {
  const ref = refOf(name)
  const { to: lastDay } = validityOf(name, '0000-01-01', to ?? '')
  if (lastDay === null) throw new KeyRefused('dates_wrong', name)
  mayRetire(vault.list(), ref, lastDay)
  vault.end(ref, lastDay)
  return lineOf(vault, ref)
}

function destroy ({ vault, today }: Held, name: string, { check = '' }: Options): string {
  const ref = refOf(name)
  mayDestroy(vault.list(), ref, check, today)
  vault.destroy(ref)
  return `${name} is gone`
}

function refuseExport (_: Held, name: string): never {
  throw new KeyRefused('key_not_exportable', name)
}

/* ---- parts ---- */

async function keyFromComponents (
  typed: AsyncIterable<string>, ref: MasterRef, { check }: Options
): Promise<Uint8Array> {
  const components: Uint8Array[] = []
  for await (const text of typed) {
    if (text.trim() !== '') components.push(readComponent(ref.suite, text, components.length + 1))
  }
  const key = combine(components)
  if (check !== undefined && checkValue(ref.suite, key) !== check.toUpperCase()) {
    key.fill(0)
    throw new KeyRefused('check_value_wrong', keyName(ref))
  }
  return key
}

function refOf (name: string): MasterRef {
  const ref = readKeyName(name)
  if (ref === null) throw new Error(`${name} is no key: PURPOSE.SUITE.VERSION[.CITY], as tac.3des.01`)
  return ref
}

function daysOf (name: string, today: string, { from = today, to }: Options): Validity {
  return validityOf(name, from, to ?? null)
}

function lineOf (vault: KeyVault, ref: MasterRef): string {
  const key = findKey(vault.list(), ref)
  if (key === null) throw new KeyRefused('key_unknown', keyName(ref))
  return `${keyName(key)} ${key.check} from ${key.from}${key.to === null ? '' : ` to ${key.to}`}`
}
