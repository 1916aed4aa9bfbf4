// Loads as rows: what was asked, what was answered, what became of it. It refuses to know what is allowed.
import type { LoadState } from '../../schemas/load.ts'
import type { CardRef } from '../../schemas/record.ts'
import { transferCodes } from '../core/chart.ts'
import type { NotedRow } from '../core/notes.ts'
import { numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { notedColumns } from './notes.ts'
import type { Start } from './verification.ts'

/** Stored: never renumber. */
export const stateNumbers = { open: 0, written: 1, not_written: 2, declined: 3 } as const
const stateNames = ['open', 'written', 'not_written', 'declined'] as const
const sourceNames = ['agent', 'pending'] as const

export type LoadRow = {
  readonly bucket: number
  readonly loadId: bigint
  readonly cardId: bigint
  readonly client: string
  readonly key: string
  readonly digest: Buffer
  readonly source: typeof sourceNames[number]
  readonly partyId: number | null
  readonly amountFen: bigint
  readonly offlineCounter: number
  readonly onlineCounter: number
  readonly balanceFen: bigint
  readonly keyVersion: number
  readonly terminal: Buffer
  readonly dateTime: Buffer
  readonly mac2: Buffer | null
  readonly outcome: number
  readonly reason: number
  /** What it was declined by, in words; null where no rule was named. */
  readonly rule: string | null
  readonly state: LoadState
  readonly evidence: string | null
  readonly journalId: bigint | null
  readonly agentAccount: number | null
  readonly clearingDate: string
  readonly requestedAtMs: number
  readonly decidedAtMs: number | null
}
export type CardPlace = { readonly bucket: number, readonly cardId: bigint }

const columns = `
  l.bucket, l.load_id as "loadId", l.card_id as "cardId", l.client_id as client, l.key, l.digest,
  l.source, l.party_id as "partyId", l.amount_fen as "amountFen", l.offline_counter as "offlineCounter",
  l.online_counter as "onlineCounter", l.balance_fen as "balanceFen", l.key_version as "keyVersion",
  l.terminal, l.date_time as "dateTime", l.mac2, l.outcome, l.reason, l.rule, l.state, l.evidence,
  l.journal_id as "journalId", l.agent_account as "agentAccount", l.clearing_date as "clearingDate",
  l.requested_at as "requestedAtMs", l.decided_at as "decidedAtMs"`

type Stored = Omit<LoadRow, 'source' | 'state'> & { readonly source: number, readonly state: number }
const fromStored = ({ source, state, ...row }: Stored): LoadRow =>
  ({ ...row, source: sourceNames[source] ?? 'agent', state: stateNames[state] ?? 'declined' })

async function find (db: Db | Tx, where: string, values: readonly unknown[]): Promise<LoadRow[]> {
  const { rows } = await db.query<Stored>(`select ${columns} from load l ${where}`, [...values])
  return rows.map(fromStored)
}

/** The purse of the card is locked: nobody else asks for this card meanwhile. */
export const findLoad = async (
  db: Db | Tx, bucket: number, client: string, key: string
): Promise<LoadRow | null> =>
  (await find(db, 'where l.bucket = $1 and l.client_id = $2 and l.key = $3', [bucket, client, key]))[0] ??
  null

export const findOpenLoads = (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<LoadRow[]> =>
  find(db, 'where l.bucket = $1 and l.card_id = $2 and l.state = 0 order by l.load_id', [bucket, cardId])

/** The newest first; null: whatever their state, of whichever card. */
export const listLoads = (db: Db, { state, card, before, limit }: {
  readonly state: LoadState | null, readonly card: CardPlace | null, readonly before: bigint | null,
  readonly limit: number
}): Promise<LoadRow[]> => find(db, `
  where ($1::smallint is null or l.state = $1) and ($2::bigint is null or l.load_id < $2)
    ${card === null ? '' : 'and l.bucket = $4 and l.card_id = $5'}
  order by l.load_id desc limit $3`,
[state === null ? null : stateNumbers[state], before, limit, ...cardValues(card)])

/** For a condition on bucket and card. */
export const cardValues = (card: CardPlace | null) => card === null ? [] : [card.bucket, card.cardId]

/** The cards of some loads, by their number. */
export async function cardsOf (
  db: Db | Tx, places: readonly CardPlace[]
): Promise<Map<bigint, CardRef>> {
  const { rows } = await db.query<{ cardId: bigint, issuer: string, serial: string, issue: number }>(`
    select c.card_id as "cardId", upper(encode(c.issuer, 'hex')) as issuer,
      upper(encode(c.serial, 'hex')) as serial, c.issue
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) join card c using (bucket, card_id)`,
  [numbers(places.map(place => place.bucket)), numbers(places.map(place => place.cardId))])
  return new Map(rows.map(({ cardId, ...ref }) => [cardId, ref]))
}

export async function lastWritten (tx: Tx, { bucket, cardId }: CardPlace): Promise<number | null> {
  const { rows } = await tx.query<{ last: number | null }>(`
    select max(online_counter) as last from load where bucket = $1 and card_id = $2 and state = 1`,
  [bucket, cardId])
  return rows[0]?.last ?? null
}

/** What waits for the chip: everything in pending load but what is under way. */
export async function pendingOf (
  db: Db | Tx, { bucket, cardId }: CardPlace, pendingAccount: number
): Promise<bigint> {
  const { rows } = await db.query<{ fen: bigint }>(`
    select coalesce(sum(amount_fen), 0)::bigint as fen from load
    where bucket = $1 and card_id = $2 and state = 0`, [bucket, cardId])
  return await creditOfCard(db, { bucket, cardId }, pendingAccount) - (rows[0]?.fen ?? 0n)
}

/** What the transfers of a card leave on an account, on its credit side. */
export async function creditOfCard (
  db: Db | Tx, { bucket, cardId }: CardPlace, account: number
): Promise<bigint> {
  const { rows } = await db.query<{ fen: bigint }>(`
    select coalesce(sum(case when credit_account = $3 then amount_fen else -amount_fen end), 0)::bigint as fen
    from transfer where bucket = $1 and card_id = $2 and $3 in (credit_account, debit_account)`,
  [bucket, cardId, account])
  return rows[0]?.fen ?? 0n
}

export async function insertLoad (
  tx: Tx, row: Omit<LoadRow, 'loadId' | 'decidedAtMs'>, notedIn: bigint
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    insert into load (bucket, load_id, card_id, client_id, key, digest, source, party_id, amount_fen,
      offline_counter, online_counter, balance_fen, key_version, terminal, date_time, mac2, outcome, reason,
      state, evidence, journal_id, agent_account, clearing_date, requested_at, noted_in, rule)
    values ($1, nextval('load_id_seq'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
      $17, $18, $19, $20, $21, $22, $23, $24, $25) returning ${notedColumns('load')}`, [
    row.bucket, row.cardId, row.client, row.key, row.digest, sourceNames.indexOf(row.source), row.partyId,
    row.amountFen, row.offlineCounter, row.onlineCounter, row.balanceFen, row.keyVersion, row.terminal,
    row.dateTime, row.mac2, row.outcome, row.reason, stateNumbers[row.state], row.evidence, row.journalId,
    row.agentAccount, row.clearingDate, timestamp(row.requestedAtMs), notedIn, row.rule])
  return rows
}

export async function decideLoad (
  tx: Tx, { bucket, loadId }: LoadRow, { state, evidence, tac, atMs }: Decision, notedIn: bigint
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    update load set state = $3, evidence = $4, tac = $5, decided_at = $6, noted_in = $7
    where bucket = $1 and load_id = $2 and state = 0 returning ${notedColumns('load')}`,
  [bucket, loadId, stateNumbers[state], evidence, tac, timestamp(atMs), notedIn])
  return rows
}

export type Decision = {
  readonly state: 'written' | 'not_written', readonly evidence: string, readonly tac: Buffer | null
  readonly atMs: number
}

/** All that the chip is known to have signed at the counter behind a load. */
const signedNext = `
  select c.balance_before_fen, c.event_at, c.bucket, c.delivery_no, c.line_no, c.findings, c.reason,
    c.terminal_id, c.sequence, false as is_stranger
  from card_event c where c.bucket = l.bucket and c.card_id = l.card_id and c.purse = 2
    and c.counter_kind = 0 and c.counter = l.offline_counter + 1
  union all
  select c.balance_before_fen, c.event_at, c.bucket, c.delivery_no, c.line_no, c.findings, c.reason,
    c.terminal_id, c.sequence, c.kind = 3
  from evidence c where c.bucket = l.bucket and c.card_id = l.card_id and c.purse = 2
    and c.counter = l.offline_counter + 1 and (c.kind in (2, 3) or (c.kind = 1 and exists (
      select 1 from evidence p where p.bucket = c.bucket and p.card_id = c.card_id
        and p.counter = c.counter and p.kind = 4 and p.content = c.content)))`

export type Evidence = { readonly load: LoadRow, readonly beganWithFen: bigint, readonly kind: string }

/**
 * Open loads whose card has told more since: the next debit that stands, or a reading after it at the same
 * counter; what began with neither sum decides nothing and would stand in the way of others. `afterMs`: how
 * much later a reading must be, clocks differ; `conflict` and `clock` are numbers of findings.
 */
export async function findEvidence (db: Db, { afterMs, conflict, clock, limit }: {
  readonly afterMs: number, readonly conflict: number, readonly clock: number, readonly limit: number
}): Promise<Evidence[]> {
  const { rows } = await db.query<Stored & { beganWithFen: bigint, kind: string }>(`
    select ${columns}, e.fen as "beganWithFen", e.kind
    from load l cross join lateral (
      (select x.balance_before_fen as fen, 'next_debit' as kind, x.event_at as at
      from (${signedNext}) x
      left join lateral (
        select outcome, reason, findings from adjustment j
        where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
        order by j.batch_id desc limit 1) a on true
      cross join lateral (
        select coalesce(case when a.outcome is null then x.findings else a.findings end, '{}')
          || coalesce(a.reason, x.reason) as findings) f
      where not $2 = any (f.findings)
      order by x.is_stranger, $3 = any (f.findings), x.event_at, x.terminal_id, x.sequence limit 1)
      union all
      select balance_fen, 'reading', f.at from chain_fact f
      where f.bucket = l.bucket and f.card_id = l.card_id and f.purse = 2 and f.kind = 1
        and f.counter = l.offline_counter and f.at > l.requested_at + $1 * interval '1 millisecond') e
    where l.state = 0 and e.fen in (l.balance_fen, l.balance_fen + l.amount_fen)
    order by l.requested_at, l.load_id, e.kind = 'reading', e.at limit $4`, [afterMs, conflict, clock, limit])
  return rows.map(({ beganWithFen, kind, ...row }) => ({ load: fromStored(row), beganWithFen, kind }))
}

/* ---- comparisons ---- */

/**
 * Loads against the transfers they made: what an agent owes for one, and what its purse took of all of its
 * card. A purse that was opened with money has transfers of these kinds too, in a batch of the registry.
 */
export const loadDifferences = async (tx: Tx | Db, { date }: Start): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    with moved as (
      select t.* from transfer t join batch b on b.bucket = 0 and b.batch_id = t.batch_id
      where t.code = any($2) and b.kind = 'requests' and ($1::date is null or t.clearing_date >= $1))
    select format('load %s: %s fen against transfer %s of %s', l.load_id, l.amount_fen, l.journal_id,
      coalesce(t.amount_fen::text, 'nothing')) as what
    from load l left join transfer t on t.bucket = l.bucket and t.clearing_date = l.clearing_date
      and t.transfer_id = l.journal_id and t.card_id = l.card_id and t.debit_account = l.agent_account
      and t.code = $3
    where l.journal_id is not null and t.amount_fen is distinct from l.amount_fen
      and ($1::date is null or l.clearing_date >= $1)
    union all
    select format('transfer %s of card %s: its load is not there', m.transfer_id, m.card_id) from moved m
    where m.code = $3 and not exists (
      select from load l where l.bucket = m.bucket and l.card_id = m.card_id
        and l.journal_id = m.transfer_id)
    union all
    select format('load of card %s: %s fen written, transfers of %s', coalesce(l.card_id, m.card_id),
      coalesce(l.fen, 0), coalesce(m.fen, 0))
    from (
      select bucket, card_id, sum(amount_fen) as fen from load where state = 1 group by 1, 2) l
    full join (
      select t.bucket, t.card_id, sum(t.amount_fen) as fen from transfer t
      join batch b on b.bucket = 0 and b.batch_id = t.batch_id
      where t.code = $4 and b.kind = 'requests' group by 1, 2) m using (bucket, card_id)
    where $1::date is null and coalesce(l.fen, 0) <> coalesce(m.fen, 0)
    order by 1 limit 20`, [date, [sold, written], sold, written])).rows.map(({ what }) => what)

const { sale_load: sold, load_written: written } = transferCodes

export type LoadSums = {
  readonly party: string, readonly source: number
  /** As {@link stateNumbers}. */
  readonly state: number
  readonly loads: number, readonly fen: bigint
}

/** Loads that were granted on a clearing date, by party, source and state. */
export const loadSums = async (db: Db, date: string): Promise<LoadSums[]> =>
  (await db.query<LoadSums>(`
    select p.code as party, l.source, l.state, count(*)::int as loads, sum(l.amount_fen)::bigint as fen
    from load l join party p using (party_id) where l.clearing_date = $1 and l.state <> $2
    group by 1, 2, 3 order by 1, 2, 3`, [date, stateNumbers.declined])).rows
