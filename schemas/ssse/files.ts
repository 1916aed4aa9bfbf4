// What a social-security card (SSSE) says of its holder: names of its application, the records of files 05
// and 06, cut and built. Which generation writes which tag is not settled by public sources: unknown tags are
// passed over. Pure; it refuses to know readers. Text is GBK.
import type { Parsed } from '../epurse/apdu.ts'
import { concat, hex, unhex } from '../epurse/hex.ts'
import { fromGbk, toGbk } from './gbk.ts'

/** "sx1.sh." or "sx2.sh." and 社会保障 in GB2312: 3DES cards, and cards of the SSF33 cipher. */
export const ssseNames = [
  unhex('7378312E73682EC9E7BBE1B1A3D5CF'), unhex('7378322E73682EC9E7BBE1B1A3D5CF')
] as const

type Form = 'hex' | 'ascii' | 'gbk' | 'bcd'
type Field = { readonly tag: number, readonly name: string, readonly length: number, readonly form: Form }

/** By short file id, in the order of the records. */
export const ssseFiles = {
  0x05: [
    { tag: 0x01, name: 'cardId', length: 16, form: 'hex' },
    { tag: 0x02, name: 'cardClass', length: 1, form: 'ascii' },
    { tag: 0x03, name: 'specification', length: 4, form: 'ascii' },
    { tag: 0x04, name: 'institution', length: 12, form: 'hex' },
    { tag: 0x05, name: 'issuedOn', length: 4, form: 'bcd' },
    { tag: 0x06, name: 'validUntil', length: 4, form: 'bcd' },
    { tag: 0x07, name: 'cardNumber', length: 9, form: 'ascii' }
  ],
  0x06: [
    { tag: 0x01, name: 'idNumber', length: 18, form: 'ascii' },
    { tag: 0x02, name: 'name', length: 30, form: 'gbk' },
    { tag: 0x03, name: 'sexThen', length: 1, form: 'ascii' },
    { tag: 0x04, name: 'sex', length: 1, form: 'ascii' },
    { tag: 0x05, name: 'nation', length: 1, form: 'hex' },
    { tag: 0x07, name: 'bornOn', length: 4, form: 'bcd' }
  ]
} as const satisfies Record<number, readonly Field[]>
export type SsseFile = keyof typeof ssseFiles
export type SsseField = typeof ssseFiles[SsseFile][number]['name']
export type Holder = Partial<Record<SsseField, string>>

/** One record: tag, length, value; what follows it is filling. Null for a tag that is not in the table. */
export function readSsseRecord (
  file: SsseFile, bytes: Uint8Array
): Parsed<{ readonly field: { readonly name: SsseField, readonly value: string } | null }> {
  const [tag, length] = bytes
  if (tag === undefined || length === undefined) {
    return { ok: false, error: `file ${byteText(file)}: a record of ${bytes.length} bytes has no length` }
  }
  const value = bytes.subarray(2, 2 + length)
  if (value.length < length) {
    return {
      ok: false,
      error: `file ${byteText(file)}, tag ${byteText(tag)}: length at offset 1 says ${length} bytes, ` +
        `${value.length} follow`
    }
  }
  const field = ssseFiles[file].find(one => one.tag === tag)
  if (field === undefined) return { ok: true, field: null }
  return { ok: true, field: { name: field.name, value: textOf(field.form, value) } }
}

const byteText = (byte: number): string => hex(Uint8Array.of(byte))

/** Throws RangeError where the value does not fit its field. */
export function buildSsseRecord (file: SsseFile, name: SsseField, value: string): Uint8Array {
  const field = ssseFiles[file].find(one => one.name === name)
  if (field === undefined) throw new RangeError(`file ${file} has no field ${name}`)
  const bytes = bytesOf(field.form, value)
  const isText = field.form === 'ascii' || field.form === 'gbk'
  if (bytes.length > field.length || (!isText && bytes.length < field.length)) {
    throw new RangeError(`${name} has ${field.length} bytes, not ${bytes.length}`)
  }
  const filled = concat(bytes, new Uint8Array(field.length - bytes.length))
  return concat(Uint8Array.of(field.tag, field.length), filled)
}

const isHex = (form: Form): boolean => form === 'hex' || form === 'bcd'

/** Filling behind text is zeros, blanks or FF. */
function textOf (form: Form, bytes: Uint8Array): string {
  if (isHex(form)) return hex(bytes)
  let end = bytes.length
  while (end > 0 && [0x00, 0x20, 0xff].includes(bytes[end - 1] ?? 0)) end--
  const text = bytes.subarray(0, end)
  return form === 'gbk' ? fromGbk(text) : Buffer.from(text).toString('latin1')
}

const bytesOf = (form: Form, text: string): Uint8Array =>
  isHex(form) ? unhex(text) : form === 'gbk' ? toGbk(text) : Uint8Array.from(Buffer.from(text, 'latin1'))
