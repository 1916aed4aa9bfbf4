// The city on which posting is measured: cards with purses and online accounts, one operator and one agent
// that everybody goes to, ten thousand of each beside them. Every fen of it is booked by the ledger itself.
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../runtime/clock.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import type { Card } from '../../schemas/api.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { postGuarded } from '../../ledger/posting/post-guarded.ts'
import { register } from '../../ledger/parameters/registry.ts'
import { createLog } from '../../runtime/log.ts'
import { findCards } from '../../ledger/store/cards.ts'
import { inTransaction, openDb, type Db } from '../../ledger/store/db.ts'
import { ensureGuarded, openGuarded } from '../../ledger/store/guarded.ts'
import { accountId, bumpVersion, registryCache, type Snapshot } from '../../ledger/store/registry.ts'

export const date = '2026-03-02'
export const nextDate = '2026-03-03'
export const parties = 10_000
/** As many as a transaction of the ledger has lines of a file. */
export const setSize = 10_000
export const fareFen = 180n
const topUpFen = 50_000n
const openingFen = 20_000
/** One card in a hundred has no money online: what it asks for is refused. */
const isPoor = (place: number): boolean => place % 100 === 99

export type BenchCard = { readonly ref: CardRef, readonly bucket: number, readonly cardId: bigint }
export type Stage = {
  readonly ledger: Ledger
  readonly db: Db
  readonly snapshot: Snapshot
  readonly cards: readonly BenchCard[]
  /** `merchant-pending` of operators and `agent-prepaid` of agents; the first of each is the hot one. */
  readonly operators: readonly number[]
  readonly agents: readonly number[]
  readonly psams: readonly number[]
  readonly accounts: { readonly purse: number, readonly online: number }
}

export async function setStage (url: string, cardCount: number, writers: number): Promise<Stage> {
  const db = openDb(url, { max: writers + 2 })
  const ledger = {
    db, clock: systemClock, log: createLog('bench', { level: 'silent' }), registry: registryCache(db),
    random: randomBytes, partitionDays: 3
  } as unknown as Ledger
  await register(ledger, {
    clearingDate: date, parties: [{ code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' }]
  })
  await insertParties(db)
  const refs = Array.from({ length: cardCount }, (_, place): CardRef =>
    ({ issuer: '02313750FFFFFFFF', serial: `0310499060${String(place).padStart(10, '0')}`, issue: 1 }))
  const cards = (await inSets(refs, setSize, set => issue(ledger, set))).flat()
  const snapshot = await ledger.registry()
  const account = (heading: 'purse' | 'online' | 'custody-bank') => accountId(snapshot, 'commerce', heading)
  const of = (heading: 'merchant-pending' | 'agent-prepaid', kind: string) =>
    Array.from({ length: parties }, (_, place) =>
      accountId(snapshot, 'commerce', heading, `${kind}${place}`))
  const stage: Stage = {
    ledger, db, snapshot, cards, operators: of('merchant-pending', 'O'), agents: of('agent-prepaid', 'A'),
    psams: await insertPsams(db), accounts: { purse: account('purse'), online: account('online') }
  }
  await prefund(stage, account('custody-bank'))
  await fillOnline(stage)
  await db.query('vacuum (analyze)')
  return stage
}

/** Operators O0… and prefunded agents A0…, with their accounts. */
async function insertParties (db: Db): Promise<void> {
  await db.query(`
    insert into party (code, kind, name_zh, name_en, prepaid)
    select k || n, case k when 'O' then 'operator' else 'agent' end, k || n, k || n, k = 'A'
    from unnest(array['O', 'A']) as k, generate_series(0, ${parties - 1}) as n`)
  await db.query(`
    insert into account (book, heading, party_id, normal_side, mode, floor_fen)
    select 'commerce', case when prepaid then 'agent-prepaid' else 'merchant-pending' end, party_id, 'credit',
      case when prepaid then 'guarded' else 'recorded' end, case when prepaid then 0 end
    from party where kind in ('operator', 'agent')`)
  await ensureGuarded(db)
  await inTransaction(db, bumpVersion)
}

const psamCount = 2_000
async function insertPsams (db: Db): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(`
    insert into psam (psam, issue, valid_from, test)
    select decode(lpad(to_hex(n), 12, '0'), 'hex'), 1, '2020-01-01', false
    from generate_series(1, ${psamCount}) as n returning psam_id as id`)
  return rows.map(row => row.id)
}

async function issue (ledger: Ledger, refs: readonly CardRef[]): Promise<BenchCard[]> {
  const cards = refs.map((card): Card => ({
    card, profile: 't-union', type: 'named', suite: '3des', keyVersion: 1, cityFactor: null,
    balanceFen: openingFen, counter: 100, soldBy: null, depositFen: 0
  }))
  await register(ledger, { cards })
  const found = await findCards(ledger.db, refs)
  return refs.map(ref => {
    const card = found.get(cardKey(ref))
    if (card === undefined) throw new Error('a card of the bench is missing')
    return { ref, bucket: card.bucket, cardId: card.cardId }
  })
}

async function prefund ({ ledger, agents, snapshot }: Stage, bank: number): Promise<void> {
  await inSets(agents, setSize, set => inTransaction(ledger.db, tx => postGuarded(tx,
    { kind: 'requests', clearingDate: date, createdAtMs: 0, salt: randomBytes(16), items: set.length },
    set.map(agent => ({
      transfers: [{
        bucket: 0, code: 'agent_prefund' as const, book: 'commerce' as const, debit: bank, credit: agent,
        amountFen: 10_000_000_000n, eventAtMs: 0
      }]
    })), { accounts: snapshot.guarded, ceilingOf: () => null })))
}

/** All agents fill all online accounts, but the poor ones, by turns. */
async function fillOnline (stage: Stage): Promise<void> {
  const { ledger, cards, agents, accounts, snapshot } = stage
  await inSets(cards, setSize, set => inTransaction(ledger.db, async tx => {
    const keys = set.map(({ bucket, cardId }) => ({ bucket, accountId: accounts.online, cardId }))
    await openGuarded(tx, keys, 0n, 0)
    const rich = set.filter((_, place) => !isPoor(place))
    return await postGuarded(tx,
      { kind: 'requests', clearingDate: date, createdAtMs: 0, salt: randomBytes(16), items: rich.length },
      rich.map(({ bucket, cardId }, place) => ({
        transfers: [{
          bucket, cardId, code: 'online_topup' as const, book: 'commerce' as const,
          debit: agents[place % agents.length] ?? 0, credit: accounts.online, amountFen: topUpFen,
          eventAtMs: 0
        }]
      })), { accounts: snapshot.guarded, ceilingOf: () => null })
  }))
}

async function inSets<I, O> (
  items: readonly I[], size: number, work: (set: readonly I[]) => Promise<O>
): Promise<O[]> {
  const results: O[] = []
  for (let at = 0; at < items.length; at += size) results.push(await work(items.slice(at, at + size)))
  return results
}
