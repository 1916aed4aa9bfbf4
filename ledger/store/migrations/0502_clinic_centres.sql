-- Centres of medical insurance that settle beside us: what is sent to them, and what became of it.

create table clinic_centre (
  area         text not null primary key,
  document     jsonb not null
);

-- How the centre knows an institution.
alter table clinic_institution add column code text;
-- Which centre has settled it too, and under which number.
alter table clinic_settlement add column centre text, add column centre_no text;

-- A message of a clinic that counts here once the centre has said yes.
create table clinic_exchange (
  exchange_no  bigint generated always as identity primary key,
  party_id     int not null references party,
  message      text not null,                     -- the clinic's
  person_id    bigint not null references clinic_person,
  client       text not null,
  area         text not null references clinic_centre,
  msgid        text not null unique,              -- ours, at the centre
  asked        jsonb,                             -- what the clinic said, until it is over
  expected     jsonb,                             -- the figures that the centre has to have
  original     text,                              -- msgid that a reversal names
  state        text not null check (state in ('sent', 'unknown', 'reversing', 'settled', 'declined', 'undone')),
  tries        int not null default 0,
  next_at      timestamptz not null,              -- not looked at again before
  unique (party_id, message)
);
-- What waits for an answer, by person and by time.
create index clinic_exchange_open on clinic_exchange (next_at) where state in ('sent', 'unknown', 'reversing');
create index clinic_exchange_person on clinic_exchange (person_id)
  where state in ('sent', 'unknown', 'reversing');
