-- Residents who asked that their personal data go; when the law lets them, and when they went.
create table erasure (
  holder_id bigint primary key references holder (holder_id),
  asked_at timestamptz not null,
  -- As it was said then; a card that is used since moves it.
  possible_on date not null,
  done_at timestamptz
);
-- erasures that wait, at each `retention`
create index erasure_waiting on erasure (holder_id) where done_at is null;
-- when the last card of a person ended
create index card_holder_ever on card_holder (holder_id);
