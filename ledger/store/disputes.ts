// Disputes and what was done in them, as rows.
import type { CardRef } from '../../schemas/record.ts'
import type { DisputeSide, DisputeState } from '../core/dispute.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { cardValues, type CardPlace } from './loads.ts'
import type { EventKey } from './redress.ts'

export type DisputeRow = EventKey & CardRef & {
  readonly disputeId: bigint, readonly operator: string | null, readonly side: DisputeSide,
  readonly amountFen: bigint, readonly state: DisputeState, readonly answerUntil: string,
  readonly escalateUntil: string | null, readonly adjustedOn: string | null
}
const columns = `d.dispute_id as "disputeId", d.bucket, d.card_id as "cardId", d.purse, d.counter,
  upper(encode(c.issuer, 'hex')) as issuer, upper(encode(c.serial, 'hex')) as serial, c.issue,
  p.code as operator, d.side, d.amount_fen as "amountFen", d.state, d.answer_until as "answerUntil",
  d.escalate_until as "escalateUntil", r.clearing_date as "adjustedOn"`
const tables = `dispute d join card c using (bucket, card_id) left join party p using (party_id)
  left join redress r using (redress_id)`

/** States in which nothing else may be done with the event. */
const unfinished = "state in ('RAISED', 'ANSWERED', 'REFUSED', 'ESCALATED')"

/** The dispute that is under way about an event; a refused one that nobody can escalate any more is over. */
export const unfinishedDispute = async (tx: Tx, key: EventKey, today: string): Promise<bigint | null> =>
  (await tx.query<{ id: bigint }>(`
    select dispute_id as id from dispute where ${ofEvent} and ${unfinished}
      and not (state = 'REFUSED' and escalate_until < $5)`, [...valuesOf(key), today])).rows[0]?.id ?? null

const ofEvent = 'bucket = $1 and card_id = $2 and purse = $3 and counter = $4'
const valuesOf = ({ bucket, cardId, purse, counter }: EventKey) => [bucket, cardId, purse, counter]

/** Refused ones that nobody has escalated in time are over; their numbers. */
export const endRefused = async (tx: Tx, key: EventKey, today: string): Promise<bigint[]> =>
  (await tx.query<{ id: bigint }>(`
    update dispute set state = 'FINAL' where ${ofEvent} and state = 'REFUSED' and escalate_until < $5
    returning dispute_id as id`, [...valuesOf(key), today])).rows.map(row => row.id)

/** An earlier dispute about the event that ended for good without any money. */
export const lostDispute = async (tx: Tx, key: EventKey): Promise<bigint | null> =>
  (await tx.query<{ id: bigint }>(`
    select dispute_id as id from dispute where ${ofEvent} and state = 'FINAL' and redress_id is null limit 1`,
  valuesOf(key))).rows[0]?.id ?? null

/** Null where one is under way about the same event. */
export async function insertDispute (
  tx: Tx, d: Omit<DisputeRow, keyof CardRef | 'disputeId' | 'escalateUntil' | 'adjustedOn' | 'state'>
): Promise<bigint | null> {
  const { rows: [row] } = await tx.query<{ id: bigint }>(`
    insert into dispute (bucket, card_id, purse, counter, party_id, side, amount_fen, state, answer_until)
    values ($1, $2, $3, $4, (select party_id from party where code = $5), $6, $7, 'RAISED', $8)
    on conflict (bucket, card_id, purse, counter)
      where state in ('RAISED', 'ANSWERED', 'REFUSED', 'ESCALATED') do nothing
    returning dispute_id as id`,
  [d.bucket, d.cardId, d.purse, d.counter, d.operator, d.side, d.amountFen, d.answerUntil])
  return row?.id ?? null
}

export const readDispute = async (db: Db | Tx, id: bigint): Promise<DisputeRow | null> =>
  (await db.query<DisputeRow>(
    `select ${columns} from ${tables} where d.dispute_id = $1`, [id])).rows[0] ?? null

/** Locked: two who move it on do it one after the other. */
export const lockDispute = async (tx: Tx, id: bigint): Promise<DisputeRow | null> =>
  (await tx.query<DisputeRow>(
    `select ${columns} from ${tables} where d.dispute_id = $1 for update of d`, [id])).rows[0] ?? null

/** Newest first; a party sees its own. */
export const readDisputes = async (db: Db, of: {
  readonly party: string | null, readonly state: DisputeState | null, readonly card: CardPlace | null,
  readonly before: bigint | null, readonly limit: number
}): Promise<DisputeRow[]> => (await db.query<DisputeRow>(`
    select ${columns} from ${tables}
    where ($1::text is null or p.code = $1) and ($2::text is null or d.state = $2)
      and ($3::bigint is null or d.dispute_id < $3)
      ${of.card === null ? '' : 'and d.bucket = $5 and d.card_id = $6'}
    order by d.dispute_id desc limit $4`,
[of.party, of.state, of.before, of.limit, ...cardValues(of.card)])).rows

export async function moveDispute (tx: Tx, id: bigint, to: {
  readonly state: DisputeState, readonly escalateUntil?: string, readonly redressId?: bigint
}): Promise<void> {
  await tx.query(`
    update dispute set state = $2, escalate_until = coalesce($3, escalate_until),
      redress_id = coalesce($4, redress_id)
    where dispute_id = $1`, [id, to.state, to.escalateUntil ?? null, to.redressId ?? null])
}

export type DisputeStep = {
  readonly state: DisputeState, readonly by: string, readonly atMs: number, readonly stance: string | null,
  readonly words: string
}

export async function insertStep (tx: Tx, id: bigint, step: DisputeStep): Promise<void> {
  await tx.query(`
    insert into dispute_step (dispute_id, step_no, state, by_whom, at, stance, words)
    select $1, count(*) + 1, $2, $3, $4, $5, $6 from dispute_step where dispute_id = $1`,
  [id, step.state, step.by, timestamp(step.atMs), step.stance, step.words])
}

export const readDisputeSteps = async (db: Db | Tx, id: bigint): Promise<DisputeStep[]> =>
  (await db.query<DisputeStep>(`
    select state, by_whom as by, at as "atMs", stance, words from dispute_step
    where dispute_id = $1 order by step_no`, [id])).rows
