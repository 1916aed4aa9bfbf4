// Names of the files between operator and centre: type 2 · date 8 · industry 2 · merchant 15 · sequence 5.
import { readFields, writeFields, type Values } from './fields.ts'

export const fileTypes = ['XF', 'SS', 'QS', 'NS'] as const
export type FileType = typeof fileTypes[number]

export const fileNameLayout = [
  { name: 'type', width: 2, format: 'text', oneOf: fileTypes, says: 'XF consumption, SS, QS, NS answers' },
  { name: 'date', width: 8, format: 'digits', says: 'YYYYMMDD' },
  { name: 'industry', width: 2, format: 'digits', says: 'industry code' },
  { name: 'merchant', width: 15, format: 'digits', says: 'merchant number' },
  { name: 'sequence', width: 5, format: 'n', says: "the operator's count of its files" }
] as const
export type FileName = Values<typeof fileNameLayout> & { type: FileType }

/** The parts of a name, or null when it does not follow the pattern. */
export function parseFileName (name: string): FileName | null {
  const read = readFields(fileNameLayout, name)
  return read.ok ? read.values as FileName : null
}

export const formatFileName = (name: FileName): string => writeFields(fileNameLayout, name)

/** The name as SS and NS records carry it: 30 characters, without the type. */
export const sourceName = (name: string): string => name.slice(2)

/** The date, YYYY-MM-DD, of a name such as `20260302_Black.txt`; null where it is none. */
export function blackFileDate (name: string): string | null {
  const parts = /^(\d{4})(\d\d)(\d\d)_Black\.txt$/.exec(name)
  return parts === null ? null : parts.slice(1).join('-')
}

/** `20260302_Black.txt`, from YYYY-MM-DD. */
export const blackFileName = (date: string): string => `${date.replaceAll('-', '')}_Black.txt`
