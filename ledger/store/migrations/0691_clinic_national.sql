-- Hospitals that speak the national messages to us: in which dialect and codes, what they have uploaded.

create table clinic_national (
  party_id     int primary key references party,
  settings     jsonb not null,
  set_by       text not null,
  set_at       timestamptz not null
);

-- Items wait by visit and batch until a bill is settled from them; taken back (2205) they are gone.
create table clinic_batch (
  party_id     int not null references party,
  visit        text not null,
  batch        text not null,
  person       text not null,
  items        jsonb not null,                    -- number of the line, and the item as a bill has it
  basis        text,                              -- of the last look ahead (2206) since the items changed
  message      text,                              -- of the last settlement (2207) that was asked of them
  at           timestamptz not null,              -- of the last change
  primary key (party_id, visit, batch)
);

-- Files of 3202, both ways.
create table clinic_file (
  file_no      bigint generated always as identity primary key,
  party_id     int not null references party,
  name         text not null,
  bytes        bytea not null,
  at           timestamptz not null
);
-- A hospital's period.
create index clinic_effect_party on clinic_effect (party_id, at);
