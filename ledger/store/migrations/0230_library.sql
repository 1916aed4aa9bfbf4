-- A library: who reads with which card, what is lent, what it cost and who paid. Money lies in transfers alone; these rows say for what.

create table library_rules (
  party_id     int not null references party,
  valid_from   date not null,                     -- a day is judged by the rules of that day
  rules        jsonb not null,
  set_by       text not null,
  set_at       timestamptz not null,
  primary key (party_id, valid_from)
);

create table library_patron (
  party_id     int not null references party,
  patron       text not null,                     -- the library's own number: stays when the card changes
  name         text not null,
  language     text not null,
  password_hash text,                             -- argon2; null: the reader has none
  blocked_note text,                              -- null: not blocked by hand
  deposit_bucket smallint not null,               -- the card whose deposit account is this reader's, for good
  deposit_card_id bigint not null,
  primary key (party_id, patron)
);

-- Which card is a reader's, with those that were before.
create table library_binding (
  party_id     int not null references party,
  token        text not null,                     -- what a self-check reads: the application serial
  patron       text not null,
  bucket       smallint not null,
  card_id      bigint not null,
  bound_at     timestamptz not null,
  ended_at     timestamptz,
  primary key (party_id, token, bound_at)
);
-- A card is one reader's, and a reader has one card.
create unique index library_binding_token on library_binding (party_id, token) where ended_at is null;
create unique index library_binding_patron on library_binding (party_id, patron) where ended_at is null;

create table library_item (
  party_id     int not null references party,
  item         text not null,
  title        text not null,
  fine_fen_max bigint check (fine_fen_max >= 0),  -- of this item alone; null: as the rules say
  properties   text not null default '',
  primary key (party_id, item)
);

create table library_loan (
  party_id     int not null references party,
  loan         bigint generated always as identity,
  item         text not null,
  patron       text not null,
  lent_on      date not null,
  due_on       date not null,
  renewals     smallint not null default 0,
  returned_at  timestamptz,
  fine_fen     bigint check (fine_fen >= 0),      -- fixed with the return
  primary key (party_id, loan)
);
-- A book is lent once at a time.
create unique index library_loan_item on library_loan (party_id, item) where returned_at is null;
-- What a reader has, and what is or was to be paid for it.
create index library_loan_patron on library_loan (party_id, patron) where returned_at is null or fine_fen > 0;

create table library_hold (
  party_id     int not null references party,
  item         text not null,
  patron       text not null,
  placed_at    timestamptz not null,
  primary key (party_id, item, patron)
);
-- Holds of a reader.
create index library_hold_patron on library_hold (party_id, patron);

create table library_payment (
  party_id     int not null references party,
  transaction  text not null,                     -- ours: BK on the SIP2 wire
  payment_no   bigint generated always as identity,
  content      text not null,                     -- what makes a second one with this id another payment
  patron       text,
  amount_fen   bigint not null check (amount_fen > 0),
  paid_by      text not null check (paid_by in ('online', 'purse', 'cash')),
  outcome      text not null check (outcome in ('approved', 'declined')),
  reason       text not null,
  client       text not null,
  request_key  text,                              -- of the purchase that paid it, with the client
  paid_at      timestamptz not null,
  returned_at  timestamptz,                       -- a purse's debit that the fee did not take
  primary key (party_id, transaction)
);
-- The list of a library.
create unique index library_payment_no on library_payment (party_id, payment_no);

-- What a payment was for.
create table library_payment_part (
  party_id     int not null references party,
  loan         bigint not null,
  transaction  text not null,
  fen          bigint not null check (fen > 0),
  primary key (party_id, loan, transaction)
);
