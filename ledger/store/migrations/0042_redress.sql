-- Money that people give back, release or take after a dispute: always against one use of a chip counter.

-- One row per transfer that redresses a card event; how much is left to redress is what they leave of the original.
create table redress (
  redress_id   bigint generated always as identity primary key,
  kind         text not null check (kind in ('refund', 'release', 'dispute')),
  bucket       smallint not null,
  card_id      bigint not null,
  purse        smallint not null,
  counter      int not null,
  original     bigint not null,                   -- transfer_id
  transfer_id  bigint not null,
  clearing_date date not null,
  amount_fen   bigint not null check (amount_fen > 0),
  reference    text unique,                       -- the caller's own: the same again gets the first answer
  by_whom      text not null,
  at           timestamptz not null
);
-- What was redressed of one event.
create index redress_event on redress (bucket, card_id, purse, counter);

create table dispute (
  dispute_id   bigint generated always as identity primary key,
  bucket       smallint not null,
  card_id      bigint not null,
  purse        smallint not null,
  counter      int not null,
  party_id     int references party,              -- the operator of the terminal, where it is known
  side         text not null check (side in ('holder', 'operator', 'issuer')),
  amount_fen   bigint not null check (amount_fen > 0),
  state        text not null check (state in ('RAISED', 'ANSWERED', 'ACCEPTED', 'REFUSED', 'ESCALATED', 'FINAL')),
  answer_until date not null,
  escalate_until date,
  redress_id   bigint references redress
);
-- One unfinished dispute per event; a refused one may still be escalated.
create unique index dispute_unfinished on dispute (bucket, card_id, purse, counter)
  where state in ('RAISED', 'ANSWERED', 'REFUSED', 'ESCALATED');
-- The list of an operator, newest first.
create index dispute_party on dispute (party_id, dispute_id);

-- What was done in a dispute, and by whom; appended only.
create table dispute_step (
  dispute_id   bigint not null references dispute,
  step_no      smallint not null,
  state        text not null,                     -- the state it led to
  by_whom      text not null,
  at           timestamptz not null,
  stance       text,                              -- 'agrees' or 'contests', 'accepts' or 'refuses'
  words        text not null,
  primary key (dispute_id, step_no)
);

-- Value on forgotten cards that became income, and came back with its holder.
create table residual (
  bucket       smallint not null,
  card_id      bigint not null,
  transfer_id  bigint not null,
  amount_fen   bigint not null check (amount_fen > 0),
  at           timestamptz not null,
  returned_by  bigint,                            -- transfer_id that gave it back
  primary key (bucket, card_id, transfer_id)
);
