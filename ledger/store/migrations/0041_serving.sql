-- Partitions are made by whoever serves, who owns no table: the function runs as its owner, and does nothing else.
-- Each is made apart and then attached, which neither readers nor writers of the other partitions have to wait for.
create function make_transfer_partitions (first date, days int) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  d date;
  name text;
begin
  for d in select generate_series(first, first + days, '1 day')::date loop
    name := 'transfer_' || to_char(d, 'YYYYMMDD');
    continue when to_regclass(name) is not null;
    execute format('create table %I (like transfer including all)', name);
    execute format('alter table transfer attach partition %I for values from (%L) to (%L)', name, d, d + 1);
  end loop;
end $$;
