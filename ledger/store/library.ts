// Rows of libraries: rules, readers, books, loans, payments. It refuses to know what they decide.
import type { LibraryCatalogue, LibraryReason, LibraryRules, PaidBy } from '../../schemas/library.ts'
import { outcomeNumbers } from '../../schemas/reasons.ts'
import { timestamp, type Db, type Tx } from './db.ts'

/* ---- rules ---- */

export const readRules = async (db: Db | Tx, partyId: number): Promise<LibraryRules[]> =>
  (await db.query<{ rules: LibraryRules }>(
    'select rules from library_rules where party_id = $1 order by valid_from', [partyId]))
    .rows.map(({ rules }) => rules)

export async function upsertRules (
  tx: Tx, partyId: number, rules: LibraryRules, by: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into library_rules (party_id, valid_from, rules, set_by, set_at) values ($1, $2, $3, $4, $5)
    on conflict (party_id, valid_from)
    do update set rules = excluded.rules, set_by = excluded.set_by, set_at = excluded.set_at`,
  [partyId, rules.from, JSON.stringify(rules), by, timestamp(atMs)])
}

/* ---- items ---- */

export type ItemRow = {
  readonly item: string, readonly title: string, readonly fineFenMax: bigint | null,
  readonly properties: string
}

export async function upsertItems (
  tx: Tx, partyId: number, items: NonNullable<LibraryCatalogue['items']>
): Promise<void> {
  await tx.query(`
    insert into library_item (party_id, item, title, fine_fen_max, properties)
    select $1, item, title, fen, coalesce(properties, '')
    from unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) as i (item, title, fen, properties)
    on conflict (party_id, item)
    do update set title = excluded.title, fine_fen_max = excluded.fine_fen_max`, [
    partyId, items.map(({ item }) => item), items.map(({ title }) => title),
    items.map(({ fineFenMax }) => fineFenMax ?? null), items.map(({ properties }) => properties ?? null)])
}

/** Locked, so that it is lent once. */
export const lockItem = async (tx: Tx, partyId: number, item: string): Promise<ItemRow | null> =>
  (await tx.query<ItemRow>(`
    select item, title, fine_fen_max as "fineFenMax", properties from library_item
    where party_id = $1 and item = $2 for update`, [partyId, item])).rows[0] ?? null

export async function updateItem (
  tx: Tx, partyId: number, item: string, properties: string
): Promise<void> {
  await tx.query('update library_item set properties = $3 where party_id = $1 and item = $2',
    [partyId, item, properties])
}

/* ---- readers ---- */

export type PatronRow = {
  readonly patron: string, readonly name: string, readonly language: 'zh' | 'en',
  readonly passwordHash: string | null, readonly blockedNote: string | null,
  readonly depositBucket: number, readonly depositCardId: bigint,
  /** The card that counts now. */
  readonly bucket: number, readonly cardId: bigint, readonly token: string
}
export type NewPatron = Pick<PatronRow, 'patron' | 'name' | 'language' | 'passwordHash'> &
  { readonly token: string, readonly bucket: number, readonly cardId: bigint }

const patronColumns = `p.patron, p.name, p.language, p.password_hash as "passwordHash",
  p.blocked_note as "blockedNote", p.deposit_bucket as "depositBucket",
  p.deposit_card_id as "depositCardId", b.bucket, b.card_id as "cardId", b.token`

/** Reader of a token, locked: whoever lends to one reader or takes money waits for the other. */
export const lockPatron = async (tx: Tx, partyId: number, token: string): Promise<PatronRow | null> =>
  (await tx.query<PatronRow>(`
    select ${patronColumns} from library_binding b join library_patron p using (party_id, patron)
    where b.party_id = $1 and b.token = $2 and b.ended_at is null for update of p`,
  [partyId, token])).rows[0] ?? null

/** The same by the library's own number. */
export const lockPatronByNumber = async (
  tx: Tx, partyId: number, patron: string
): Promise<PatronRow | null> =>
  (await tx.query<PatronRow>(`
    select ${patronColumns} from library_binding b join library_patron p using (party_id, patron)
    where b.party_id = $1 and p.patron = $2 and b.ended_at is null for update of p`,
  [partyId, patron])).rows[0] ?? null

export const wasBound = async (tx: Tx, partyId: number, token: string): Promise<boolean> =>
  (await tx.query('select from library_binding where party_id = $1 and token = $2 limit 1',
    [partyId, token])).rowCount === 1

/** Makes a reader, or changes the name; true where another card counts from now on. */
export async function upsertPatron (
  tx: Tx, partyId: number, patron: NewPatron, atMs: number
): Promise<boolean> {
  const { patron: number, name, language, passwordHash, token, bucket, cardId } = patron
  await tx.query(`
    insert into library_patron (party_id, patron, name, language, password_hash, deposit_bucket,
      deposit_card_id) values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (party_id, patron) do update set name = excluded.name, language = excluded.language,
      password_hash = coalesce(excluded.password_hash, library_patron.password_hash)`,
  [partyId, number, name, language, passwordHash, bucket, cardId])
  const { rows: [bound] } = await tx.query<{ token: string }>(`
    select token from library_binding where party_id = $1 and patron = $2 and ended_at is null for update`,
  [partyId, number])
  if (bound?.token === token) return false
  await tx.query(`
    update library_binding set ended_at = $3 where party_id = $1 and patron = $2 and ended_at is null`,
  [partyId, number, timestamp(atMs)])
  await tx.query(`
    insert into library_binding (party_id, token, patron, bucket, card_id, bound_at)
    values ($1, $2, $3, $4, $5, $6)`, [partyId, token, number, bucket, cardId, timestamp(atMs)])
  return bound !== undefined
}

/** Readers of a card are readers of the next one. The old token is refused from then on. */
export async function rebindReaders (
  tx: Tx, from: { readonly bucket: number, readonly cardId: bigint },
  to: { readonly bucket: number, readonly cardId: bigint, readonly token: string }, atMs: number
): Promise<void> {
  const { rows } = await tx.query<{ partyId: number, patron: string }>(`
    update library_binding set ended_at = $3
    where bucket = $1 and card_id = $2 and ended_at is null
    returning party_id as "partyId", patron`, [from.bucket, from.cardId, timestamp(atMs)])
  await tx.query(`
    insert into library_binding (party_id, token, patron, bucket, card_id, bound_at)
    select party_id, $3, patron, $4, $5, $6 from unnest($1::int[], $2::text[]) as r (party_id, patron)`, [
    rows.map(({ partyId }) => partyId), rows.map(({ patron }) => patron), to.token, to.bucket, to.cardId,
    timestamp(atMs)])
}

export async function blockPatron (
  tx: Tx, partyId: number, patron: string, note: string | null
): Promise<void> {
  await tx.query('update library_patron set blocked_note = $3 where party_id = $1 and patron = $2',
    [partyId, patron, note])
}

/* ---- loans and holds ---- */

export type LoanRow = {
  readonly loan: bigint, readonly item: string, readonly title: string, readonly patron: string,
  readonly lentOn: string, readonly dueOn: string, readonly renewals: number,
  readonly returnedAtMs: number | null, readonly fineFen: bigint | null, readonly itemFenMax: bigint | null,
  readonly paidFen: bigint
}
const loanColumns = `l.loan, l.item, i.title, l.patron, l.lent_on as "lentOn", l.due_on as "dueOn",
  l.renewals, l.returned_at as "returnedAtMs", l.fine_fen as "fineFen", i.fine_fen_max as "itemFenMax",
  coalesce((select sum(fen) from library_payment_part a
    where a.party_id = l.party_id and a.loan = l.loan), 0)::bigint as "paidFen"`

/** What a reader has, and what was fined, oldest first. */
export const readLoans = async (tx: Tx | Db, partyId: number, patron: string): Promise<LoanRow[]> =>
  (await tx.query<LoanRow>(`
    select ${loanColumns} from library_loan l join library_item i using (party_id, item)
    where l.party_id = $1 and l.patron = $2 and (l.returned_at is null or l.fine_fen > 0) order by l.loan`,
  [partyId, patron])).rows

export const findLoan = async (tx: Tx, partyId: number, item: string): Promise<LoanRow | null> =>
  (await tx.query<LoanRow>(`
    select ${loanColumns} from library_loan l join library_item i using (party_id, item)
    where l.party_id = $1 and l.item = $2 and l.returned_at is null`, [partyId, item])).rows[0] ?? null

export async function insertLoan (tx: Tx, partyId: number, row: {
  readonly item: string, readonly patron: string, readonly lentOn: string, readonly dueOn: string
}): Promise<void> {
  await tx.query(`
    insert into library_loan (party_id, item, patron, lent_on, due_on) values ($1, $2, $3, $4, $5)`,
  [partyId, row.item, row.patron, row.lentOn, row.dueOn])
}

export async function renewLoan (tx: Tx, partyId: number, loan: bigint, dueOn: string): Promise<void> {
  await tx.query(`
    update library_loan set due_on = $3, renewals = renewals + 1 where party_id = $1 and loan = $2`,
  [partyId, loan, dueOn])
}

export async function returnLoan (
  tx: Tx, partyId: number, loan: bigint, fineFen: number, atMs: number
): Promise<void> {
  await tx.query(`
    update library_loan set returned_at = $4, fine_fen = $3 where party_id = $1 and loan = $2`,
  [partyId, loan, fineFen, timestamp(atMs)])
}

export type HoldRow = { readonly item: string, readonly title: string, readonly patron: string }

/** Holds of an item, the first one first. */
export const holdsOf = async (tx: Tx, partyId: number, item: string): Promise<HoldRow[]> =>
  (await tx.query<HoldRow>(`
    select h.item, i.title, h.patron from library_hold h join library_item i using (party_id, item)
    where h.party_id = $1 and h.item = $2 order by h.placed_at, h.patron`, [partyId, item])).rows

export const readHolds = async (
  tx: Tx | Db, partyId: number, patron: string
): Promise<(HoldRow & { readonly available: boolean })[]> =>
  (await tx.query<HoldRow & { available: boolean }>(`
    select h.item, i.title, h.patron, not exists (
      select from library_loan l where l.party_id = h.party_id and l.item = h.item and l.returned_at is null)
      as available
    from library_hold h join library_item i using (party_id, item)
    where h.party_id = $1 and h.patron = $2 order by h.placed_at`, [partyId, patron])).rows

export async function insertHold (
  tx: Tx, partyId: number, { item, patron }: Omit<HoldRow, 'title'>, atMs: number
): Promise<void> {
  await tx.query('insert into library_hold (party_id, item, patron, placed_at) values ($1, $2, $3, $4)',
    [partyId, item, patron, timestamp(atMs)])
}

export const deleteHold = async (
  tx: Tx, partyId: number, { item, patron }: Omit<HoldRow, 'title'>
): Promise<boolean> =>
  (await tx.query('delete from library_hold where party_id = $1 and item = $2 and patron = $3',
    [partyId, item, patron])).rowCount === 1

/* ---- payments ---- */

export type PaymentRow = {
  readonly transaction: string, readonly paymentNo: bigint, readonly content: string,
  readonly patron: string | null, readonly amountFen: bigint, readonly paidBy: PaidBy,
  readonly outcome: 'approved' | 'declined', readonly reason: LibraryReason, readonly client: string,
  readonly requestKey: string | null, readonly paidAtMs: number, readonly returnedAtMs: number | null
}
const paymentColumns = `transaction, payment_no as "paymentNo", content, patron, amount_fen as "amountFen",
  paid_by as "paidBy", outcome, reason, client, request_key as "requestKey", paid_at as "paidAtMs",
  returned_at as "returnedAtMs"`

export const findPayment = async (
  tx: Tx, partyId: number, transaction: string
): Promise<PaymentRow | null> =>
  (await tx.query<PaymentRow>(`
    select ${paymentColumns} from library_payment where party_id = $1 and transaction = $2 for update`,
  [partyId, transaction])).rows[0] ?? null

export async function insertPayment (
  tx: Tx, partyId: number, row: Omit<PaymentRow, 'paymentNo'>,
  parts: readonly { readonly loan: bigint, readonly fen: number }[]
): Promise<void> {
  await tx.query(`
    insert into library_payment (party_id, transaction, content, patron, amount_fen, paid_by, outcome,
      reason, client, request_key, paid_at, returned_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, [
    partyId, row.transaction, row.content, row.patron, row.amountFen, row.paidBy, row.outcome, row.reason,
    row.client, row.requestKey, timestamp(row.paidAtMs),
    row.returnedAtMs === null ? null : timestamp(row.returnedAtMs)])
  await tx.query(`
    insert into library_payment_part (party_id, loan, transaction, fen)
    select $1, loan, $2, fen from unnest($3::bigint[], $4::bigint[]) as p (loan, fen)`,
  [partyId, row.transaction, parts.map(part => part.loan), parts.map(part => part.fen)])
}

export async function markReturned (
  tx: Tx, partyId: number, transaction: string, atMs: number
): Promise<void> {
  await tx.query(`
    update library_payment set returned_at = $3 where party_id = $1 and transaction = $2`,
  [partyId, transaction, timestamp(atMs)])
}

/** Whether some of a payment was for a fee that still grew when it was paid. */
export const wasAhead = async (tx: Tx, partyId: number, transaction: string): Promise<boolean> =>
  (await tx.query(`
    select from library_payment p
    join library_payment_part a on a.party_id = p.party_id and a.transaction = p.transaction
    join library_loan l on l.party_id = a.party_id and l.loan = a.loan
    where p.party_id = $1 and p.transaction = $2 and (l.returned_at is null or l.returned_at > p.paid_at)
    limit 1`, [partyId, transaction])).rowCount === 1

/** The list of a library, oldest first; `proven` null where no record is waited for. */
export const listPayments = async (
  db: Db, partyId: number, { after, limit }: { readonly after: bigint, readonly limit: number }
): Promise<(PaymentRow & { readonly proven: boolean | null })[]> =>
  (await db.query<PaymentRow & { proven: boolean | null }>(`
    select ${paymentColumns}, case when paid_by <> 'purse' then null else exists (
      select from psam s join terminal_claim c
        on c.bucket = 1 + s.psam_id % 63 and c.psam_id = s.psam_id
          and c.sequence = split_part(transaction, '-', 2)::bigint
      join card_event e on e.bucket = c.card_bucket and e.card_id = c.card_id and e.purse = c.purse
        and e.counter_kind = 0 and e.counter = c.counter
      join terminal t on t.terminal_id = e.terminal_id
      where s.psam = decode(split_part(transaction, '-', 1), 'hex') and e.outcome = $4
        and e.amount_fen = library_payment.amount_fen and t.party_id = library_payment.party_id)
      end as proven
    from library_payment where party_id = $1 and payment_no > $2 order by payment_no limit $3`,
  [partyId, after, limit, outcomeNumbers.accepted])).rows

/** Payments that say an account paid, and the purchases by which it did: what differs. */
export const paymentDifferences = async (tx: Tx | Db): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    select format('library payment %s says %s fen, its purchase %s', p.transaction, p.amount_fen,
      coalesce(r.amount_fen::text, 'is not there')) as what
    from library_payment p left join request r on r.client_id = p.client and r.key = p.request_key
      and r.outcome = 0 and r.party_id = p.party_id
    where p.paid_by = 'online' and p.outcome = 'approved' and r.amount_fen is distinct from p.amount_fen
    union all
    select format('library payment %s of %s fen is split into %s', p.transaction, p.amount_fen,
      coalesce(a.fen, 0))
    from library_payment p left join (
      select party_id, transaction, sum(fen)::bigint as fen from library_payment_part group by 1, 2) a
      using (party_id, transaction)
    where coalesce(a.fen, 0) <> case p.outcome when 'approved' then p.amount_fen else 0 end
    limit 20`)).rows.map(({ what }) => what)
