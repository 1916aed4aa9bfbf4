// The files of a virtual card: what SELECT, READ BINARY and READ RECORD find, and what a commit writes.
// It refuses to know money and keys.

import { hex, readU16, unhex } from '../../schemas/epurse/hex.ts'
import { sw } from './response.ts'

/**
 * Contents in hex. `cyclic`: the newest first, at most `count`, unused ones read as FF. `linear`: by number
 * from 1. `tagged`: each begins with its tag.
 */
export type File =
  | { readonly kind: 'binary', readonly bytes: string }
  | {
    readonly kind: 'cyclic', readonly length: number, readonly count: number,
    readonly records: readonly string[]
  }
  | {
    readonly kind: 'linear', readonly length: number, readonly lockAt: number,
    readonly records: readonly string[]
  }
  | { readonly kind: 'tagged', readonly lockAt: number, readonly records: readonly string[] }

/** By file id, 4 hex digits. */
export type Files = Readonly<Record<string, File>>

/** A record to be written when the debit commits; hex. */
export type RecordUpdate = { readonly fid: string, readonly record: number, readonly data: string }

export type Found = { readonly data: Uint8Array } | { readonly sw: number }

export const fidOfSfi = (sfi: number): string => sfi.toString(16).toUpperCase().padStart(4, '0')

/** From `offset` up to `le` bytes; null or 0 means all that is left. */
export function readBinary (file: File | undefined, offset: number, le: number | null): Found {
  if (file === undefined) return { sw: sw.fileMissing }
  if (file.kind !== 'binary') return { sw: sw.wrongFileType }
  const bytes = unhex(file.bytes)
  if (offset >= bytes.length) return { sw: sw.badOffset }
  return { data: bytes.subarray(offset, le === null || le === 0 ? undefined : offset + le) }
}

/** `p1` is the record number; in a tagged file with `byTag`, the tag. */
export function readRecord (file: File | undefined, p1: number, byTag: boolean): Found {
  if (file === undefined) return { sw: sw.fileMissing }
  if (file.kind === 'binary') return { sw: sw.wrongFileType }
  const found = recordAt(file, p1, byTag)
  return found === undefined ? { sw: sw.recordMissing } : { data: unhex(found) }
}

function recordAt (file: Exclude<File, { kind: 'binary' }>, p1: number, byTag: boolean): string | undefined {
  if (file.kind === 'tagged' && byTag) return file.records.find(record => tagOf(record) === p1)
  const stored = file.records[p1 - 1]
  const isUnused = file.kind === 'cyclic' && p1 >= 1 && p1 <= file.count
  return stored ?? (isUnused ? 'FF'.repeat(file.length) : undefined)
}

const tagOf = (record: string) => unhex(record.slice(0, 2))[0]

/** 9000, or why UPDATE CAPP DATA CACHE must refuse this record. A cyclic file takes a new one (P1 00). */
export function checkUpdate (file: File | undefined, p1: number, byTag: boolean, data: Uint8Array): number {
  if (file === undefined) return sw.fileMissing
  switch (file.kind) {
    case 'binary': return sw.wrongFileType
    case 'cyclic':
      if (p1 !== 0) return sw.badP1P2
      return data.length === file.length ? sw.ok : sw.wrongLength
    case 'linear':
      return data.length === file.length ? checkStored(file, p1, false) : sw.wrongLength
    case 'tagged':
      if (data.length < 3 || data[1] !== data.length - 2) return sw.wrongLength
      return checkStored(file, p1, byTag, data)
  }
}

/** The record must be there with its application lock byte clear; one with a tag keeps tag and length. */
function checkStored (
  file: Extract<File, { lockAt: number }>, p1: number, byTag: boolean, data?: Uint8Array
): number {
  const stored = recordAt(file, p1, byTag)
  if (stored === undefined) return sw.recordMissing
  const bytes = unhex(stored)
  if (data !== undefined && (bytes.length !== data.length || bytes[0] !== data[0])) return sw.badData
  return bytes[file.lockAt] === 0x00 ? sw.ok : sw.conditions
}

/** 9000, or why UPDATE BINARY must refuse that many bytes there. */
export function checkBinaryWrite (file: File | undefined, offset: number, length: number): number {
  if (file === undefined) return sw.fileMissing
  if (file.kind !== 'binary') return sw.wrongFileType
  const size = file.bytes.length / 2
  if (offset >= size) return sw.badOffset
  return length >= 1 && offset + length <= size ? sw.ok : sw.wrongLength
}

/** 9000, or why UPDATE RECORD must refuse it. The chip alone writes logs. */
export function checkRecordWrite (
  file: File | undefined, p1: number, byTag: boolean, data: Uint8Array
): number {
  if (file === undefined) return sw.fileMissing
  if (file.kind === 'binary' || file.kind === 'cyclic') return sw.wrongFileType
  const stored = recordAt(file, p1, byTag)
  if (stored === undefined) return sw.recordMissing
  if (data.length !== stored.length / 2) return sw.wrongLength
  const keepsHead = file.kind === 'linear' || hex(data.subarray(0, 2)) === stored.slice(0, 4)
  return keepsHead ? sw.ok : sw.badData
}

/** The files after the update, which {@link checkBinaryWrite} has passed. */
export function updateBinary (files: Files, fid: string, offset: number, data: Uint8Array): Files {
  const file = files[fid]
  if (file?.kind !== 'binary') return files
  const bytes = unhex(file.bytes)
  bytes.set(data, offset)
  return { ...files, [fid]: { ...file, bytes: hex(bytes) } }
}

/** The files after the update, which {@link checkUpdate} or {@link checkRecordWrite} has passed. */
export function updateRecord (files: Files, { fid, record, data }: RecordUpdate): Files {
  const file = files[fid]
  if (file === undefined || file.kind === 'binary') return files
  if (file.kind === 'cyclic') return appendRecord(files, fid, data)
  const sameTag = file.records.findIndex(stored => tagOf(stored) === tagOf(data))
  const index = file.kind === 'tagged' ? sameTag : record - 1
  return { ...files, [fid]: { ...file, records: file.records.with(index, data) } }
}

/** Into a cyclic file, if there is one of this id: the newest in front, the oldest falls out. */
export function appendRecord (files: Files, fid: string, record: string): Files {
  const file = files[fid]
  if (file?.kind !== 'cyclic') return files
  return { ...files, [fid]: { ...file, records: [record, ...file.records].slice(0, file.count) } }
}

/**
 * The SFI in P2 of READ RECORD and UPDATE CAPP DATA CACHE, 0 for the selected file; other reference types:
 * null.
 */
export function recordReference (p2: number): { sfi: number, byTag: boolean } | null {
  const kind = p2 & 0x07
  return kind === 0x04 || kind === 0x00 ? { sfi: p2 >> 3, byTag: kind === 0x00 } : null
}

/** The FID in the data of SELECT. */
export const fidOf = (data: Uint8Array): string => hex(data.subarray(0, 2)).padStart(4, '0')
export const isFid = (data: Uint8Array): boolean => data.length === 2 && readU16(data) > 0
