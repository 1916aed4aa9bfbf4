-- What lets a person in who holds cards: apart from the staff in every table, so that no role of one can be the
-- other's. Secrets only as hashes.
create table resident (
  holder_id     bigint primary key references holder,
  password_hash text not null,                   -- argon2id
  activated_at  timestamptz not null
);

-- Handed out at a counter, used once; a newer one takes its place.
create table resident_activation (
  holder_id     bigint primary key references holder,
  code_hash     bytea not null,                  -- SHA-256 of 256 random bits
  made_by       text not null,
  good_until    timestamptz not null
);

create table resident_session (
  token_hash    bytea primary key,               -- SHA-256; serves the look-up at each call
  session_id    bigint generated always as identity unique,
  holder_id     bigint not null references resident on delete cascade,
  opened_at     timestamptz not null,
  seen_at       timestamptz not null,
  expires_at    timestamptz not null
);
-- Another password ends all others of a person.
create index resident_session_holder on resident_session (holder_id);
