-- Listed cards that were blocked on the chip: who signed it for which terminal, and whether the chip obeyed.
create table card_block (
  bucket          smallint not null,             -- of the card
  card_id         bigint not null,
  client_id       text not null,
  key             text not null,
  operator        text not null,
  terminal        text not null,
  form            smallint not null,             -- 0 temporary, 1 permanent
  challenge       bytea not null,                -- of the chip, covered by the MAC
  listed_for      text not null,                 -- reason of the entry then
  state           smallint not null,             -- 0 open, 1 blocked, 2 refused by the chip
  requested_at    timestamptz not null,
  decided_at      timestamptz,
  primary key (bucket, client_id, key)
);
-- Serves the list of blocks by state, the newest first.
create index card_block_state on card_block (state, requested_at);
