-- Tariffs of two forms in one series of numbers: flat prices, and documents (schemas/tariff/document.ts).
alter table tariff_version add column form text not null default 'flat' check (form in ('flat', 'document'));

-- What a record said of where its card was: what a price needs beside the amount. Of each content once, by
-- whichever delivery it came; verdicts do not look at it.
create table ride (
  bucket    smallint not null,
  card_id   bigint not null,
  counter   int not null,                          -- of the electronic purse
  content   bytea not null,                        -- of the event: two may claim one counter
  at        timestamptz not null,
  line      text not null,
  vehicle   text not null,
  stop      text,
  sense     smallint not null,                     -- 0 either, 1 in, 2 out
  rider     smallint not null,
  riders    smallint not null,
  primary key (bucket, card_id, counter, content)
);
-- Serves a corrected tariff: whose journeys since an instant are priced again.
create index ride_at on ride using brin (at) with (autosummarize = on);

-- Cards whose journeys from an instant on are to be priced (again).
create table fare_due (
  bucket    smallint not null,
  card_id   bigint not null,
  from_at   timestamptz not null,
  primary key (bucket, card_id)
);

-- Days on which what was due is not what the chips paid: made anew whenever the card is priced.
create table fare_day (
  bucket    smallint not null,
  card_id   bigint not null,
  day       date not null,                         -- transit day
  due_fen   bigint not null,
  paid_fen  bigint not null,
  taps      jsonb not null,                        -- where the two differ
  primary key (bucket, card_id, day)
);
create index fare_day_day on fare_day (day);       -- serves the list of a day

-- What followed from prices, one row a transfer. The sum of the rows of a key is what stands.
create table fare_entry (
  bucket        smallint not null,
  card_id       bigint not null,
  transfer_id   bigint not null,
  clearing_date date not null,
  kind          text not null check (kind in ('refund', 'share', 'treasury')),
  counter       int not null,                      -- of the tap, or of the first of the journey
  giver         text not null,                     -- party code; empty: the treasury
  taker         text not null,                     -- party code; empty: the holder
  amount_fen    bigint not null,                   -- negative where it is taken back
  primary key (bucket, transfer_id)
);
create index fare_entry_card on fare_entry (bucket, card_id, counter); -- serves pricing again

-- Concessions that a card has, from when to when, both dates included.
create table concession_right (
  bucket      smallint not null,
  card_id     bigint not null,
  class       text not null,
  valid_from  date,
  valid_until date,
  set_by      text not null,
  set_at      timestamptz not null,
  primary key (bucket, card_id, class)
);

-- Where people decided that a journey without an exit ended.
create table exit_decision (
  bucket        smallint not null,
  card_id       bigint not null,
  entry_counter int not null,
  stop          text not null,
  at            timestamptz not null,
  decided_by    text not null,
  decided_at    timestamptz not null,
  primary key (bucket, card_id, entry_counter)
);
