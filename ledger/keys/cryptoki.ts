// PKCS#11 cut down to what a token of master keys needs: numbers of the standard (PKCS #11 v2.40) and the
// calls of its binding. The only importer of pkcs11js. It refuses to know what our keys are.
import { KeyRefused, type KeyReason } from './master-keys.ts'

export type Handle = Buffer
export type Attribute = { readonly type: number, readonly value?: Buffer | boolean | number | string }
export type Mechanism = { readonly mechanism: number }

/** Calls of the standard under their names there; all of them wait for the answer. */
export type Cryptoki = {
  readonly load: (path: string) => void
  readonly close: () => void
  readonly C_Initialize: (options: { readonly flags: number }) => void
  readonly C_Finalize: () => void
  readonly C_GetSlotList: (tokenPresent: boolean) => Handle[]
  readonly C_GetTokenInfo: (slot: Handle) => { readonly label: string }
  readonly C_GetMechanismList: (slot: Handle) => number[]
  readonly C_OpenSession: (slot: Handle, flags: number) => Handle
  readonly C_Login: (session: Handle, user: number, pin: string) => void
  readonly C_FindObjectsInit: (session: Handle, template: readonly Attribute[]) => void
  readonly C_FindObjects: (session: Handle, countMax: number) => Handle[]
  readonly C_FindObjectsFinal: (session: Handle) => void
  readonly C_GetAttributeValue:
  (session: Handle, object: Handle, template: readonly Attribute[]) => Attribute[]
  readonly C_SetAttributeValue: (session: Handle, object: Handle, template: readonly Attribute[]) => void
  readonly C_CreateObject: (session: Handle, template: readonly Attribute[]) => Handle
  readonly C_GenerateKey: (session: Handle, mechanism: Mechanism, template: readonly Attribute[]) => Handle
  readonly C_DestroyObject: (session: Handle, object: Handle) => void
  readonly C_EncryptInit: (session: Handle, mechanism: Mechanism, key: Handle) => void
  readonly C_Encrypt: (session: Handle, from: Buffer, into: Buffer) => Buffer
}

export const cka = {
  class: 0x000, token: 0x001, private: 0x002, label: 0x003, value: 0x011, keyType: 0x100, id: 0x102,
  sensitive: 0x103, encrypt: 0x104, decrypt: 0x105, wrap: 0x106, unwrap: 0x107, sign: 0x108, verify: 0x10A,
  derive: 0x10C, extractable: 0x162
} as const
export const cko = { secretKey: 0x04 } as const
export const ckk = { des2: 0x14 } as const
export const ckm = { des2KeyGen: 0x130, des3Ecb: 0x132 } as const
export const ckf = { osLockingOk: 0x02, rwSession: 0x02, serialSession: 0x04 } as const
export const cku = { user: 1 } as const
/** A wrong PIN, one that was wrong too often, and a token to be read alone. */
const ckr = { pinIncorrect: 0xA0, pinLocked: 0xA4, tokenWriteProtected: 0xE2 } as const

/** Not initialised yet. Throws with what to do when the package is not installed or not built. */
export async function loadCryptoki (module: string): Promise<Cryptoki> {
  const { PKCS11 } = await loadBinding()
  const cryptoki = new PKCS11()
  calling(module, () => { cryptoki.load(module) })
  return cryptoki
}

/** Not a literal: TypeScript would want the optional package to be there. */
const binding: string = 'pkcs11js'
async function loadBinding (): Promise<{ PKCS11: new () => Cryptoki }> {
  try {
    const { default: pkcs11 } = await import(binding) as { default: { PKCS11: new () => Cryptoki } }
    return pkcs11
  } catch (cause) {
    throw new Error('no tokens: the package pkcs11js is not built; install g++, make and python3, then ' +
      'npm run setup', { cause })
  }
}

/** The error of a call in our words: which token, what the module said, and what that means. */
export function calling<T> (place: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (error instanceof KeyRefused) throw error
    const { code, message } = error as { code?: unknown, message: string }
    throw new KeyRefused(reasonOf(code), `${place} (${message})`, error)
  }
}

const reasonOf = (code: unknown): KeyReason => {
  if (code === ckr.pinIncorrect || code === ckr.pinLocked) return 'pin_wrong'
  return code === ckr.tokenWriteProtected ? 'store_read_only' : 'store_unreachable'
}
