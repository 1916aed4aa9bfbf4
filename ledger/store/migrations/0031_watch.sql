-- What is watched over behind the traffic: sequences of PSAMs, chains of cards, terminals that debit too much.

-- What each batch told, one row however many records: written with the batch, folded by the watch, then gone.
create table batch_news (
  bucket       smallint not null default 0,
  batch_id     bigint not null,
  psam_ids     int[] not null,                    -- runs of PSAM sequences that were told, both ends included
  lows         bigint[] not null,
  highs        bigint[] not null,
  card_buckets smallint[] not null,               -- purses with open items: their chains are looked at again
  card_ids     bigint[] not null,
  purses       smallint[] not null,
  top_terminals int[] not null,                   -- top-value debits by terminal and minute
  top_minutes  timestamptz[] not null,
  top_debits   int[] not null,
  primary key (bucket, batch_id)
);

-- Every sequence that is known of a PSAM issue, as ranges: dense where nothing is missing.
create table psam_sequence (
  psam_id      int primary key,
  seen         int8multirange not null
);

-- Sequences that a PSAM used twice, which proves that it started over.
create table psam_reuse (
  psam_id      int not null,
  sequence     bigint not null,
  first_at     timestamptz,                       -- of the use that holds it; null: it was no second use after all
  look_from    timestamptz,                       -- records dated later are to be judged again; null: they were
  primary key (psam_id, sequence)
);
-- What the watch has to look at.
create index psam_reuse_look on psam_reuse (psam_id) where look_from is not null;

-- Codes of its own that an operator reads in SS files, by reason: one city's 05 is overdue, another's is account short.
alter table party add column wire_codes jsonb not null default '{}';
