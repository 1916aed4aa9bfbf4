-- What was sold for several places and is shared by what happened at each, a period at a time.
create table service_share (
  party_id     int not null references party,
  service      text not null,
  from_date    date not null,
  until_date   date not null,                     -- both days are of it
  pool_fen     bigint not null check (pool_fen >= 0),
  parts        jsonb not null,                    -- place, how often, fen; the seller among them
  journal_id   bigint,                            -- null where nothing moved
  shared_at    timestamptz not null,
  primary key (party_id, service, from_date),
  check (from_date <= until_date)
);
