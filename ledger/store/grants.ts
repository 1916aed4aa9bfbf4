// What the serving process may do in its database: everything that booking needs, and nothing that edits the
// past. It refuses to know who logs in: the role has no login, connections take it on.
import type { Tx } from './db.ts'

export const servingRole = 'ledger_serving'

/** Rows that are written once: INSERT and SELECT, never UPDATE, DELETE or TRUNCATE. */
export const appendOnly = [
  'transfer', 'batch', 'audit', 'adjustment', 'card_event', 'evidence', 'tree_leaf', 'tree_head', 'day_step',
  'day_check', 'day_approval', 'proposal_decision', 'alert', 'redress', 'redress_void', 'dispute_step',
  'chain_fact', 'terminal_claim', 'delivery', 'delivery_raw', 'delivery_part', 'keyed_reply',
  'general_ledger', 'position', 'position_charge', 'statement', 'settlement_override', 'reconciliation_run',
  'terminal_total', 'bank_statement', 'tree_tile', 'signing_key', 'blacklist_version', 'tariff_version',
  'city_list_version', 'parameter_applied', 'national_batch', 'national_receipt', 'national_return',
  'library_payment_part', 'note', 'head_given', 'ride', 'fare_entry', 'clinic_rule_set', 'clinic_add',
  'clinic_effect', 'clinic_reversed', 'card_move', 'card_application_step',
  'service_share', 'treasury_claim', 'treasury_payment', 'archive_day'
] as const

/** Makes the role where it is missing and gives it its rights on every table there is. */
export async function grantServing (tx: Tx): Promise<void> {
  await makeRole(tx)
  await tx.query(`
    do $$ declare t record; begin
      grant usage on schema public to ${servingRole};
      grant usage on all sequences in schema public to ${servingRole};
      for t in
        select c.oid::regclass as name,
          coalesce(i.inhparent::regclass::text, c.relname) = any(array[${quoted(appendOnly)}]) as append_only
        from pg_class c left join pg_inherits i on i.inhrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      loop
        execute format('revoke all on %s from ${servingRole}', t.name);
        execute format('grant select, insert%s on %s to ${servingRole}',
          case when t.append_only then '' else ', update, delete' end, t.name);
      end loop;
    end $$`)
}

/** False in a new database, and in one that was restored without its privileges. */
export async function isGranted (tx: Tx): Promise<boolean> {
  const { rows: [row] } = await tx.query<{ granted: boolean }>(`
    select coalesce((select has_table_privilege(oid, 'public.audit', 'insert') from pg_roles
      where rolname = $1), false) as granted`, [servingRole])
  return row?.granted ?? false
}

/** Roles belong to the whole server: another database's migration may be making the same one. */
async function makeRole (tx: Tx): Promise<void> {
  await tx.query(`
    do $$ begin
      begin
        if not exists (select from pg_roles where rolname = '${servingRole}') then
          create role ${servingRole} nologin;
        end if;
      exception when duplicate_object or unique_violation then null;
      end;
      if not pg_has_role(current_user, '${servingRole}', 'member') then
        execute format('grant ${servingRole} to %I', current_user);
      end if;
    exception when insufficient_privilege then
      raise exception 'the role ${servingRole} is missing or not granted to %', current_user using hint =
        'as a superuser: create role ${servingRole} nologin; grant ${servingRole} to ' || current_user;
    end $$`)
}

const quoted = (names: readonly string[]): string => names.map(name => `'${name}'`).join(', ')
