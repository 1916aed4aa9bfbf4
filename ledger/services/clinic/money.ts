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
  { tx, ledger, party, clearingDate, atMs }: Desk, person: PersonRow, split: Split,
  { sign, corrects }: { readonly sign: 1 | -1, readonly corrects: bigint | null }
): Promise<bigint | null> {
  const snapshot = await ledger.registry()
  const all = postingsOf(split, { hospital: party, purseFrom: 'chip' })
  if (all.length === 0) return null
  const transfers = all.map((posting, place): Omit<NewTransfer, 'journal'> => {
    const { accountBucket: bucket, accountCardId: cardId } = holderOf(posting, person)
    const [debit, credit] = [posting.debit, posting.credit].map(code => snapshot.accounts.get(code))
    if (debit === undefined || credit === undefined) throw new Error(`no account ${posting.credit}`)
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

/** Funds are nobody's card. */
const nobody = { accountBucket: 0, accountCardId: null }
function holderOf (
  { holder }: Posting, person: PersonRow
): { readonly accountBucket: number, readonly accountCardId: bigint | null } {
  if (holder === 'self') return person
  if (holder === 'family') return person.family ?? nobody
  return nobody
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

export async function purseNow (desk: Desk, chip: Chip): Promise<'paid' | 'awaited' | 'other'> {
  const { state } = await found(desk, chip)
  return state === 'known' ? 'paid' : state
}

async function found (desk: Desk, { debit, amountFen }: Chip): Promise<Debit> {
  const named = debitNamed(debit)
  if (named === null) throw new Error('the schema lets no such debit pass')
  return await findDebit(desk, named, amountFen)
}

/**
 * Gives back the debit of a chip that no bill takes, or none any more. `to_be_returned`: its record has to
 * come first, or people have to agree.
 */
export async function giveBackChip (
  desk: Desk, chip: Due, why: string
): Promise<'paid' | 'returned' | 'to_be_returned'> {
  if (await isSpent(desk.tx, chip.debit)) return 'paid'
  const debit = await found(desk, chip)
  if (debit.state === 'awaited') return 'to_be_returned'
  if (debit.state === 'known' && !await returned(desk, debit, chip, why)) return 'to_be_returned'
  if (chip.settlementNo !== null) await markReturned(desk.tx, chip.settlementNo, desk.atMs)
  return 'returned'
}

async function returned (
  desk: Desk, debit: Debit, { debit: name, amountFen }: Chip, reason: string
): Promise<boolean> {
  const { party } = desk
  try {
    return await returnDebit(desk, debit,
      { amountFen, by: `clinic ${party}`, reference: `clinic:${party}:${name}`, reason })
  } catch (error) {
    // Above the limit of a refund two people look at it; until then it is asked for again and again.
    if (error instanceof Refusal && error.reason === 'proposal_pending') return false
    throw error
  }
}
