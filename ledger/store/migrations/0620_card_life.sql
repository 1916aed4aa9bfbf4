-- The life of cards: who moved which from which state to which, whose it is, and applications for cards. A
-- person is a row that only the ledger's key opens; everything else names it by a token drawn by chance.

-- Each move is a row; the state of a card is that of its last one.
create table card_move (
  bucket       smallint not null,
  card_id      bigint not null,
  move_no      int not null,                     -- from 1 on, of the card
  move         text not null,
  from_state   text not null,
  to_state     text not null,
  moved_by     text not null,
  reason       text not null,
  moved_at     timestamptz not null,
  noted_in     bigint,
  primary key (bucket, card_id, move_no)
);
-- Serves the day that lets oral reports lapse.
create index card_oral_loss on card (bucket, card_id) where state = 'oral_loss';

create table holder (
  holder_id    bigint generated always as identity primary key,
  holder       text not null unique,
  identity     bytea not null unique,            -- keyed hash of the document: the same person is entered once
  sealed       bytea not null,                   -- personal data
  sealed_with  text not null,                    -- which key
  branch       text,
  registered_by text not null,
  registered_at timestamptz not null
);

create table card_holder (
  bucket       smallint not null,
  card_id      bigint not null,
  holder_id    bigint not null,
  bound_at     timestamptz not null,
  ended_at     timestamptz,
  primary key (bucket, card_id, bound_at)
);
-- Serves the cards of a person.
create index card_holder_person on card_holder (holder_id) where ended_at is null;

create table card_application (
  application_no bigint generated always as identity primary key,
  holder_id    bigint not null references holder,
  card_type    text not null,
  why          text not null,
  state        text not null,
  card_bucket  smallint,                         -- what it became
  card_id      bigint,
  applied_at   timestamptz not null
);
-- Serves the list of applications in a state, the newest first.
create index card_application_state on card_application (state, application_no);
create unique index card_application_card on card_application (card_bucket, card_id)
  where card_id is not null;

create table card_application_step (
  application_no bigint not null references card_application,
  step_no      int not null,                     -- from 1 on, of the application
  from_state   text not null,
  to_state     text not null,
  moved_by     text not null,
  reason       text not null,
  moved_at     timestamptz not null,
  primary key (application_no, step_no)
);
