-- What closing, proving and signing in need beyond the first shape.

-- The right edge of the tree at each head (32 bytes per perfect subtree, largest first): a sealer, whichever process it is in, goes on
-- from the last head without reading the leaves before it.
alter table tree_head add column peaks bytea not null default '';

-- Public halves of the keys that signed heads: an old head stays checkable after a new key.
create table signing_key (
  key_id       text primary key,
  public_key   text not null,                     -- PEM
  since        timestamptz not null
);

-- Sealing and checking one clearing date reads its batches, and no others.
create index batch_date on batch (bucket, clearing_date);

-- The highest batch when a check failed: only a corrective batch after it lets the check pass again.
alter table day_check add column last_batch bigint not null default 0;

-- Books never net, so an instruction and a statement belong to one.
alter table instruction add column if not exists book text not null;
alter table statement add column book text not null;
alter table statement drop constraint statement_pkey;
alter table statement add primary key (clearing_date, book, party_id);
-- What is carried over is read by party.
create index instruction_party on instruction (party_id, book);

-- Failed sign-ins by a hash of the name that was tried, known or not: the answer must not tell which.
create table sign_in_failure (
  name_hash    bytea primary key,
  failures     int not null,
  last_at      timestamptz not null
);

-- SHA-256 over the whole list at this version: made once, told with every answer.
alter table blacklist_version add column digest bytea not null;
-- The list at a version, and what changed since another, are read by version.
create index blacklist_entry_version on blacklist_entry (added_version);
