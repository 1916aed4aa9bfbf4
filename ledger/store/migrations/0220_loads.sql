-- Value on its way onto a chip. A load is approved while the money waits in pending load; what the chip did
-- decides it. Kept for good: a card may come back after years.
create sequence load_id_seq;
create table load (
  bucket          smallint not null,             -- of the card
  load_id         bigint not null,
  card_id         bigint not null,
  client_id       text not null,
  key             text not null,
  digest          bytea not null,                -- of what was asked
  source          smallint not null,             -- 0 an agent took cash for it, 1 it waited in pending load
  party_id        int,
  amount_fen      bigint not null,
  offline_counter int not null,                  -- last used before the load
  online_counter  int not null,                  -- of the INITIALIZE answer
  balance_fen     bigint not null,               -- on the chip before, signed
  key_version     smallint not null,
  terminal        bytea not null,                -- 6 bytes, as the MACs have it
  date_time       bytea not null,                -- 7 BCD bytes, as the MACs have it
  mac2            bytea,
  outcome         smallint not null,             -- 0 approved, 1 declined
  reason          smallint not null,
  state           smallint not null,             -- 0 open, 1 written, 2 not written, 3 declined
  evidence        text,                          -- what decided it
  tac             bytea,
  journal_id      bigint,                        -- of the money an agent owes for it
  agent_account   int,
  clearing_date   date not null,
  requested_at    timestamptz not null,
  decided_at      timestamptz,
  primary key (bucket, load_id)
);
-- A repeat gets its first answer.
create unique index load_key on load (bucket, client_id, key);
-- One use of the chip's online counter is one load.
create unique index load_counter on load (bucket, card_id, online_counter) where state in (0, 1);
-- Serves the search for evidence on loads nobody knows the end of.
create index load_open on load (requested_at) where state = 0;
