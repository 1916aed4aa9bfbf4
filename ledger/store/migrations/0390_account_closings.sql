-- From when to when accounts were closed, as people decided: a record is judged by what was so at its event,
-- whatever came of the account since. `account.closed_at` says whether the account takes money now; a posting
-- that must be made opens it again (store/reopen.ts), and changes nothing here.
create table account_closing (
  account_id  integer not null,
  from_at     timestamptz not null,
  until       timestamptz,                         -- null while it lasts
  primary key (account_id, from_at)
);
insert into account_closing (account_id, from_at)
select account_id, closed_at from account where closed_at is not null;
