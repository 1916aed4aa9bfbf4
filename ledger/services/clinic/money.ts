// What a settled bill moves, and how it is taken back: transfers of the medical book, the purchase by an
// online account, the debit of a chip. It refuses to know how a bill is shared out.
import type { AnswerReason } from '../../../schemas/reasons.ts'
import type { MoneyRequest } from '../../../schemas/request.ts'
import type { TransferCode } from '../../core/chart.ts'
import { postGuarded } from '../../posting/post-guarded.ts'
import { answerRequests } from '../../posting/requests.ts'
import { debitNamed, findDebit, returnDebit, type Debit } from '../../redress/chip-debit.ts'
import { Refusal } from '../../refusal.ts'
import {
  isSpent, markReturned, type Due, type FamilyRow, type PersonRow, type SettlementRow
} from '../../store/clinic.ts'
import { DecideAgain, type Db, type Tx } from '../../store/db.ts'
import { guardedKey, readGuarded } from '../../store/guarded.ts'
import { cardRefs } from '../../store/records.ts'
import { accountId } from '../../store/registry.ts'
import type { NewTransfer } from '../../store/post.ts'
import type { Ledger } from '../../ledger.ts'
import type { Desk } from './desk.ts'
import { postingsOf, type Posting } from './postings.ts'
import type { Split } from './settle-bill.ts'

/* ---- what there is ---- */

type Account = Pick<FamilyRow, 'accountBucket' | 'accountCardId'>
/** Whose accounts a bill moves. Of one that was settled: who paid then, whoever is family now. */
export type Payers = { readonly self: Account, readonly family: Account | null }

/** Of the personal account in the medical book; one that was closed pays nothing. */
export async function accountBalance (
  { tx, ledger }: { readonly tx: Tx | Db, readonly ledger: Pick<Ledger, 'registry'> },
  { accountBucket: bucket, accountCardId: cardId }: Account
): Promise<number> {
  const account = accountId(await ledger.registry(), 'medical', 'medical-account')
  const key = guardedKey({ accountId: account, heading: 'medical-account' }, { bucket, cardId })
  const found = await readGuarded(tx, key)
  return found === null || found.closed ? 0 : Number(found.balanceFen)
}

/** Of the online account in the commerce book; zero where the card has none. */
export async function onlineBalance (
  { tx, ledger }: Desk, { bucket, cardId }: Pick<PersonRow, 'bucket' | 'cardId'>
): Promise<number> {
  const account = accountId(await ledger.registry(), 'commerce', 'online')
  const key = guardedKey({ accountId: account, heading: 'online' }, { bucket, cardId })
  const found = await readGuarded(tx, key)
  return found === null ? 0 : Math.max(0, Number(found.balanceFen))
}

/* ---- the medical book ---- */

const codes = {
  pool: ['clinic_fund', 'clinic_fund_reversed'], account: ['clinic_account', 'clinic_account_reversed'],
  family: ['clinic_family', 'clinic_family_reversed']
} as const satisfies Partial<Record<Posting['why'], readonly [TransferCode, TransferCode]>>

/**
 * The journal of a split, or with `sign` -1 the same backwards; null where nothing moves. `corrects`: the
 * journal that it takes back, or whose taking back it takes back: the same transfers in the same order.
 */
export async function post (
  { tx, ledger, party, clearingDate, atMs }: Desk, payers: Payers, split: Split,
  { sign, corrects }: { readonly sign: 1 | -1, readonly corrects: bigint | null }
): Promise<bigint | null> {
  const snapshot = await ledger.registry()
  const all = postingsOf(split, { hospital: party, purseFrom: 'chip' })
  if (all.length === 0) return null
  const transfers = all.map((posting, place): Omit<NewTransfer, 'journal'> => {
    const { accountBucket: bucket, accountCardId: cardId } = holderOf(posting, payers)
    const [debit, credit] = [posting.debit, posting.credit].map(code => snapshot.accounts.get(code))
    if (debit === undefined || credit === undefined) throw new Error(`no account ${posting.credit}`)
    if (snapshot.closed.has(credit)) throw new Refusal('registry_invalid', `${posting.credit} is closed`)
    const sides = sign === 1 ? { debit, credit } : { debit: credit, credit: debit }
    return {
      ...sides, bucket, cardId, book: posting.book, amountFen: posting.amountFen, eventAtMs: atMs,
      code: codes[posting.why as keyof typeof codes][sign === 1 ? 0 : 1],
      corrects: corrects === null ? null : corrects + BigInt(place)
    }
  })
  const { results: [result] } = await postGuarded(tx, {
    kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1
  }, [{ transfers, comesBack: sign === -1 }], { accounts: snapshot.guarded, ceilingOf: () => null })
  if (result?.outcome === 'posted') return result.transferIds[0] ?? null
  if (result?.why === 'floor' && sign === 1 && corrects === null) {
    throw new DecideAgain('an account has paid something else meanwhile')
  }
  throw new Refusal('conditions_not_met', `the medical account refuses: ${result?.why}`)
}

function holderOf (
  { holder }: Posting, { self, family }: Payers
): { readonly accountBucket: number, readonly accountCardId: bigint | null } {
  if (holder === null) return { accountBucket: 0, accountCardId: null } // funds are nobody's card
  const account = holder === 'self' ? self : family
  if (account === null) throw new Error('a family pays that the settlement does not name')
  return account
}

/* ---- the online account ---- */

type Paid = { readonly key: string | null, readonly why: AnswerReason | null }
const nothingPaid: Paid = { key: null, why: null }

export async function payOnline (
  desk: Desk, person: Pick<PersonRow, 'bucket' | 'cardId'>, message: string, fen: bigint
): Promise<Paid> {
  const card = (await cardRefs(desk.tx, [{ ...person, purse: 0 }])).get(person.cardId)
  if (card === undefined) throw new Error(`card ${person.cardId} of an insured person is not there`)
  const { party } = desk
  return await ask(desk, desk.client, message,
    { kind: 'purchase', card, amountFen: Number(fen), party } as const)
}

/** `key`: of the purchase that is taken back. Whoever asks now, it is asked in the name of the first one. */
export const payBack = async (
  desk: Desk, { client }: SettlementRow, message: string, key: string | null
): Promise<Paid> =>
  key === null ? nothingPaid : await ask(desk, client, message, { kind: 'reversal', of: { key } })

/** `key`: of the reversal that is taken back. */
export const payAgain = async (
  desk: Desk, { client }: SettlementRow, message: string, key: string | null
): Promise<Paid> =>
  key === null ? nothingPaid : await ask(desk, client, message, { kind: 'reinstatement', of: { key } })

type Wanted = MoneyRequest extends infer R ? R extends { key: string } ? Omit<R, 'key'> : never : never

async function ask ({ ledger, party }: Desk, client: string, message: string, wanted: Wanted): Promise<Paid> {
  const key = `clinic.${party}.${message}`
  const [answer] = await answerRequests(ledger, [{ client, party: null, request: { ...wanted, key } }])
  if (answer instanceof Refusal || answer === undefined) throw answer ?? new Error('no answer')
  return { key, why: answer.outcome === 'approved' ? null : answer.reason }
}

/* ---- the chip ---- */

type Chip = { readonly debit: string, readonly amountFen: number }

/** `spent`: it went back, and pays nothing any more. */
export async function purseNow (desk: Desk, chip: Chip): Promise<'paid' | 'awaited' | 'spent' | 'other'> {
  const { state } = await found(desk, chip)
  return ({ known: 'paid', returned: 'spent', awaited: 'awaited', other: 'other' } as const)[state]
}

async function found (desk: Desk, { debit, amountFen }: Chip): Promise<Debit> {
  const named = debitNamed(debit)
  if (named === null) throw new Error('the schema lets no such debit pass')
  return await findDebit(desk, named, amountFen)
}

/** `due`: what is still to go back, null where nothing is. */
export type GivenBack = {
  readonly purse: 'paid' | 'returned' | 'to_be_returned', readonly due: Due | null
}

/**
 * Gives back the debit of a chip that no bill takes, or none any more: once its record has come. Where it is
 * not ours to give back alone, people are asked once, and from then on it is only seen whether they did.
 */
export async function giveBackChip (desk: Desk, due: Due, why: string): Promise<GivenBack> {
  if (await isSpent(desk.tx, due.debit)) return { purse: 'paid', due: null }
  const debit = await found(desk, due)
  if (debit.state === 'awaited') return { purse: 'to_be_returned', due }
  const back = debit.state === 'returned' ||
    (debit.state === 'known' && !due.asked && await returned(desk, debit, due, why))
  if (!back) return { purse: 'to_be_returned', due: { ...due, asked: true } }
  const { settlementNo } = due
  if (settlementNo !== null) {
    await desk.pen.change('clinic_settlement', notedIn =>
      markReturned(desk.tx, settlementNo, desk.atMs, notedIn))
  }
  return { purse: 'returned', due: null }
}

async function returned (
  desk: Desk, debit: Debit, { debit: name, amountFen }: Due, reason: string
): Promise<boolean> {
  const { party } = desk
  try {
    return await returnDebit(desk, debit,
      { amountFen, by: `clinic ${party}`, reference: `clinic:${party}:${name}`, reason })
  } catch (error) {
    // Another refund of it is before people, or a dispute: theirs to end.
    const theirs = ['proposal_pending', 'dispute_unfinished']
    if (error instanceof Refusal && theirs.includes(error.reason)) return false
    throw error
  }
}
