// The little city that the model and the ledger are both told of before anything happens: whose cards, which
// PSAMs since when, who is listed, what a day may take. Data alone; what follows from it is the model's.

export const at = (text: string): number => Date.parse(`${text}+08:00`)

/** Cards of ours: none of the first six is anything special. */
export const ownCards = 8
type Stay = { readonly addedMs: number, readonly leftMs: number | null }
/** Cards of other cities: one is on the list, one left it, and its grace ends that morning. */
export const guests: Readonly<Record<number, Stay>> = {
  8: { addedMs: at('2026-01-01T00:00:00'), leftMs: null },
  10: { addedMs: at('2025-11-01T00:00:00'), leftMs: at('2026-02-23T06:30:00') }
}
export const guestNumbers: readonly number[] = Object.keys(guests).map(Number)

export type Psam = 'B1' | 'M1'
type Issue = { readonly issue: number, readonly fromMs: number, readonly toMs: number | null }
const reissuedMs = at('2026-03-02T06:45:00')

/** The PSAM of B1 is replaced on the morning of the first day: the same number, its sequence begins anew. */
export const psams: Readonly<Record<Psam, readonly Issue[]>> = {
  B1: [
    { issue: 1, fromMs: at('2025-01-01T00:00:00'), toMs: reissuedMs },
    { issue: 2, fromMs: reissuedMs, toMs: null }],
  M1: [{ issue: 1, fromMs: at('2025-01-01T00:00:00'), toMs: null }]
}

/** Versions of the blacklist, each with the card that came onto it. */
export const blacklist = [
  { version: 1, card: 6, listedMs: at('2026-02-27T09:00:00'), publishedMs: at('2026-02-28T12:00:00') },
  { version: 2, card: 7, listedMs: at('2026-03-01T19:00:00'), publishedMs: at('2026-03-01T20:00:00') }
] as const
/** When a terminal said that it had applied which; the other terminal never said anything. */
export const applied = { terminal: 'B1', version: 2, atMs: at('2026-03-02T06:40:00') } as const

/** Of a card in a day; of a terminal's purchases at once and in a day. */
export const limits = {
  purchaseCardDay: 700, loadCardDay: 2_500, purchaseOnce: 380, purchaseTerminalDay: 1_200,
  limitedParty: 'MET', limitedTerminal: 'M1'
} as const

/** A debit from here on is of top value; a terminal that makes more of them in an hour is held. */
export const topDebits = { fen: 300, perHourMax: 4 } as const
