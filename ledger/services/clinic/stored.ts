// A split as text and back: bigints have their digits and an n, as the language writes them. It refuses to
// know rows.
import type { Split } from './settle-bill.ts'

export const splitText = (split: Split): string =>
  JSON.stringify(split, (_, one: unknown) => typeof one === 'bigint' ? `${one}n` : one)

export const splitFrom = (stored: unknown): Split => revived(stored) as Split

function revived (value: unknown): unknown {
  if (typeof value === 'string') return /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value
  if (Array.isArray(value)) return value.map(revived)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, revived(one)]))
}
