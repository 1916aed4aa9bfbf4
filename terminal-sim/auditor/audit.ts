// The independent auditor: every fen is on a chip, in an account, or explained. It asks the ledger only
// through its public API, and shares no code with it that prices, signs or books.
import type { CardView, RecordView, TrialBalance } from '../../schemas/api.ts'
import type { StatementLine } from '../../schemas/account.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { explainCard, type AuditedCard, type ChipState } from './explain.ts'

export type AuditReport = {
  readonly ok: boolean
  readonly cards: readonly AuditedCard[]
  readonly totals: {
    readonly chipsFen: number
    /** What the ledger owes to the holders of these cards. */
    readonly shadowFen: number
    readonly explainedFen: number
  }
  /** Empty when ok; each says which card or book, and what is wrong. */
  readonly problems: readonly string[]
}

export type AuditOptions = {
  readonly ledgerUrl: string
  /** Bearer token that may read cards, records and accounts. */
  readonly token: string
  readonly chips: readonly ChipState[]
  /** Records that somebody was told are safe with the ledger: each must be known there. */
  readonly handedIn?: readonly { readonly card: CardRef, readonly counter: number }[]
  /**
   * Of a city of hundreds of thousands: records are asked for those cards alone whose chip and books differ
   * in value or counter. Where both agree there is nothing to explain.
   */
  readonly differingOnly?: boolean
}
export type { ChipState }

/** Throws when the ledger does not answer; what is wrong with the money is in the report. */
export async function audit (
  { ledgerUrl, token, chips, handedIn = [], differingOnly = false }: AuditOptions
): Promise<AuditReport> {
  const ask = asker(ledgerUrl, token)
  const views = new Map((await all<CardView>(ask, '/v1/cards')).map(view => [cardKey(view.card), view]))
  const records = groupBy(differingOnly ? [] : await all<RecordView>(ask, '/v1/records'), line =>
    line.card === null ? '' : cardKey(line.card)
  )
  const trial = (await ask('/v1/accounts')) as TrialBalance

  const unknown = chips.filter(chip => !views.has(cardKey(chip.card)))
  const cards: AuditedCard[] = []
  for (const chip of chips) {
    const key = cardKey(chip.card)
    const view = views.get(key)
    if (view === undefined) continue
    const movedFen = isOver(view) ? await movedFrom(ask, key) : 0
    if (differingOnly && agree(chip, view)) cards.push(agreed(chip))
    else {
      const own = differingOnly ? await all<RecordView>(ask, `/v1/records?card=${key}`) : records.get(key)
      cards.push(explainCard(chip, view, own ?? [], movedFen))
    }
  }
  const problems = [
    ...unknown.map(
      chip => `${cardKey(chip.card)} holds ${chip.balanceFen} fen and is not known to the ledger`
    ),
    ...cards.flatMap(card => card.problems.map(words => `${cardKey(card.card)}: ${words}`)),
    ...handedIn
      .filter(one => !(records.get(cardKey(one.card)) ?? []).some(line => line.counter === one.counter))
      .map(one => `${cardKey(one.card)} counter ${one.counter} was handed in and is not known to the ledger`),
    ...booksOutOfBalance(trial, [...views.values()])
  ]
  return {
    ok: problems.length === 0,
    cards,
    totals: {
      chipsFen: sum(cards.map(card => card.chipFen)),
      shadowFen: sum(cards.map(card => card.shadowFen)),
      explainedFen: sum(cards.flatMap(card => card.explanations.map(one => one.amountFen)))
    },
    problems
  }
}

const agree = ({ balanceFen, counter }: ChipState, { purse }: CardView): boolean =>
  Number(purse.shadowFen) === balanceFen && purse.lastCounter === counter

const agreed = ({ card, balanceFen }: ChipState): AuditedCard => ({
  card, chipFen: balanceFen, lastFen: balanceFen, shadowFen: balanceFen, differenceFen: 0, explanations: [],
  unexplainedFen: 0, problems: []
})

const isOver = ({ state }: CardView): boolean => state === 'void' || state === 'cancelled'

/** What left the purse for the card in its place, or over a counter. */
async function movedFrom (ask: Ask, key: string): Promise<number> {
  const lines = await all<StatementLine>(ask, `/v1/cards/${key}/statement`, 'lines')
  return -sum(lines.filter(({ code }) => leaves.has(code)).map(({ amountFen }) => Number(amountFen)))
}
const leaves: ReadonlySet<string> = new Set(['value_moved', 'return_value', 'return_collected'])

function booksOutOfBalance (trial: TrialBalance, cards: readonly CardView[]): string[] {
  const owedFen = sum(cards.map(card => Number(card.purse.shadowFen)))
  const controlFen = sum(
    trial.accounts.filter(one => one.heading === 'purse').map(one => Number(one.balanceFen))
  )
  const books = groupBy(trial.accounts, one => one.book)
  const crooked = [...books]
    .map(([book, accounts]) => ({
      book,
      differenceFen: sum(accounts.map(one => Number(one.debitFen) - Number(one.creditFen)))
    }))
    .filter(one => one.differenceFen !== 0)
  return [
    ...crooked.map(one => `the ${one.book} book is off by ${one.differenceFen} fen`),
    ...(owedFen === controlFen ? [] : [`purses hold ${owedFen} fen, their control account ${controlFen}`])
  ]
}

type Ask = (path: string) => Promise<unknown>

function asker (ledgerUrl: string, token: string): Ask {
  const headers = { authorization: `Bearer ${token}` }
  return async path => {
    const response = await fetch(new URL(path, ledgerUrl), { headers })
    if (response.ok) return await response.json()
    throw new Error(`the ledger answers ${response.status} to ${path}: ${await response.text()}`)
  }
}

async function all<T> (ask: Ask, path: string, list: 'items' | 'lines' = 'items'): Promise<T[]> {
  const items: T[] = []
  for (let after = ''; ;) {
    const page = (await ask(`${path}${path.includes('?') ? '&' : '?'}limit=1000${after}`)) as
      { [name in typeof list]: T[] } & { next: string | number | null }
    items.push(...page[list])
    if (page.next === null) return items
    after = `&after=${encodeURIComponent(page.next)}`
  }
}

const sum = (amounts: readonly number[]): number => amounts.reduce((all, one) => all + one, 0)

function groupBy<T> (items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}
