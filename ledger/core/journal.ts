// A reversal of a journal that stands: the stored transfers with their sides swapped, each naming its
// original, never more than what remains of it. Pure; it refuses to know why something is reversed.
import type { Book } from './chart.ts'
import { split } from './rounding.ts'

/** A stored transfer, and what later transfers have taken back of it. */
export type StandingTransfer = {
  readonly transferId: bigint
  readonly bucket: number
  readonly book: Book
  /** Number of the kind of transfer. */
  readonly code: number
  readonly debit: number
  readonly credit: number
  readonly amountFen: bigint
  readonly cardId: bigint | null
  readonly reversedFen: bigint
}

export type Reversal =
  Pick<StandingTransfer, 'bucket' | 'book' | 'code' | 'debit' | 'credit' | 'amountFen' | 'cardId'> &
  { readonly corrects: bigint }

/** What is left of a journal, in fen. */
export const remainingFen = (journal: readonly StandingTransfer[]): bigint =>
  journal.reduce((sum, { amountFen, reversedFen }) => sum + amountFen - reversedFen, 0n)

/**
 * The transfers that take back `amountFen` of a journal (all that remains where null), or null where that is
 * more than remains. A part is spread over what remains of each transfer by largest remainder: the last part
 * gives back exactly what the splits of the original left over.
 */
export function reversalOf (
  journal: readonly StandingTransfer[], amountFen: bigint | null
): readonly Reversal[] | null {
  const remains = remainingFen(journal)
  const wantedFen = amountFen ?? remains
  if (wantedFen <= 0n || wantedFen > remains) return null
  const parts = split(wantedFen, journal.map(one => one.amountFen - one.reversedFen))
  return journal.flatMap(({ transferId, bucket, book, code, debit, credit, cardId }, place) => {
    const partFen = parts[place] ?? 0n
    if (partFen === 0n) return []
    const swapped = { debit: credit, credit: debit, amountFen: partFen }
    return [{ bucket, book, code, ...swapped, cardId, corrects: transferId }]
  })
}
