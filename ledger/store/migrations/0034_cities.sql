-- Cities whose cards are accepted here. An entry is closed by a deletion and never removed: verdicts ask for
-- the time of the event.
create table city_list_version (
  version      int primary key,
  published_at timestamptz not null
);
create table accepted_city (
  entry_id     int generated always as identity primary key,
  prefix       text not null,                     -- first hex digits of the issuer identifier
  city         text not null,
  added_version int not null,
  added_at     timestamptz not null,
  deleted_version int,
  deleted_at   timestamptz
);
-- A prefix stands on the list once.
create unique index accepted_city_standing on accepted_city (prefix) where deleted_version is null;

-- What chips of other cities signed, as it came: their issuers verify it, we cannot.
create table foreign_record (
  bucket       smallint not null,
  delivery_no  bigint not null,
  line_no      int not null,
  record       jsonb not null,
  primary key (bucket, delivery_no, line_no)
);

-- Tells purses of other cities' cards from our own, where chips are held against shadows.
create index card_foreign on card (bucket, card_id) where card_type = 'foreign';
