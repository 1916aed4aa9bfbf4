-- Settlement that a rule holds back, and what the rule looks at.

-- Top-value debits by terminal and minute of the event: a few rows for a terminal that goes wrong, none for buses.
create table top_debit (
  terminal_id  int not null,
  minute       timestamptz not null,
  debits       int not null,
  primary key (terminal_id, minute)
);

-- The net of a held party is carried over, not instructed, until two people release it.
create table settlement_hold (
  hold_id      bigint generated always as identity primary key,
  party_id     int not null references party,
  kind         text not null,                     -- the alert that it follows
  about        text not null,                     -- 'terminal/SHP-1'
  since_date   date not null,                     -- clearing date in which it began
  at           timestamptz not null,
  evidence     jsonb not null,
  released_at  timestamptz,
  released_by  text                               -- 'proposal/12'
);
-- One hold for one thing at a time; who is held now.
create unique index settlement_hold_open on settlement_hold (party_id, kind, about) where released_at is null;
