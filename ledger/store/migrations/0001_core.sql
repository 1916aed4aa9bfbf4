-- The ledger's shape. Hot tables (those a tap writes) carry `bucket`, a hash of the card (0 for the house), in every key, so that they can be
-- distributed by it; no triggers and no foreign keys on them: accounts of a batch are checked by one anti-join.

-- Who and what takes part: small tables, the same everywhere.

create table party (
  party_id     int generated always as identity primary key,
  code         text not null unique,
  kind         text not null,
  name_zh      text not null,
  name_en      text not null,
  merchant     text,
  industry     text,
  service      text,
  counter_convention text not null default 'committed',
  settle_from_fen bigint not null default 0
);

create table commission (
  party_id     int not null references party,
  product      text not null,
  from_date    date not null,
  rate_ppm     int not null check (rate_ppm between 0 and 1000000),
  primary key (party_id, product, from_date)
);

create table account (
  account_id   int generated always as identity primary key,
  book         text not null,
  heading      text not null,
  party_id     int references party,
  normal_side  text not null check (normal_side in ('debit', 'credit')),
  mode         text not null check (mode in ('guarded', 'recorded')),
  floor_fen    bigint,
  closed_at    timestamptz,
  unique nulls not distinct (book, heading, party_id)
);

create table terminal (
  terminal_id  int generated always as identity primary key,
  code         text not null,
  party_id     int not null references party,
  name         text not null default '',
  reachable    boolean not null default true,
  unique (party_id, code)
);

create table psam (
  psam_id      int generated always as identity primary key,
  psam         bytea not null,
  issue        smallint not null,
  terminal_id  int references terminal,
  valid_from   timestamptz not null,
  valid_to     timestamptz,
  stolen_at    timestamptz,
  test         boolean not null,
  unique (psam, issue)
);

create table policy (
  name         text primary key,
  value        jsonb not null
);

-- Machines and people that may call. Secrets only as hashes.

create table client (
  client_id    text primary key,
  kind         text not null check (kind in ('gateway', 'operator', 'agent', 'registrar', 'auditor')),
  party_id     int references party,
  secret_hash  bytea not null
);

create table staff (
  staff_id     int generated always as identity primary key,
  name         text not null unique,
  password_hash text not null,
  roles        text[] not null
);

create table session (
  token_hash   bytea primary key,
  staff_id     int not null references staff,
  expires_at   timestamptz not null
);

-- Cards and their purses. The purse is the sub-ledger of one control account per book.

create table card (
  bucket       smallint not null,
  card_id      bigint not null,
  issuer       bytea not null,
  serial       bytea not null,
  issue        smallint not null,
  profile      text not null,
  card_type    text not null,
  state        text not null default 'normal',
  suite        text not null,
  key_version  smallint not null,
  city_factor  bytea,
  opened_at    timestamptz not null,
  opened_counter int not null default 0,          -- what the chip said when the card joined: the chain begins here
  opened_fen   bigint not null default 0,
  primary key (bucket, card_id),
  unique (bucket, issuer, serial, issue)
);
create sequence card_id_seq;

create table purse (
  bucket       smallint not null,
  card_id      bigint not null,
  purse        smallint not null,                 -- 2 EP, 1 ED
  last_counter int not null,                      -- highest offline counter of a TAC-valid event, paid or not
  last_balance_fen bigint not null,               -- what the chip said it held after that event
  shadow_fen   bigint not null,                   -- confirmed loads less debits that left the purse: the liability towards this holder
  open_items   int not null default 0,            -- held records and gaps: > 0 sends the card down the careful path
  primary key (bucket, card_id, purse)
) with (fillfactor = 80);

-- What came in: bytes first, under their digest.

create sequence delivery_no_seq;
create table delivery (
  bucket       smallint not null default 0,
  delivery_no  bigint not null,
  kind         text not null check (kind in ('json', 'file')),
  external_id  text not null,                     -- delivery id of the uplink, or the file's name
  source       text not null,                     -- client that brought it
  digest       bytea not null,                    -- SHA-256 of the raw bytes
  received_at  timestamptz not null,
  raw          bytea not null,                    -- deflated
  lines        int not null,
  distinct_lines int not null,                    -- repeats of known events taken off
  clearing_date date not null,
  answer       jsonb not null,                    -- the first answer: a repeat gets exactly this
  primary key (bucket, delivery_no)
);
-- A retry finds its first answer.
create unique index delivery_external on delivery (bucket, kind, source, external_id);

-- One posting transaction. Merkle root over its salted leaves; the sealer puts it into the tree afterwards.

create table batch (
  bucket       smallint not null default 0,
  batch_id     bigint not null,
  clearing_date date not null,
  kind         text not null,                     -- 'records', 'sale', 'correction', 'clearing', 'settlement'
  delivery_no  bigint,
  created_at   timestamptz not null,
  items        int not null,
  transfers    int not null,
  sum_fen      bigint not null,
  root         bytea not null,
  salt         bytea not null,
  primary key (bucket, batch_id)
);
create sequence batch_id_seq;

create table tree_leaf (
  leaf_index   bigint primary key,
  batch_id     bigint not null unique,
  clearing_date date not null,
  hash         bytea not null
);

create table tree_head (
  size         bigint primary key,
  root         bytea not null,
  at           timestamptz not null,
  key_id       text not null,
  signature    bytea not null
);

-- The chip's claim: one use of a chip counter by a TAC-valid, non-grey record. Never expires.

create table card_event (
  bucket       smallint not null,
  card_id      bigint not null,
  purse        smallint not null,
  counter_kind smallint not null,                 -- 0 offline, 1 online
  counter      int not null,
  type         smallint not null,
  amount_fen   bigint not null,
  balance_before_fen bigint not null,
  psam_id      int not null,
  sequence     bigint not null,
  terminal_id  int not null,
  event_at     timestamptz not null,
  content      bytea not null,                    -- hash of the canonical event
  outcome      smallint not null,                 -- the first verdict; later ones stand in `adjustment`
  reason       smallint not null,
  findings     smallint[],                        -- all that applied, in order; null where the reason says it all
  delivery_no  bigint not null,
  line_no      int not null,
  batch_id     bigint not null,
  clearing_date date not null,
  primary key (bucket, card_id, purse, counter_kind, counter)
);

-- The terminal's claim: which chip counter used a PSAM sequence. Distributed by a hash of the PSAM, not of the card: two cards must
-- not share one sequence.

create table terminal_claim (
  sequence     bigint not null,
  card_id      bigint not null,
  psam_id      int not null,
  counter      int not null,
  bucket       smallint not null,
  card_bucket  smallint not null,
  purse        smallint not null,
  primary key (bucket, psam_id, sequence)
);

-- Every distinct line that claims nothing: grey, wrong TAC, unknown, malformed, excluded, conflicting.

create table evidence (
  bucket       smallint not null,
  digest       bytea not null,                    -- content, TAC and grey flag hashed; raw line hashed where unreadable
  card_id      bigint,
  purse        smallint,
  counter      int,
  type         smallint,
  amount_fen   bigint,
  balance_before_fen bigint,
  psam_id      int,
  sequence     bigint,
  terminal_id  int,
  event_at     timestamptz,
  content      bytea,
  tac_valid    boolean not null default false,
  kind         smallint not null default 0,       -- 1 grey, 2 contender for a key, 3 signed at a stranger's, 4 proof of a grey line (no line of its own)
  outcome      smallint not null,
  reason       smallint not null,
  findings     smallint[],
  delivery_no  bigint not null,
  line_no      int not null,
  batch_id     bigint not null,
  clearing_date date not null,
  primary key (bucket, digest, delivery_no, line_no, kind)
);
-- The careful path reads the held records of one card.
create index evidence_card on evidence (bucket, card_id, counter) where card_id is not null;
-- Who else wants a PSAM sequence: a handful of rows in all.
create index evidence_contender on evidence (psam_id, sequence) where kind in (2, 4);

-- A verdict that changed later: appended in its own clearing date, never an edit.

create table adjustment (
  bucket       smallint not null,
  delivery_no  bigint not null,
  line_no      int not null,
  clearing_date date not null,
  batch_id     bigint not null,
  card_id      bigint,
  outcome      smallint not null,
  reason       smallint not null,
  findings     smallint[],
  amount_fen   bigint not null,                   -- what the claim of the operator changes by
  primary key (bucket, delivery_no, line_no, batch_id)
);

-- Money.

create table transfer (
  bucket       smallint not null,
  transfer_id  bigint not null,                   -- batch_id << 20 | place in the batch
  clearing_date date not null,
  batch_id     bigint not null,
  journal_id   bigint not null,                   -- linked transfers of one event share it: the transfer_id of the first
  code         smallint not null,
  book         text not null,
  debit_account int not null,
  credit_account int not null,
  amount_fen   bigint not null check (amount_fen > 0),
  card_id      bigint,
  event_at     timestamptz not null,
  delivery_no  bigint,
  line_no      int,
  corrects     bigint,                            -- transfer_id of the original
  check (debit_account <> credit_account),
  primary key (bucket, transfer_id, clearing_date)
) partition by range (clearing_date);

create table balance_delta (
  bucket       smallint not null,
  batch_id     bigint not null,
  account_id   int not null,
  clearing_date date not null,
  debit_fen    bigint not null,
  credit_fen   bigint not null,
  primary key (bucket, batch_id, account_id, clearing_date)
);

-- Folded deltas: balance of an account = sum over dates here + what is not folded yet.
create table account_day (
  bucket       smallint not null,
  account_id   int not null,
  clearing_date date not null,
  debit_fen    bigint not null,
  credit_fen   bigint not null,
  primary key (bucket, account_id, clearing_date)
);

create table guarded_balance (
  bucket       smallint not null,
  account_id   int not null,
  balance_fen  bigint not null,
  floor_fen    bigint not null,
  check (balance_fen >= floor_fen),
  primary key (bucket, account_id)
);

-- The clearing day.

create table clearing_day (
  clearing_date date primary key,
  state        text not null,
  digest       bytea
);
-- One row: the date that a batch committed now belongs to.
create table open_day (
  one          boolean primary key default true check (one),
  clearing_date date not null
);
create table day_step (
  clearing_date date not null,
  step_no      bigint generated always as identity,
  state        text not null,
  at           timestamptz not null,
  by_whom      text not null,
  detail       jsonb not null default '{}',
  primary key (clearing_date, step_no)
);
create table day_check (
  clearing_date date not null,
  check_no     bigint generated always as identity,
  name         text not null,
  ok           boolean not null,
  detail       text not null,
  at           timestamptz not null,
  primary key (clearing_date, check_no)
);
create table day_approval (
  clearing_date date not null,
  staff_id     int not null references staff,
  digest       bytea not null,
  at           timestamptz not null,
  primary key (clearing_date, staff_id, digest)
);
create table position (
  clearing_date date not null,
  book         text not null,
  party_id     int not null references party,
  claims_fen   bigint not null,
  commission_fen bigint not null,
  loads_fen    bigint not null,
  load_commission_fen bigint not null,
  adjustments_fen bigint not null,
  net_fen      bigint not null,
  primary key (clearing_date, book, party_id)
);
create table statement (
  clearing_date date not null,
  party_id     int not null references party,
  document     jsonb not null,
  primary key (clearing_date, party_id)
);
create table instruction (
  instruction_id text primary key,
  clearing_date date not null,
  party_id     int not null references party,
  direction    text not null check (direction in ('pay', 'collect')),
  amount_fen   bigint not null check (amount_fen > 0)
);

-- Parameters at the edge.

create table blacklist_version (
  version      int primary key,
  published_at timestamptz not null
);
create table blacklist_entry (
  bucket       smallint not null,
  card_id      bigint not null,
  added_version int not null,
  removed_version int,
  reason       text not null,
  listed_at    timestamptz not null,
  primary key (bucket, card_id, added_version)
);
create table tariff_version (
  version      int primary key,
  document     jsonb not null,
  published_at timestamptz not null
);
create table parameter_applied (
  terminal_id  int not null,
  kind         text not null,
  version      int not null,
  applied_at   timestamptz not null,
  reported_at  timestamptz not null,
  primary key (terminal_id, kind, applied_at, version)
);

-- News for others, written in the posting's own transaction.

create table outbox (
  bucket       smallint not null,
  outbox_id    bigint generated always as identity,
  batch_id     bigint not null,
  topic        text not null,
  body         jsonb not null,
  created_at   timestamptz not null,
  primary key (bucket, outbox_id)
);
