// How cards are named in addresses and calls. The schema's own function comes with more than a browser loads.
import type { CardRef } from '../schemas/record.ts'

export const cardKey = ({ issuer, serial, issue }: CardRef): string => `${issuer}-${serial}-${issue}`

/** A card named so; null where the text names none. */
export function cardIn (text: string): CardRef | null {
  const [, issuer, serial, issue] = /^([0-9A-F]{16})-([0-9A-F]{20})-(\d{1,3})$/.exec(text) ?? []
  return issuer === undefined || serial === undefined ? null : { issuer, serial, issue: Number(issue) }
}
