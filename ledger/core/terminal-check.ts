// The check of a terminal's batch: its totals by class against what was received, answered as a number a POS
// understands. Pure; it refuses to know where records are stored.
import type { Entry } from './reconcile.ts'

export const terminalClasses = ['consume', 'return', 'load'] as const
export type TerminalClass = typeof terminalClasses[number]

/** What each differing class adds to the code: 0 all equal, 5 consume and load differ. */
export const classBits = { consume: 1, return: 2, load: 4 } as const satisfies Record<TerminalClass, number>

/** The class of a transaction type byte: 01 and 02 load, 03 takes value off a chip, all others consume. */
export function classOf (type: number): TerminalClass {
  if (type === 0x01 || type === 0x02) return 'load'
  return type === 0x03 ? 'return' : 'consume'
}

export type ClassTotal = { readonly count: number, readonly amountFen: bigint }
export type ClassTotals = Readonly<Record<TerminalClass, ClassTotal>>

export function totalsOf (
  records: readonly { readonly type: number, readonly amountFen: bigint }[]
): ClassTotals {
  const of = (name: TerminalClass): ClassTotal => {
    const own = records.filter(record => classOf(record.type) === name)
    return { count: own.length, amountFen: own.reduce((sum, one) => sum + one.amountFen, 0n) }
  }
  return { consume: of('consume'), return: of('return'), load: of('load') }
}

/** The classes that differ, and the code of them all. */
export function checkTotals (
  told: ClassTotals, received: ClassTotals
): { code: number, differ: TerminalClass[] } {
  const differ = terminalClasses.filter(name =>
    told[name].count !== received[name].count || told[name].amountFen !== received[name].amountFen)
  return { code: differ.reduce((sum, name) => sum + classBits[name], 0), differ }
}

/** One entry per class, for the matcher. */
export const classEntries = (key: string, date: string, totals: ClassTotals): Entry[] =>
  terminalClasses.map(name => ({ key: `${key}/${name}`, date, ...totals[name] }))

export type ToldRecord = { readonly sequence: bigint, readonly amountFen: bigint }

/**
 * The records that make a class differ: where the terminal tells its records, exactly those that are missing,
 * too many or of another amount; otherwise all that were received in the class, for somebody to look at.
 */
export function involved<R extends ToldRecord> (
  told: readonly ToldRecord[] | null, received: readonly R[]
): { readonly sequence: bigint, readonly toldFen: bigint | null, readonly received: R | null }[] {
  const toldFen = new Map((told ?? []).map(one => [one.sequence, one.amountFen]))
  const found = received
    .filter(one => told === null || toldFen.get(one.sequence) !== one.amountFen)
    .map(one => ({ sequence: one.sequence, toldFen: toldFen.get(one.sequence) ?? null, received: one }))
  const here = new Set(received.map(one => one.sequence))
  const missing = (told ?? []).filter(one => !here.has(one.sequence))
    .map(one => ({ sequence: one.sequence, toldFen: one.amountFen, received: null }))
  return [...found, ...missing].sort((a, b) => a.sequence < b.sequence ? -1 : 1)
}
