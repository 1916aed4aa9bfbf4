// Where money stands before anything is cleared, settled or told by a bank: with holders and the house by
// account, and of each party what it has earned and taken from the beginning on. It refuses to know dates.
import { operators, ownCards, parties, type Party } from './city.ts'
import type { Load } from './loads.ts'
import type { Online } from './online.ts'
import { isGuest, opening, placeOf, type Event, type Judged, type Place, type ToldTap } from './verdicts.ts'

/** Of a party, in fen. */
export type Turnover = {
  /** From chips and online accounts, less what was given back; `risk`: the part that the issuer pays. */
  earned: number, risk: number
  /** Taken for value it sold; owed for its cards that were used here. */
  sold: number, owed: number
}
export type Books = {
  readonly parties: ReadonlyMap<Party, Readonly<Turnover>>
  /** Credit less debit of accounts of holders and of the house. */
  readonly others: Readonly<Record<string, number>>
}
/** What people moved again of an event, as long as its money stays where it was then. */
export type Redress = {
  readonly of: Event, readonly from: Place, readonly to: 'holder' | 'operator', readonly fen: number
}

export const partyOf = ({ terminal }: ToldTap): Party => terminal === 'none' ? 'BUS' : operators[terminal]

export function booksOf ({ verdicts, redresses, loads, requests }: {
  readonly verdicts: readonly Judged[], readonly redresses: readonly Redress[]
  readonly loads: readonly Load[], readonly requests: ReturnType<Online['standing']>
}): Books {
  const turnovers = new Map(parties.map((party): [Party, Turnover] =>
    [party, { earned: 0, risk: 0, sold: 0, owed: 0 }]))
  const others: Record<string, number> = {}
  const of = (party: Party): Turnover => turnovers.get(party) as Turnover
  const add = (account: string, fen: number): void => { others[account] = (others[account] ?? 0) + fen }

  add('custody-bank', -ownCards * opening.fen)
  add('purse', ownCards * opening.fen)
  for (const { tap, place } of verdicts.map(one => ({ ...one, place: placeOf(one) }))) {
    const { amountFen: fen } = tap
    if (place === null) continue
    if (place === 'issuer') add('issuer-loss', -fen)
    else if (isGuest(tap)) of('NAT').owed += fen
    else add('purse', -fen)
    if (place === 'unpaid') add('unpaid-debits', fen)
    else of(partyOf(tap)).earned += fen
    if (place === 'issuer') of(partyOf(tap)).risk += fen
  }
  for (const { of: event, from, to, fen } of redresses) {
    if (from === 'unpaid') add('unpaid-debits', -fen)
    else of(partyOf(event)).earned -= fen
    if (to === 'operator') of(partyOf(event)).earned += fen
    else add(from === 'issuer' ? 'issuer-loss' : 'pending-load', fen)
  }
  for (const { fen, source, state } of loads) {
    if (source === 'agent') {
      of('BUS').sold += fen // who sold it
      add('pending-load', fen)
    }
    if (state !== 'written') continue
    add('pending-load', -fen)
    add('purse', fen)
  }
  for (const { kind, party, fen } of requests) {
    of(party)[kind === 'top_up' ? 'sold' : 'earned'] += fen
    add('online', kind === 'top_up' ? fen : -fen)
  }
  return { parties: turnovers, others }
}
