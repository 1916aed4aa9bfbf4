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
import { refundAgreed, requireRefund } from '../../redress/refund.ts'
import { Refusal } from '../../refusal.ts'
import { DecideAgain, type Tx } from '../../store/db.ts'
import { guardedKey, readGuarded } from '../../store/guarded.ts'
import type { CardPlace } from '../../store/parameters.ts'
import { cardRefs } from '../../store/records.ts'
import { accountId } from '../../store/registry.ts'
import type { EventRow } from '../../store/services.ts'
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

/** The purchase of an event goes back to its account. The key of the reversal. Throws Refusal. */
export async function payBackOnline (
  { ledger, party }: Till, { client, of, key }: {
    readonly client: string, readonly of: string, readonly key: string
  }
): Promise<string> {
  const requestKey = `svb.${party}.${key}`
  const [answer] = await answerRequests(ledger, [{
    client, party: null, request: { kind: 'reversal', key: requestKey, of: { key: of } }
  }])
  if (answer instanceof Refusal || answer === undefined) throw answer ?? new Error('no answer')
  if (answer.outcome === 'approved') return requestKey
  throw new Refusal('conditions_not_met', `its purchase does not go back: ${answer.reason}`, '/body/key')
}

type ChipBack = {
  /** `returned`: somebody gave it back before. */
  readonly state: 'known' | 'returned'
  readonly giveBack: (how: {
    readonly by: string, readonly reason: string, readonly atMs: number
  }) => Promise<void>
}

/** How the debit that paid for an event goes back, into the pending load of its card. Throws Refusal. */
export async function chipGivesBack (till: Till, event: EventRow): Promise<ChipBack> {
  const { debit: record, parts } = event
  const amountFen = parts.reduce((sum, { payer, fen }) => payer === 'purse' ? sum + fen : sum, 0)
  const found = record === null ? null : await debitOf(till, { record, amountFen })
  if (found?.state === 'returned') return { state: 'returned', giveBack: async () => {} }
  if (found?.state !== 'known') {
    const why = found?.state === 'awaited' ? 'is not here' : 'is another than was told'
    throw new Refusal('conditions_not_met', `the record of debit ${record} ${why}`, '/body/key')
  }
  const card = (await cardRefs(till.tx, [found.chip])).get(found.chip.cardId)
  if (card === undefined) throw new Error(`card ${found.chip.cardId} of a record is not there`)
  const reference = `service:${till.party}:${record}`
  const wanted = { card, counter: found.chip.counter, amountFen, reference }
  await requireRefund(till.tx, till.ledger, wanted)
  return {
    state: 'known',
    giveBack: async ({ by, reason, atMs }) => {
      await refundAgreed(till.tx, till.ledger, { ...wanted, reason }, by, atMs)
    }
  }
}

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
  'campus-subsidy': {
    book: 'campus', from: 'campus-subsidy', code: 'subsidy_spent', back: 'subsidy_spent_reversed'
  },
  treasury: {
    book: 'treasury', from: 'receivable-treasury', code: 'service_claim', back: 'service_claim_reversed'
  }
} as const satisfies Record<string, {
  book: Book, from: Heading, code: TransferCode, back: TransferCode
}>
type Others = keyof typeof kinds

/** The journal of what the holder does not pay; null where nothing moves. */
export const payByOthers = async (
  till: Till, card: CardPlace | null, parts: readonly Part[]
): Promise<bigint | null> => await postOthers(till, card, parts, null)

/** The same journal backwards; null where nothing moved. */
export const payBackByOthers = async (till: Till, event: EventRow): Promise<bigint | null> =>
  event.journalId === null
    ? null
    : await postOthers(till, { bucket: event.bucket ?? 0, cardId: event.cardId }, event.parts,
      event.journalId)

/** `corrects`: the journal that is taken back, the same transfers in the same order; null where none is. */
async function postOthers (
  { tx, ledger, party, atMs }: Till,
  card: { readonly bucket: number, readonly cardId: bigint | null } | null,
  parts: readonly { readonly payer: string, readonly fen: number }[], corrects: bigint | null
): Promise<bigint | null> {
  const others = parts.flatMap(({ payer, fen }) =>
    !isOther(payer) || fen === 0 ? [] : [{ ...kinds[payer], fen }])
  if (others.length === 0) return null
  const snapshot = await ledger.registry()
  const transfers = others.map(({ book, from, code, back, fen }, place) => {
    const payer = accountId(snapshot, book, from)
    const payee = accountId(snapshot, book, 'merchant-pending', party)
    return {
      ...corrects === null ? { debit: payer, credit: payee } : { debit: payee, credit: payer },
      bucket: card?.bucket ?? 0, cardId: card?.cardId ?? null, book, code: corrects === null ? code : back,
      amountFen: BigInt(fen), eventAtMs: atMs, corrects: corrects === null ? null : corrects + BigInt(place)
    }
  })
  const closed = transfers.some(({ debit, credit }) =>
    snapshot.closed.has(debit) || snapshot.closed.has(credit))
  if (closed) throw new Refusal('registry_invalid', `the account of ${party} is closed`)
  const { results: [result] } = await postGuarded(tx, {
    kind: 'requests', clearingDate: await openDateOf(tx), createdAtMs: atMs, salt: ledger.random(16), items: 1
  }, [{ transfers, comesBack: corrects !== null }], { accounts: snapshot.guarded, ceilingOf: () => null })
  if (result?.outcome === 'posted') return result.transferIds[0] ?? null
  if (corrects === null) throw new DecideAgain('a subsidy has paid something else meanwhile')
  throw new Refusal('conditions_not_met', `the account of the subsidy refuses: ${result?.why}`)
}

const isOther = (payer: string): payer is Others => Object.hasOwn(kinds, payer)
