-- What one card or one terminal may move, from a date on. A version is never edited once its date has begun.
create table usage_limit (
  of        text not null,                        -- purchase, load, debit
  per       text not null,                        -- card_day, terminal_once, terminal_day
  operator  text not null default '',             -- whose terminals; empty: everybody's
  terminal  text not null default '',             -- this one; empty: each of them
  from_date date not null,
  fen_max   bigint,                               -- null: without limit from then on
  primary key (of, per, operator, terminal, from_date)
);
-- What was counted against a limit on one day, only where there is one. Locked before guarded balances, in
-- the order of its key.
create table usage (
  bucket  smallint not null,                      -- of the card; 0 for a terminal
  subject text not null,
  of      text not null,
  on_date date not null,
  fen     bigint not null,
  primary key (bucket, subject, of, on_date)
);
