-- Who did what, what is open, and what waits for a second pair of eyes.

-- Append-only and hash-chained: `hash` covers every other column and the hash before, so that no row can be changed, left out or
-- put in unnoticed. `detail` is text, not jsonb: the very bytes are hashed.
create table audit (
  seq          bigint primary key,                -- from 1, without gaps
  at           timestamptz not null,
  by_whom      text not null,                     -- staff name, client id, or 'system'
  action       text not null,                     -- 'day.close', 'proposal.approve'
  subject      text not null,                     -- what it was done to: 'day/2026-03-02'
  detail       text not null,                     -- JSON
  previous     bytea not null,                    -- hash of row seq − 1; 32 zero bytes for the first
  hash         bytea not null
);
-- What was done to one thing.
create index audit_subject on audit (subject, seq);

-- A difference somebody must look at, from any layer of reconciliation. `key` names the thing inside its layer: finding it again
-- updates the open item, it never opens a second one.
create table item (
  item_id      bigint generated always as identity primary key,
  layer        text not null check (layer in ('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I')),
  outcome      text not null check (outcome in ('LEFT_ONLY', 'RIGHT_ONLY', 'AMOUNT_DIFF', 'STATE_DIFF', 'DATE_DIFF', 'DUPLICATE')),
  key          text not null,
  party_id     int references party,
  card_bucket  smallint,
  card_id      bigint,
  clearing_date date not null,                    -- in which it was found first
  amount_fen   bigint not null default 0,         -- left less right
  records      int not null default 0,            -- how many records it is about
  evidence     jsonb not null,
  proposal     jsonb,                             -- posting that would settle it: { transfers: [{ debit, credit, amountFen }] }
  state        text not null default 'open' check (state in ('open', 'closed')),
  owner        text,                              -- staff name
  note         text,
  resolution   text,                              -- how it was closed
  opened_at    timestamptz not null,
  closed_at    timestamptz
);
create unique index item_open on item (layer, key) where state = 'open';
-- The exception queue: open items by layer, oldest first.
create index item_queue on item (state, layer, item_id);

-- What one person starts and others must approve.
create table proposal (
  proposal_id  bigint generated always as identity primary key,
  kind         text not null,
  subject      text not null,                     -- what it is about: one may wait per kind and subject
  body         jsonb not null,
  reason       text not null,
  looked       text not null,                     -- JSON of what the starter saw; another look at approval must see the same
  approvals_needed smallint not null,
  state        text not null default 'pending' check (state in ('pending', 'done', 'refused', 'stale', 'withdrawn')),
  started_by   text not null,
  started_at   timestamptz not null,
  ended_at     timestamptz,
  outcome      jsonb                              -- what carrying it out answered
);
create unique index proposal_pending on proposal (kind, subject) where state = 'pending';
create table proposal_decision (
  proposal_id  bigint not null references proposal,
  staff        text not null,
  approves     boolean not null,
  note         text,
  at           timestamptz not null,
  primary key (proposal_id, staff)
);
