// What an event of a service moves: the purchase by an online account, the debit of a chip, a subsidy and the
// treasury in their own books. It refuses to know why.
import type { AnswerReason } from '../../../schemas/reasons.ts'
import type { CardRef } from '../../../schemas/record.ts'
import type { Book, Heading, TransferCode } from '../../core/chart.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import { postGuarded } from '../../posting/post-guarded.ts'
import { answerRequests } from '../../posting/requests.ts'
import { debitNamed, findDebit, returnDebit, type Debit } from '../../redress/chip-debit.ts'
import { Refusal } from '../../refusal.ts'
import { DecideAgain, type Tx } from '../../store/db.ts'
import { guardedKey, readGuarded } from '../../store/guarded.ts'
import type { CardPlace } from '../../store/parameters.ts'
import { accountId } from '../../store/registry.ts'
import type { Part } from './service.ts'

export type Till = {
  readonly tx: Tx, readonly ledger: Ledger, readonly client: string, readonly party: string
  readonly atMs: number
}

/* ---- the holder's own money ---- */

export type Paid = { readonly requestKey: string | null, readonly why: AnswerReason | null }

export async function payOnline (
  { ledger, client, party }: Till, card: CardRef,
  { key, amountFen, terminal }: {
    readonly key: string, readonly amountFen: number, readonly terminal: string | null
  }
): Promise<Paid> {
  const requestKey = `svc.${party}.${key}`
  const [answer] = await answerRequests(ledger, [{
    client, party: null, request: {
      kind: 'purchase', key: requestKey, card, amountFen, party, ...terminal === null ? {} : { terminal }
    }
  }])
  if (answer instanceof Refusal || answer === undefined) throw answer ?? new Error('no answer')
  return { requestKey, why: answer.outcome === 'approved' ? null : answer.reason }
}

export type ChipDebit = { readonly record: string, readonly amountFen: number }

export async function debitOf (till: Till, { record, amountFen }: ChipDebit): Promise<Debit> {
  const named = debitNamed(record)
  if (named === null) throw new Error('the schema lets no such debit pass')
  return await findDebit(till, named, amountFen)
}

/** True where the debit of a chip that nothing took went back to its holder: once its record has come. */
export const giveBack = async (till: Till, debit: ChipDebit, why: string): Promise<boolean> =>
  await returnDebit(till, await debitOf(till, debit), {
    amountFen: debit.amountFen, by: `service ${till.party}`,
    reference: `service:${till.party}:${debit.record}`,
    reason: `the service took no payment: ${why}`
  })

/* ---- other purses, and who pays for others ---- */

const subsidyKey = async ({ ledger }: Till, card: CardPlace) => {
  const account = accountId(await ledger.registry(), 'campus', 'campus-subsidy')
  return guardedKey({ accountId: account, heading: 'campus-subsidy' }, card)
}

/** What a card has of subsidies; zero where it never had any. */
export async function subsidyOf (till: Till, card: CardPlace): Promise<number> {
  const found = await readGuarded(till.tx, await subsidyKey(till, card))
  return found === null || found.closed ? 0 : Number(found.balanceFen)
}

const kinds = {
  'campus-subsidy': { book: 'campus', from: 'campus-subsidy', code: 'subsidy_spent' },
  treasury: { book: 'treasury', from: 'receivable-treasury', code: 'service_claim' }
} as const satisfies Record<string, { book: Book, from: Heading, code: TransferCode }>

/** The journal of what the holder does not pay; null where nothing moves. */
export async function payByOthers (
  { tx, ledger, party, atMs }: Till, card: CardPlace | null, parts: readonly Part[]
): Promise<bigint | null> {
  const others = parts.flatMap(({ payer, fen }) =>
    payer === 'own' || fen === 0 ? [] : [{ ...kinds[payer], fen }])
  if (others.length === 0) return null
  const snapshot = await ledger.registry()
  const transfers = others.map(({ book, from, code, fen }) => ({
    debit: accountId(snapshot, book, from), credit: accountId(snapshot, book, 'merchant-pending', party),
    bucket: card?.bucket ?? 0, cardId: card?.cardId ?? null, book, code, amountFen: BigInt(fen),
    eventAtMs: atMs, corrects: null
  }))
  const closed = transfers.find(({ credit }) => snapshot.closed.has(credit))
  if (closed !== undefined) throw new Refusal('registry_invalid', `the account of ${party} is closed`)
  const { results: [result] } = await postGuarded(tx, {
    kind: 'requests', clearingDate: await openDateOf(tx), createdAtMs: atMs, salt: ledger.random(16), items: 1
  }, [{ transfers }], { accounts: snapshot.guarded, ceilingOf: () => null })
  if (result?.outcome === 'posted') return result.transferIds[0] ?? null
  throw new DecideAgain('a subsidy has paid something else meanwhile')
}
