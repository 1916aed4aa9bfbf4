// The verb that enters who and what takes part. Idempotent: the same registry again changes nothing; a new
// card brings its money.
import type { Card, Product, Registry } from '../schemas/api.ts'
import type { Ledger } from './ledger.ts'
import { registerBankAccounts } from './bank-accounts.ts'
import { transferCodes } from './core/chart.ts'
import { Refusal } from './refusal.ts'
import { insertCards } from './store/cards.ts'
import { inTransaction, type Tx } from './store/db.ts'
import { readOpenDay, setFirstDay } from './store/days.ts'
import { openDate } from './store/lock.ts'
import { postBatch, type NewTransfer } from './store/post.ts'
import {
  accountId, bumpVersion, upsertCommissions, upsertParties, upsertPolicies, upsertProducts, upsertPsams,
  upsertTerminals, type Snapshot
} from './store/registry.ts'

/** Stores the registry and returns how many entries of each kind it holds now that were in the call. */
export async function register (ledger: Ledger, registry: Registry): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  await inTransaction(ledger.db, async tx => {
    if (registry.clearingDate !== undefined) await openLedger(tx, registry.clearingDate, ledger.partitionDays)
    const { parties = [], products = [], commissions = [], terminals = [], psams = [], policies } = registry
    await upsertParties(tx, parties)
    counts['parties'] = parties.length
    requireCodes(products)
    await upsertProducts(tx, products)
    counts['products'] = products.length
    counts['commissions'] = await upsertCommissions(tx, commissions)
    counts['terminals'] = await upsertTerminals(tx, terminals)
    counts['psams'] = await upsertPsams(tx, psams)
    if (counts['commissions'] < commissions.length || counts['terminals'] < terminals.length) {
      throw new Refusal('registry_invalid',
        'a commission or terminal names a party or a product that is not registered')
    }
    const { bankAccounts = [] } = registry
    counts['bankAccounts'] = await registerBankAccounts(tx, bankAccounts, ledger.clock.now())
    if (policies !== undefined) counts['policies'] = await upsertPolicies(tx, policies)
    await bumpVersion(tx)
  })
  if (registry.cards !== undefined) counts['cards'] = await issue(ledger, registry.cards)
  return counts
}

function requireCodes (products: readonly Product[]): void {
  products.forEach(({ product, codes }, index) => {
    const unknown = codes.find(code => !Object.hasOwn(transferCodes, code))
    if (unknown === undefined) return
    const what = `${product}: no transfer is of kind ${unknown}`
    throw new Refusal('registry_invalid', what, `/products/${index}`)
  })
}

async function openLedger (tx: Tx, date: string, partitionDays: number): Promise<void> {
  const open = await readOpenDay(tx)
  if (open === date) return
  if (open !== null) {
    throw new Refusal('registry_invalid', `the ledger is at ${open}; a clearing date moves by closing a day`)
  }
  await setFirstDay(tx, date, partitionDays)
}

/** New cards with what their chips hold. Cards that are there already stay as they are. */
async function issue (ledger: Ledger, cards: readonly Card[]): Promise<number> {
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDate(tx)
    if (clearingDate === null) {
      throw new Refusal('registry_invalid', 'no clearing date is set: register one first')
    }
    const fresh = await insertCards(tx, cards, atMs)
    const transfers: NewTransfer[] = []
    for (const { card, bucket, cardId } of fresh) {
      const journal = transfers.length
      transfers.push(...moneyOf(snapshot, card).map(money =>
        ({ ...money, journal, bucket, cardId, eventAtMs: atMs, book: 'commerce' as const })))
    }
    await postBatch(
      tx, { kind: 'registry', clearingDate, createdAtMs: atMs, salt, items: fresh.length, transfers }
    )
    return fresh.length
  })
}

/**
 * A card sold by an agent: deposit and first load are owed by the agent; the load passes through pending load
 * onto the chip. Any other
 * card brings an opening balance that the custody bank holds.
 */
function moneyOf (
  snapshot: Snapshot, card: Card
): Pick<NewTransfer, 'code' | 'debit' | 'credit' | 'amountFen'>[] {
  const account = (heading: Parameters<typeof accountId>[2], party: string | null = null) =>
    accountId(snapshot, 'commerce', heading, party)
  const balanceFen = BigInt(card.balanceFen)
  const purse = account('purse')
  if (card.soldBy === null) {
    const bank = account('custody-bank')
    return [{ code: 'opening' as const, debit: bank, credit: purse, amountFen: balanceFen }].filter(hasAmount)
  }
  const agent = account('receivable-agent', card.soldBy)
  const pending = account('pending-load')
  return [
    {
      code: 'sale_deposit' as const, debit: agent, credit: account('card-deposit'),
      amountFen: BigInt(card.depositFen)
    },
    { code: 'sale_load' as const, debit: agent, credit: pending, amountFen: balanceFen },
    { code: 'load_written' as const, debit: pending, credit: purse, amountFen: balanceFen }
  ].filter(hasAmount)
}
const hasAmount = ({ amountFen }: { readonly amountFen: bigint }): boolean => amountFen > 0n
