-- What staff want done to a chip, carried by the next lane for orders that the card is laid on. One row an
-- order, changed in place; PINs never stand here.
create table card_order (
  bucket          smallint not null,             -- of the card
  order_id        bigint not null,
  card_id         bigint not null,
  name            text not null,
  form            text,                          -- of block_application: temporary or permanent
  file_id         smallint,                      -- of update_binary: short file id, offset, bytes
  file_offset     smallint,
  file_bytes      bytea,
  reason          text not null,
  ordered_by      text not null,
  ordered_at      timestamptz not null,
  state           smallint not null,             -- 0 waiting, 1 obeyed, 2 refused by the chip, 3 withdrawn
  sw              text,                          -- what the chip said in the end
  decided_at      timestamptz,
  noted_in        bigint,
  primary key (bucket, order_id)
);
create sequence card_order_id_seq;
-- Serves a lane's question what this card is to do, the oldest first.
create index card_order_of_card on card_order (bucket, card_id, order_id) where state = 0;
-- Serves the list of orders by state, the newest first.
create index card_order_state on card_order (state, order_id);

-- Each signature that left the house: one challenge of the chip each. The chip may have obeyed any of them.
create table card_order_signature (
  bucket          smallint not null,             -- of the card
  client_id       text not null,
  key             text not null,
  order_id        bigint not null,
  operator        text not null,
  terminal        text not null,
  challenge       bytea not null,
  signed_at       timestamptz not null,
  noted_in        bigint,
  primary key (bucket, client_id, key)
);
-- Serves the question whether an order was signed before.
create index card_order_signature_order on card_order_signature (bucket, order_id);
