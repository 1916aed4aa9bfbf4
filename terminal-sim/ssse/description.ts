// What a virtual social-security card is made from: plain data, fit for JSON. It refuses to know commands.
import type { Holder } from '../../schemas/ssse/files.ts'
import type { CardDescription, CardReport } from '../card/description.ts'
import type { AnswerForm } from '../card/response.ts'

export type SsseDescription = {
  /** As the records of files 05 and 06 say it, in the order of their table; what is absent has no record. */
  readonly holder: Holder
  /** Whole records, hex, by file: they win over what is made of the holder. */
  readonly records?: Partial<Readonly<Record<FileName, readonly string[]>>>
  /** Ciphers of the card: sx1 3DES, sx2 SSF33; it is its DF name that differs here. sx1 unless given. */
  readonly environment?: 'sx1' | 'sx2'
  /** Files that tell nothing without external authentication: fingerprint and photo unless given. */
  readonly guarded?: readonly FileName[]
  /** What SELECT of its application answers, 4 hex digits; absent: it is not locked. */
  readonly lockedSw?: string
  /** `direct` unless given: contactless. */
  readonly answers?: AnswerForm
  readonly atr?: string
  /** A purse on the same chip. */
  readonly purse?: CardDescription
}

/** Files of the application: card, holder, fingerprint, photo. */
export const fileNames = ['EF05', 'EF06', 'EF07', 'EF08'] as const
export type FileName = typeof fileNames[number]

/** The card itself never changes. */
export type SsseReport = { readonly purse: CardReport | null }
