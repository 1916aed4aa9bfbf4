-- Serves the statement of a card: value that was written onto it, moved to the next card, or paid out. Taps
-- are found from their events, and are not in it.
create index transfer_card_value on transfer (bucket, card_id) where code in (4, 110, 114, 115);
