-- What the treasury is asked to pay for a period: made once, of dates that are cleared; a period begins where
-- the one before ended.
create table treasury_claim (
  claim_no     int generated always as identity primary key,
  party_id     int not null references party,
  from_date    date not null unique,
  until_date   date not null,                     -- both days are of it
  total_fen    bigint not null check (total_fen > 0),
  document     text not null,                     -- JSON, its keys in order
  digest       bytea not null,                    -- SHA-256 of it
  made_by      text not null,
  made_at      timestamptz not null,
  check (from_date <= until_date)
);

-- Lines of the bank by which it was paid.
create table treasury_payment (
  line_id      bigint primary key references bank_line,
  claim_no     int not null references treasury_claim,
  amount_fen   bigint not null check (amount_fen > 0)
);
create index treasury_payment_claim on treasury_payment (claim_no); -- serves what is still open of a claim

-- Whose a claim on the treasury is: the concession, or why a ride was free. Part of what stands.
alter table fare_entry add column category text not null default '';
