// A corrective posting: transfers that somebody decided on, in the open date, with the reason in the log. It
// is what lets a failed check of a closing day be looked at anew. It refuses to change any row.
import { Type, type Static } from 'typebox'
import { limits } from '../schemas/limits.ts'
import { cardKey, CardRef } from '../schemas/record.ts'
import { books, type Book } from './core/chart.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { findCards } from './store/cards.ts'
import { inTransaction } from './store/db.ts'
import { openDate } from './store/lock.ts'
import { postBatch } from './store/post.ts'

const closed = { additionalProperties: false } as const
const AccountCode = Type.String({ description: 'book/heading or book/heading/PARTY' })

export const Correction = Type.Object({
  reason: Type.String({ minLength: 10, maxLength: 500 }),
  transfers: Type.Array(Type.Object({
    debit: AccountCode,
    credit: AccountCode,
    amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }),
    card: Type.Optional(CardRef)
  }, closed), { minItems: 1, maxItems: limits.registryItemsMax })
}, closed)
export type Correction = Static<typeof Correction>

type Needs = Pick<Ledger, 'db' | 'clock' | 'log' | 'random' | 'registry'>

/** Posts the transfers as one batch and returns its number. Throws Refusal registry_invalid, unavailable. */
export async function correct (ledger: Needs, { reason, transfers }: Correction): Promise<bigint> {
  const { accounts } = await ledger.registry()
  const atMs = ledger.clock.now()
  const salt = ledger.random(16)
  const { batchId } = await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDate(tx)
    if (clearingDate === null) throw new Refusal('unavailable', 'no clearing date is set yet')
    const cards = await findCards(tx, transfers.flatMap(({ card }) => card === undefined ? [] : [card]))
    return await postBatch(tx, {
      kind: 'correction',
      clearingDate,
      createdAtMs: atMs,
      salt,
      items: transfers.length,
      transfers: transfers.map(({ debit, credit, amountFen, card }, journal) => {
        const where = `/transfers/${journal}`
        const known = card === undefined ? null : cards.get(cardKey(card))
        if (known === undefined) {
          throw new Refusal('registry_invalid', 'no such card was issued',
          `${where}/card`)
        }
        return {
          journal, code: 'correction', book: bookOf(debit, credit, where), amountFen: BigInt(amountFen),
          debit: numberOf(accounts, debit, where), credit: numberOf(accounts, credit, where),
          bucket: known?.bucket ?? 0, cardId: known?.cardId ?? null, eventAtMs: atMs
        }
      })
    })
  })
  ledger.log.warn({ batchId: String(batchId), reason, transfers: transfers.length }, 'corrective posting')
  return batchId
}

function bookOf (debit: string, credit: string, where: string): Book {
  const [one, other] = [debit, credit].map(code => code.split('/')[0])
  const book = books.find(each => each === one)
  if (book !== undefined && one === other) return book
  throw new Refusal('registry_invalid', `${debit} and ${credit} are not in one book`, where)
}

function numberOf (accounts: ReadonlyMap<string, number>, code: string, where: string): number {
  const id = accounts.get(code)
  if (id === undefined) throw new Refusal('registry_invalid', `there is no account ${code}`, where)
  return id
}
