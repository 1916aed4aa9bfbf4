-- What ends the life of a card: another takes its place, or it is given back. Money lies in transfers alone;
-- these rows say for what.

create table card_replacement (
  bucket       smallint not null,                -- of the old card
  card_id      bigint not null,
  to_bucket    smallint not null,
  to_card_id   bigint not null,
  why          text not null,
  fee_fen      bigint not null check (fee_fen >= 0),
  requested_by text not null,
  requested_at timestamptz not null,
  due_on       date not null,                    -- from this clearing date on its value moves
  moved_on     date,
  moved_fen    bigint not null,                  -- of all that moved, also what came late
  primary key (bucket, card_id)
);
-- Serves whoever asks what a card was before.
create index card_replacement_to on card_replacement (to_bucket, to_card_id);
-- Serves the day that moves what is due.
create index card_replacement_due on card_replacement (due_on) where moved_on is null;

create table card_return (
  bucket       smallint not null,
  card_id      bigint not null,
  party_id     int not null,                     -- the outlet
  undamaged    boolean not null,
  requested_by text not null,
  requested_at timestamptz not null,
  due_on       date not null,
  paid_on      date,
  value_fen    bigint not null,                  -- of the chip; negative: an overdraft that was collected
  waiting_fen  bigint not null,
  online_fen   bigint not null,
  deposit_fen  bigint not null,
  kept_fen     bigint not null,                  -- deposit of a damaged card
  primary key (bucket, card_id)
);

create table card_found (
  bucket       smallint not null,
  card_id      bigint not null,
  found_no     bigint generated always as identity,
  place        text not null,
  found_by     text not null,                    -- who wrote it down
  found_at     timestamptz not null,
  fetched_at   timestamptz,
  primary key (bucket, card_id, found_no)
);
-- Serves the list of cards that wait for whoever lost them, the newest first.
create index card_found_waiting on card_found (found_no) where fetched_at is null;
