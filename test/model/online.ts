// Online accounts, from the rules alone: top-ups, purchases, reversals, reversals taken back, what a day may
// take. Each key is answered once and for all. It refuses to know chips and their records.
import { limits, type Party } from './city.ts'

export type Wish = {
  readonly kind: 'top_up' | 'purchase', readonly card: number, readonly fen: number
  readonly party: Party, readonly terminal: string | null
}
/** What is counted together, and how much it may be. */
type Bound = readonly [name: string, maxFen: number]
type Answered = { readonly reason: string }
/** What moved for a key; `backFen` of it went back. */
type Moved = Wish & { readonly date: string, backFen: number }
/** What a reversal gave back; `againFen` of it was moved again. */
type Reversal = { readonly of: Moved, readonly fen: number, againFen: number }

export function newOnline ({ isBlocked, isEnded }: {
  readonly isBlocked: (card: number) => boolean
  /** Whether people have closed the account of a party. */
  readonly isEnded: (party: Party) => boolean
}) {
  const answers = new Map<string, Answered>()
  const moves = new Map<string, Moved>()
  const reversals = new Map<string, Reversal>()
  const holds = new Map<number, number>()
  const days = new Map<string, number>()

  const once = (key: string, decide: () => string): string => {
    const first = answers.get(key) ?? { reason: decide() }
    answers.set(key, first)
    return first.reason
  }

  const uses = ({ kind, card, party, terminal }: Wish, date: string): readonly Bound[] => {
    if (kind === 'top_up') return [[`load of card ${card} on ${date}`, limits.loadCardDay]]
    const atLimited = party === limits.limitedParty && terminal === limits.limitedTerminal
    return [
      [`purchases of card ${card} on ${date}`, limits.purchaseCardDay],
      ...atLimited ? [[`purchases at the terminal on ${date}`, limits.purchaseTerminalDay] as Bound] : []]
  }
  const count = (wish: Wish, date: string, fen: number): void => {
    for (const [name] of uses(wish, date)) days.set(name, (days.get(name) ?? 0) + fen)
  }

  function breach (wish: Wish, date: string): string | null {
    const isOver = ([name, max]: Bound) => (days.get(name) ?? 0) + wish.fen > max
    const [ofCard, ofTerminal] = uses(wish, date)
    if (ofCard !== undefined && isOver(ofCard)) return 'card_day_limit'
    if (ofTerminal !== undefined && wish.fen > limits.purchaseOnce) return 'terminal_limit'
    return ofTerminal !== undefined && isOver(ofTerminal) ? 'terminal_day_limit' : null
  }

  /** Above zero onto the account, below from it; why not, or null. */
  function move (card: number, fen: number): string | null {
    const before = holds.get(card)
    if (before === undefined && fen < 0) return 'account_unknown'
    if ((before ?? 0) + fen < 0) return 'insufficient_funds'
    holds.set(card, (before ?? 0) + fen)
    return null
  }
  const signed = ({ kind }: Wish, fen: number): number => kind === 'top_up' ? fen : -fen

  const ask = (key: string, wish: Wish, date: string): string => once(key, () => {
    if (isBlocked(wish.card)) return 'card_blocked'
    if (wish.kind === 'purchase' && isEnded(wish.party)) return 'account_closed'
    const refused = breach(wish, date) ?? move(wish.card, signed(wish, wish.fen))
    if (refused !== null) return refused
    count(wish, date, wish.fen)
    moves.set(key, { ...wish, date, backFen: 0 })
    return 'ok'
  })

  /** Whoever takes back what never came was told that nothing moved: so it is declined when it comes. */
  const unless = (key: string): string | null => {
    if (answers.has(key)) return null
    answers.set(key, { reason: 'taken_back' })
    return 'original_unknown'
  }

  /** A part, or all that is left where `fen` is null. */
  const reverse = (key: string, of: string, fen: number | null): string => once(key, () => {
    const unknown = unless(of)
    if (unknown !== null) return unknown
    const original = moves.get(of)
    if (original === undefined) return 'original_declined'
    const left = original.fen - original.backFen
    const back = fen ?? left
    if (back <= 0 || back > left) return 'amount_over_remaining'
    const refused = move(original.card, -signed(original, back))
    if (refused !== null) return refused
    original.backFen += back
    count(original, original.date, -back)
    reversals.set(key, { of: original, fen: back, againFen: 0 })
    return 'ok'
  })

  const reinstate = (key: string, of: string): string => once(key, () => {
    const unknown = unless(of)
    if (unknown !== null) return unknown
    const reversal = reversals.get(of)
    if (reversal === undefined) return 'original_declined'
    const fen = reversal.fen - reversal.againFen
    if (fen <= 0) return 'amount_over_remaining'
    const refused = move(reversal.of.card, signed(reversal.of, fen))
    if (refused !== null) return refused
    reversal.againFen = reversal.fen
    reversal.of.backFen -= fen
    count(reversal.of, reversal.of.date, fen)
    return 'ok'
  })

  /** A load of a chip is money taken in as a top-up is. */
  const asTopUp = (card: number, fen: number): Wish =>
    ({ kind: 'top_up', card, fen, party: 'BUS', terminal: null })
  const loadLimit = (card: number, fen: number, date: string): string | null =>
    breach(asTopUp(card, fen), date)
  const countLoad = (card: number, fen: number, date: string): void => count(asTopUp(card, fen), date, fen)

  /** What moved and did not go back. */
  const standing = (): Pick<Wish, 'kind' | 'party' | 'fen'>[] =>
    [...moves.values()].map(({ kind, party, fen, backFen }) => ({ kind, party, fen: fen - backFen }))

  return { ask, reverse, reinstate, loadLimit, countLoad, standing, keys: () => [...answers.keys()] }
}
export type Online = ReturnType<typeof newOnline>
