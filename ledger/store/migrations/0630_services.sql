-- Services that are declared: rules by date, what each remembers of a card or an account, what happened.

create table service_rules (
  party_id     int not null references party,
  service      text not null,
  valid_from   date not null,                     -- what happens on a day is judged by the rules of that day
  rules        jsonb not null,
  set_by       text not null,
  set_at       timestamptz not null,
  primary key (party_id, service, valid_from)
);

-- What a service remembers between two events; changed under its lock.
create table service_subject (
  party_id     int not null references party,
  service      text not null,
  subject      text not null,                     -- card/NUMBER, or what the service names: an account, a bill
  bucket       smallint,                          -- of the card, where it is one
  card_id      bigint,
  state        jsonb,
  primary key (party_id, service, subject)
);
-- A card that is replaced takes along what services remember of it.
create index service_subject_card on service_subject (bucket, card_id) where card_id is not null;

create table service_event (
  party_id     int not null references party,
  key          text not null,                     -- of whoever says it: the same again is the same event
  event_no     bigint generated always as identity,
  service      text not null,
  event        text not null,
  content      text not null,                     -- what makes a second one with this key another event
  subject      text not null,
  bucket       smallint,
  card_id      bigint,
  place_id     int not null references party,     -- at whom it happened: the party itself, or one of its spots
  terminal     text,
  at           timestamptz not null,
  said_at      timestamptz not null,
  outcome      text not null check (outcome in ('approved', 'declined')),
  reason       text not null,
  why          text,                              -- of the online account, where it declined
  price_fen    bigint not null check (price_fen >= 0), -- the sum of the steps
  steps        jsonb not null,                    -- how the price came about: name of a text, its words, fen
  parts        jsonb not null,                    -- who paid how much; empty where declined
  rules_from   date not null,
  debit        text,                              -- PSAM-SEQUENCE, where a chip has paid
  client       text not null,
  request_key  text,                              -- of the purchase that paid a part, with the client
  journal_id   bigint,                            -- of what other purses and the treasury paid
  returned_at  timestamptz,                       -- a chip's debit that was not taken
  primary key (party_id, key)
);
-- The list of a party.
create unique index service_event_no on service_event (party_id, event_no);
-- A debit pays once.
create unique index service_event_debit on service_event (party_id, debit) where outcome = 'approved';
-- Serves sums of a time: shares, claims, counts.
create index service_event_at on service_event (service, at);
