-- A reference is its operator's own: two of them may use the same one.
alter table redress add column scope text not null default '';  -- code of the operator whose sale it is
update redress r set scope = p.code
  from card_event e join terminal t using (terminal_id) join party p using (party_id)
  where e.bucket = r.bucket and e.card_id = r.card_id and e.purse = r.purse and e.counter_kind = 0
    and e.counter = r.counter;
alter table redress drop constraint redress_reference_key;
alter table redress add constraint redress_reference_key unique (scope, reference);

-- Open items of one card: layer E looks whether a difference is explained.
create index item_card on item (card_bucket, card_id) where state = 'open' and card_id is not null;
-- Open items of a layer whose keys begin alike, byte by byte: what the watch finds again or closes.
create index item_key on item (layer, key collate "C") where state = 'open';
-- What was carried out about a subject: a line of the bank becomes money once.
create index proposal_done on proposal (kind, subject) where state = 'done';
