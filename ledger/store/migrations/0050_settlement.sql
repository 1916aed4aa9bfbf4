-- Days paid together, the daily general ledger, products, bank accounts, what the bank said.

-- Days whose value date is the same are paid by the instructions of the last of them.
alter table clearing_day add column paid_with date;
alter table clearing_day add column value_date date;

-- The general ledger: one row per book, heading and date, written once when the date is verified.
create table general_ledger (
  clearing_date date not null,
  book         text not null,
  heading      text not null,
  normal_side  text not null,
  opening_fen  bigint not null,                   -- on the normal side, as are the others
  debit_fen    bigint not null,
  credit_fen   bigint not null,
  closing_fen  bigint not null,
  accounts     int not null,
  primary key (clearing_date, book, heading)
);

-- What commission is agreed on. `codes`: the kinds of transfer it is about; empty: all of its base.
create table product (
  product      text primary key,
  base         text not null check (base in ('debit', 'load')),
  codes        smallint[] not null default '{}'
);
insert into product values ('debit', 'debit', '{}'), ('load', 'load', '{}');
create table position_charge (
  clearing_date date not null,
  book         text not null,
  party_id     int not null references party,
  product      text not null references product,
  base_fen     bigint not null,
  rate_ppm     int not null,
  commission_fen bigint not null,                 -- positive: what the party pays or, of loads, gets
  primary key (clearing_date, book, party_id, product)
);

-- Accounts at banks. A change ends the old row and adds one: an instruction keeps the account it was made with.
create table bank_account (
  bank_account_id int generated always as identity primary key,
  party_id     int not null references party,
  book         text,                              -- null: for all books
  number       text not null,
  holder       text not null,
  bank_code    text not null,
  since        timestamptz not null,
  until        timestamptz,
  by_whom      text not null
);
create unique index bank_account_now on bank_account (party_id, book) nulls not distinct where until is null;
-- A statement and a paying party are known by their account number.
create index bank_account_number on bank_account (number);

alter table instruction add column run smallint not null default 1;
alter table instruction add column value_date date;
alter table instruction add column state text not null default 'sent'
  check (state in ('sent', 'confirmed', 'returned', 'void'));
alter table instruction add column made_at timestamptz not null default now();
-- Who owes in its book, and pays from an account of its own.
alter table instruction add column house_id int references party;
alter table instruction add column from_account_id int references bank_account;
alter table instruction add column to_account_id int references bank_account;
alter table instruction add column replaced_by text;  -- the instruction that took a returned amount along; its own id: netted away
alter table instruction add column paid_line bigint;
alter table instruction add column returned_line bigint;
alter table instruction add column short_transfer bigint;
-- The instructions of a date, run after run, and what waits for the bank.
create index instruction_date on instruction (clearing_date, run);
create index instruction_waiting on instruction (value_date) where state = 'sent';

create table bank_statement (
  statement_id bigint generated always as identity primary key,
  book         text not null,
  account      text not null,
  external_id  text not null,                     -- the bank's own name for it
  sequence     bigint,
  from_date    date not null,
  to_date      date not null,
  opening_fen  bigint not null,
  closing_fen  bigint not null,
  lines        int not null,
  digest       bytea not null,                    -- SHA-256 of the file it came in
  content      bytea not null,                    -- SHA-256 of what it says, whatever the format
  format       text not null,
  raw          bytea not null,                    -- deflated
  received_at  timestamptz not null,
  by_whom      text not null,
  unique (account, external_id)
);
-- The same file again finds its statements; statements of an account stand in their order.
create index bank_statement_digest on bank_statement (digest);
create index bank_statement_order on bank_statement (account, to_date, sequence, statement_id);

create table bank_line (
  line_id      bigint generated always as identity primary key,
  statement_id bigint not null references bank_statement,
  line_no      int not null,
  book         text not null,
  reference    text not null,                     -- the bank's reference; made of statement and line where it gives none
  booked_on    date not null,
  amount_fen   bigint not null check (amount_fen <> 0),  -- positive: money came
  end_to_end_id text,
  return_reason text,
  counterparty text,
  counterparty_name text,
  text         text not null,
  state        text not null,
  party_id     int references party,
  instruction_id text,
  transfer_id  bigint,
  unique (statement_id, line_no)
);
-- A line told twice, by two statements, is one line. The repeat stands with the state `repeated`.
create unique index bank_line_reference on bank_line (book, reference) where state <> 'repeated';
create index bank_line_state on bank_line (state, line_id);
