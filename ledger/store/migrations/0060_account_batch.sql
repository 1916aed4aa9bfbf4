-- Which batches moved an account, kept when their deltas are folded: the way from an account to its lines without an index on every
-- transfer, which would cost every posting 13 %. Written at the close of a date, never by a tap: a row per batch and account.
create table account_batch (
  account_id   int not null,
  clearing_date date not null,
  batch_id     bigint not null,
  debit_fen    bigint not null,
  credit_fen   bigint not null,
  primary key (account_id, clearing_date, batch_id) -- an account's batches in the order of its statement
);
-- Dates that were folded before this table was there.
insert into account_batch (account_id, clearing_date, batch_id, debit_fen, credit_fen)
select account_id, clearing_date, batch_id, sum(debit_fen), sum(credit_fen)
from (
  select debit_account as account_id, clearing_date, batch_id, amount_fen as debit_fen, 0 as credit_fen from transfer
  union all
  select credit_account, clearing_date, batch_id, 0, amount_fen from transfer) s
where not exists (select 1 from balance_delta d where d.clearing_date = s.clearing_date)
group by 1, 2, 3;
