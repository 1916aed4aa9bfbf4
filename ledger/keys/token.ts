// The key store of a city: a token behind PKCS#11, an HSM or SoftHSM2. Its module is p11-kit's client, so
// that the token itself is in a process of its own and master keys never are in ours; each thread that opens
// it has a connection of its own. Keys are told by their labels; their days stand in CKA_ID. It refuses to
// use a key that could be taken out.
import { checkOf, zeroBlock } from './components.ts'
import {
  calling, cka, ckf, ckk, ckm, cko, cku, loadCryptoki, type Attribute, type Cryptoki, type Handle
} from './cryptoki.ts'
import type { KeyStore, KeyVault } from './key-store.ts'
import {
  KeyRefused, keyName, readKeyName, type HeldKey, type MasterRef, type Validity
} from './master-keys.ts'
import { readTokenUri } from './token-uri.ts'

/** A message of p11-kit holds a batch whole; parts keep it, and what a token must take at once, small. */
const partBytesMax = 2 ** 18

/** Throws KeyRefused where it is away, the PIN is wrong, or it would give one of our keys away. */
export async function openToken (uri: string, pin: string): Promise<KeyStore> {
  return storeOf(await openSession(uri, pin, ckf.serialSession))
}

/** For a ceremony. */
export async function openTokenVault (uri: string, pin: string): Promise<KeyVault> {
  const own = await openSession(uri, pin, ckf.serialSession | ckf.rwSession)
  const add = (ref: MasterRef, make: () => Handle): void => {
    if (ref.suite !== '3des') throw new KeyRefused('suite_not_in_token', keyName(ref))
    if (own.keys.has(keyName(ref))) throw new KeyRefused('key_exists', keyName(ref))
    const handle = own.call(make)
    own.keys.set(keyName(ref), readKey(own, handle) ?? keyLost(ref))
  }
  return {
    ...storeOf(own),
    put: (ref, validity, key) => {
      add(ref, () => own.cryptoki.C_CreateObject(own.session, [
        { type: cka.class, value: cko.secretKey }, { type: cka.keyType, value: ckk.des2 },
        { type: cka.value, value: Buffer.from(key.buffer, key.byteOffset, key.length) },
        ...closedKey(ref, validity)]))
    },
    generate: (ref, validity) => {
      add(ref, () => own.cryptoki.C_GenerateKey(
        own.session, { mechanism: ckm.des2KeyGen }, closedKey(ref, validity)))
    },
    end: (ref, to) => {
      const { handle, held } = keyIn(own, ref)
      own.call(() => {
        own.cryptoki.C_SetAttributeValue(own.session, handle, [
          { type: cka.id, value: daysValue({ from: held.from, to }) }])
      })
      own.keys.set(keyName(ref), readKey(own, handle) ?? keyLost(ref))
    },
    destroy: ref => {
      const { handle } = keyIn(own, ref)
      own.call(() => { own.cryptoki.C_DestroyObject(own.session, handle) })
      own.keys.delete(keyName(ref))
    }
  }
}

/* ---- a session with what it found ---- */

type TokenKey = { readonly handle: Handle, readonly held: HeldKey }
type OpenToken = {
  readonly uri: string
  readonly cryptoki: Cryptoki
  readonly session: Handle
  /** By name. */
  readonly keys: Map<string, TokenKey>
  readonly call: <T>(call: () => T) => T
}

async function openSession (uri: string, pin: string, flags: number): Promise<OpenToken> {
  const { token, module } = readTokenUri(uri)
  const cryptoki = await loadCryptoki(module)
  const call = <T>(one: () => T): T => calling(uri, one)
  call(() => { cryptoki.C_Initialize({ flags: ckf.osLockingOk }) })
  try {
    const slot = call(() => cryptoki.C_GetSlotList(true)
      .find(one => cryptoki.C_GetTokenInfo(one).label.trimEnd() === token))
    if (slot === undefined) throw new KeyRefused('store_unreachable', `${uri} (no token of that label)`)
    if (!call(() => cryptoki.C_GetMechanismList(slot)).includes(ckm.des3Ecb)) {
      throw new KeyRefused('suite_not_in_token', `${uri} (CKM_DES3_ECB)`)
    }
    const session = call(() => cryptoki.C_OpenSession(slot, flags))
    call(() => { cryptoki.C_Login(session, cku.user, pin) })
    const own = { uri, cryptoki, session, keys: new Map<string, TokenKey>(), call }
    for (const handle of objectsOf(own)) {
      const key = readKey(own, handle)
      if (key !== null) own.keys.set(keyName(key.held), key)
    }
    return own
  } catch (error) {
    closing(cryptoki)
    throw error
  }
}

/** Also ends the session and the process on the other side. */
function closing (cryptoki: Cryptoki): void {
  try {
    cryptoki.C_Finalize()
  } finally {
    cryptoki.close()
  }
}

function storeOf (own: OpenToken): KeyStore {
  return {
    place: own.uri,
    opensCities: false,
    list: () => [...own.keys.values()].map(({ held }) => held),
    encrypt: (ref, blocks) => encryptIn(own, keyIn(own, ref).handle, blocks),
    close: () => { closing(own.cryptoki) }
  }
}

function encryptIn ({ cryptoki, session, call }: OpenToken, key: Handle, blocks: Uint8Array): Buffer {
  const from = Buffer.from(blocks.buffer, blocks.byteOffset, blocks.length)
  const into = Buffer.alloc(blocks.length)
  for (let at = 0; at < from.length; at += partBytesMax) {
    const end = Math.min(at + partBytesMax, from.length)
    call(() => {
      cryptoki.C_EncryptInit(session, { mechanism: ckm.des3Ecb }, key)
      return cryptoki.C_Encrypt(session, from.subarray(at, end), into.subarray(at, end))
    })
  }
  return into
}

function keyIn ({ keys }: OpenToken, ref: MasterRef): TokenKey {
  const key = keys.get(keyName(ref))
  if (key === undefined) throw new KeyRefused('key_unknown', keyName(ref))
  return key
}

function keyLost (ref: MasterRef): never {
  throw new KeyRefused('store_unreachable', `${keyName(ref)} (made, but not found under its label)`)
}

/* ---- objects ---- */

const objectsAtOnce = 100

function objectsOf ({ cryptoki, session, call }: OpenToken): Handle[] {
  return call(() => {
    cryptoki.C_FindObjectsInit(session, [
      { type: cka.class, value: cko.secretKey }, { type: cka.token, value: true }])
    const found: Handle[] = []
    for (let more = [...cryptoki.C_FindObjects(session, objectsAtOnce)]; more.length > 0;) {
      found.push(...more)
      more = [...cryptoki.C_FindObjects(session, objectsAtOnce)]
    }
    cryptoki.C_FindObjectsFinal(session)
    return found
  })
}

/** Null for what is none of ours. Throws KeyRefused for one of ours that could be taken out. */
function readKey (own: OpenToken, handle: Handle): TokenKey | null {
  const { cryptoki, session, call } = own
  const [label, sensitive, extractable, id] = call(() => cryptoki.C_GetAttributeValue(session, handle,
    [cka.label, cka.sensitive, cka.extractable, cka.id].map(type => ({ type }))))
    .map(({ value }) => Buffer.isBuffer(value) ? value : Buffer.alloc(0))
  const ref = readKeyName(label?.toString('utf8') ?? '')
  if (ref === null) return null
  if (sensitive?.[0] !== 1 || extractable?.[0] !== 0) throw new KeyRefused('key_extractable', keyName(ref))
  const days = readDays(id?.toString('latin1') ?? '')
  if (days === null) throw new KeyRefused('dates_wrong', `${keyName(ref)} (its CKA_ID)`)
  const check = checkOf(encryptIn(own, handle, zeroBlock(ref.suite)))
  return { handle, held: { ...ref, ...days, check } }
}

/** Encrypts, and nothing else: it cannot be read, wrapped, copied out, or used to open other keys. */
const closedKey = (ref: MasterRef, days: Validity): Attribute[] => [
  { type: cka.token, value: true }, { type: cka.private, value: true },
  { type: cka.label, value: keyName(ref) },
  { type: cka.sensitive, value: true }, { type: cka.extractable, value: false },
  { type: cka.encrypt, value: true }, { type: cka.decrypt, value: false },
  { type: cka.wrap, value: false }, { type: cka.unwrap, value: false },
  { type: cka.sign, value: false }, { type: cka.verify, value: false }, { type: cka.derive, value: false },
  { type: cka.id, value: daysValue(days) }
]

/**
 * `2026-01-01/` or `2026-01-01/2031-12-31`. Not CKA_START_DATE and CKA_END_DATE: pkcs11js 2.1 reads past the
 * end of a date, and throws at one that another program has left empty.
 */
const daysValue = ({ from, to }: Validity): Buffer => Buffer.from(`${from}/${to ?? ''}`, 'latin1')

function readDays (text: string): Validity | null {
  const [, from, to = ''] = /^(\d{4}-\d{2}-\d{2})\/(\d{4}-\d{2}-\d{2})?$/.exec(text) ?? []
  return from === undefined ? null : { from, to: to === '' ? null : to }
}
