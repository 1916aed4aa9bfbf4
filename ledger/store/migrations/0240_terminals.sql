-- The estate of terminals: who is enrolled where, how each is doing, what happened to it.

create table terminal_enrolment (
  terminal_id  int primary key references terminal,
  state        text not null check (state in ('registered', 'enrolled', 'suspended', 'retired')),
  kind         text not null default 'other',
  place        text not null default '',
  gateway      text,                               -- client id; null: of none in particular
  firmware     text,                               -- what it should run
  key_name     text,                               -- its keys in the key file of the gateway; never a key
  key_check    text,
  heartbeat_seconds int not null default 300,
  version      int not null,                       -- of the list in which it last changed
  enrolled_at  timestamptz,
  changed_at   timestamptz not null
);
-- What changed since a version: the increment that a gateway fetches.
create index terminal_enrolment_version on terminal_enrolment (version);

-- Terminals that were registered before there was an enrolment are served as they were.
insert into terminal_enrolment (terminal_id, state, version, enrolled_at, changed_at)
select terminal_id, 'enrolled', 1, now(), now() from terminal;

-- Changed in place, a row a terminal: room in each page for the next heartbeat.
create table terminal_state (
  terminal_id  int primary key references terminal,
  gateway      text not null,                      -- that told it last
  heard_at     timestamptz,
  booted_at    timestamptz,
  boots        int not null default 0,
  firmware     text,
  drift_ms     bigint,                             -- its clock less the gateway's; positive: ahead
  latitude     float8,
  longitude    float8,
  blacklist_version int,
  tariff_version int,
  cities_version int
) with (fillfactor = 60);

create table terminal_event (
  event_id     bigint generated always as identity primary key,
  terminal_id  int not null references terminal,
  kind         text not null,
  gateway      text not null,
  found_at     timestamptz not null,
  cleared_at   timestamptz,
  handled_at   timestamptz,                        -- somebody has dealt with it
  handled_by   text,
  note         text,
  detail       text not null,
  unique (terminal_id, kind, found_at)
);
-- What lasts at a terminal: beside each one in a list, and what was not handled in time.
create index terminal_event_open on terminal_event (terminal_id, kind) where cleared_at is null;
-- What was found in a period.
create index terminal_event_found on terminal_event (found_at);

create table gateway_state (
  gateway      text primary key,                   -- client id
  reported_at  timestamptz not null,               -- by the ledger's clock
  every_seconds int not null,
  started_at   timestamptz not null,
  software     text,
  estate_version int,
  spool_depth  int
);
