-- What people and counters add to the chain of a card: read at a counter, dated anew, given up. Appended, never changed; verdicts are
-- functions of records and of these.
create table chain_fact (
  bucket       smallint not null,
  fact_id      bigint generated always as identity,
  card_id      bigint not null,
  purse        smallint not null,
  counter      int not null,                      -- of the chip when it was read, or of the event
  kind         smallint not null,                 -- 1 reading, 2 estimate of a time, 3 expiry of a grey record
  at           timestamptz not null,              -- when it was read or given up; the estimate itself
  content      bytea,                             -- of the event; null for a reading
  balance_fen  bigint,                            -- a reading: what the chip held
  findings     smallint[],                        -- an estimate: what applies to the event at that time
  source       text not null,                     -- who: 'clerk-1 at counter 7', 'proposal/12'
  primary key (bucket, fact_id)
);
-- Read with the events around a counter.
create index chain_fact_card on chain_fact (bucket, card_id, purse, counter);
