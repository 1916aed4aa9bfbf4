// Personal data under lock: sealed with AES-256-GCM for the person it is of, opened for who may, masked for
// everybody else. It refuses to know who asks.
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import type { IdentityDocument, PersonalData } from '../../schemas/holder.ts'

export type Sealed = { readonly sealed: Buffer, readonly sealedWith: string }
export type PersonalSeal = {
  /** For one person: another one's row does not open in its place. */
  readonly seal: (holder: string, data: PersonalData) => Sealed
  /** Throws where the key is not here, or the row was changed. */
  readonly open: (holder: string, from: Sealed) => PersonalData
  /** The same for any text that is kept for somebody, in one line. */
  readonly sealText: (about: string, text: string) => string
  readonly openText: (about: string, line: string) => string
  /** The same for the same document, and no way back without the key. */
  readonly identityOf: (document: IdentityDocument) => Buffer
}

/** Of whom nothing is kept any more. */
const erased: PersonalData = { document: { kind: 'resident_id', number: 'ERASED' }, name: '—', phone: null }

const ivBytes = 12
const tagBytes = 16

/** `keys`: 32 bytes each. The last one seals, the first one makes identities; all of them open. */
export function personalSeal (
  keys: readonly [Uint8Array, ...Uint8Array[]], random: (length: number) => Uint8Array
): PersonalSeal {
  const byName = new Map(keys.map(key => [nameOf(key), derived(key, 'seal')]))
  const [first] = keys
  const last = keys.at(-1) ?? first
  const identityKey = derived(first, 'identity')
  const seal = (about: string, text: string): Sealed => {
    const iv = random(ivBytes)
    const cipher = createCipheriv('aes-256-gcm', derived(last, 'seal'), iv).setAAD(Buffer.from(about))
    const inside = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return { sealed: Buffer.concat([iv, inside, cipher.getAuthTag()]), sealedWith: nameOf(last) }
  }
  const open = (about: string, { sealed, sealedWith }: Sealed): string => {
    const key = byName.get(sealedWith)
    if (key === undefined) throw new Error(`${about} is sealed with ${sealedWith}, a key that is not here`)
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes))
      .setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(-tagBytes))
    const inside = sealed.subarray(ivBytes, -tagBytes)
    return Buffer.concat([decipher.update(inside), decipher.final()]).toString('utf8')
  }
  return {
    seal: (holder, data) => seal(holder, JSON.stringify(data)),
    open: (holder, from) => from.sealed.length === 0
      ? erased
      : JSON.parse(open(holder, from)) as PersonalData,
    sealText: (about, text) => {
      const { sealed, sealedWith } = seal(about, text)
      return `${sealedWith} ${sealed.toString('base64')}`
    },
    openText: (about, line) => {
      const [sealedWith = '', sealed = ''] = line.split(' ')
      return open(about, { sealed: Buffer.from(sealed, 'base64'), sealedWith })
    },
    identityOf: ({ kind, number }) => createHmac('sha256', identityKey).update(`${kind}\n${number}`).digest()
  }
}

const nameOf = (key: Uint8Array): string => createHash('sha256').update(key).digest('hex').slice(0, 8)
const derived = (key: Uint8Array, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, '', `personal data: ${purpose}`, 32))

/* ---- what is shown ---- */

/** 王小明 → 王＊＊; a document and a telephone keep their last four. */
export const maskedPerson = ({ document, name, phone }: PersonalData): PersonalData => ({
  document: { kind: document.kind, number: lastFour(document.number) },
  name: `${[...name][0] ?? ''}${'＊'.repeat(Math.min(Math.max([...name].length - 1, 1), namedMax))}`,
  phone: phone === null ? null : lastFour(phone)
})
const namedMax = 3
const lastFour = (text: string): string => `…${text.slice(-4)}`
