// Rows of the clinic service: rule sets, insured persons, settlements and what took them back, messages and
// their answers. It refuses to know how a bill is shared out.
import type { LocalDate } from '../../runtime/instants.ts'
import type { ClinicInstitution, ClinicPerson, ClinicReply } from '../../schemas/medical/clinic.ts'
import type { RuleSet } from '../../schemas/medical/rule-set.ts'
import type { NotedRow } from '../core/notes.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { notedColumns } from './notes.ts'
import type { CardPlace } from './parameters.ts'

/* ---- rules and institutions ---- */

export const readRuleSets = async (db: Db | Tx, area: string | null = null): Promise<RuleSet[]> =>
  (await db.query<{ document: RuleSet }>(`
    select document from clinic_rule_set where $1::text is null or area = $1 order by area, version`, [area]))
    .rows.map(({ document }) => document)

export async function insertRuleSet (tx: Tx, rules: RuleSet, by: string, atMs: number): Promise<void> {
  await tx.query(`
    insert into clinic_rule_set (area, version, valid_from, document, published_by, published_at)
    values ($1, $2, $3, $4, $5, $6)`,
  [rules.area, rules.version, rules.from, JSON.stringify(rules), by, timestamp(atMs)])
}

export const upsertInstitution = async (
  tx: Tx, partyId: number, { level, code }: ClinicInstitution, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  insert into clinic_institution (party_id, level, code, noted_in) values ($1, $2, $3, $4)
  on conflict (party_id) do update set level = excluded.level, code = excluded.code,
    noted_in = excluded.noted_in
  returning ${notedColumns('clinic_institution')}`, [partyId, level, code ?? null, notedIn])).rows

/** How a centre knows it, and by which name. */
export const institutionOf = async (
  db: Tx | Db, partyId: number
): Promise<{ code: string | null, name: string }> => (await db.query<{ code: string | null, name: string }>(`
  select i.code, p.name_zh as name from party p left join clinic_institution i using (party_id)
  where p.party_id = $1`, [partyId])).rows[0] ?? { code: null, name: '' }

/** Those that centres know. */
export const listInstitutions = async (
  db: Db
): Promise<{ party: string, code: string, name: string }[]> =>
  (await db.query<{ party: string, code: string, name: string }>(`
    select p.code as party, i.code, p.name_zh as name
    from clinic_institution i join party p using (party_id) where i.code is not null order by p.code`)).rows

export const levelOf = async (tx: Tx | Db, partyId: number): Promise<string | null> =>
  (await tx.query<{ level: string }>('select level from clinic_institution where party_id = $1', [partyId]))
    .rows[0]?.level ?? null

/* ---- persons ---- */

export type PersonRow = {
  readonly personId: bigint, readonly person: string
  readonly bucket: number, readonly cardId: bigint
  readonly accountBucket: number, readonly accountCardId: bigint
  readonly area: string, readonly scheme: string, readonly category: string
  readonly bornOn: LocalDate | null, readonly tags: readonly string[]
  /** Whose account may pay for this person too. */
  readonly family: FamilyRow | null
}
export type FamilyRow = {
  readonly personId: bigint, readonly accountBucket: number, readonly accountCardId: bigint
}
type FlatPerson = Omit<PersonRow, 'family'> & {
  familyId: bigint | null, familyBucket: number, familyCardId: bigint
}

const personSelect = `
  select p.person_id as "personId", p.person, p.bucket, p.card_id as "cardId",
    p.account_bucket as "accountBucket", p.account_card_id as "accountCardId", p.area, p.scheme, p.category,
    p.born_on as "bornOn", p.tags, f.person_id as "familyId", f.account_bucket as "familyBucket",
    f.account_card_id as "familyCardId"
  from clinic_person p left join clinic_person f on f.person_id = p.family_id`

const personOf = ({ familyId, familyBucket, familyCardId, ...row }: FlatPerson): PersonRow => ({
  ...row,
  family: familyId === null
    ? null
    : { personId: familyId, accountBucket: familyBucket, accountCardId: familyCardId }
})

export async function findPerson (db: Db | Tx, person: string): Promise<PersonRow | null> {
  const { rows: [row] } = await db.query<FlatPerson>(`${personSelect} where p.person = $1`, [person])
  return row === undefined ? null : personOf(row)
}

/** Whose account paid for somebody of his family. */
export const findFamily = async (tx: Tx, personId: bigint): Promise<FamilyRow | null> =>
  (await tx.query<FamilyRow>(`
    select person_id as "personId", account_bucket as "accountBucket", account_card_id as "accountCardId"
    from clinic_person where person_id = $1`, [personId])).rows[0] ?? null

const messageLock = 7_009

/**
 * A message and its reversal come one after the other, whoever they say they are about; before any person is
 * locked.
 */
export async function lockMessages (tx: Tx, partyId: number, messages: readonly string[]): Promise<void> {
  await tx.query(`
    select pg_advisory_xact_lock($1, k)
    from (select distinct hashtext($2 || '/' || m) as k from unnest($3::text[]) as m order by 1) as keys`,
  [messageLock, partyId, messages])
}

/** What is done for one person is done one after the other. */
export async function lockPerson (tx: Tx, person: string): Promise<PersonRow | null> {
  const { rows: [row] } = await tx.query<FlatPerson>(
    `${personSelect} where p.person = $1 for no key update of p`, [person])
  return row === undefined ? null : personOf(row)
}

/** Insured persons whose card this was pay with another from now on; their medical account stays. */
export const moveClinicPersons = async (
  tx: Tx, from: CardPlace, to: CardPlace, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  update clinic_person set bucket = $3, card_id = $4, noted_in = $5 where bucket = $1 and card_id = $2
  returning ${notedColumns('clinic_person')}`,
[from.bucket, from.cardId, to.bucket, to.cardId, notedIn])).rows

/** The card of a known person may change, the medical account stays where it is. */
export const upsertPerson = async (
  tx: Tx, { person, area, scheme, category, bornOn, tags = [] }: ClinicPerson,
  { bucket, cardId }: { readonly bucket: number, readonly cardId: bigint }, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  insert into clinic_person (
    person, bucket, card_id, account_bucket, account_card_id, area, scheme, category, born_on, tags, noted_in
  )
  values ($1, $2, $3, $2, $3, $4, $5, $6, $7, $8, $9)
  on conflict (person) do update set bucket = excluded.bucket, card_id = excluded.card_id,
    area = excluded.area, scheme = excluded.scheme, category = excluded.category,
    born_on = excluded.born_on, tags = excluded.tags, noted_in = excluded.noted_in
  returning ${notedColumns('clinic_person')}`,
[person, bucket, cardId, area, scheme, category, bornOn ?? null, tags, notedIn])).rows

/** Changes nothing where there is no such family. */
export const setFamily = async (
  tx: Tx, personId: bigint, familyId: bigint | null, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  update clinic_person set family_id = $2, noted_in = $3 where person_id = $1
  returning ${notedColumns('clinic_person')}`, [personId, familyId, notedIn])).rows

/* ---- messages ---- */

export type MessageRow = {
  readonly messageNo: bigint, readonly party: string, readonly message: string, readonly personId: bigint
  readonly asked: Readonly<Record<string, unknown>>, readonly reply: ClinicReply
  /** A chip's debit that has to go back. */
  readonly due: Due | null
}
export type Due = {
  readonly debit: string, readonly amountFen: number
  /** Whose it was; null where none was made. */
  readonly settlementNo: bigint | null
  /** People were asked to give it back, or have to look. */
  readonly asked: boolean
}
type FlatMessage = Omit<MessageRow, 'due'> & {
  dueDebit: string | null, dueFen: bigint, dueSettlement: bigint | null, dueAsked: boolean
}
const messageSelect = `
  select m.message_no as "messageNo", p.code as party, m.message, m.person_id as "personId", m.asked, m.reply,
    m.due_debit as "dueDebit", m.due_fen as "dueFen", m.due_settlement as "dueSettlement",
    m.due_asked as "dueAsked"
  from clinic_message m join party p using (party_id)`
const messageOf = (
  { dueDebit, dueFen, dueSettlement, dueAsked, ...row }: FlatMessage
): MessageRow => ({
  ...row,
  due: dueDebit === null
    ? null
    : { debit: dueDebit, amountFen: Number(dueFen), settlementNo: dueSettlement, asked: dueAsked }
})

export const findMessage = async (
  db: Db | Tx, partyId: number, message: string
): Promise<MessageRow | null> => (await db.query<FlatMessage>(
  `${messageSelect} where m.party_id = $1 and m.message = $2`, [partyId, message])).rows.map(messageOf)[0] ??
  null

/** What was answered to a person after a message, in that order. */
export const messagesSince = async (tx: Tx, personId: bigint, messageNo: bigint): Promise<MessageRow[]> =>
  (await tx.query<FlatMessage>(`
    ${messageSelect} where m.person_id = $1 and m.message_no > $2 order by m.message_no`,
  [personId, messageNo])).rows.map(messageOf)

type DueMessage = Pick<MessageRow, 'messageNo' | 'party' | 'message'> & { readonly person: string }

/** Debits that have to go back, oldest first, behind a message; `person` to lock by. */
export const dueMessages = async (db: Db, after: bigint, limit: number): Promise<DueMessage[]> =>
  (await db.query<DueMessage>(`
    select m.message_no as "messageNo", p.code as party, m.message, n.person
    from clinic_message m join party p using (party_id) join clinic_person n using (person_id)
    where m.due_debit is not null and m.message_no > $1 order by m.message_no limit $2`, [after, limit])).rows

export const insertMessage = async (
  tx: Tx, partyId: number, row: Pick<MessageRow, 'message' | 'personId' | 'asked' | 'reply' | 'due'>,
  atMs: number, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  insert into clinic_message (
    party_id, message, person_id, asked, reply, answered_at, due_debit, due_fen, due_settlement, due_asked,
    noted_in
  )
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning ${notedColumns('clinic_message')}`,
[partyId, row.message, row.personId, JSON.stringify(row.asked), JSON.stringify(row.reply),
  timestamp(atMs), row.due?.debit ?? null, row.due?.amountFen ?? null, row.due?.settlementNo ?? null,
  row.due?.asked ?? false, notedIn])).rows

/** Null: nothing is due any more. */
export const markDue = async (
  tx: Tx, messageNo: bigint, due: Due | null, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  update clinic_message set due_debit = $2, due_fen = $3, due_settlement = $4, due_asked = $5, noted_in = $6
  where message_no = $1 returning ${notedColumns('clinic_message')}`, [
  messageNo, due?.debit ?? null, due?.amountFen ?? null, due?.settlementNo ?? null, due?.asked ?? false,
  notedIn])).rows

export const isReversed = async (tx: Tx | Db, partyId: number, message: string): Promise<boolean> =>
  (await tx.query('select from clinic_reversed where party_id = $1 and message = $2', [partyId, message]))
    .rowCount === 1

export const insertReversed = async (
  tx: Tx, partyId: number, message: string, by: string, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  insert into clinic_reversed (party_id, message, by_message, noted_in) values ($1, $2, $3, $4)
  on conflict do nothing returning ${notedColumns('clinic_reversed')}`, [partyId, message, by, notedIn])).rows

/* ---- settlements ---- */

export type SettlementRow = {
  readonly settlementNo: bigint, readonly party: string, readonly personId: bigint, readonly person: string
  readonly visit: string, readonly year: number
  /** Documents of the service: this file does not look into them. */
  readonly bill: unknown, readonly split: unknown
  readonly message: string, readonly clearingDate: LocalDate
  readonly familyId: bigint | null, readonly client: string
  readonly paidBy: 'online' | 'chip' | null, readonly debit: string | null, readonly purseFen: bigint
  readonly returnedAtMs: number | null, readonly takenBackBy: string | null
  /** Whose centre has settled it too. */
  readonly centre: string | null
}
const settlementSelect = `
  select s.settlement_no as "settlementNo", p.code as party, s.person_id as "personId", n.person, s.visit,
    s.year, s.bill, s.split, e.message, e.clearing_date as "clearingDate", s.family_id as "familyId",
    s.client,
    s.paid_by as "paidBy", s.debit, s.purse_fen as "purseFen", s.returned_at as "returnedAtMs",
    s.taken_back_by as "takenBackBy", s.centre
  from clinic_settlement s join party p using (party_id) join clinic_person n using (person_id)
  cross join lateral (
    select message, clearing_date from clinic_effect e where e.settlement_no = s.settlement_no
    order by effect_no limit 1) e`

/** Those of a person's year that count, in the order in which they were settled. */
export const liveSettlements = async (
  db: Tx | Db, personId: bigint, year: number
): Promise<SettlementRow[]> => (await db.query<SettlementRow>(`
  ${settlementSelect} where s.person_id = $1 and s.year = $2 and s.taken_back_by is null
  order by s.settlement_no`, [personId, year])).rows

export const findSettlement = async (
  db: Tx | Db, partyId: number, settlementNo: bigint
): Promise<SettlementRow | null> => (await db.query<SettlementRow>(
  `${settlementSelect} where s.party_id = $1 and s.settlement_no = $2`, [partyId, settlementNo])).rows[0] ??
  null

/** When it was settled first. */
export const settledAtMs = async (db: Db | Tx, settlementNo: bigint): Promise<number> =>
  (await db.query<{ atMs: number }>('select min(at) as "atMs" from clinic_effect where settlement_no = $1',
    [settlementNo])).rows[0]?.atMs ?? 0

/** Visit and the centre's number of a settlement that a centre has. */
export async function centreNoOf (
  db: Db | Tx, partyId: number, settlementNo: bigint
): Promise<{ visit: string, no: string }> {
  const { rows: [row] } = await db.query<{ visit: string, no: string }>(`
    select visit, centre_no as no from clinic_settlement
    where party_id = $1 and settlement_no = $2 and centre_no is not null`, [partyId, settlementNo])
  if (row === undefined) throw new Error(`settlement ${settlementNo} has no number at a centre`)
  return row
}

export const listSettlements = async (
  db: Db, partyId: number, { after, limit }: { readonly after: bigint, readonly limit: number }
): Promise<SettlementRow[]> => (await db.query<SettlementRow>(`
  ${settlementSelect} where s.party_id = $1 and s.settlement_no > $2 order by s.settlement_no limit $3`,
[partyId, after, limit])).rows

export const nextSettlementNo = async (tx: Tx): Promise<bigint> => (await tx.query<{ no: bigint }>(`
  select nextval(pg_get_serial_sequence('clinic_settlement', 'settlement_no')) as no`)).rows[0]?.no ?? 0n

type Stored = 'settlementNo' | 'personId' | 'visit' | 'year' | 'bill' | 'split' | 'familyId' | 'client' |
  'paidBy' | 'debit'
type Share = 'total' | 'funds' | 'account' | 'family' | 'purse' | 'cash' | 'hospital'
export type NewSettlement = Pick<SettlementRow, Stored> & {
  readonly fen: Readonly<Record<Share, bigint>>
  readonly adds: readonly { readonly counter: string, readonly amount: bigint }[]
  readonly centre: { readonly area: string, readonly no: string } | null
}

export async function insertSettlement (
  tx: Tx, partyId: number, row: NewSettlement, notedIn: bigint
): Promise<NotedRow[]> {
  const { fen } = row
  const { rows } = await tx.query<NotedRow>(`
    insert into clinic_settlement (
      settlement_no, party_id, person_id, visit, year, bill, split, total_fen, funds_fen, account_fen,
      family_fen, purse_fen, cash_fen, hospital_fen, family_id, client, paid_by, debit, centre, centre_no,
      noted_in
    )
    overriding system value
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
      $20, $21)
    returning ${notedColumns('clinic_settlement')}`, [
    row.settlementNo, partyId, row.personId, row.visit, row.year, JSON.stringify(row.bill), row.split,
    fen.total, fen.funds, fen.account, fen.family, fen.purse, fen.cash, fen.hospital, row.familyId,
    row.client, row.paidBy, row.debit, row.centre?.area ?? null, row.centre?.no ?? null, notedIn])
  await tx.query(`
    insert into clinic_add (settlement_no, counter, amount)
    select $1, counter, amount from unnest($2::text[], $3::bigint[]) as a (counter, amount)`,
  [row.settlementNo, row.adds.map(({ counter }) => counter), row.adds.map(({ amount }) => amount)])
  return rows
}

/** Null: it counts again. */
export const markTakenBack = async (
  tx: Tx, settlementNo: bigint, by: string | null, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  update clinic_settlement set taken_back_by = $2, noted_in = $3 where settlement_no = $1
  returning ${notedColumns('clinic_settlement')}`, [settlementNo, by, notedIn])).rows

export const markReturned = async (
  tx: Tx, settlementNo: bigint, atMs: number, notedIn: bigint
): Promise<NotedRow[]> => (await tx.query<NotedRow>(`
  update clinic_settlement set returned_at = $2, noted_in = $3 where settlement_no = $1
  returning ${notedColumns('clinic_settlement')}`, [settlementNo, timestamp(atMs), notedIn])).rows

/** Whether a debit of a chip pays a bill that counts. */
export const isSpent = async (tx: Tx, debit: string): Promise<boolean> => (await tx.query(
  'select from clinic_settlement where debit = $1 and taken_back_by is null', [debit])).rowCount === 1

/** Whether a debit of a chip is on its way back. */
export const isDue = async (tx: Tx, debit: string): Promise<boolean> =>
  (await tx.query('select from clinic_message where due_debit = $1', [debit])).rowCount !== 0

/* ---- effects ---- */

export type EffectRow = {
  readonly settlementNo: bigint, readonly sign: 1 | -1, readonly message: string
  readonly journalId: bigint | null, readonly requestKey: string | null
}

/** By which request the online account paid first: what was taken back and put back since is part of it. */
export const saleKey = async (tx: Tx, settlementNo: bigint): Promise<string | null> =>
  (await tx.query<{ key: string | null }>(`
    select request_key as key from clinic_effect where settlement_no = $1 order by effect_no limit 1`,
  [settlementNo])).rows[0]?.key ?? null

export const lastEffect = async (tx: Tx, settlementNo: bigint): Promise<EffectRow | null> =>
  (await tx.query<EffectRow>(`
    select settlement_no as "settlementNo", sign, message, journal_id as "journalId",
      request_key as "requestKey"
    from clinic_effect where settlement_no = $1 order by effect_no desc limit 1`, [settlementNo])).rows[0] ??
  null

/** The effect, and with it the sums of the year. */
export async function insertEffect (
  tx: Tx, partyId: number, effect: EffectRow, { clearingDate, atMs }: {
    readonly clearingDate: LocalDate, readonly atMs: number
  }, notedIn: bigint
): Promise<NotedRow[]> {
  const { settlementNo, sign, message, journalId, requestKey } = effect
  const { rows } = await tx.query<NotedRow>(`
    insert into clinic_effect (
      settlement_no, sign, party_id, message, clearing_date, at, journal_id, request_key, noted_in
    )
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${notedColumns('clinic_effect')}`,
  [settlementNo, sign, partyId, message, clearingDate, timestamp(atMs), journalId, requestKey, notedIn])
  await tx.query(`
    insert into clinic_accumulator (person_id, year, counter, amount)
    select s.person_id, s.year, a.counter, $2 * a.amount
    from clinic_settlement s join clinic_add a using (settlement_no) where s.settlement_no = $1
    on conflict (person_id, year, counter)
    do update set amount = clinic_accumulator.amount + excluded.amount`, [settlementNo, sign])
  return rows
}

export const readAccumulators = async (
  db: Db | Tx, personId: bigint, year: number
): Promise<{ counter: string, amount: bigint }[]> => (await db.query<{ counter: string, amount: bigint }>(`
  select counter, amount from clinic_accumulator
  where person_id = $1 and year = $2 and amount <> 0 order by counter`, [personId, year])).rows

/** Settlements by the date of what happened to each last, and what that was. */
export const settledOn = async (tx: Tx, date: LocalDate): Promise<{
  settlement: string, amountFen: bigint, state: 'settled' | 'cancelled', fundsFen: bigint, accountFen: bigint
}[]> => (await tx.query(`
  select s.settlement_no::text as settlement, s.total_fen as "amountFen",
    case e.sign when 1 then 'settled' else 'cancelled' end as state, s.funds_fen as "fundsFen",
    s.account_fen as "accountFen"
  from clinic_effect e join clinic_settlement s using (settlement_no)
  where e.clearing_date = $1 and not exists (
    select from clinic_effect l where l.settlement_no = e.settlement_no and l.effect_no > e.effect_no)
  order by s.settlement_no`, [date])).rows
