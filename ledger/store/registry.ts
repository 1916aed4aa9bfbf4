// Who and what takes part: upserts of the registry, and one snapshot of its small tables for the verdicts. It
// refuses to know what a verdict is.
import {
  defaultPolicies, type Commission, type Party, type Policies, type Product, type Psam, type Terminal,
  type UsageLimit
} from '../../schemas/api.ts'
import { faresOf, type Fares } from '../../schemas/tariff/fares.ts'
import type { Tariff } from '../../schemas/tariff/tariff.ts'
import {
  accountCode, books, headingRow, headings, transferCodes, type Book, type Heading, type TransferCode
} from '../core/chart.ts'
import type { NotedRow } from '../core/notes.ts'
import { groupBy } from '../../runtime/collections.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { AcceptedCity } from '../core/cities.ts'
import { readCities } from './cities.ts'
import { readDocuments } from './fares.ts'
import { readUsageLimits } from './usage.ts'
import { ensureGuarded, type GuardedAccount } from './guarded.ts'
import { notedColumns } from './notes.ts'

export type PartyRow = {
  readonly partyId: number, readonly code: string, readonly kind: Party['kind'], readonly nameZh: string,
  readonly nameEn: string, readonly merchant: string | null, readonly industry: string | null,
  readonly service: string | null, readonly counterConvention: 'committed' | 'init',
  readonly settleFromFen: bigint
  /** Pays in before it sells: its account is guarded. Others owe what they took. */
  readonly prepaid: boolean
  /** Two-digit codes of its own by reason. */
  readonly wireCodes: Readonly<Record<string, string>>
}
export type TerminalRow = {
  readonly terminalId: number, readonly code: string, readonly partyId: number, readonly reachable: boolean
}
export type PsamRow = {
  readonly psamId: number, readonly psam: string, readonly issue: number, readonly terminalId: number | null,
  readonly fromMs: number, readonly toMs: number | null, readonly stolenAtMs: number | null,
  readonly test: boolean
}

/** The small tables at one moment. */
export type Snapshot = {
  readonly version: number
  readonly parties: ReadonlyMap<string, PartyRow>
  readonly partyById: ReadonlyMap<number, PartyRow>
  readonly terminals: ReadonlyMap<string, readonly TerminalRow[]>
  readonly terminalById: ReadonlyMap<number, TerminalRow>
  readonly psams: ReadonlyMap<string, readonly PsamRow[]>
  readonly accounts: ReadonlyMap<string, number>
  /** Those of the accounts whose balances are guarded, by number. */
  readonly guarded: ReadonlyMap<number, GuardedAccount>
  /** Numbers of those that take no money now. */
  readonly closed: ReadonlySet<number>
  /** From when to when accounts were closed as people decided, by their number. */
  readonly closings: ReadonlyMap<number, readonly Closing[]>
  readonly policies: Policies
  /** Those that counted at an instant: verdicts ask for them, however often a record is judged. */
  readonly policiesAt: (atMs: number) => Policies
  readonly tariffs: readonly Tariff[]
  /** Tariff documents, ready for pricing. */
  readonly fares: Fares
  /** Whose cards are accepted, every stay on the list. */
  readonly cities: readonly AcceptedCity[]
  readonly usageLimits: readonly UsageLimit[]
}

/** `untilMs`: null while it lasts. */
export type Closing = {
  readonly accountId: number, readonly fromMs: number, readonly untilMs: number | null
}

/** People closed it and have not opened it again, whatever money had to be booked on it since. */
export const isEnded = ({ closings }: Pick<Snapshot, 'closings'>, account: number): boolean =>
  closings.get(account)?.some(({ untilMs }) => untilMs === null) === true

/** The account's number. Throws for an account that the chart does not have. */
export function accountId (
  snapshot: Snapshot, book: Book, heading: Heading, party: string | null = null
): number {
  const code = accountCode(book, heading, party)
  const id = snapshot.accounts.get(code)
  if (id === undefined) throw new Error(`no account ${code}: is the party registered for this book?`)
  return id
}

/** A snapshot that is read again only when the registry has changed. */
export function registryCache (db: Db): (tx?: Tx) => Promise<Snapshot> {
  let snapshot: Snapshot | null = null
  return async (tx?: Tx) => {
    const by = tx ?? db
    const { rows } =
      await by.query<{ value: number }>("select value from policy where name = 'registry_version'")
    const version = rows[0]?.value ?? 0
    if (snapshot === null || snapshot.version !== version) snapshot = await readSnapshot(by, version)
    return snapshot
  }
}

type AccountOf = {
  readonly id: number, readonly book: Book, readonly heading: Heading, readonly party: string | null,
  readonly isClosed: boolean
}

/** What stands inside a transaction that is changing it. */
export const snapshotIn = async (tx: Tx): Promise<Snapshot> => await readSnapshot(tx, -1)

async function readSnapshot (db: Db | Tx, version: number): Promise<Snapshot> {
  const parties = (await db.query<PartyRow>(`
    select party_id as "partyId", code, kind, name_zh as "nameZh", name_en as "nameEn", merchant, industry,
      service,
      counter_convention as "counterConvention", settle_from_fen as "settleFromFen", prepaid,
      wire_codes as "wireCodes" from party`)).rows
  const terminals = (await db.query<TerminalRow>(`
    select terminal_id as "terminalId", code, party_id as "partyId", reachable from terminal`)).rows
  const psams = (await db.query<PsamRow>(`
    select psam_id as "psamId", upper(encode(psam, 'hex')) as psam, issue, terminal_id as "terminalId",
      valid_from as "fromMs", valid_to as "toMs", stolen_at as "stolenAtMs", test from psam order by
        valid_from`)).rows
  const accounts = (await db.query<AccountOf>(`
    select a.account_id as id, a.book, a.heading, p.code as party, a.closed_at is not null as "isClosed"
    from account a left join party p using (party_id)`)).rows
  const closings = (await db.query<Closing>(`
    select account_id as "accountId", from_at as "fromMs", until as "untilMs" from account_closing`)).rows
  const policies = (await db.query<{ name: string, value: unknown }>('select name, value from policy')).rows
  const policiesNow: Policies =
    { ...defaultPolicies, ...Object.fromEntries(policies.map(({ name, value }) => [name, value])) }
  const past = (await db.query<PastPolicy>(
    'select name, until as "untilMs", value from policy_past order by until')).rows
  const tariffs = (await db.query<{ document: Tariff }>(
    "select document from tariff_version where form = 'flat' order by version")).rows
  return {
    version,
    tariffs: tariffs.map(({ document }) => document),
    fares: faresOf(await readDocuments(db)),
    cities: await readCities(db),
    usageLimits: await readUsageLimits(db),
    parties: new Map(parties.map(party => [party.code, party])),
    partyById: new Map(parties.map(party => [party.partyId, party])),
    terminals: groupBy(terminals, terminal => terminal.code),
    terminalById: new Map(terminals.map(terminal => [terminal.terminalId, terminal])),
    psams: groupBy(psams, psam => psam.psam),
    accounts: new Map(accounts.map(({
      id, book, heading, party
    }) => [accountCode(book, heading, party), id])),
    guarded: new Map(accounts.filter(({ heading }) => headingRow(heading).mode === 'guarded')
      .map(({ id, heading }) => [id, { accountId: id, heading, normalSide: headingRow(heading).side }])),
    closed: new Set(accounts.flatMap(({ id, isClosed }) => isClosed ? id : [])),
    closings: groupBy(closings, ({ accountId }) => accountId),
    policies: policiesNow,
    policiesAt: policiesBy(policiesNow, past)
  }
}

/** `value`: null where the default counted. */
type PastPolicy = { readonly name: string, readonly untilMs: number, readonly value: unknown }

/** Between two changes the same object: a million records ask. */
function policiesBy (now: Policies, past: readonly PastPolicy[]): (atMs: number) => Policies {
  let later = now
  const stages = [...new Set(past.map(({ untilMs }) => untilMs))].reverse().map(untilMs => {
    const ended = past.filter(one => one.untilMs === untilMs)
      .map(({ name, value }) => [name, value ?? defaultPolicies[name as keyof Policies]])
    later = { ...later, ...Object.fromEntries(ended) }
    return { untilMs, policies: later }
  }).reverse()
  return atMs => stages.find(({ untilMs }) => atMs < untilMs)?.policies ?? now
}

/** Every other process sees by this number that its snapshot is old. */
export async function bumpVersion (tx: Tx): Promise<void> {
  await tx.query(`
    insert into policy (name, value) values ('registry_version', '1')
    on conflict (name) do update set value = to_jsonb((policy.value #>> '{}')::int + 1)`)
}

/** The accounts that belong to no party: of the house, and those over the balances of cards. */
export async function ensureHouseAccounts (db: Db | Tx): Promise<void> {
  await ensureAccounts(db, null, (Object.keys(headings) as Heading[])
    .filter(heading => headingRow(heading).per !== 'party')
    .flatMap(heading => headingRow(heading).books.map(book => ({ book, heading }))))
}

async function ensureAccounts (
  db: Db | Tx, partyId: number | null, wanted: readonly { book: Book, heading: Heading }[]
): Promise<void> {
  const rows = wanted.map(({ book, heading }) => ({ book, heading, ...headingRow(heading) }))
  await db.query(`
    insert into account (book, heading, party_id, normal_side, mode, floor_fen)
    select book, heading, $1, side, mode, floor from unnest(
      $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]
    ) as a (book, heading, side, mode, floor)
    on conflict (book, heading, party_id) do nothing`, [
    partyId, rows.map(a => a.book), rows.map(a => a.heading), rows.map(a => a.side),
    rows.map(a => a.mode), rows.map(a => a.floorFen)])
  await ensureGuarded(db)
}

/** Books in which a party earns: the purse always pays in the commerce book, a service adds its own. */
const booksOf = (party: Party): readonly Book[] => {
  if (party.kind !== 'operator') return ['commerce']
  return party.service === 'clinic'
    ? ['commerce', 'medical']
    : party.service === 'library' ? ['commerce', 'library'] : ['commerce']
}

const headingsOf = (party: Party): readonly Heading[] => {
  if (party.kind === 'centre') {
    return ['merchant-pending', 'merchant-settlement', 'merchant-held', 'receivable-agent']
  }
  // An operator's outlets may take cash for loads too, so it may owe as an agent does.
  if (party.kind !== 'operator' && party.kind !== 'agent') return []
  const prepaid = party.prepaid === true ? ['agent-prepaid'] as const : []
  return ['merchant-pending', 'merchant-settlement', 'merchant-held', 'receivable-agent', ...prepaid]
}

/** Accounts in one more book, for parties that earn in it from now on. */
export async function ensureBook (tx: Tx, codes: readonly string[], book: Book): Promise<void> {
  const { rows } = await tx.query<{ id: number }>(
    'select party_id as id from party where code = any($1) order by party_id', [codes])
  const headings = ['merchant-pending', 'merchant-settlement', 'merchant-held'] as const
  for (const { id } of rows) await ensureAccounts(tx, id, headings.map(heading => ({ book, heading })))
}

export type PartyKind = Pick<PartyRow, 'kind' | 'service'>

export const findParties = async (tx: Tx): Promise<Map<string, PartyKind>> =>
  new Map((await tx.query<PartyKind & { code: string }>('select code, kind, service from party')).rows
    .map(({ code, ...party }) => [code, party]))

/** For a party that begins to pay in before it sells. */
export const ensurePrepaidAccount = async (tx: Tx, partyId: number): Promise<void> =>
  await ensureAccounts(tx, partyId, [{ book: 'commerce', heading: 'agent-prepaid' }])

/**
 * A party stays of its kind: its accounts, positions and statements are those of the kind. Returns the index
 * of the first that is of another one already, or null.
 */
export async function upsertParties (tx: Tx, parties: readonly Party[]): Promise<number | null> {
  for (const [index, party] of parties.entries()) { // a handful per city: no set needed
    const { rows } = await tx.query<{ id: number }>(`
      insert into party (
        code, kind, name_zh, name_en, merchant, industry, service, counter_convention, settle_from_fen,
        prepaid, branch, wire_codes
      )
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
      on conflict (code) do update set name_zh = excluded.name_zh, name_en = excluded.name_en,
        merchant = excluded.merchant, industry = excluded.industry, service = excluded.service,
        counter_convention = excluded.counter_convention, settle_from_fen = excluded.settle_from_fen,
        prepaid = excluded.prepaid, branch = excluded.branch,
        wire_codes = excluded.wire_codes
      where party.kind = excluded.kind
      returning party_id as id`, [
      party.code, party.kind, party.nameZh, party.nameEn, party.merchant ?? null, party.industry ?? null,
      party.service ?? null, party.counterConvention ?? 'committed', party.settleFromFen ?? 0,
      party.prepaid ?? false, party.branch ?? null, JSON.stringify(party.wireCodes ?? {})])
    if (rows[0] === undefined) return index
    const wanted = headingsOf(party).flatMap(heading =>
      booksOf(party).filter(book => headingRow(heading).books.includes(book))
        .map(book => ({ book, heading })))
    await ensureAccounts(tx, rows[0].id, wanted)
  }
  return null
}

/** Transfer codes by name are checked by the caller. */
export async function upsertProducts (tx: Tx, products: readonly Product[]): Promise<void> {
  for (const { product, base, codes } of products) {
    await tx.query(`
      insert into product (product, base, codes) values ($1, $2, $3)
      on conflict (product) do update set base = excluded.base, codes = excluded.codes`,
    [product, base, codes.map(code => transferCodes[code as TransferCode])])
  }
}

export async function upsertCommissions (tx: Tx, commissions: readonly Commission[]): Promise<number> {
  const { rowCount } = await tx.query(`
    insert into commission (party_id, product, from_date, rate_ppm)
    select p.party_id, c.product, c.from_date, c.rate
    from unnest(
      $1::text[], $2::text[], $3::date[], $4::int[]
    ) as c (code, product, from_date, rate) join party p using (code) join product using (product)
    on conflict (party_id, product, from_date) do update set rate_ppm = excluded.rate_ppm`, [
    commissions.map(c => c.party), commissions.map(c => c.product), commissions.map(c => c.from),
    commissions.map(c => c.ratePpm)])
  return rowCount ?? 0
}

/** The place of the first of these codes that is of no party; null where each is. */
export async function unknownParty (tx: Tx, codes: readonly string[]): Promise<number | null> {
  const { rows } = await tx.query<{ place: number }>(`
    select (n - 1)::int as place from unnest($1::text[]) with ordinality as c (code, n)
    where not exists (select from party p where p.code = c.code) order by n limit 1`, [codes])
  return rows[0]?.place ?? null
}

/** Returns those that are new or changed. `notedIn`: null before there is a clearing date. */
export async function upsertTerminals (
  tx: Tx, terminals: readonly Terminal[], notedIn: bigint | null
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    insert into terminal (code, party_id, name, reachable, noted_in)
    select t.code, p.party_id, t.name, t.reachable, $5::bigint
    from unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) as t (code, operator, name, reachable)
    join party p on p.code = t.operator
    on conflict (party_id, code) do update
      set name = excluded.name, reachable = excluded.reachable, noted_in = excluded.noted_in
      where terminal.name <> excluded.name or terminal.reachable <> excluded.reachable
    returning ${notedColumns('terminal')}`, [
    terminals.map(t => t.terminal), terminals.map(t => t.operator), terminals.map(t => t.name ?? ''),
    terminals.map(t => t.reachable ?? true), notedIn])
  return rows
}

/**
 * The first of these terminals that is not exactly one: `operator` null asks for all operators' terminals of
 * that number. Null where each is.
 */
export async function unclearTerminal (
  tx: Tx, named: readonly { readonly terminal: string, readonly operator: string | null }[]
): Promise<{ readonly place: number, readonly found: number } | null> {
  const { rows: [row] } = await tx.query<{ place: bigint, found: bigint }>(`
    select n.place, count(t.terminal_id) as found
    from unnest($1::text[], $2::text[]) with ordinality as n (terminal, operator, place)
    left join (
      select t.terminal_id, t.code, p.code as operator from terminal t join party p using (party_id)) t
      on t.code = n.terminal and t.operator = coalesce(n.operator, t.operator)
    group by n.place having count(t.terminal_id) <> 1 order by n.place limit 1`,
  [named.map(one => one.terminal), named.map(one => one.operator)])
  return row === undefined ? null : { place: Number(row.place) - 1, found: Number(row.found) }
}

/** The last entry for a PSAM and issue counts. A terminal is named so that it is clear which is meant. */
export async function upsertPsams (tx: Tx, given: readonly Psam[]): Promise<number> {
  const psams = [...new Map(given.map(one => [`${one.psam}/${one.issue}`, one])).values()]
  const { rowCount } = await tx.query(`
    insert into psam (psam, issue, terminal_id, valid_from, valid_to, stolen_at, test)
    select p.psam, p.issue, t.terminal_id, p.valid_from, p.valid_to, p.stolen_at, p.test
    from unnest($1::bytea[], $2::smallint[], $3::text[], $4::timestamptz[], $5::timestamptz[],
      $6::timestamptz[], $7::boolean[], $8::text[])
      as p (psam, issue, terminal, valid_from, valid_to, stolen_at, test, operator)
    left join party o on o.code = p.operator
    left join terminal t on t.code = p.terminal and t.party_id = coalesce(o.party_id, t.party_id)
    on conflict (
      psam, issue
    ) do update set terminal_id = excluded.terminal_id, valid_from = excluded.valid_from,
      valid_to = excluded.valid_to, stolen_at = excluded.stolen_at, test = excluded.test`, [
    psams.map(p => Buffer.from(p.psam, 'hex')), psams.map(p => p.issue), psams.map(p => p.terminal),
    psams.map(p => p.from), psams.map(p => p.to), psams.map(p => p.stolenAt), psams.map(p => p.test),
    psams.map(p => p.operator ?? null)])
  return rowCount ?? 0
}

/**
 * PSAMs of other cities, bound to the one terminal of the centre that brings their records; a PSAM that is
 * there stays as it is.
 */
export async function insertAway (
  tx: Tx, centreId: number, terminal: string, psams: readonly string[]
): Promise<void> {
  await tx.query(`
    insert into psam (psam, issue, terminal_id, valid_from, test)
    select k.psam, 1, t.terminal_id, '2001-01-01T00:00:00+08:00', false
    from unnest($1::bytea[]) as k (psam) join terminal t on t.code = $2 and t.party_id = $3
    where not exists (select from psam s where s.psam = k.psam)
    on conflict (psam, issue) do nothing`, [psams.map(psam => Buffer.from(psam, 'hex')), terminal, centreId])
}

/** `atMs`: since when they count; what each was until then is kept. Null: they count from the start. */
export async function upsertPolicies (
  tx: Tx, policies: Partial<Policies>, atMs: number | null
): Promise<number> {
  const entries = Object.entries(policies)
  if (atMs !== null) {
    await tx.query(`
      insert into policy_past (name, until, value)
      select n.name, $3, p.value from unnest($1::text[], $2::text[]) as n (name, value)
      left join policy p using (name) where p.value is distinct from n.value::jsonb
      on conflict do nothing`,
    [entries.map(([name]) => name), entries.map(([, value]) => JSON.stringify(value)), timestamp(atMs)])
  }
  await tx.query(`
    insert into policy (
      name, value
    ) select name, value::jsonb from unnest($1::text[], $2::text[]) as p (name, value)
    on conflict (name) do update set value = excluded.value`,
  [entries.map(([name]) => name), entries.map(([, value]) => JSON.stringify(value))])
  return entries.length
}

/** The policies of these names as they stand; one that nobody has set is left out. */
export async function readPolicies (tx: Tx, names: readonly string[]): Promise<Partial<Policies>> {
  const { rows } = await tx.query<{ name: string, value: unknown }>(
    'select name, value from policy where name = any($1)', [names])
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

/** Of these commissions those that are stored, in their order, with the rate as it stands. */
export async function readCommissions (tx: Tx, asked: readonly Commission[]): Promise<Commission[]> {
  const { rows } = await tx.query<Commission>(`
    select p.code as party, c.product, k.from_date as from, c.rate_ppm as "ratePpm"
    from unnest($1::text[], $2::text[], $3::date[]) with ordinality as k (code, product, from_date, place)
    join party p using (code)
    join commission c on c.party_id = p.party_id and c.product = k.product and c.from_date = k.from_date
    order by k.place`, [asked.map(c => c.party), asked.map(c => c.product), asked.map(c => c.from)])
  return rows
}

/** All books, for checks that go through each of them. */
export const allBooks = books
