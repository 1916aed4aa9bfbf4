-- News for others: who may hear it, who asked for it, and how far each telling is. A job in the queue carries the number of a
-- telling; the rows here are the truth.

alter table outbox
  add column event_id uuid not null default gen_random_uuid(), -- what receivers know a repeat by; new after a restore, as the news is
  add column subject text not null default '',                 -- what it is about: 'batch/12', 'day/2026-03-02'
  add column party_id int,                                     -- whose business it is; null: everybody's whose topic it is
  add column open_to_all boolean not null default false,       -- true: also for parties, though it is of no party
  add column fanned_out_at timestamptz;                        -- tellings were made for whoever wants it
alter table outbox alter column batch_id set default 0, alter column bucket set default 0; -- the house's bucket: news is of no card
-- What is to be fanned out.
create index outbox_fresh on outbox (outbox_id) where fanned_out_at is null;

create table webhook (
  webhook_id   bigint generated always as identity primary key,
  owner        text not null,                     -- client id or staff name
  party_id     int references party,              -- hears of this party only; null: of all
  url          text not null,
  topics       text[] not null,
  salt         bytea not null,                    -- the secret is derived from it and the ledger's webhook key; it is stored nowhere
  generation   int not null default 1,
  rotated_at   timestamptz,                       -- the generation before also signs for a day
  created_at   timestamptz not null,
  ended_at     timestamptz
);
-- The list of an owner.
create index webhook_owner on webhook (owner, webhook_id);

create table telling (
  telling_id   bigint generated always as identity primary key,
  webhook_id   bigint not null references webhook,
  outbox_id    bigint not null,
  state        text not null default 'waiting' check (state in ('waiting', 'done', 'dead')),
  tries        int not null default 0,
  due_at       timestamptz not null,
  queued_until timestamptz,                       -- in the queue until then at least; later it is put there again
  last_answer  text,                              -- 'HTTP 500', 'no answer within 10000 ms'
  ended_at     timestamptz,
  unique (webhook_id, outbox_id)
);
-- What is due.
create index telling_due on telling (due_at) where state = 'waiting';
-- The tellings of a webhook by state, newest first: dead letters.
create index telling_list on telling (webhook_id, state, telling_id);
