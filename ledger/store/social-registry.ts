// Messages of a registry of social-security cards as rows, and the cards that it knows. It refuses to know
// what comes of a message.
import type { CardState } from '../../schemas/card-life.ts'
import type { CardRef } from '../../schemas/record.ts'
import { limits } from '../../schemas/limits.ts'
import type { SocialReply } from '../../schemas/social-security.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

export type SocialMessageRow = {
  readonly id: string
  /** One of the two. */
  readonly card: CardPlace | null, readonly applicationNo: bigint | null
  readonly says: string, readonly saidAtMs: number, readonly nextCard: string | null, readonly reason: string
  readonly client: string, readonly toldAtMs: number
  readonly outcome: SocialReply['outcome'], readonly state: SocialReply['state']
}
type Stored = Omit<SocialMessageRow, 'card'> & {
  readonly bucket: number | null, readonly cardId: bigint | null
}

const find = async (db: Db | Tx, where: string, values: readonly unknown[]): Promise<SocialMessageRow[]> =>
  (await db.query<Stored>(`
    select message as id, bucket, card_id as "cardId", application_no as "applicationNo", says,
      said_at as "saidAtMs", next_card as "nextCard", reason, client_id as client, told_at as "toldAtMs",
      outcome, state
    from social_message ${where}`, [...values])).rows.map(({ bucket, cardId, ...row }) =>
    ({ ...row, card: bucket === null || cardId === null ? null : { bucket, cardId } }))

export const findSocialMessage = async (tx: Tx, id: string): Promise<SocialMessageRow | null> =>
  (await find(tx, 'where message = $1', [id]))[0] ?? null

/** All that was said of a card, as it came. */
export const socialMessagesOf = (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<SocialMessageRow[]> =>
  find(db, 'where bucket = $1 and card_id = $2 order by told_at limit $3',
    [bucket, cardId, limits.pageItemsMax])

/** All answers about an application. */
export const socialAnswersOf = (tx: Tx, applicationNo: bigint): Promise<SocialMessageRow[]> =>
  find(tx, 'where application_no = $1 order by told_at limit $2', [applicationNo, limits.pageItemsMax])

/** Throws where the id is taken: {@link isTaken}. */
export async function insertSocialMessage (tx: Tx, row: SocialMessageRow): Promise<void> {
  await tx.query(`
    insert into social_message (message, bucket, card_id, application_no, says, said_at, next_card, reason,
      client_id, told_at, outcome, state)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, [
    row.id, row.card?.bucket ?? null, row.card?.cardId ?? null, row.applicationNo, row.says,
    timestamp(row.saidAtMs), row.nextCard, row.reason, row.client, timestamp(row.toldAtMs), row.outcome,
    row.state])
}

export type SocialCardRow = {
  readonly cardId: bigint, readonly card: CardRef, readonly holder: string | null
  readonly state: CardState, readonly sinceMs: number | null
}

/** Cards of social security in the order of their numbers inside the ledger. */
export async function readSocialCards (
  db: Db, { after, limit }: { readonly after: bigint | null, readonly limit: number }
): Promise<SocialCardRow[]> {
  const { rows } = await db.query<Omit<SocialCardRow, 'card'> & CardRef>(`
    select c.card_id as "cardId", upper(encode(c.issuer, 'hex')) as issuer,
      upper(encode(c.serial, 'hex')) as serial, c.issue, h.holder, c.state,
      (select max(moved_at) from card_move m where m.bucket = c.bucket and m.card_id = c.card_id) as "sinceMs"
    from card c
    left join card_holder b on b.bucket = c.bucket and b.card_id = c.card_id and b.ended_at is null
    left join holder h on h.holder_id = b.holder_id
    where c.card_type = 'social-security' and ($1::bigint is null or c.card_id > $1)
    order by c.card_id limit $2`, [after, limit])
  return rows.map(({ issuer, serial, issue, ...row }) => ({ ...row, card: { issuer, serial, issue } }))
}
