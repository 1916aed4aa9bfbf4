-- What passes between us and the national centre.

-- Never read: what a chip of another city signed stands in the raw bytes of its delivery, and is fetched from there.
drop table foreign_record;

-- What the centre is told of a cleared date, part by part, as the bytes that were told: written once.
create table national_batch (
  clearing_date date not null,
  centre_id    int not null references party,
  part         int not null,
  claims       int not null,
  claims_fen   bigint not null,
  withdrawals  int not null,
  withdrawals_fen bigint not null,
  bytes        bytea not null,                    -- JSON, deflated
  digest       bytea not null,                    -- SHA-256 of the JSON
  made_at      timestamptz not null,
  primary key (clearing_date, centre_id, part)    -- also the list, in its order
);

-- The centre has it: what it confirmed, and when.
create table national_receipt (
  clearing_date date not null,
  centre_id    int not null,
  part         int not null,
  by_whom      text not null,
  at           timestamptz not null,
  primary key (clearing_date, centre_id, part),
  foreign key (clearing_date, centre_id, part) references national_batch
);

-- What issuers refused, as it was told and what became of it: written once, the same again gets the first answer.
create table national_return (
  centre_id    int not null references party,
  return_id    text not null,                     -- the centre's own
  claim        bigint not null,                   -- transfer_id of what we were owed by; of a refused one, as it was told
  amount_fen   bigint not null check (amount_fen > 0),
  cause        text not null,                     -- why the issuer does not pay, in the centre's words
  refused      text,                              -- why it was refused; null: charged back
  transfer_id  bigint,                            -- that charged it back
  clearing_date date not null,                    -- open then
  by_whom      text not null,
  at           timestamptz not null,
  primary key (centre_id, return_id),
  check ((refused is null) = (transfer_id is not null))
);
-- A claim is charged back once.
create unique index national_return_claim on national_return (claim) where refused is null;

-- The machine of the centre's exchange.
alter table client drop constraint client_kind_check;
alter table client add constraint client_kind_check
  check (kind in ('gateway', 'operator', 'agent', 'registrar', 'auditor', 'centre'));
