-- Batches of blank cards that become cards: what goes onto each, and what became of it. Keys and PINs never
-- stand here.
create table issuing_batch (
  batch           text primary key,
  card_type       text not null,
  lot             bytea not null,                -- factor of the transport key
  lot_key_version smallint not null,
  started_by      text not null,
  started_at      timestamptz not null
);
create table issuing_card (
  bucket          smallint not null,             -- of the card to be
  issuer          bytea not null,
  serial          bytea not null,
  batch           text not null,
  place           integer not null,              -- in the batch, from 0
  spec            jsonb not null,                -- as `IssuedCard`
  state           smallint not null,             -- 0 waiting, 1 issued, 2 spoiled
  spoiled_at      text,
  spoiled_why     text,
  told_at         timestamptz,
  primary key (bucket, issuer, serial)           -- a serial is given once, whatever became of it
);
-- Serves the cards of a batch in their order, and its report.
create index issuing_card_batch on issuing_card (batch, place);
