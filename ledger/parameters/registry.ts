// The verb that enters who and what takes part. Idempotent: the same registry again changes nothing; a new
// card brings its money. Once the ledger works, policies, commissions, holidays and terms of parties wait for
// a second person, and no card brings value that nobody paid for.
import { createHash } from 'node:crypto'
import type { Card, Party, Product, Psam, Registry, Terminal } from '../../schemas/api.ts'
import { audit } from '../people/audit.ts'
import { registerBankAccounts } from '../bank/bank-accounts.ts'
import { canonical } from '../core/canonical.ts'
import { accountCode, transferCodes } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import { setHolidays } from './holidays.ts'
import { withheldTerms } from './party-terms.ts'
import { setParameters } from './policies.ts'
import { requireAllowed } from '../posting/allowed.ts'
import { note } from '../posting/note.ts'
import { requireOwnBranch, type Member } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfParties, branchesOfTerminals, setCardBranches } from '../store/branches.ts'
import { insertCards, learnValidity } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { isSettingUp, readOpenDay, setFirstDay } from '../store/days.ts'
import { openDate } from '../store/lock.ts'
import { postBatch, type NewTransfer } from '../store/post.ts'
import {
  accountId, bumpVersion, snapshotIn, unclearTerminal, unknownParty, upsertParties, upsertProducts,
  upsertPsams, upsertTerminals, type Snapshot
} from '../store/registry.ts'
import { takeIn } from '../terminals/enrolment.ts'
import { lockInstructing } from '../store/settlement.ts'

/** Whoever has the machine itself. */
const system: Member = { name: 'system', roles: ['registrar'], branch: null, party: null }

/**
 * Stores the registry and returns how many entries of each kind it holds now that were in the call. Throws
 * Refusal registry_invalid, day_state, other_branch, proposal_pending.
 */
export async function register (
  ledger: Ledger, registry: Registry, by: Member = system
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  await inTransaction(ledger.db, async tx => {
    const { terminals: named = [], cards } = registry
    const isDated = named.length > 0 || cards !== undefined
    const open = isDated ? await openDate(tx) : null // before all other locks
    await requireOwn(tx, registry, by)
    if (registry.holidays !== undefined) await lockInstructing(tx) // before the audit log, as who instructs
    if (registry.clearingDate !== undefined) await openLedger(tx, registry.clearingDate, ledger.partitionDays)
    const { parties = [], products = [], terminals = [], psams = [], bankAccounts = [] } = registry
    const { entered, terms } = await withheldTerms(tx, ledger, parties)
    const changed = await upsertParties(tx, entered)
    if (changed !== null) {
      const { code, kind } = parties[changed] as Party
      throw new Refusal('registry_invalid', `${code} is not of kind ${kind}, and a party stays of its kind`,
        `/parties/${changed}/kind`)
    }
    counts['parties'] = parties.length
    requireCodes(products)
    await upsertProducts(tx, products)
    counts['products'] = products.length
    requireOnce('terminals', terminals, ({ operator, terminal }) => `${operator}/${terminal}`)
    await requireParties(tx, terminals.map(({ operator }) => operator))
    const date = open ?? registry.clearingDate ?? null
    if (terminals.length > 0) await enterTerminals(tx, ledger, terminals, date)
    counts['terminals'] = terminals.length
    await requireTerminals(tx, psams)
    counts['psams'] = await upsertPsams(tx, psams)
    requireOnce('commissions', registry.commissions ?? [], ({ party, product, from }) =>
      `${party}/${product}/${from}`)
    requireOnce('usageLimits', registry.usageLimits ?? [], one =>
      [one.of, one.per, one.operator, one.terminal, one.from].join('/'))
    counts['bankAccounts'] = await registerBankAccounts(tx, bankAccounts, ledger.clock.now())
    // What cards bring is posted before anything is locked that a posting may wait for: the version, the log.
    const issued = cards === undefined ? null : await issue(tx, ledger, cards, date)
    await bumpVersion(tx) // before the audit log, as whoever carries a proposal out
    Object.assign(counts, await setParameters(tx, ledger, registry, terms, by))
    if (registry.holidays !== undefined) {
      Object.assign(counts, await setHolidays(tx, ledger, registry.holidays, by))
    }
    const detail = { ...counts, digest: digestOf(registry) }
    const deed = { by: by.name, action: 'registry.change', subject: 'registry', detail }
    await audit(tx, ledger.clock.now(), deed)
    if (issued === null) return
    counts['cards'] = issued
    if (issued > 0) {
      const issuing = { by: by.name, action: 'card.issue', subject: 'registry', detail: { cards: issued } }
      await audit(tx, ledger.clock.now(), issuing)
    }
  })
  return counts
}

async function requireParties (tx: Tx, operators: readonly string[]): Promise<void> {
  const missing = await unknownParty(tx, operators)
  if (missing === null) return
  throw new Refusal('registry_invalid', 'a terminal names a party that is not registered',
    `/terminals/${missing}`)
}

/** Whose a terminal is decides who is paid: it is under the tree, as soon as there is a date for it. */
async function enterTerminals (
  tx: Tx, ledger: Ledger, terminals: readonly Terminal[], clearingDate: string | null
): Promise<void> {
  if (clearingDate === null) await upsertTerminals(tx, terminals, null)
  else {
    await note(tx, ledger, { table: 'terminal', clearingDate, atMs: ledger.clock.now() }, notedIn =>
      upsertTerminals(tx, terminals, notedIn))
  }
  await takeIn(tx, ledger, clearingDate)
}

/** SHA-256 over the call, whatever the order of its fields. */
const digestOf = (registry: Registry): string =>
  createHash('sha256').update(canonical(registry)).digest('hex').toUpperCase()

/**
 * Parties and cards of a branch are entered by its own people, also where a card brings its first load; and
 * so is what belongs to parties: terminals with their PSAMs, commissions, bank accounts.
 */
async function requireOwn (tx: Tx, registry: Registry, by: Member): Promise<void> {
  if (by.branch === null) return
  const { parties = [], cards = [], psams = [] } = registry
  requireOwnBranch(by, [
    ...parties.map(party => party.branch ?? null), ...cards.map(card => card.branch ?? null),
    ...await branchesOfParties(tx, partiesIn(registry)),
    ...await branchesOfTerminals(tx, psams.flatMap(({ terminal }) => terminal ?? []))
  ])
}

const partiesIn = (
  { parties = [], cards = [], terminals = [], commissions = [], usageLimits = [], bankAccounts = [] }:
  Registry
): string[] => [
  ...parties.map(({ code }) => code), ...cards.flatMap(({ soldBy }) => soldBy ?? []),
  ...terminals.map(({ operator }) => operator), ...commissions.map(({ party }) => party),
  ...usageLimits.flatMap(({ operator }) => operator ?? []),
  ...bankAccounts.map(({ party }) => party)
]

/** Throws Refusal registry_invalid where two entries are about the same thing. */
function requireOnce<T> (what: string, items: readonly T[], keyOf: (item: T) => string): void {
  const seen = new Set<string>()
  for (const [index, key] of items.map(keyOf).entries()) {
    if (seen.has(key)) throw new Refusal('registry_invalid', `${key} is told twice`, `/${what}/${index}`)
    seen.add(key)
  }
}

/** A PSAM is bound to one terminal: one that nobody has would leave its records unpaid. */
async function requireTerminals (tx: Tx, psams: readonly Psam[]): Promise<void> {
  const bound = psams.flatMap(({ terminal, operator = null }, index) =>
    terminal === null ? [] : [{ terminal, operator, index }])
  const unclear = await unclearTerminal(tx, bound)
  if (unclear === null) return
  const { terminal, index } = bound[unclear.place] as typeof bound[number]
  const words = unclear.found === 0
    ? `there is no terminal ${terminal}`
    : `${unclear.found} operators have a terminal ${terminal}: name the operator`
  throw new Refusal('registry_invalid', words, `/psams/${index}/terminal`)
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

/**
 * New cards with what their chips hold. Cards that are there already stay as they are; only when their chip
 * ends is learnt, where nobody has told it before.
 */
async function issue (
  tx: Tx, ledger: Ledger, cards: readonly Card[], clearingDate: string | null
): Promise<number> {
  if (clearingDate === null) {
    throw new Refusal('registry_invalid', 'no clearing date is set: register one first')
  }
  const snapshot = await snapshotIn(tx)
  const atMs = ledger.clock.now()
  requireSellers(snapshot, cards)
  const fresh = await insertCards(tx, cards, atMs)
  await learnValidity(tx, cards)
  if (!await isSettingUp(tx)) requirePaidFor(cards, fresh.map(({ card }) => card))
  await setCardBranches(tx, fresh)
  const transfers: NewTransfer[] = []
  for (const { card, bucket, cardId } of fresh) {
    const journal = transfers.length
    transfers.push(...moneyOf(snapshot, card).map(money =>
      ({ ...money, journal, bucket, cardId, eventAtMs: atMs, book: 'commerce' as const })))
  }
  await requireAllowed(tx, snapshot, transfers)
  await postBatch(tx, {
    kind: 'registry', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: fresh.length, transfers
  })
  return fresh.length
}

/**
 * What a chip held when the ledger was set up is in the bank's opening balance. Afterwards value comes by a
 * sale, which somebody owes, or by a correction, which two people decide.
 */
function requirePaidFor (cards: readonly Card[], fresh: readonly Card[]): void {
  const gift = fresh.find(({ soldBy, balanceFen }) => soldBy === null && balanceFen > 0)
  if (gift === undefined) return
  throw new Refusal('registry_invalid', 'nobody has paid for what this card holds: name who sold it',
    `/cards/${cards.indexOf(gift)}/balanceFen`)
}

function requireSellers ({ accounts }: Snapshot, cards: readonly Card[]): void {
  const index = cards.findIndex(({ soldBy }) =>
    soldBy !== null && !accounts.has(accountCode('commerce', 'receivable-agent', soldBy)))
  if (index < 0) return
  const what = `${cards[index]?.soldBy} takes no cash for us`
  throw new Refusal('registry_invalid', what, `/cards/${index}/soldBy`)
}

/**
 * A card sold by an agent: deposit and first load are owed by the agent, or taken from what it paid in; the
 * load passes through pending load
 * onto the chip. Any other card brings an opening balance that the custody bank holds.
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
  const isPrepaid = snapshot.parties.get(card.soldBy)?.prepaid === true
  const agent = account(isPrepaid ? 'agent-prepaid' : 'receivable-agent', card.soldBy)
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
