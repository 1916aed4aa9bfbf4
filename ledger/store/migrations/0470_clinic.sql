-- Bills of clinics: by which rules they were shared out, what each added to the year of a person, and what took
-- them back. Money lies in transfers alone; these rows say for what.

create table clinic_rule_set (
  area         text not null,
  version      int not null,
  valid_from   date not null,
  document     jsonb not null,
  published_by text not null,
  published_at timestamptz not null,
  primary key (area, version)
);

create table clinic_institution (
  party_id     int not null references party,
  level        text not null,                     -- as rule sets name levels
  primary key (party_id)
);

create table clinic_person (
  person_id    bigint generated always as identity primary key,
  person       text not null unique,              -- number in the medical insurance, not an identity number
  bucket       smallint not null,                 -- the card that pays today
  card_id      bigint not null,
  account_bucket smallint not null,               -- the card whose medical account is this person's, for good
  account_card_id bigint not null,
  area         text not null,
  scheme       text not null,
  category     text not null,
  born_on      date,
  tags         text[] not null,
  family_id    bigint references clinic_person    -- whose account may pay for this person too
);

create table clinic_settlement (
  settlement_no bigint generated always as identity primary key,
  party_id     int not null references party,
  person_id    bigint not null references clinic_person,
  visit        text not null,
  year         smallint not null,
  bill         jsonb not null,
  split        jsonb not null,                    -- whole, with each step: what an explanation is made of
  total_fen    bigint not null check (total_fen >= 0),
  funds_fen    bigint not null check (funds_fen >= 0),
  account_fen  bigint not null check (account_fen >= 0),
  family_fen   bigint not null check (family_fen >= 0),
  purse_fen    bigint not null check (purse_fen >= 0),
  cash_fen     bigint not null check (cash_fen >= 0),
  hospital_fen bigint not null check (hospital_fen >= 0),
  family_id    bigint,                            -- whose account family_fen is of
  client       text not null,                     -- who asked for it, and for what its purse pays
  paid_by      text check (paid_by in ('online', 'chip')),
  debit        text,                              -- of a chip: PSAM-SEQUENCE
  returned_at  timestamptz,                       -- the chip's debit went back
  taken_back_by text,                             -- PARTY/MESSAGE; null while it counts
  check (total_fen = funds_fen + account_fen + family_fen + purse_fen + cash_fen + hospital_fen),
  check ((debit is not null) = (paid_by is not distinct from 'chip'))
);
-- What a person's year is made of.
create index clinic_settlement_year on clinic_settlement (person_id, year);
-- A debit of a chip pays one bill that counts.
create unique index clinic_settlement_debit on clinic_settlement (debit) where taken_back_by is null;

-- What a settlement adds to sums of its year while it counts.
create table clinic_add (
  settlement_no bigint not null references clinic_settlement,
  counter      text not null,
  amount       bigint not null,
  primary key (settlement_no, counter)
);

-- The sums of a person and a year: those of the settlements that count, held against them by `verify`.
create table clinic_accumulator (
  person_id    bigint not null references clinic_person,
  year         smallint not null,
  counter      text not null,
  amount       bigint not null,
  primary key (person_id, year, counter)
);

-- Each time a settlement begins to count, or ceases to.
create table clinic_effect (
  effect_no    bigint generated always as identity primary key,
  settlement_no bigint not null references clinic_settlement,
  sign         smallint not null check (sign in (-1, 1)),
  party_id     int not null references party,
  message      text not null,                     -- by which
  clearing_date date not null,
  at           timestamptz not null,
  journal_id   bigint,                            -- of the medical book; null where nothing moves there
  request_key  text                               -- of the online account's part
);
create index clinic_effect_settlement on clinic_effect (settlement_no, effect_no);
-- The lines of a date, as the centre is asked for them.
create index clinic_effect_date on clinic_effect (clearing_date);

create table clinic_message (
  message_no   bigint generated always as identity primary key,
  party_id     int not null references party,
  message      text not null,                     -- the sender's id of it, for one message for good
  person_id    bigint not null references clinic_person,
  asked        jsonb not null,
  reply        jsonb not null,                    -- as it was first given
  answered_at  timestamptz not null,
  due_debit    text,                              -- a chip's debit that has to go back and has not yet
  due_fen      bigint,
  due_settlement bigint,                          -- whose it was; null where none was made
  unique (party_id, message)
);
-- Debits that have to go back.
create index clinic_message_due on clinic_message (due_debit) where due_debit is not null;
-- What was answered to a person after a message.
create index clinic_message_person on clinic_message (person_id, message_no);

-- Messages that can have no effect any more, whether they came or not.
create table clinic_reversed (
  party_id     int not null references party,
  message      text not null,
  by_message   text not null,
  primary key (party_id, message)
);

-- What the centre tells of a settlement besides its total; null where it does not.
alter table medical_total add column funds_fen bigint, add column account_fen bigint;
