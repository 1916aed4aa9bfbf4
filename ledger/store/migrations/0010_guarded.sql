-- Guarded balances and online requests.

-- A balance that is locked before it changes and never falls below its floor. `card_id` 0: the account has this one balance;
-- otherwise the account is a control account and this is the part of one card. Nothing has used the first shape of this table.
drop table guarded_balance;
create table guarded_balance (
  bucket       smallint not null,                 -- that of the card; of an account without cards a hash of its number
  account_id   int not null,
  card_id      bigint not null default 0,
  balance_fen  bigint not null default 0,         -- on the normal side of the account
  floor_fen    bigint not null,
  opened_at    timestamptz,                       -- null: with its account
  closed_at    timestamptz,                       -- closed, never deleted
  check (balance_fen >= floor_fen),
  primary key (bucket, account_id, card_id)
) with (fillfactor = 80);

-- Agents that pay in before they sell.
alter table party add column prepaid boolean not null default false;

-- A request asked for permission; its answer never changes. One row per key of a client, in a bucket that is a hash of both.
create table request (
  bucket       smallint not null,
  client_id    text not null,
  key          text not null,
  digest       bytea not null,                    -- SHA-256 of `content`
  content      text not null,                     -- canonical JSON: tells which field of a look-alike differs
  kind         smallint not null,
  outcome      smallint not null,                 -- 0 approved, 1 declined
  reason       smallint not null,
  card_bucket  smallint not null,
  card_id      bigint,
  party_id     int,
  amount_fen   bigint not null,
  balance_fen  bigint,                            -- of the online account after it
  batch_id     bigint not null,
  journal_id   bigint,                            -- null where no money moved
  clearing_date date not null,
  requested_at timestamptz not null,
  primary key (bucket, client_id, key)
);

-- What remains of a transfer that was corrected in part. Hardly any transfer corrects another, so a tap does not touch this.
create index transfer_corrects on transfer (bucket, corrects) where corrects is not null;
