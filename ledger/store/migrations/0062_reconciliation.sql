-- What was compared, and what terminals and parties tell of their own side.

-- One row per layer, date and result: the same result again adds nothing, another one stands beside it, so that a layer that failed stays
-- visible after it was put right.
create table reconciliation_run (
  run_id       bigint generated always as identity primary key,
  layer        text not null,
  clearing_date date not null,
  at           timestamptz not null,
  by_whom      text not null,
  ok           boolean not null,
  tally        jsonb not null,                    -- by outcome: count and sum of either side
  note         text
);
-- The trend reads runs by date; the last run of a layer counts.
create index reconciliation_run_date on reconciliation_run (clearing_date, layer, run_id);

-- Totals of a terminal's batch by class, over a range of its PSAM's sequence.
create table terminal_total (
  terminal_id  int not null references terminal,
  batch        text not null,
  psam_id      int not null references psam,
  from_sequence bigint not null,
  to_sequence  bigint not null,
  clearing_date date not null,                    -- open when they came
  consume_count int not null,
  consume_fen  bigint not null,
  return_count int not null,
  return_fen   bigint not null,
  load_count   int not null,
  load_fen     bigint not null,
  records      jsonb,                             -- [[sequence, amountFen]], where the terminal tells them
  received_at  timestamptz not null,
  source       text not null,
  primary key (terminal_id, batch)
);
-- A run looks at the totals of its date.
create index terminal_total_date on terminal_total (clearing_date);
-- Records whose outcome is not proven count in their terminal's totals.
create index evidence_grey on evidence (psam_id, sequence) where kind = 1;

-- What a party thinks its position of a date is, as a total and item by item.
create table party_position (
  clearing_date date not null,
  book         text not null,
  party_id     int not null references party,
  claims_fen   bigint not null,
  received_at  timestamptz not null,
  source       text not null,
  primary key (clearing_date, book, party_id)
);
create table party_position_item (
  clearing_date date not null,
  book         text not null,
  party_id     int not null references party,
  place        int not null,
  ref          text not null,                     -- name of a file, or PSAM/SEQUENCE of a record
  amount_fen   bigint not null,
  primary key (clearing_date, book, party_id, place)
);

-- What the medical insurance centre says of settlements (3201, 3202): waits for the clinic's service on our side.
create table medical_total (
  clearing_date date not null,
  settlement   text not null,
  amount_fen   bigint not null,
  state        text not null,
  received_at  timestamptz not null,
  source       text not null,
  primary key (settlement)
);
create index medical_total_date on medical_total (clearing_date);

-- Items of one owner, and of one party.
create index item_owner on item (owner, item_id) where state = 'open';
