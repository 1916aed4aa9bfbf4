-- What staff ask about one card.
-- GET /v1/cards?number=: the end of its number, as it is printed on it.
create index card_number on card (right(encode(serial, 'hex'), 6));
-- GET /v1/loads?card=, GET /v1/card-blocks?card=, GET /v1/disputes?card=, each with the newest first.
create index load_card on load (bucket, card_id, load_id);
create index card_block_card on card_block (bucket, card_id, requested_at);
create index dispute_card on dispute (bucket, card_id, dispute_id);
-- GET /v1/card-orders?card=, and as before what waits for a card on a reader.
drop index card_order_of_card;
create index card_order_of_card on card_order (bucket, card_id, order_id);
