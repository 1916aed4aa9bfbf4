// The little city that the model and the ledger are both told of before anything happens: whose cards, which
// PSAMs since when, who is listed, what a day may take, who is paid on what terms. Data alone; what follows
// from it is the model's.

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

/** Operators, and the centre that owes for guests. */
export type Party = 'BUS' | 'MET' | 'OLD' | 'NAT'
/** A terminal of each operator, with a PSAM of its own. */
export type Psam = 'B1' | 'M1' | 'O1'
export const operators: Readonly<Record<Psam, Party>> = { B1: 'BUS', M1: 'MET', O1: 'OLD' }

type Issue = { readonly issue: number, readonly fromMs: number, readonly toMs: number | null }
const reissuedMs = at('2026-03-02T06:45:00')

/**
 * The PSAM of B1 is replaced on the morning of the first day: the same number, its sequence begins anew. OLD
 * left the city in November; that morning somebody binds its PSAM again.
 */
export const psams: Readonly<Record<Psam, readonly Issue[]>> = {
  B1: [
    { issue: 1, fromMs: at('2025-01-01T00:00:00'), toMs: reissuedMs },
    { issue: 2, fromMs: reissuedMs, toMs: null }],
  M1: [{ issue: 1, fromMs: at('2025-01-01T00:00:00'), toMs: null }],
  O1: [
    { issue: 1, fromMs: at('2025-01-01T00:00:00'), toMs: at('2025-11-20T00:00:00') },
    { issue: 2, fromMs: at('2026-03-02T06:25:00'), toMs: null }]
}
/** When two people closed its account, where it claims what its terminals earn. */
export const ended = { party: 'OLD', terminal: 'O1', atMs: at('2026-03-02T06:45:00') } as const

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
export const topDebits = { fen: 300, perHourMax: 6 } as const

/** So long nobody must have proven a grey record before it is given up. */
export const greyDays = 1

/* ---- settling ---- */

export const firstDate = '2026-03-02'
/** A Wednesday on which nobody works. */
export const daysOfRest: readonly string[] = ['2026-03-04']

/** Of what chips and online accounts pay; of what the issuer pays; of loads and top-ups it sold. */
export type Product = 'debit' | 'risk' | 'load'
type Rate = {
  readonly party: Party, readonly product: Product, readonly ratePpm: number, readonly from: string
}
export const rates: readonly Rate[] = [
  { party: 'BUS', product: 'debit', ratePpm: 12_345, from: '2026-01-01' },
  { party: 'BUS', product: 'risk', ratePpm: 50_000, from: '2026-01-01' },
  { party: 'BUS', product: 'load', ratePpm: 2_500, from: '2026-01-01' },
  { party: 'MET', product: 'debit', ratePpm: 8_000, from: '2026-01-01' },
  { party: 'MET', product: 'debit', ratePpm: 9_000, from: '2026-03-03' },
  { party: 'MET', product: 'load', ratePpm: 1_500, from: '2026-01-01' }
]
/** From what net on a party is paid or pays. */
export const settleFromFen: Readonly<Record<Party, number>> = { BUS: 0, MET: 1_000, OLD: 0, NAT: 0 }
export const parties = Object.keys(settleFromFen).sort() as readonly Party[]
export const houseParty = 'ISS'

/** Ours at the bank, and that of the party that also pays in what it took. */
export const bankAccounts = { house: '43040099000000001', BUS: '43040011000000002' } as const
/** A collection that the bank has not brought so many working days after its value date is short. */
export const shortAfterDays = 0
