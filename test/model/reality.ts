// The real ledger in the words of the model, and that its past is never edited.
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import { contentHash } from '../../schemas/record.ts'
import { balances } from '../../ledger/store/balances.ts'
import type { Db } from '../../ledger/store/db.ts'
import { readHolds } from '../../ledger/store/holds.ts'
import { readPositions } from '../../ledger/store/settlement.ts'
import { verdictsOf } from '../support/books.ts'
import { houseParty } from './city.ts'
import { recordFor } from './history.ts'
import type { Model } from './model.ts'

/** One thing, as the ledger has it and as the model expects it. */
export type Beside = readonly [what: string, real: unknown, expected: unknown]

/** Everything that the model predicts. */
export async function beside (db: Db, model: Model, openDate: string): Promise<Beside[]> {
  const { settling } = model
  return [
    ['verdicts', await verdictsNow(db), verdictsIn(model)],
    ['purses', ...pursesBeside(await pursesNow(db), model)],
    ['accounts', await accountsNow(db), settling.accounts()],
    ['whose settlement is held', await suspectsNow(db), settling.holds
      .filter(one => !one.isReleased).map(({ about, since }) => `${about} ${since}`).sort()],
    ['accounts that were opened for money', await reopenedNow(db), model.isReopened() ? 1 : 0],
    ['dates', await daysNow(db), [...settling.days, { date: openDate, state: 'OPEN' }]
      .map(({ date, state }) => `${date} ${state}`)],
    ['positions', await positionsNow(db), positionsIn(model)],
    ['instructions', await instructionsNow(db), settling.instructions.map(one => [
      one.id, one.fen < 0 ? 'collect' : 'pay', Math.abs(one.fen), one.valueDate, one.state,
      one.replacedBy ?? '-'].join(' ')).sort()]
  ]
}

/* ---- records and cards ---- */

const name = (numbers: Readonly<Record<string, number>>, number: number): string =>
  Object.entries(numbers).find(([, one]) => one === number)?.[0] ?? String(number)

const verdictsNow = async (db: Db): Promise<string[]> => (await verdictsOf(db))
  .map(({ content, outcome, reason }) =>
    `${content} ${name(outcomeNumbers, outcome)} ${name(reasonNumbers, reason)}`).sort()
const verdictsIn = (model: Model): string[] => model.verdicts().map(({ tap, outcome, reason }) =>
  `${contentHash(recordFor(tap)).toString('hex')} ${outcome} ${reason}`).sort()

type PurseRow = {
  readonly card: number, readonly counter: number, readonly lastFen: number, readonly owedFen: number
  readonly open: number
}
async function pursesNow (db: Db): Promise<PurseRow[]> {
  const { rows } = await db.query<Record<keyof PurseRow, number | bigint>>(`
    select right(encode(c.serial, 'hex'), 4)::int as card, p.last_counter as counter,
      p.last_balance_fen as "lastFen", p.shadow_fen as "owedFen", p.open_items as open
    from purse p join card c using (bucket, card_id) where c.card_type <> 'foreign' order by 1`)
  return rows.map(row => Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, Number(value)])) as PurseRow)
}

/** Both in one form: a chip's last balance may have in what was loaded since, or not. */
function pursesBeside (real: readonly PurseRow[], model: Model): [string[], string[]] {
  const expected = model.purses()
  const line = (card: number, counter: number, lastFen: number, owedFen: number, open: number) =>
    `${card}: ${counter} ${lastFen} ${owedFen} ${open}`
  return [
    real.map(({ card, counter, lastFen, owedFen, open }, place) => {
      const { balanceFen = lastFen, loadedFen = 0 } = expected[place] ?? {}
      const withLoads = lastFen > balanceFen && lastFen <= balanceFen + loadedFen
      return line(card, counter, withLoads ? balanceFen : lastFen, owedFen, open)
    }),
    expected.map(({ card, counter, balanceFen, owedFen, open }) =>
      line(card, counter, balanceFen, owedFen, open))]
}

/* ---- money ---- */

/** Credit less debit of every account; those that are not zero. */
async function accountsNow (db: Db): Promise<Record<string, number>> {
  const rows = await balances(db, null)
  return Object.fromEntries(rows.map(({ heading, party, creditFen, debitFen }): [string, number] =>
    [party === null ? heading : `${heading}/${party}`, Number(creditFen - debitFen)])
    .filter(([, fen]) => fen !== 0))
}

const suspectsNow = async (db: Db): Promise<string[]> =>
  (await readHolds(db, null)).map(({ about, sinceDate }) => `${about} ${sinceDate}`).sort()

const reopenedNow = async (db: Db): Promise<number> => Number((await db.query<{ n: bigint }>(
  "select count(*) as n from alert where kind = 'account_reopened'")).rows[0]?.n ?? 0)

/* ---- settling ---- */

const daysNow = async (db: Db): Promise<string[]> => (await db.query<{ day: string }>(
  "select clearing_date || ' ' || state as day from clearing_day order by clearing_date")).rows
  .map(({ day }) => day)

/** What a party earned, pays for that, took, gets for that, and its net; of the house the net alone. */
async function positionsNow (db: Db): Promise<Record<string, readonly number[]>> {
  const { rows } = await db.query<{ date: string }>(
    'select distinct clearing_date as date from position order by 1')
  const positions = await Promise.all(rows.map(async ({ date }) =>
    (await readPositions(db, date)).map(one => ({ ...one, date }))))
  return Object.fromEntries(positions.flat().map(({ date, party, netFen, ...one }) => {
    const parts = [one.claimsFen + one.adjustmentsFen, one.commissionFen, one.loadsFen, one.loadCommissionFen]
    return [`${date} ${party}`, [...party === houseParty ? [] : parts, netFen].map(Number)]
  }))
}

const positionsIn = ({ settling: { days } }: Model): Record<string, readonly number[]> =>
  Object.fromEntries(days.flatMap(({ date, positions }): [string, number[]][] => [
    ...positions.map(({ party, ...one }): [string, number[]] => [`${date} ${party}`,
      [one.earnedFen, one.commissionFen, one.takenFen, one.loadCommissionFen, one.netFen]]),
    [`${date} ${houseParty}`, [0 - positions.reduce((sum, { netFen }) => sum + netFen, 0)]]]))

const instructionsNow = async (db: Db): Promise<string[]> => (await db.query<{ words: string }>(`
  select concat_ws(' ', instruction_id, direction, amount_fen, value_date, state,
    coalesce(replaced_by, '-')) as words from instruction`)).rows.map(({ words }) => words).sort()

/* ---- the past ---- */

/** Everything written up to a batch, as one number: the past is never edited. */
export async function pastUpTo (db: Db, batchId: bigint): Promise<string> {
  const parts = await Promise.all(['transfer', 'card_event', 'evidence', 'adjustment', 'batch'].map(table =>
    db.query<{ sum: string }>(`
      select md5(coalesce(string_agg(x::text, ';' order by x::text), '')) as sum from ${table} x
      where batch_id <= $1`, [batchId])))
  return parts.map(({ rows: [row] }) => row?.sum).join()
}
