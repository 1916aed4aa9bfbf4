// What differs between bills of clinics, what they moved, and the sums of a year. Reads only.
import type { RuleSet } from '../../schemas/medical/rule-set.ts'
import { transferCodes } from '../core/chart.ts'
import type { Tx } from './db.ts'

const text = async (tx: Tx, sql: string, values: readonly unknown[] = []): Promise<string[]> =>
  (await tx.query<{ what: string }>(`${sql} limit 20`, [...values])).rows.map(({ what }) => what)

/** A settlement counts as often as its effects sum to: once while nothing took it back, else not. */
export const accumulatorDifferences = async (tx: Tx): Promise<string[]> => [
  ...await text(tx, `
    with live as (
      select s.person_id, s.year, a.counter, sum(a.amount)::bigint as amount
      from clinic_settlement s join clinic_add a using (settlement_no)
      where s.taken_back_by is null group by 1, 2, 3)
    select format('clinic_accumulator person %s %s %s: %s, the bills say %s', person_id, year, counter,
      coalesce(k.amount, 0), coalesce(l.amount, 0)) as what
    from clinic_accumulator k full join live l using (person_id, year, counter)
    where coalesce(k.amount, 0) <> coalesce(l.amount, 0) order by 1`),
  ...await text(tx, `
    select format('clinic_settlement %s: %s by its row, counted %s times', s.settlement_no,
      case when s.taken_back_by is null then 'counts' else 'taken back' end,
      coalesce(sum(e.sign), 0)) as what
    from clinic_settlement s left join clinic_effect e using (settlement_no)
    group by s.settlement_no
    having coalesce(sum(e.sign), 0) <> case when s.taken_back_by is null then 1 else 0 end order by 1`),
  ...await text(tx, `
    select format('clinic_settlement %s: its document says %s fen for %s, its row %s', settlement_no,
      coalesce(trim(trailing 'n' from split -> 'paid' ->> payer), 'nothing'), payer, fen) as what
    from clinic_settlement cross join lateral (values
      ('account', account_fen), ('family', family_fen), ('purse', purse_fen), ('cash', cash_fen),
      ('hospital', hospital_fen)) as p (payer, fen)
    where trim(trailing 'n' from split -> 'paid' ->> payer) is distinct from fen::text order by 1`),
  ...await text(tx, `
    with said as (
      select settlement_no, a ->> 'counter' as counter, trim(trailing 'n' from a ->> 'amount') as amount
      from clinic_settlement cross join lateral jsonb_array_elements(split -> 'adds') as a)
    select format('clinic_add of settlement %s: %s %s, its document says %s', settlement_no, counter,
      coalesce(r.amount::text, 'nothing'), coalesce(s.amount, 'nothing')) as what
    from clinic_add r full join said s using (settlement_no, counter)
    where r.amount::text is distinct from s.amount order by 1`)
]

/** Rule sets as rows, beside what the audit log says of their publication; null where it says nothing. */
export const publishedRules = async (tx: Tx): Promise<{
  area: string, version: number, validFrom: string, document: RuleSet, by: string, atMs: number,
  said: { detail: string, by: string, atMs: number } | null
}[]> => (await tx.query(`
  select r.area, r.version, r.valid_from as "validFrom", r.document, r.published_by as by,
    r.published_at as "atMs", a.detail as "saidDetail", a.by_whom as "saidBy", a.at as "saidAtMs"
  from clinic_rule_set r left join audit a
    on a.action = 'clinic.rules' and a.subject = format('clinic-rules/%s/%s', r.area, r.version)
  order by r.area, r.version`)).rows.map(({ saidDetail, saidBy, saidAtMs, ...row }) => ({
  ...row, said: saidDetail === null ? null : { detail: saidDetail, by: saidBy, atMs: saidAtMs }
}))

/** How many rule sets the audit log knows. */
export const rulesInAudit = async (tx: Tx): Promise<number> => Number((await tx.query<{ n: bigint }>(
  "select count(distinct subject) as n from audit where action = 'clinic.rules'")).rows[0]?.n ?? 0)

const pairs = [
  ['funds_fen', transferCodes.clinic_fund, transferCodes.clinic_fund_reversed],
  ['account_fen', transferCodes.clinic_account, transferCodes.clinic_account_reversed],
  ['family_fen', transferCodes.clinic_family, transferCodes.clinic_family_reversed]
] as const

/** Each effect has the journal it names, amount by amount; no journal of these codes is without an effect. */
export const clinicPostingDifferences = async (tx: Tx): Promise<string[]> => [
  ...await text(tx, `
    with said as (
      select e.journal_id, e.effect_no, e.clearing_date,
        case e.sign when 1 then code else back end as code, fen
      from clinic_effect e join clinic_settlement s using (settlement_no)
      cross join lateral (values ${pairs.map(([column, code, back]) =>
        `(${code}, ${back}, s.${column})`).join(', ')}) as p (code, back, fen)
      where fen > 0),
    moved as (
      select journal_id, clearing_date, code::int, sum(amount_fen)::bigint as fen from transfer
      where code = any($1) group by 1, 2, 3)
    select format('clinic_effect %s: %s fen by code %s in journal %s, moved %s',
      coalesce(effect_no::text, 'none'), coalesce(s.fen, 0), code, journal_id, coalesce(m.fen, 0)) as what
    from said s full join moved m using (journal_id, clearing_date, code)
    where s.fen is distinct from m.fen order by 1`, [pairs.flatMap(([, code, back]) => [code, back])])
]

/** The online part of a bill: a purchase, less what was reversed, and again what was reinstated. */
export const clinicPurseDifferences = async (tx: Tx): Promise<string[]> => await text(tx, `
  select format('clinic_effect %s: %s fen from the online account, its request %s', e.effect_no, s.purse_fen,
    coalesce(r.amount_fen::text, 'is not there')) as what
  from clinic_effect e join clinic_settlement s using (settlement_no)
  left join request r on r.client_id = s.client and r.key = e.request_key and r.outcome = 0
    and r.party_id = s.party_id
  where s.paid_by = 'online' and r.amount_fen is distinct from s.purse_fen order by 1`)
