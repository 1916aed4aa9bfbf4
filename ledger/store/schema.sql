-- What a database looks like after all migrations. Made by npm run schema; do not edit.

create sequence batch_id_seq as bigint;
create sequence card_id_seq as bigint;
create sequence card_order_id_seq as bigint;
create sequence delivery_no_seq as bigint;
create sequence load_id_seq as bigint;

create table accepted_city (
  added_at timestamp with time zone not null,
  added_version integer not null,
  city text not null,
  deleted_at timestamp with time zone,
  deleted_version integer,
  entry_id integer not null generated always as identity,
  prefix text not null,
  constraint accepted_city_pkey PRIMARY KEY (entry_id)
);
CREATE UNIQUE INDEX accepted_city_standing ON public.accepted_city USING btree (prefix) WHERE (deleted_version IS NULL);

create table account (
  account_id integer not null generated always as identity,
  book text not null,
  closed_at timestamp with time zone,
  floor_fen bigint,
  heading text not null,
  mode text not null,
  normal_side text not null,
  party_id integer,
  constraint account_pkey PRIMARY KEY (account_id),
  constraint account_book_heading_party_id_key UNIQUE NULLS NOT DISTINCT (book, heading, party_id),
  constraint account_mode_check CHECK ((mode = ANY (ARRAY['guarded'::text, 'recorded'::text]))),
  constraint account_normal_side_check CHECK ((normal_side = ANY (ARRAY['debit'::text, 'credit'::text]))),
  constraint account_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table account_batch (
  account_id integer not null,
  batch_id bigint not null,
  clearing_date date not null,
  credit_fen bigint not null,
  debit_fen bigint not null,
  constraint account_batch_pkey PRIMARY KEY (account_id, clearing_date, batch_id)
);

create table account_closing (
  account_id integer not null,
  from_at timestamp with time zone not null,
  until timestamp with time zone,
  constraint account_closing_pkey PRIMARY KEY (account_id, from_at)
);

create table account_day (
  account_id integer not null,
  bucket smallint not null,
  clearing_date date not null,
  credit_fen bigint not null,
  debit_fen bigint not null,
  constraint account_day_pkey PRIMARY KEY (bucket, account_id, clearing_date)
);

create table adjustment (
  amount_fen bigint not null,
  batch_id bigint not null,
  bucket smallint not null,
  card_id bigint,
  clearing_date date not null,
  delivery_no bigint not null,
  findings smallint[],
  line_no integer not null,
  outcome smallint not null,
  reason smallint not null,
  constraint adjustment_pkey PRIMARY KEY (bucket, delivery_no, line_no, batch_id)
);
CREATE INDEX adjustment_batch ON public.adjustment USING brin (batch_id) WITH (autosummarize='on');
CREATE INDEX adjustment_date ON public.adjustment USING btree (clearing_date);

create table alert (
  about text not null,
  alert_id bigint not null generated always as identity,
  at timestamp with time zone not null,
  clearing_date date not null,
  evidence jsonb not null,
  kind text not null,
  constraint alert_pkey PRIMARY KEY (alert_id),
  constraint alert_kind_about_clearing_date_key UNIQUE (kind, about, clearing_date)
);
CREATE INDEX alert_date ON public.alert USING btree (clearing_date, alert_id);

create table archive_day (
  clearing_date date not null,
  digest bytea not null,
  made_at timestamp with time zone not null,
  made_by text not null,
  manifest text not null,
  constraint archive_day_pkey PRIMARY KEY (clearing_date),
  constraint archive_day_digest_key UNIQUE (digest)
);

create table audit (
  action text not null,
  at timestamp with time zone not null,
  by_whom text not null,
  detail text not null,
  hash bytea not null,
  previous bytea not null,
  seq bigint not null,
  subject text not null,
  constraint audit_pkey PRIMARY KEY (seq)
);
CREATE INDEX audit_action ON public.audit USING btree (action, seq);
CREATE INDEX audit_by ON public.audit USING btree (by_whom, seq);
CREATE INDEX audit_subject ON public.audit USING btree (subject, seq);

create table balance_delta (
  account_id integer not null,
  batch_id bigint not null,
  bucket smallint not null,
  clearing_date date not null,
  credit_fen bigint not null,
  debit_fen bigint not null,
  constraint balance_delta_pkey PRIMARY KEY (bucket, batch_id, account_id, clearing_date)
);

create table bank_account (
  bank_account_id integer not null generated always as identity,
  bank_code text not null,
  book text,
  by_whom text not null,
  holder text not null,
  number text not null,
  party_id integer not null,
  since timestamp with time zone not null,
  until timestamp with time zone,
  constraint bank_account_pkey PRIMARY KEY (bank_account_id),
  constraint bank_account_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE UNIQUE INDEX bank_account_now ON public.bank_account USING btree (party_id, book) NULLS NOT DISTINCT WHERE (until IS NULL);
CREATE INDEX bank_account_number ON public.bank_account USING btree (number);

create table bank_line (
  amount_fen bigint not null,
  book text not null,
  booked_on date not null,
  counterparty text,
  counterparty_name text,
  end_to_end_id text,
  instruction_id text,
  line_id bigint not null generated always as identity,
  line_no integer not null,
  party_id integer,
  reference text not null,
  return_reason text,
  state text not null,
  statement_id bigint not null,
  text text not null,
  transfer_id bigint,
  constraint bank_line_pkey PRIMARY KEY (line_id),
  constraint bank_line_amount_fen_check CHECK ((amount_fen <> 0)),
  constraint bank_line_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint bank_line_statement_id_fkey FOREIGN KEY (statement_id) REFERENCES bank_statement(statement_id),
  constraint bank_line_statement_id_line_no_key UNIQUE (statement_id, line_no)
);
CREATE UNIQUE INDEX bank_line_reference ON public.bank_line USING btree (book, reference) WHERE (state <> 'repeated'::text);
CREATE INDEX bank_line_state ON public.bank_line USING btree (state, line_id);

create table bank_statement (
  account text not null,
  book text not null,
  by_whom text not null,
  closing_fen bigint not null,
  content bytea not null,
  digest bytea not null,
  external_id text not null,
  format text not null,
  from_date date not null,
  lines integer not null,
  opening_fen bigint not null,
  raw bytea not null,
  received_at timestamp with time zone not null,
  sequence bigint,
  statement_id bigint not null generated always as identity,
  to_date date not null,
  constraint bank_statement_pkey PRIMARY KEY (statement_id),
  constraint bank_statement_account_external_id_key UNIQUE (account, external_id)
);
CREATE INDEX bank_statement_digest ON public.bank_statement USING btree (digest);
CREATE INDEX bank_statement_order ON public.bank_statement USING btree (account, to_date, sequence, statement_id);

create table batch (
  batch_id bigint not null,
  bucket smallint not null default 0,
  clearing_date date not null,
  created_at timestamp with time zone not null,
  delivery_no bigint,
  form smallint not null default 1,
  items integer not null,
  items_digest bytea,
  kind text not null,
  root bytea not null,
  salt bytea not null,
  sum_fen bigint not null,
  transfers integer not null,
  constraint batch_pkey PRIMARY KEY (bucket, batch_id)
);
CREATE INDEX batch_by_people ON public.batch USING btree (kind, batch_id) WHERE (kind = ANY (ARRAY['registry'::text, 'correction'::text]));
CREATE INDEX batch_date ON public.batch USING btree (bucket, clearing_date, delivery_no);
CREATE INDEX batch_delivery ON public.batch USING btree (bucket, delivery_no) WHERE (delivery_no IS NOT NULL);

create table batch_news (
  batch_id bigint not null,
  bucket smallint not null default 0,
  card_buckets smallint[] not null,
  card_ids bigint[] not null,
  highs bigint[] not null,
  lows bigint[] not null,
  psam_ids integer[] not null,
  purses smallint[] not null,
  top_debits integer[] not null,
  top_minutes timestamp with time zone[] not null,
  top_terminals integer[] not null,
  constraint batch_news_pkey PRIMARY KEY (bucket, batch_id)
);

create table blacklist_entry (
  added_version integer not null,
  bucket smallint not null,
  card_id bigint not null,
  listed_at timestamp with time zone not null,
  reason text not null,
  removed_version integer,
  constraint blacklist_entry_pkey PRIMARY KEY (bucket, card_id, added_version)
);
CREATE INDEX blacklist_entry_version ON public.blacklist_entry USING btree (added_version);

create table blacklist_version (
  digest bytea not null,
  published_at timestamp with time zone not null,
  version integer not null,
  constraint blacklist_version_pkey PRIMARY KEY (version)
);

create table card (
  branch text,
  bucket smallint not null,
  card_id bigint not null,
  card_type text not null,
  city_factor bytea,
  issue smallint not null,
  issuer bytea not null,
  key_version smallint not null,
  opened_at timestamp with time zone not null,
  opened_counter integer not null default 0,
  opened_fen bigint not null default 0,
  profile text not null,
  serial bytea not null,
  state text not null default 'normal'::text,
  suite text not null,
  valid_until date,
  constraint card_pkey PRIMARY KEY (bucket, card_id),
  constraint card_bucket_issuer_serial_issue_key UNIQUE (bucket, issuer, serial, issue)
);
CREATE INDEX card_foreign ON public.card USING btree (bucket, card_id) WHERE (card_type = 'foreign'::text);
CREATE INDEX card_number ON public.card USING btree ("right"(encode(serial, 'hex'::text), 6));
CREATE INDEX card_oral_loss ON public.card USING btree (bucket, card_id) WHERE (state = 'oral_loss'::text);
CREATE INDEX card_social ON public.card USING btree (card_id) WHERE (card_type = 'social-security'::text);

create table card_application (
  application_no bigint not null generated always as identity,
  applied_at timestamp with time zone not null,
  card_bucket smallint,
  card_id bigint,
  card_type text not null,
  holder_id bigint not null,
  state text not null,
  why text not null,
  constraint card_application_pkey PRIMARY KEY (application_no),
  constraint card_application_holder_id_fkey FOREIGN KEY (holder_id) REFERENCES holder(holder_id)
);
CREATE UNIQUE INDEX card_application_card ON public.card_application USING btree (card_bucket, card_id) WHERE (card_id IS NOT NULL);
CREATE INDEX card_application_state ON public.card_application USING btree (state, application_no);

create table card_application_step (
  application_no bigint not null,
  from_state text not null,
  moved_at timestamp with time zone not null,
  moved_by text not null,
  reason text not null,
  step_no integer not null,
  to_state text not null,
  constraint card_application_step_pkey PRIMARY KEY (application_no, step_no),
  constraint card_application_step_application_no_fkey FOREIGN KEY (application_no) REFERENCES card_application(application_no)
);

create table card_block (
  bucket smallint not null,
  card_id bigint not null,
  challenge bytea not null,
  client_id text not null,
  decided_at timestamp with time zone,
  form smallint not null,
  key text not null,
  listed_for text not null,
  noted_in bigint,
  operator text not null,
  requested_at timestamp with time zone not null,
  state smallint not null,
  terminal text not null,
  constraint card_block_pkey PRIMARY KEY (bucket, client_id, key)
);
CREATE INDEX card_block_card ON public.card_block USING btree (bucket, card_id, requested_at);
CREATE INDEX card_block_state ON public.card_block USING btree (state, requested_at);

create table card_event (
  amount_fen bigint not null,
  balance_before_fen bigint not null,
  batch_id bigint not null,
  bucket smallint not null,
  card_id bigint not null,
  clearing_date date not null,
  content bytea not null,
  counter integer not null,
  counter_kind smallint not null,
  delivery_no bigint not null,
  event_at timestamp with time zone not null,
  findings smallint[],
  line_no integer not null,
  outcome smallint not null,
  psam_id integer not null,
  purse smallint not null,
  reason smallint not null,
  sequence bigint not null,
  terminal_id integer not null,
  type smallint not null,
  constraint card_event_pkey PRIMARY KEY (bucket, card_id, purse, counter_kind, counter)
);
CREATE INDEX card_event_batch ON public.card_event USING brin (batch_id) WITH (autosummarize='on');
CREATE INDEX card_event_date ON public.card_event USING brin (clearing_date) WITH (autosummarize='on');

create table card_found (
  bucket smallint not null,
  card_id bigint not null,
  fetched_at timestamp with time zone,
  found_at timestamp with time zone not null,
  found_by text not null,
  found_no bigint not null generated always as identity,
  place text not null,
  constraint card_found_pkey PRIMARY KEY (bucket, card_id, found_no)
);
CREATE INDEX card_found_waiting ON public.card_found USING btree (found_no) WHERE (fetched_at IS NULL);

create table card_holder (
  bound_at timestamp with time zone not null,
  bucket smallint not null,
  card_id bigint not null,
  ended_at timestamp with time zone,
  holder_id bigint not null,
  constraint card_holder_pkey PRIMARY KEY (bucket, card_id, bound_at)
);
CREATE INDEX card_holder_ever ON public.card_holder USING btree (holder_id);
CREATE INDEX card_holder_person ON public.card_holder USING btree (holder_id) WHERE (ended_at IS NULL);

create table card_move (
  bucket smallint not null,
  card_id bigint not null,
  from_state text not null,
  move text not null,
  move_no integer not null,
  moved_at timestamp with time zone not null,
  moved_by text not null,
  noted_in bigint,
  reason text not null,
  to_state text not null,
  constraint card_move_pkey PRIMARY KEY (bucket, card_id, move_no)
);

create table card_order (
  bucket smallint not null,
  card_id bigint not null,
  decided_at timestamp with time zone,
  file_bytes bytea,
  file_id smallint,
  file_offset smallint,
  form text,
  name text not null,
  noted_in bigint,
  order_id bigint not null,
  ordered_at timestamp with time zone not null,
  ordered_by text not null,
  reason text not null,
  state smallint not null,
  sw text,
  constraint card_order_pkey PRIMARY KEY (bucket, order_id)
);
CREATE INDEX card_order_of_card ON public.card_order USING btree (bucket, card_id, order_id);
CREATE INDEX card_order_state ON public.card_order USING btree (state, order_id);

create table card_order_signature (
  bucket smallint not null,
  challenge bytea not null,
  client_id text not null,
  key text not null,
  noted_in bigint,
  operator text not null,
  order_id bigint not null,
  signed_at timestamp with time zone not null,
  terminal text not null,
  constraint card_order_signature_pkey PRIMARY KEY (bucket, client_id, key)
);
CREATE INDEX card_order_signature_order ON public.card_order_signature USING btree (bucket, order_id);

create table card_replacement (
  bucket smallint not null,
  card_id bigint not null,
  due_on date not null,
  fee_fen bigint not null,
  moved_fen bigint not null,
  moved_on date,
  requested_at timestamp with time zone not null,
  requested_by text not null,
  to_bucket smallint not null,
  to_card_id bigint not null,
  why text not null,
  constraint card_replacement_pkey PRIMARY KEY (bucket, card_id),
  constraint card_replacement_fee_fen_check CHECK ((fee_fen >= 0))
);
CREATE INDEX card_replacement_due ON public.card_replacement USING btree (due_on) WHERE (moved_on IS NULL);
CREATE INDEX card_replacement_to ON public.card_replacement USING btree (to_bucket, to_card_id);

create table card_return (
  bucket smallint not null,
  card_id bigint not null,
  deposit_fen bigint not null,
  due_on date not null,
  kept_fen bigint not null,
  online_fen bigint not null,
  paid_on date,
  party_id integer not null,
  requested_at timestamp with time zone not null,
  requested_by text not null,
  undamaged boolean not null,
  value_fen bigint not null,
  waiting_fen bigint not null,
  constraint card_return_pkey PRIMARY KEY (bucket, card_id)
);

create table chain_fact (
  at timestamp with time zone not null,
  balance_fen bigint,
  bucket smallint not null,
  card_id bigint not null,
  content bytea,
  counter integer not null,
  fact_id bigint not null generated always as identity,
  findings smallint[],
  kind smallint not null,
  purse smallint not null,
  source text not null,
  constraint chain_fact_pkey PRIMARY KEY (bucket, fact_id)
);
CREATE INDEX chain_fact_card ON public.chain_fact USING btree (bucket, card_id, purse, counter);

create table city_list_version (
  published_at timestamp with time zone not null,
  version integer not null,
  constraint city_list_version_pkey PRIMARY KEY (version)
);

create table clearing_day (
  clearing_date date not null,
  digest bytea,
  paid_with date,
  state text not null,
  value_date date,
  constraint clearing_day_pkey PRIMARY KEY (clearing_date)
);

create table client (
  client_id text not null,
  kind text not null,
  party_id integer,
  secret_hash bytea not null,
  constraint client_pkey PRIMARY KEY (client_id),
  constraint client_kind_check CHECK ((kind = ANY (ARRAY['gateway'::text, 'operator'::text, 'agent'::text, 'registrar'::text, 'auditor'::text, 'centre'::text, 'platform'::text, 'social-security'::text]))),
  constraint client_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table client_certificate (
  bound_at timestamp with time zone not null,
  client_id text not null,
  fingerprint bytea not null,
  not_after timestamp with time zone not null,
  revoked_at timestamp with time zone,
  constraint client_certificate_pkey PRIMARY KEY (fingerprint),
  constraint client_certificate_client_id_fkey FOREIGN KEY (client_id) REFERENCES client(client_id)
);
CREATE INDEX client_certificate_client ON public.client_certificate USING btree (client_id);

create table clinic_accumulator (
  amount bigint not null,
  counter text not null,
  person_id bigint not null,
  year smallint not null,
  constraint clinic_accumulator_pkey PRIMARY KEY (person_id, year, counter),
  constraint clinic_accumulator_person_id_fkey FOREIGN KEY (person_id) REFERENCES clinic_person(person_id)
);

create table clinic_add (
  amount bigint not null,
  counter text not null,
  settlement_no bigint not null,
  constraint clinic_add_pkey PRIMARY KEY (settlement_no, counter),
  constraint clinic_add_settlement_no_fkey FOREIGN KEY (settlement_no) REFERENCES clinic_settlement(settlement_no)
);

create table clinic_batch (
  at timestamp with time zone not null,
  basis text,
  batch text not null,
  items jsonb not null,
  message text,
  party_id integer not null,
  person text not null,
  visit text not null,
  constraint clinic_batch_pkey PRIMARY KEY (party_id, visit, batch),
  constraint clinic_batch_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table clinic_centre (
  area text not null,
  document jsonb not null,
  constraint clinic_centre_pkey PRIMARY KEY (area)
);

create table clinic_effect (
  at timestamp with time zone not null,
  clearing_date date not null,
  effect_no bigint not null generated always as identity,
  journal_id bigint,
  message text not null,
  noted_in bigint,
  party_id integer not null,
  request_key text,
  settlement_no bigint not null,
  sign smallint not null,
  constraint clinic_effect_pkey PRIMARY KEY (effect_no),
  constraint clinic_effect_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint clinic_effect_settlement_no_fkey FOREIGN KEY (settlement_no) REFERENCES clinic_settlement(settlement_no),
  constraint clinic_effect_sign_check CHECK ((sign = ANY (ARRAY['-1'::integer, 1])))
);
CREATE INDEX clinic_effect_date ON public.clinic_effect USING btree (clearing_date);
CREATE INDEX clinic_effect_party ON public.clinic_effect USING btree (party_id, at);
CREATE INDEX clinic_effect_settlement ON public.clinic_effect USING btree (settlement_no, effect_no);

create table clinic_exchange (
  area text not null,
  asked jsonb,
  client text not null,
  exchange_no bigint not null generated always as identity,
  expected jsonb,
  message text not null,
  msgid text not null,
  next_at timestamp with time zone not null,
  original text,
  party_id integer not null,
  person_id bigint not null,
  state text not null,
  tries integer not null default 0,
  constraint clinic_exchange_pkey PRIMARY KEY (exchange_no),
  constraint clinic_exchange_area_fkey FOREIGN KEY (area) REFERENCES clinic_centre(area),
  constraint clinic_exchange_msgid_key UNIQUE (msgid),
  constraint clinic_exchange_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint clinic_exchange_party_id_message_key UNIQUE (party_id, message),
  constraint clinic_exchange_person_id_fkey FOREIGN KEY (person_id) REFERENCES clinic_person(person_id),
  constraint clinic_exchange_state_check CHECK ((state = ANY (ARRAY['sent'::text, 'unknown'::text, 'reversing'::text, 'settled'::text, 'declined'::text, 'undone'::text])))
);
CREATE INDEX clinic_exchange_open ON public.clinic_exchange USING btree (next_at) WHERE (state = ANY (ARRAY['sent'::text, 'unknown'::text, 'reversing'::text]));
CREATE INDEX clinic_exchange_person ON public.clinic_exchange USING btree (person_id) WHERE (state = ANY (ARRAY['sent'::text, 'unknown'::text, 'reversing'::text]));

create table clinic_file (
  at timestamp with time zone not null,
  bytes bytea not null,
  file_no bigint not null generated always as identity,
  name text not null,
  party_id integer not null,
  constraint clinic_file_pkey PRIMARY KEY (file_no),
  constraint clinic_file_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table clinic_institution (
  code text,
  level text not null,
  noted_in bigint,
  party_id integer not null,
  constraint clinic_institution_pkey PRIMARY KEY (party_id),
  constraint clinic_institution_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table clinic_message (
  answered_at timestamp with time zone not null,
  asked jsonb not null,
  due_asked boolean not null default false,
  due_debit text,
  due_fen bigint,
  due_settlement bigint,
  message text not null,
  message_no bigint not null generated always as identity,
  noted_in bigint,
  party_id integer not null,
  person_id bigint not null,
  reply jsonb not null,
  constraint clinic_message_pkey PRIMARY KEY (message_no),
  constraint clinic_message_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint clinic_message_party_id_message_key UNIQUE (party_id, message),
  constraint clinic_message_person_id_fkey FOREIGN KEY (person_id) REFERENCES clinic_person(person_id)
);
CREATE INDEX clinic_message_due ON public.clinic_message USING btree (due_debit) WHERE (due_debit IS NOT NULL);
CREATE INDEX clinic_message_due_page ON public.clinic_message USING btree (message_no) WHERE (due_debit IS NOT NULL);
CREATE INDEX clinic_message_person ON public.clinic_message USING btree (person_id, message_no);

create table clinic_national (
  party_id integer not null,
  set_at timestamp with time zone not null,
  set_by text not null,
  settings jsonb not null,
  constraint clinic_national_pkey PRIMARY KEY (party_id),
  constraint clinic_national_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table clinic_person (
  account_bucket smallint not null,
  account_card_id bigint not null,
  area text not null,
  born_on date,
  bucket smallint not null,
  card_id bigint not null,
  category text not null,
  family_id bigint,
  noted_in bigint,
  person text not null,
  person_id bigint not null generated always as identity,
  scheme text not null,
  tags text[] not null,
  constraint clinic_person_pkey PRIMARY KEY (person_id),
  constraint clinic_person_check CHECK ((family_id <> person_id)),
  constraint clinic_person_family_id_fkey FOREIGN KEY (family_id) REFERENCES clinic_person(person_id),
  constraint clinic_person_person_key UNIQUE (person)
);

create table clinic_reversed (
  by_message text not null,
  message text not null,
  noted_in bigint,
  party_id integer not null,
  constraint clinic_reversed_pkey PRIMARY KEY (party_id, message),
  constraint clinic_reversed_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table clinic_rule_set (
  area text not null,
  document jsonb not null,
  published_at timestamp with time zone not null,
  published_by text not null,
  valid_from date not null,
  version integer not null,
  constraint clinic_rule_set_pkey PRIMARY KEY (area, version)
);

create table clinic_settlement (
  account_fen bigint not null,
  bill jsonb not null,
  cash_fen bigint not null,
  centre text,
  centre_no text,
  client text not null,
  debit text,
  family_fen bigint not null,
  family_id bigint,
  funds_fen bigint not null,
  hospital_fen bigint not null,
  noted_in bigint,
  paid_by text,
  party_id integer not null,
  person_id bigint not null,
  purse_fen bigint not null,
  returned_at timestamp with time zone,
  settlement_no bigint not null generated always as identity,
  split jsonb not null,
  taken_back_by text,
  total_fen bigint not null,
  visit text not null,
  year smallint not null,
  constraint clinic_settlement_pkey PRIMARY KEY (settlement_no),
  constraint clinic_settlement_account_fen_check CHECK ((account_fen >= 0)),
  constraint clinic_settlement_cash_fen_check CHECK ((cash_fen >= 0)),
  constraint clinic_settlement_check CHECK ((total_fen = (((((funds_fen + account_fen) + family_fen) + purse_fen) + cash_fen) + hospital_fen))),
  constraint clinic_settlement_check1 CHECK (((debit IS NOT NULL) = (NOT (paid_by IS DISTINCT FROM 'chip'::text)))),
  constraint clinic_settlement_family_fen_check CHECK ((family_fen >= 0)),
  constraint clinic_settlement_funds_fen_check CHECK ((funds_fen >= 0)),
  constraint clinic_settlement_hospital_fen_check CHECK ((hospital_fen >= 0)),
  constraint clinic_settlement_paid_by_check CHECK ((paid_by = ANY (ARRAY['online'::text, 'chip'::text]))),
  constraint clinic_settlement_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint clinic_settlement_person_id_fkey FOREIGN KEY (person_id) REFERENCES clinic_person(person_id),
  constraint clinic_settlement_purse_fen_check CHECK ((purse_fen >= 0)),
  constraint clinic_settlement_total_fen_check CHECK ((total_fen >= 0))
);
CREATE UNIQUE INDEX clinic_settlement_debit ON public.clinic_settlement USING btree (debit) WHERE (taken_back_by IS NULL);
CREATE INDEX clinic_settlement_year ON public.clinic_settlement USING btree (person_id, year);

create table commission (
  from_date date not null,
  party_id integer not null,
  product text not null,
  rate_ppm integer not null,
  constraint commission_pkey PRIMARY KEY (party_id, product, from_date),
  constraint commission_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint commission_rate_ppm_check CHECK (((rate_ppm >= 0) AND (rate_ppm <= 1000000)))
);

create table component_news (
  at timestamp with time zone not null,
  found_at timestamp with time zone,
  kind text,
  number bigint not null generated always as identity,
  terminal_id integer not null,
  told_at timestamp with time zone not null,
  what text not null,
  constraint component_news_pkey PRIMARY KEY (number),
  constraint component_news_terminal_id_fkey FOREIGN KEY (terminal_id) REFERENCES terminal(terminal_id),
  constraint component_news_what_check CHECK ((what = ANY (ARRAY['found'::text, 'cleared'::text, 'handled'::text, 'enrolled'::text, 'suspended'::text, 'retired'::text])))
);
CREATE INDEX component_news_told ON public.component_news USING btree (told_at);

create table concession_right (
  bucket smallint not null,
  card_id bigint not null,
  class text not null,
  set_at timestamp with time zone not null,
  set_by text not null,
  valid_from date,
  valid_until date,
  constraint concession_right_pkey PRIMARY KEY (bucket, card_id, class)
);

create table day_approval (
  at timestamp with time zone not null,
  clearing_date date not null,
  digest bytea not null,
  staff_id integer not null,
  constraint day_approval_pkey PRIMARY KEY (clearing_date, staff_id, digest),
  constraint day_approval_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(staff_id)
);

create table day_check (
  at timestamp with time zone not null,
  check_no bigint not null generated always as identity,
  clearing_date date not null,
  detail text not null,
  last_batch bigint not null default 0,
  name text not null,
  ok boolean not null,
  constraint day_check_pkey PRIMARY KEY (clearing_date, check_no)
);

create table day_step (
  at timestamp with time zone not null,
  by_whom text not null,
  clearing_date date not null,
  detail jsonb not null default '{}'::jsonb,
  state text not null,
  step_no bigint not null generated always as identity,
  constraint day_step_pkey PRIMARY KEY (clearing_date, step_no)
);

create table delivery (
  answer jsonb,
  bookings integer not null default 0,
  bucket smallint not null default 0,
  clearing_date date not null,
  delivery_no bigint not null,
  digest bytea not null,
  distinct_lines integer not null,
  external_id text not null,
  kind text not null,
  lanes smallint not null default 1,
  lines integer not null,
  raw bytea,
  received_at timestamp with time zone not null,
  source text not null,
  constraint delivery_pkey PRIMARY KEY (bucket, delivery_no),
  constraint delivery_kind_check CHECK ((kind = ANY (ARRAY['json'::text, 'file'::text])))
);
CREATE UNIQUE INDEX delivery_external ON public.delivery USING btree (bucket, kind, source, external_id);
CREATE INDEX delivery_file_received ON public.delivery USING btree (received_at) WHERE (kind = 'file'::text);

create table delivery_part (
  accepted_count integer not null,
  accepted_fen bigint not null,
  answered jsonb not null,
  batch_id bigint,
  bucket smallint not null default 0,
  clearing_date date not null,
  delivery_no bigint not null,
  excluded_count integer not null,
  excluded_fen bigint not null,
  lane smallint not null,
  lines integer not null,
  part_no integer not null,
  refused_count integer not null,
  refused_fen bigint not null,
  constraint delivery_part_pkey PRIMARY KEY (bucket, delivery_no, part_no, lane)
);
CREATE INDEX delivery_part_batch ON public.delivery_part USING btree (batch_id);
CREATE INDEX delivery_part_date ON public.delivery_part USING btree (clearing_date);

create table delivery_raw (
  bucket smallint not null default 0,
  bytes bytea not null,
  delivery_no bigint not null,
  first_line integer not null,
  part_no integer not null,
  constraint delivery_raw_pkey PRIMARY KEY (bucket, delivery_no, part_no)
);

create table dispute (
  amount_fen bigint not null,
  answer_until date not null,
  bucket smallint not null,
  card_id bigint not null,
  counter integer not null,
  dispute_id bigint not null generated always as identity,
  escalate_until date,
  party_id integer,
  purse smallint not null,
  redress_id bigint,
  side text not null,
  state text not null,
  constraint dispute_pkey PRIMARY KEY (dispute_id),
  constraint dispute_amount_fen_check CHECK ((amount_fen > 0)),
  constraint dispute_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint dispute_redress_id_fkey FOREIGN KEY (redress_id) REFERENCES redress(redress_id),
  constraint dispute_side_check CHECK ((side = ANY (ARRAY['holder'::text, 'operator'::text, 'issuer'::text]))),
  constraint dispute_state_check CHECK ((state = ANY (ARRAY['RAISED'::text, 'ANSWERED'::text, 'ACCEPTED'::text, 'REFUSED'::text, 'ESCALATED'::text, 'FINAL'::text])))
);
CREATE INDEX dispute_card ON public.dispute USING btree (bucket, card_id, dispute_id);
CREATE INDEX dispute_party ON public.dispute USING btree (party_id, dispute_id);
CREATE UNIQUE INDEX dispute_unfinished ON public.dispute USING btree (bucket, card_id, purse, counter) WHERE (state = ANY (ARRAY['RAISED'::text, 'ANSWERED'::text, 'REFUSED'::text, 'ESCALATED'::text]));

create table dispute_step (
  at timestamp with time zone not null,
  by_whom text not null,
  dispute_id bigint not null,
  stance text,
  state text not null,
  step_no smallint not null,
  words text not null,
  constraint dispute_step_pkey PRIMARY KEY (dispute_id, step_no),
  constraint dispute_step_dispute_id_fkey FOREIGN KEY (dispute_id) REFERENCES dispute(dispute_id)
);

create table erasure (
  asked_at timestamp with time zone not null,
  done_at timestamp with time zone,
  holder_id bigint not null,
  possible_on date not null,
  constraint erasure_pkey PRIMARY KEY (holder_id),
  constraint erasure_holder_id_fkey FOREIGN KEY (holder_id) REFERENCES holder(holder_id)
);
CREATE INDEX erasure_waiting ON public.erasure USING btree (holder_id) WHERE (done_at IS NULL);

create table evidence (
  amount_fen bigint,
  balance_before_fen bigint,
  batch_id bigint not null,
  bucket smallint not null,
  card_id bigint,
  clearing_date date not null,
  content bytea,
  counter integer,
  delivery_no bigint not null,
  digest bytea not null,
  event_at timestamp with time zone,
  findings smallint[],
  kind smallint not null default 0,
  line_no integer not null,
  outcome smallint not null,
  psam_id integer,
  purse smallint,
  reason smallint not null,
  sequence bigint,
  tac_valid boolean not null default false,
  terminal_id integer,
  type smallint,
  constraint evidence_pkey PRIMARY KEY (bucket, digest, delivery_no, line_no, kind)
);
CREATE INDEX evidence_batch ON public.evidence USING brin (batch_id) WITH (autosummarize='on');
CREATE INDEX evidence_card ON public.evidence USING btree (bucket, card_id, counter) WHERE (card_id IS NOT NULL);
CREATE INDEX evidence_contender ON public.evidence USING btree (psam_id, sequence) WHERE (kind = ANY (ARRAY[2, 4]));
CREATE INDEX evidence_date ON public.evidence USING brin (clearing_date) WITH (autosummarize='on');
CREATE INDEX evidence_grey ON public.evidence USING btree (psam_id, sequence) WHERE (kind = 1);

create table exit_decision (
  at timestamp with time zone not null,
  bucket smallint not null,
  card_id bigint not null,
  decided_at timestamp with time zone not null,
  decided_by text not null,
  entry_counter integer not null,
  stop text not null,
  constraint exit_decision_pkey PRIMARY KEY (bucket, card_id, entry_counter)
);

create table fare_day (
  bucket smallint not null,
  card_id bigint not null,
  day date not null,
  due_fen bigint not null,
  paid_fen bigint not null,
  taps jsonb not null,
  constraint fare_day_pkey PRIMARY KEY (bucket, card_id, day)
);
CREATE INDEX fare_day_day ON public.fare_day USING btree (day);

create table fare_due (
  bucket smallint not null,
  card_id bigint not null,
  from_at timestamp with time zone not null,
  constraint fare_due_pkey PRIMARY KEY (bucket, card_id)
);

create table fare_entry (
  amount_fen bigint not null,
  bucket smallint not null,
  card_id bigint not null,
  category text not null default ''::text,
  clearing_date date not null,
  counter integer not null,
  giver text not null,
  kind text not null,
  taker text not null,
  transfer_id bigint not null,
  constraint fare_entry_pkey PRIMARY KEY (bucket, transfer_id),
  constraint fare_entry_kind_check CHECK ((kind = ANY (ARRAY['refund'::text, 'share'::text, 'treasury'::text])))
);
CREATE INDEX fare_entry_card ON public.fare_entry USING btree (bucket, card_id, counter);

create table gateway_state (
  estate_version integer,
  every_seconds integer not null,
  gateway text not null,
  reported_at timestamp with time zone not null,
  software text,
  spool_depth integer,
  started_at timestamp with time zone not null,
  constraint gateway_state_pkey PRIMARY KEY (gateway)
);

create table general_ledger (
  accounts integer not null,
  book text not null,
  clearing_date date not null,
  closing_fen bigint not null,
  credit_fen bigint not null,
  debit_fen bigint not null,
  heading text not null,
  normal_side text not null,
  opening_fen bigint not null,
  constraint general_ledger_pkey PRIMARY KEY (clearing_date, book, heading)
);

create table guarded_balance (
  account_id integer not null,
  balance_fen bigint not null default 0,
  bucket smallint not null,
  card_id bigint not null default 0,
  closed_at timestamp with time zone,
  floor_fen bigint not null,
  opened_at timestamp with time zone,
  constraint guarded_balance_pkey PRIMARY KEY (bucket, account_id, card_id),
  constraint guarded_balance_check CHECK ((balance_fen >= floor_fen))
);

create table head_given (
  at timestamp with time zone not null,
  audit_rows bigint not null,
  size bigint not null,
  constraint head_given_pkey PRIMARY KEY (size, audit_rows)
);

create table holder (
  branch text,
  holder text not null,
  holder_id bigint not null generated always as identity,
  identity bytea not null,
  registered_at timestamp with time zone not null,
  registered_by text not null,
  sealed bytea not null,
  sealed_with text not null,
  constraint holder_pkey PRIMARY KEY (holder_id),
  constraint holder_holder_key UNIQUE (holder),
  constraint holder_identity_key UNIQUE (identity)
);

create table holiday (
  date date not null,
  note text not null default ''::text,
  settlement boolean not null,
  constraint holiday_pkey PRIMARY KEY (date)
);

create table income (
  adjustments integer not null,
  adjustments_fen bigint not null,
  batch_id bigint not null,
  book text not null,
  claims integer not null,
  claims_fen bigint not null,
  clearing_date date not null,
  event_date date not null default '-infinity'::date,
  line text not null,
  party_id integer not null,
  shift text not null,
  terminal text not null,
  vehicle text not null,
  constraint income_pkey PRIMARY KEY (batch_id, party_id, book, event_date, terminal, line, vehicle, shift)
);
CREATE INDEX income_party ON public.income USING btree (party_id, clearing_date);
CREATE INDEX income_used ON public.income USING btree (party_id, event_date);

create table income_batch (
  batch_id bigint not null,
  constraint income_batch_pkey PRIMARY KEY (batch_id)
);

create table instruction (
  amount_fen bigint not null,
  book text not null,
  clearing_date date not null,
  direction text not null,
  from_account_id integer,
  house_id integer,
  instruction_id text not null,
  made_at timestamp with time zone not null default now(),
  paid_line bigint,
  party_id integer not null,
  replaced_by text,
  returned_line bigint,
  run smallint not null default 1,
  short_transfer bigint,
  state text not null default 'sent'::text,
  to_account_id integer,
  value_date date,
  constraint instruction_pkey PRIMARY KEY (instruction_id),
  constraint instruction_amount_fen_check CHECK ((amount_fen > 0)),
  constraint instruction_direction_check CHECK ((direction = ANY (ARRAY['pay'::text, 'collect'::text]))),
  constraint instruction_from_account_id_fkey FOREIGN KEY (from_account_id) REFERENCES bank_account(bank_account_id),
  constraint instruction_house_id_fkey FOREIGN KEY (house_id) REFERENCES party(party_id),
  constraint instruction_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint instruction_state_check CHECK ((state = ANY (ARRAY['sent'::text, 'confirmed'::text, 'returned'::text, 'void'::text]))),
  constraint instruction_to_account_id_fkey FOREIGN KEY (to_account_id) REFERENCES bank_account(bank_account_id)
);
CREATE INDEX instruction_date ON public.instruction USING btree (clearing_date, run);
CREATE INDEX instruction_party ON public.instruction USING btree (party_id, book);
CREATE INDEX instruction_waiting ON public.instruction USING btree (value_date) WHERE (state = 'sent'::text);

create table instruction_account (
  from_account_id integer,
  instruction_id text not null,
  to_account_id integer,
  constraint instruction_account_pkey PRIMARY KEY (instruction_id),
  constraint instruction_account_from_account_id_fkey FOREIGN KEY (from_account_id) REFERENCES bank_account(bank_account_id),
  constraint instruction_account_instruction_id_fkey FOREIGN KEY (instruction_id) REFERENCES instruction(instruction_id),
  constraint instruction_account_to_account_id_fkey FOREIGN KEY (to_account_id) REFERENCES bank_account(bank_account_id)
);

create table issuing_batch (
  batch text not null,
  card_type text not null,
  deposit_fen bigint not null default 0,
  lot bytea not null,
  lot_key_version smallint not null,
  sold_by text,
  started_at timestamp with time zone not null,
  started_by text not null,
  constraint issuing_batch_pkey PRIMARY KEY (batch),
  constraint issuing_batch_deposit_fen_check CHECK ((deposit_fen >= 0))
);

create table issuing_card (
  batch text not null,
  bucket smallint not null,
  issuer bytea not null,
  place integer not null,
  serial bytea not null,
  spec jsonb not null,
  spoiled_at text,
  spoiled_why text,
  state smallint not null,
  told_at timestamp with time zone,
  constraint issuing_card_pkey PRIMARY KEY (bucket, issuer, serial)
);
CREATE INDEX issuing_card_batch ON public.issuing_card USING btree (batch, place);

create table item (
  amount_fen bigint not null default 0,
  card_bucket smallint,
  card_id bigint,
  clearing_date date not null,
  closed_at timestamp with time zone,
  evidence jsonb not null,
  item_id bigint not null generated always as identity,
  key text not null,
  layer text not null,
  note text,
  opened_at timestamp with time zone not null,
  outcome text not null,
  owner text,
  party_id integer,
  proposal jsonb,
  records integer not null default 0,
  resolution text,
  state text not null default 'open'::text,
  constraint item_pkey PRIMARY KEY (item_id),
  constraint item_layer_check CHECK ((layer = ANY (ARRAY['A'::text, 'B'::text, 'C'::text, 'D'::text, 'E'::text, 'F'::text, 'G'::text, 'H'::text, 'I'::text]))),
  constraint item_outcome_check CHECK ((outcome = ANY (ARRAY['LEFT_ONLY'::text, 'RIGHT_ONLY'::text, 'AMOUNT_DIFF'::text, 'STATE_DIFF'::text, 'DATE_DIFF'::text, 'DUPLICATE'::text]))),
  constraint item_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint item_state_check CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text])))
);
CREATE INDEX item_card ON public.item USING btree (card_bucket, card_id) WHERE ((state = 'open'::text) AND (card_id IS NOT NULL));
CREATE INDEX item_key ON public.item USING btree (layer, key COLLATE "C") WHERE (state = 'open'::text);
CREATE UNIQUE INDEX item_open ON public.item USING btree (layer, key) WHERE (state = 'open'::text);
CREATE INDEX item_owner ON public.item USING btree (owner, item_id) WHERE (state = 'open'::text);
CREATE INDEX item_queue ON public.item USING btree (state, layer, item_id);

create table keyed_reply (
  body text,
  caller text not null,
  key text not null,
  made_at timestamp with time zone not null,
  request bytea not null,
  status smallint not null,
  constraint keyed_reply_pkey PRIMARY KEY (caller, key)
);
CREATE INDEX keyed_reply_age ON public.keyed_reply USING btree (made_at);

create table last_tac (
  bucket smallint not null,
  card_id bigint not null,
  counter integer not null,
  due integer not null default 1,
  purse smallint not null,
  source text not null,
  tac bytea not null,
  told_at timestamp with time zone not null,
  constraint last_tac_pkey PRIMARY KEY (bucket, card_id, purse, counter, tac)
);
CREATE INDEX last_tac_due ON public.last_tac USING btree (told_at) WHERE (due > 0);

create table library_binding (
  bound_at timestamp with time zone not null,
  bucket smallint not null,
  card_id bigint not null,
  ended_at timestamp with time zone,
  party_id integer not null,
  patron text not null,
  token text not null,
  constraint library_binding_pkey PRIMARY KEY (party_id, token, bound_at),
  constraint library_binding_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE UNIQUE INDEX library_binding_patron ON public.library_binding USING btree (party_id, patron) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX library_binding_token ON public.library_binding USING btree (party_id, token) WHERE (ended_at IS NULL);

create table library_hold (
  item text not null,
  party_id integer not null,
  patron text not null,
  placed_at timestamp with time zone not null,
  constraint library_hold_pkey PRIMARY KEY (party_id, item, patron),
  constraint library_hold_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE INDEX library_hold_patron ON public.library_hold USING btree (party_id, patron);

create table library_item (
  fine_fen_max bigint,
  item text not null,
  party_id integer not null,
  properties text not null default ''::text,
  title text not null,
  constraint library_item_pkey PRIMARY KEY (party_id, item),
  constraint library_item_fine_fen_max_check CHECK ((fine_fen_max >= 0)),
  constraint library_item_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table library_loan (
  due_on date not null,
  fine_fen bigint,
  item text not null,
  lent_on date not null,
  loan bigint not null generated always as identity,
  party_id integer not null,
  patron text not null,
  renewals smallint not null default 0,
  returned_at timestamp with time zone,
  constraint library_loan_pkey PRIMARY KEY (party_id, loan),
  constraint library_loan_fine_fen_check CHECK ((fine_fen >= 0)),
  constraint library_loan_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE UNIQUE INDEX library_loan_item ON public.library_loan USING btree (party_id, item) WHERE (returned_at IS NULL);
CREATE INDEX library_loan_patron ON public.library_loan USING btree (party_id, patron) WHERE ((returned_at IS NULL) OR (fine_fen > 0));

create table library_patron (
  blocked_note text,
  deposit_bucket smallint not null,
  deposit_card_id bigint not null,
  language text not null,
  name text not null,
  party_id integer not null,
  password_hash text,
  patron text not null,
  constraint library_patron_pkey PRIMARY KEY (party_id, patron),
  constraint library_patron_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table library_payment (
  amount_fen bigint not null,
  client text not null,
  content text not null,
  outcome text not null,
  paid_at timestamp with time zone not null,
  paid_by text not null,
  party_id integer not null,
  patron text,
  payment_no bigint not null generated always as identity,
  reason text not null,
  request_key text,
  returned_at timestamp with time zone,
  transaction text not null,
  constraint library_payment_pkey PRIMARY KEY (party_id, transaction),
  constraint library_payment_amount_fen_check CHECK ((amount_fen > 0)),
  constraint library_payment_outcome_check CHECK ((outcome = ANY (ARRAY['approved'::text, 'declined'::text]))),
  constraint library_payment_paid_by_check CHECK ((paid_by = ANY (ARRAY['online'::text, 'purse'::text, 'cash'::text]))),
  constraint library_payment_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE UNIQUE INDEX library_payment_no ON public.library_payment USING btree (party_id, payment_no);

create table library_payment_part (
  fen bigint not null,
  loan bigint not null,
  party_id integer not null,
  transaction text not null,
  constraint library_payment_part_pkey PRIMARY KEY (party_id, loan, transaction),
  constraint library_payment_part_fen_check CHECK ((fen > 0)),
  constraint library_payment_part_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table library_rules (
  party_id integer not null,
  rules jsonb not null,
  set_at timestamp with time zone not null,
  set_by text not null,
  valid_from date not null,
  constraint library_rules_pkey PRIMARY KEY (party_id, valid_from),
  constraint library_rules_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table load (
  agent_account integer,
  amount_fen bigint not null,
  balance_fen bigint not null,
  bucket smallint not null,
  card_id bigint not null,
  clearing_date date not null,
  client_id text not null,
  date_time bytea not null,
  decided_at timestamp with time zone,
  digest bytea not null,
  evidence text,
  journal_id bigint,
  key text not null,
  key_version smallint not null,
  load_id bigint not null,
  mac2 bytea,
  noted_in bigint,
  offline_counter integer not null,
  online_counter integer not null,
  outcome smallint not null,
  party_id integer,
  reason smallint not null,
  requested_at timestamp with time zone not null,
  rule text,
  source smallint not null,
  state smallint not null,
  tac bytea,
  terminal bytea not null,
  constraint load_pkey PRIMARY KEY (bucket, load_id)
);
CREATE INDEX load_card ON public.load USING btree (bucket, card_id, load_id);
CREATE UNIQUE INDEX load_counter ON public.load USING btree (bucket, card_id, online_counter) WHERE (state = ANY (ARRAY[0, 1]));
CREATE UNIQUE INDEX load_key ON public.load USING btree (bucket, client_id, key);
CREATE INDEX load_open ON public.load USING btree (requested_at) WHERE (state = 0);
CREATE INDEX load_state ON public.load USING btree (state, load_id);

create table medical_total (
  account_fen bigint,
  amount_fen bigint not null,
  clearing_date date not null,
  funds_fen bigint,
  received_at timestamp with time zone not null,
  settlement text not null,
  source text not null,
  state text not null,
  constraint medical_total_pkey PRIMARY KEY (settlement)
);
CREATE INDEX medical_total_date ON public.medical_total USING btree (clearing_date);

create table migration (
  applied_at timestamp with time zone not null,
  name text not null,
  constraint migration_pkey PRIMARY KEY (name)
);

create table national_batch (
  bytes bytea not null,
  centre_id integer not null,
  claims integer not null,
  claims_fen bigint not null,
  clearing_date date not null,
  digest bytea not null,
  made_at timestamp with time zone not null,
  part integer not null,
  withdrawals integer not null,
  withdrawals_fen bigint not null,
  constraint national_batch_pkey PRIMARY KEY (clearing_date, centre_id, part),
  constraint national_batch_centre_id_fkey FOREIGN KEY (centre_id) REFERENCES party(party_id)
);

create table national_receipt (
  at timestamp with time zone not null,
  by_whom text not null,
  centre_id integer not null,
  clearing_date date not null,
  part integer not null,
  constraint national_receipt_pkey PRIMARY KEY (clearing_date, centre_id, part),
  constraint national_receipt_clearing_date_centre_id_part_fkey FOREIGN KEY (clearing_date, centre_id, part) REFERENCES national_batch(clearing_date, centre_id, part)
);

create table national_return (
  amount_fen bigint not null,
  at timestamp with time zone not null,
  by_whom text not null,
  cause text not null,
  centre_id integer not null,
  claim bigint not null,
  clearing_date date not null,
  refused text,
  return_id text not null,
  transfer_id bigint,
  constraint national_return_pkey PRIMARY KEY (centre_id, return_id),
  constraint national_return_amount_fen_check CHECK ((amount_fen > 0)),
  constraint national_return_centre_id_fkey FOREIGN KEY (centre_id) REFERENCES party(party_id),
  constraint national_return_check CHECK (((refused IS NULL) = (transfer_id IS NOT NULL)))
);
CREATE UNIQUE INDEX national_return_claim ON public.national_return USING btree (claim) WHERE (refused IS NULL);

create table note (
  batch_id bigint not null,
  bucket smallint not null default 0,
  digests bytea not null,
  noted text not null,
  constraint note_pkey PRIMARY KEY (bucket, batch_id)
);

create table open_day (
  clearing_date date not null,
  one boolean not null default true,
  constraint open_day_pkey PRIMARY KEY (one),
  constraint open_day_one_check CHECK (one)
);

create table outbox (
  batch_id bigint not null default 0,
  body jsonb not null,
  bucket smallint not null default 0,
  created_at timestamp with time zone not null,
  event_id uuid not null default gen_random_uuid(),
  fanned_out_at timestamp with time zone,
  open_to_all boolean not null default false,
  outbox_id bigint not null generated always as identity,
  party_id integer,
  subject text not null default ''::text,
  topic text not null,
  constraint outbox_pkey PRIMARY KEY (bucket, outbox_id)
);
CREATE INDEX outbox_fresh ON public.outbox USING btree (outbox_id) WHERE (fanned_out_at IS NULL);

create table parameter_applied (
  applied_at timestamp with time zone not null,
  kind text not null,
  noted_in bigint,
  reported_at timestamp with time zone not null,
  terminal_id integer not null,
  version integer not null,
  constraint parameter_applied_pkey PRIMARY KEY (terminal_id, kind, applied_at, version)
);

create table party (
  branch text,
  code text not null,
  counter_convention text not null default 'committed'::text,
  industry text,
  kind text not null,
  merchant text,
  name_en text not null,
  name_zh text not null,
  party_id integer not null generated always as identity,
  prepaid boolean not null default false,
  service text,
  settle_from_fen bigint not null default 0,
  wire_codes jsonb not null default '{}'::jsonb,
  constraint party_pkey PRIMARY KEY (party_id),
  constraint party_code_key UNIQUE (code)
);

create table party_position (
  book text not null,
  claims_fen bigint not null,
  clearing_date date not null,
  party_id integer not null,
  received_at timestamp with time zone not null,
  source text not null,
  constraint party_position_pkey PRIMARY KEY (clearing_date, book, party_id),
  constraint party_position_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table party_position_item (
  amount_fen bigint not null,
  book text not null,
  clearing_date date not null,
  party_id integer not null,
  place integer not null,
  ref text not null,
  constraint party_position_item_pkey PRIMARY KEY (clearing_date, book, party_id, place),
  constraint party_position_item_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table phone (
  bound_at timestamp with time zone not null,
  bound_by text not null,
  bucket smallint not null,
  card_id bigint not null,
  ended_at timestamp with time zone,
  ended_by text,
  holder_id bigint not null,
  last_code_at timestamp with time zone,
  party_id integer not null,
  phone text not null,
  token_hash bytea not null,
  constraint phone_pkey PRIMARY KEY (phone),
  constraint phone_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX phone_card ON public.phone USING btree (bucket, card_id);

create table phone_use (
  amount_fen bigint not null,
  bucket smallint not null,
  card_id bigint not null,
  client_id text not null,
  code text not null,
  journal_id bigint,
  line text,
  nonce bytea not null,
  operator text not null,
  payer smallint,
  reason smallint not null,
  ride_no integer,
  sense smallint,
  stop text,
  tariff_version integer,
  terminal text not null,
  told_at timestamp with time zone not null,
  used_at timestamp with time zone not null,
  vehicle text,
  constraint phone_use_pkey PRIMARY KEY (bucket, card_id, nonce, operator, terminal, used_at, amount_fen)
);
CREATE INDEX phone_use_card ON public.phone_use USING btree (bucket, card_id, used_at);
CREATE UNIQUE INDEX phone_use_once ON public.phone_use USING btree (bucket, card_id, nonce) WHERE (journal_id IS NOT NULL);
CREATE INDEX phone_use_ridden ON public.phone_use USING btree (used_at) WHERE (ride_no IS NOT NULL);
CREATE UNIQUE INDEX phone_use_ride ON public.phone_use USING btree (bucket, card_id, ride_no) WHERE (ride_no IS NOT NULL);

create table policy (
  name text not null,
  value jsonb not null,
  constraint policy_pkey PRIMARY KEY (name)
);

create table policy_past (
  name text not null,
  until timestamp with time zone not null,
  value jsonb,
  constraint policy_past_pkey PRIMARY KEY (name, until)
);

create table position (
  adjustments_fen bigint not null,
  book text not null,
  claims_fen bigint not null,
  clearing_date date not null,
  commission_fen bigint not null,
  load_commission_fen bigint not null,
  loads_fen bigint not null,
  net_fen bigint not null,
  party_id integer not null,
  constraint position_pkey PRIMARY KEY (clearing_date, book, party_id),
  constraint position_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table position_charge (
  base_fen bigint not null,
  book text not null,
  clearing_date date not null,
  commission_fen bigint not null,
  party_id integer not null,
  product text not null,
  rate_ppm integer not null,
  constraint position_charge_pkey PRIMARY KEY (clearing_date, book, party_id, product),
  constraint position_charge_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint position_charge_product_fkey FOREIGN KEY (product) REFERENCES product(product)
);

create table product (
  base text not null,
  codes smallint[] not null default '{}'::smallint[],
  product text not null,
  constraint product_pkey PRIMARY KEY (product),
  constraint product_base_check CHECK ((base = ANY (ARRAY['debit'::text, 'load'::text])))
);

create table proposal (
  approvals_needed smallint not null,
  body jsonb not null,
  ended_at timestamp with time zone,
  kind text not null,
  looked text not null,
  outcome jsonb,
  proposal_id bigint not null generated always as identity,
  reason text not null,
  started_at timestamp with time zone not null,
  started_by text not null,
  state text not null default 'pending'::text,
  subject text not null,
  constraint proposal_pkey PRIMARY KEY (proposal_id),
  constraint proposal_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'done'::text, 'refused'::text, 'stale'::text, 'withdrawn'::text])))
);
CREATE INDEX proposal_done ON public.proposal USING btree (kind, subject) WHERE (state = 'done'::text);
CREATE UNIQUE INDEX proposal_pending ON public.proposal USING btree (kind, subject) WHERE (state = 'pending'::text);

create table proposal_decision (
  approves boolean not null,
  at timestamp with time zone not null,
  note text,
  proposal_id bigint not null,
  staff text not null,
  constraint proposal_decision_pkey PRIMARY KEY (proposal_id, staff),
  constraint proposal_decision_proposal_id_fkey FOREIGN KEY (proposal_id) REFERENCES proposal(proposal_id)
);

create table psam (
  issue smallint not null,
  psam bytea not null,
  psam_id integer not null generated always as identity,
  stolen_at timestamp with time zone,
  terminal_id integer,
  test boolean not null,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone,
  constraint psam_pkey PRIMARY KEY (psam_id),
  constraint psam_psam_issue_key UNIQUE (psam, issue),
  constraint psam_terminal_id_fkey FOREIGN KEY (terminal_id) REFERENCES terminal(terminal_id)
);

create table psam_reuse (
  first_at timestamp with time zone,
  look_from timestamp with time zone,
  psam_id integer not null,
  sequence bigint not null,
  constraint psam_reuse_pkey PRIMARY KEY (psam_id, sequence)
);
CREATE INDEX psam_reuse_look ON public.psam_reuse USING btree (psam_id) WHERE (look_from IS NOT NULL);

create table psam_sequence (
  psam_id integer not null,
  seen int8multirange not null,
  constraint psam_sequence_pkey PRIMARY KEY (psam_id)
);

create table purse (
  beyond boolean not null default false,
  bucket smallint not null,
  card_id bigint not null,
  last_balance_fen bigint not null,
  last_counter integer not null,
  open_items integer not null default 0,
  purse smallint not null,
  shadow_fen bigint not null,
  constraint purse_pkey PRIMARY KEY (bucket, card_id, purse)
);

create table reconciliation_run (
  at timestamp with time zone not null,
  by_whom text not null,
  clearing_date date not null,
  layer text not null,
  note text,
  ok boolean not null,
  run_id bigint not null generated always as identity,
  tally jsonb not null,
  constraint reconciliation_run_pkey PRIMARY KEY (run_id)
);
CREATE INDEX reconciliation_run_date ON public.reconciliation_run USING btree (clearing_date, layer, run_id);

create table redress (
  amount_fen bigint not null,
  at timestamp with time zone not null,
  bucket smallint not null,
  by_whom text not null,
  card_id bigint not null,
  clearing_date date not null,
  counter integer not null,
  kind text not null,
  original bigint not null,
  purse smallint not null,
  redress_id bigint not null generated always as identity,
  reference text,
  scope text not null default ''::text,
  transfer_id bigint not null,
  constraint redress_pkey PRIMARY KEY (redress_id),
  constraint redress_amount_fen_check CHECK ((amount_fen > 0)),
  constraint redress_kind_check CHECK ((kind = ANY (ARRAY['refund'::text, 'release'::text, 'dispute'::text]))),
  constraint redress_reference_key UNIQUE (scope, reference)
);
CREATE INDEX redress_event ON public.redress USING btree (bucket, card_id, purse, counter);

create table redress_void (
  at timestamp with time zone not null,
  bucket smallint not null,
  clearing_date date not null,
  redress_id bigint not null,
  transfer_id bigint not null,
  constraint redress_void_pkey PRIMARY KEY (redress_id),
  constraint redress_void_redress_id_fkey FOREIGN KEY (redress_id) REFERENCES redress(redress_id)
);

create table request (
  amount_fen bigint not null,
  balance_fen bigint,
  batch_id bigint not null,
  bucket smallint not null,
  card_bucket smallint not null,
  card_id bigint,
  clearing_date date not null,
  client_id text not null,
  content text not null,
  digest bytea not null,
  journal_id bigint,
  key text not null,
  kind smallint not null,
  outcome smallint not null,
  party_id integer,
  reason smallint not null,
  requested_at timestamp with time zone not null,
  rule text,
  constraint request_pkey PRIMARY KEY (bucket, client_id, key)
);

create table resident (
  activated_at timestamp with time zone not null,
  holder_id bigint not null,
  password_hash text not null,
  constraint resident_pkey PRIMARY KEY (holder_id),
  constraint resident_holder_id_fkey FOREIGN KEY (holder_id) REFERENCES holder(holder_id)
);

create table resident_activation (
  code_hash bytea not null,
  good_until timestamp with time zone not null,
  holder_id bigint not null,
  made_by text not null,
  constraint resident_activation_pkey PRIMARY KEY (holder_id),
  constraint resident_activation_holder_id_fkey FOREIGN KEY (holder_id) REFERENCES holder(holder_id)
);

create table resident_case (
  answer text,
  body jsonb not null,
  case_no bigint not null generated always as identity,
  due_on date not null,
  ended_at timestamp with time zone,
  ended_by text,
  filed_at timestamp with time zone not null,
  holder_id bigint not null,
  kind text not null,
  outcome text,
  proposal_id bigint,
  subject text not null,
  words text not null,
  constraint resident_case_pkey PRIMARY KEY (case_no),
  constraint resident_case_holder_id_fkey FOREIGN KEY (holder_id) REFERENCES holder(holder_id),
  constraint resident_case_kind_check CHECK ((kind = ANY (ARRAY['missing_exit'::text, 'refund'::text, 'lift_loss'::text, 'complaint'::text]))),
  constraint resident_case_outcome_check CHECK ((outcome = ANY (ARRAY['refused'::text, 'answered'::text, 'withdrawn'::text]))),
  constraint resident_case_proposal_id_fkey FOREIGN KEY (proposal_id) REFERENCES proposal(proposal_id)
);
CREATE INDEX resident_case_due ON public.resident_case USING btree (due_on);
CREATE INDEX resident_case_holder ON public.resident_case USING btree (holder_id, case_no);
CREATE INDEX resident_case_open ON public.resident_case USING btree (case_no) WHERE (outcome IS NULL);

create table resident_session (
  expires_at timestamp with time zone not null,
  holder_id bigint not null,
  opened_at timestamp with time zone not null,
  seen_at timestamp with time zone not null,
  session_id bigint not null generated always as identity,
  token_hash bytea not null,
  constraint resident_session_pkey PRIMARY KEY (token_hash),
  constraint resident_session_holder_id_fkey FOREIGN KEY (holder_id) REFERENCES resident(holder_id) ON DELETE CASCADE,
  constraint resident_session_session_id_key UNIQUE (session_id)
);
CREATE INDEX resident_session_holder ON public.resident_session USING btree (holder_id);

create table residual (
  amount_fen bigint not null,
  at timestamp with time zone not null,
  bucket smallint not null,
  card_id bigint not null,
  returned_by bigint,
  transfer_id bigint not null,
  constraint residual_pkey PRIMARY KEY (bucket, card_id, transfer_id),
  constraint residual_amount_fen_check CHECK ((amount_fen > 0))
);

create table ride (
  at timestamp with time zone not null,
  bucket smallint not null,
  card_id bigint not null,
  content bytea not null,
  counter integer not null,
  line text not null,
  rider smallint not null,
  riders smallint not null,
  sense smallint not null,
  stop text,
  vehicle text not null,
  constraint ride_pkey PRIMARY KEY (bucket, card_id, counter, content)
);
CREATE INDEX ride_at ON public.ride USING brin (at) WITH (autosummarize='on');

create table service_event (
  at timestamp with time zone not null,
  before jsonb,
  bucket smallint,
  card_id bigint,
  client text not null,
  content text not null,
  debit text,
  event text not null,
  event_no bigint not null generated always as identity,
  journal_id bigint,
  key text not null,
  outcome text not null,
  parts jsonb not null,
  party_id integer not null,
  place_id integer not null,
  price_fen bigint not null,
  quota text,
  reason text not null,
  request_key text,
  returned_at timestamp with time zone,
  rules_from date not null,
  said_at timestamp with time zone not null,
  service text not null,
  steps jsonb not null,
  subject text not null,
  terminal text,
  why text,
  constraint service_event_pkey PRIMARY KEY (party_id, key),
  constraint service_event_outcome_check CHECK ((outcome = ANY (ARRAY['approved'::text, 'declined'::text]))),
  constraint service_event_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint service_event_place_id_fkey FOREIGN KEY (place_id) REFERENCES party(party_id),
  constraint service_event_price_fen_check CHECK ((price_fen >= 0))
);
CREATE INDEX service_event_at ON public.service_event USING btree (service, at);
CREATE UNIQUE INDEX service_event_debit ON public.service_event USING btree (party_id, debit) WHERE (outcome = 'approved'::text);
CREATE UNIQUE INDEX service_event_no ON public.service_event USING btree (party_id, event_no);

create table service_quota (
  name text not null,
  on_date date not null,
  party_id integer not null,
  service text not null,
  used integer not null,
  constraint service_quota_pkey PRIMARY KEY (party_id, service, on_date, name),
  constraint service_quota_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint service_quota_used_check CHECK ((used >= 0))
);

create table service_reversal (
  clearing_date date not null,
  journal_id bigint,
  key text not null,
  party_id integer not null,
  proposal_id bigint not null,
  request_key text,
  reversed_at timestamp with time zone not null,
  why text not null,
  constraint service_reversal_pkey PRIMARY KEY (party_id, key),
  constraint service_reversal_party_id_key_fkey FOREIGN KEY (party_id, key) REFERENCES service_event(party_id, key)
);
CREATE INDEX service_reversal_at ON public.service_reversal USING btree (party_id, reversed_at);

create table service_rules (
  party_id integer not null,
  rules jsonb not null,
  service text not null,
  set_at timestamp with time zone not null,
  set_by text not null,
  valid_from date not null,
  constraint service_rules_pkey PRIMARY KEY (party_id, service, valid_from),
  constraint service_rules_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table service_share (
  from_date date not null,
  journal_id bigint,
  parts jsonb not null,
  party_id integer not null,
  pool_fen bigint not null,
  service text not null,
  shared_at timestamp with time zone not null,
  until_date date not null,
  constraint service_share_pkey PRIMARY KEY (party_id, service, from_date),
  constraint service_share_check CHECK ((from_date <= until_date)),
  constraint service_share_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint service_share_pool_fen_check CHECK ((pool_fen >= 0))
);

create table service_subject (
  bucket smallint,
  card_id bigint,
  party_id integer not null,
  service text not null,
  state jsonb,
  subject text not null,
  constraint service_subject_pkey PRIMARY KEY (party_id, service, subject),
  constraint service_subject_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE INDEX service_subject_card ON public.service_subject USING btree (bucket, card_id) WHERE (card_id IS NOT NULL);

create table session (
  expires_at timestamp with time zone not null,
  opened_at timestamp with time zone not null default now(),
  roles text[],
  seen_at timestamp with time zone not null default now(),
  session_id bigint not null generated always as identity,
  staff_id integer not null,
  token_hash bytea not null,
  constraint session_pkey PRIMARY KEY (token_hash),
  constraint session_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(staff_id)
);
CREATE INDEX session_staff ON public.session USING btree (staff_id);

create table settlement_hold (
  about text not null,
  at timestamp with time zone not null,
  evidence jsonb not null,
  hold_id bigint not null generated always as identity,
  kind text not null,
  party_id integer not null,
  released_at timestamp with time zone,
  released_by text,
  since_date date not null,
  constraint settlement_hold_pkey PRIMARY KEY (hold_id),
  constraint settlement_hold_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE UNIQUE INDEX settlement_hold_open ON public.settlement_hold USING btree (party_id, kind, about) WHERE (released_at IS NULL);

create table settlement_override (
  at timestamp with time zone not null,
  clearing_date date not null,
  proposal_id bigint not null,
  reason text not null,
  constraint settlement_override_pkey PRIMARY KEY (clearing_date),
  constraint settlement_override_clearing_date_fkey FOREIGN KEY (clearing_date) REFERENCES clearing_day(clearing_date),
  constraint settlement_override_proposal_id_fkey FOREIGN KEY (proposal_id) REFERENCES proposal(proposal_id)
);

create table sign_in_failure (
  failures integer not null,
  last_at timestamp with time zone not null,
  name_hash bytea not null,
  constraint sign_in_failure_pkey PRIMARY KEY (name_hash)
);

create table signing_key (
  key_id text not null,
  public_key text not null,
  since timestamp with time zone not null,
  constraint signing_key_pkey PRIMARY KEY (key_id)
);

create table social_message (
  application_no bigint,
  bucket smallint,
  card_id bigint,
  client_id text not null,
  message text not null,
  next_card text,
  outcome text not null,
  reason text not null,
  said_at timestamp with time zone not null,
  says text not null,
  state text not null,
  told_at timestamp with time zone not null,
  constraint social_message_pkey PRIMARY KEY (message),
  constraint social_message_application_no_fkey FOREIGN KEY (application_no) REFERENCES card_application(application_no),
  constraint social_message_check CHECK ((((card_id IS NULL) = (bucket IS NULL)) AND ((card_id IS NULL) = (application_no IS NOT NULL)))),
  constraint social_message_outcome_check CHECK ((outcome = ANY (ARRAY['moved'::text, 'noted'::text, 'superseded'::text])))
);
CREATE INDEX social_message_application ON public.social_message USING btree (application_no) WHERE (application_no IS NOT NULL);
CREATE INDEX social_message_card ON public.social_message USING btree (bucket, card_id) WHERE (card_id IS NOT NULL);

create table staff (
  active boolean not null default true,
  branch text,
  granted_to text,
  must_change boolean not null default false,
  name text not null,
  party_id integer,
  password_hash text not null,
  roles text[] not null,
  staff_id integer not null generated always as identity,
  constraint staff_pkey PRIMARY KEY (staff_id),
  constraint staff_name_key UNIQUE (name),
  constraint staff_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table staff_identity (
  bound_at timestamp with time zone not null,
  issuer text not null,
  staff_id integer not null,
  subject text not null,
  constraint staff_identity_pkey PRIMARY KEY (issuer, subject),
  constraint staff_identity_issuer_staff_id_key UNIQUE (issuer, staff_id),
  constraint staff_identity_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(staff_id)
);

create table statement (
  book text not null,
  clearing_date date not null,
  document jsonb not null,
  party_id integer not null,
  constraint statement_pkey PRIMARY KEY (clearing_date, book, party_id),
  constraint statement_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table tariff_version (
  document jsonb not null,
  form text not null default 'flat'::text,
  published_at timestamp with time zone not null,
  version integer not null,
  constraint tariff_version_pkey PRIMARY KEY (version),
  constraint tariff_version_form_check CHECK ((form = ANY (ARRAY['flat'::text, 'document'::text])))
);

create table telling (
  due_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  last_answer text,
  outbox_id bigint not null,
  queued_until timestamp with time zone,
  state text not null default 'waiting'::text,
  telling_id bigint not null generated always as identity,
  tries integer not null default 0,
  webhook_id bigint not null,
  constraint telling_pkey PRIMARY KEY (telling_id),
  constraint telling_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'done'::text, 'dead'::text]))),
  constraint telling_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook(webhook_id),
  constraint telling_webhook_id_outbox_id_key UNIQUE (webhook_id, outbox_id)
);
CREATE INDEX telling_dead ON public.telling USING btree (telling_id) WHERE (state = 'dead'::text);
CREATE INDEX telling_due ON public.telling USING btree (due_at) WHERE (state = 'waiting'::text);
CREATE INDEX telling_list ON public.telling USING btree (webhook_id, state, telling_id);

create table terminal (
  code text not null,
  name text not null default ''::text,
  noted_in bigint,
  party_id integer not null,
  reachable boolean not null default true,
  terminal_id integer not null generated always as identity,
  constraint terminal_pkey PRIMARY KEY (terminal_id),
  constraint terminal_party_id_code_key UNIQUE (party_id, code),
  constraint terminal_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table terminal_claim (
  bucket smallint not null,
  card_bucket smallint not null,
  card_id bigint not null,
  counter integer not null,
  psam_id integer not null,
  purse smallint not null,
  sequence bigint not null,
  constraint terminal_claim_pkey PRIMARY KEY (bucket, psam_id, sequence)
);

create table terminal_enrolment (
  certificates text[],
  changed_at timestamp with time zone not null,
  enrolled_at timestamp with time zone,
  firmware text,
  gateway text,
  heartbeat_seconds integer not null default 300,
  key_check text,
  key_name text,
  key_wrapped text,
  kind text not null default 'other'::text,
  noted_in bigint,
  place text not null default ''::text,
  state text not null,
  terminal_id integer not null,
  version integer not null,
  constraint terminal_enrolment_pkey PRIMARY KEY (terminal_id),
  constraint terminal_enrolment_state_check CHECK ((state = ANY (ARRAY['registered'::text, 'enrolled'::text, 'suspended'::text, 'retired'::text]))),
  constraint terminal_enrolment_terminal_id_fkey FOREIGN KEY (terminal_id) REFERENCES terminal(terminal_id)
);
CREATE INDEX terminal_enrolment_version ON public.terminal_enrolment USING btree (version);

create table terminal_event (
  cleared_at timestamp with time zone,
  detail text not null,
  event_id bigint not null generated always as identity,
  found_at timestamp with time zone not null,
  gateway text not null,
  handled_at timestamp with time zone,
  handled_by text,
  kind text not null,
  note text,
  terminal_id integer not null,
  constraint terminal_event_pkey PRIMARY KEY (event_id),
  constraint terminal_event_terminal_id_fkey FOREIGN KEY (terminal_id) REFERENCES terminal(terminal_id),
  constraint terminal_event_terminal_id_kind_found_at_key UNIQUE (terminal_id, kind, found_at)
);
CREATE INDEX terminal_event_cleared ON public.terminal_event USING btree (cleared_at);
CREATE INDEX terminal_event_found ON public.terminal_event USING btree (found_at);
CREATE INDEX terminal_event_open ON public.terminal_event USING btree (terminal_id, kind) WHERE (cleared_at IS NULL);

create table terminal_state (
  blacklist_version integer,
  booted_at timestamp with time zone,
  boots integer not null default 0,
  cities_version integer,
  drift_ms bigint,
  firmware text,
  gateway text not null,
  heard_at timestamp with time zone,
  latitude double precision,
  longitude double precision,
  tariff_version integer,
  terminal_id integer not null,
  constraint terminal_state_pkey PRIMARY KEY (terminal_id),
  constraint terminal_state_terminal_id_fkey FOREIGN KEY (terminal_id) REFERENCES terminal(terminal_id)
);

create table terminal_total (
  batch text not null,
  clearing_date date not null,
  consume_count integer not null,
  consume_fen bigint not null,
  from_sequence bigint not null,
  load_count integer not null,
  load_fen bigint not null,
  psam_id integer not null,
  received_at timestamp with time zone not null,
  records jsonb,
  return_count integer not null,
  return_fen bigint not null,
  source text not null,
  terminal_id integer not null,
  to_sequence bigint not null,
  constraint terminal_total_pkey PRIMARY KEY (terminal_id, batch),
  constraint terminal_total_psam_id_fkey FOREIGN KEY (psam_id) REFERENCES psam(psam_id),
  constraint terminal_total_terminal_id_fkey FOREIGN KEY (terminal_id) REFERENCES terminal(terminal_id)
);
CREATE INDEX terminal_total_date ON public.terminal_total USING btree (clearing_date);

create table top_debit (
  debits integer not null,
  minute timestamp with time zone not null,
  terminal_id integer not null,
  constraint top_debit_pkey PRIMARY KEY (terminal_id, minute)
);

create table transfer (
  amount_fen bigint not null,
  batch_id bigint not null,
  book text not null,
  bucket smallint not null,
  card_id bigint,
  clearing_date date not null,
  code smallint not null,
  corrects bigint,
  credit_account integer not null,
  debit_account integer not null,
  delivery_no bigint,
  event_at timestamp with time zone not null,
  journal_id bigint not null,
  line_no integer,
  transfer_id bigint not null,
  constraint transfer_pkey PRIMARY KEY (bucket, transfer_id, clearing_date),
  constraint transfer_amount_fen_check CHECK ((amount_fen > 0)),
  constraint transfer_check CHECK ((debit_account <> credit_account))
) partition by RANGE (clearing_date);
CREATE INDEX transfer_card_value ON ONLY public.transfer USING btree (bucket, card_id) WHERE (code = ANY (ARRAY[4, 110, 114, 115]));
CREATE INDEX transfer_corrects ON ONLY public.transfer USING btree (bucket, corrects) WHERE (corrects IS NOT NULL);

create table treasury_claim (
  claim_no integer not null generated always as identity,
  digest bytea not null,
  document text not null,
  from_date date not null,
  made_at timestamp with time zone not null,
  made_by text not null,
  party_id integer not null,
  total_fen bigint not null,
  until_date date not null,
  constraint treasury_claim_pkey PRIMARY KEY (claim_no),
  constraint treasury_claim_check CHECK ((from_date <= until_date)),
  constraint treasury_claim_from_date_key UNIQUE (from_date),
  constraint treasury_claim_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint treasury_claim_total_fen_check CHECK ((total_fen > 0))
);

create table treasury_payment (
  amount_fen bigint not null,
  claim_no integer not null,
  line_id bigint not null,
  constraint treasury_payment_pkey PRIMARY KEY (line_id),
  constraint treasury_payment_amount_fen_check CHECK ((amount_fen > 0)),
  constraint treasury_payment_claim_no_fkey FOREIGN KEY (claim_no) REFERENCES treasury_claim(claim_no),
  constraint treasury_payment_line_id_fkey FOREIGN KEY (line_id) REFERENCES bank_line(line_id)
);
CREATE INDEX treasury_payment_claim ON public.treasury_payment USING btree (claim_no);

create table tree_head (
  at timestamp with time zone not null,
  audit_hash bytea,
  audit_rows bigint not null default 0,
  audit_signature bytea,
  key_id text not null,
  peaks bytea not null default '\x'::bytea,
  root bytea not null,
  signature bytea not null,
  size bigint not null,
  constraint tree_head_pkey PRIMARY KEY (size, audit_rows)
);
CREATE INDEX tree_head_audit ON public.tree_head USING btree (audit_rows, size) WHERE (audit_hash IS NOT NULL);

create table tree_leaf (
  batch_id bigint not null,
  clearing_date date not null,
  hash bytea not null,
  leaf_index bigint not null,
  constraint tree_leaf_pkey PRIMARY KEY (leaf_index),
  constraint tree_leaf_batch_id_key UNIQUE (batch_id)
);

create table tree_tile (
  hash bytea not null,
  tile bigint not null,
  constraint tree_tile_pkey PRIMARY KEY (tile)
);

create table usage (
  bucket smallint not null,
  fen bigint not null,
  of text not null,
  on_date date not null,
  subject text not null,
  constraint usage_pkey PRIMARY KEY (bucket, subject, of, on_date)
);

create table usage_limit (
  fen_max bigint,
  from_date date not null,
  of text not null,
  operator text not null default ''::text,
  per text not null,
  terminal text not null default ''::text,
  constraint usage_limit_pkey PRIMARY KEY (of, per, operator, terminal, from_date)
);

create table webhook (
  created_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  generation integer not null default 1,
  owner text not null,
  party_id integer,
  rotated_at timestamp with time zone,
  salt bytea not null,
  topics text[] not null,
  url text not null,
  webhook_id bigint not null generated always as identity,
  constraint webhook_pkey PRIMARY KEY (webhook_id),
  constraint webhook_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);
CREATE INDEX webhook_owner ON public.webhook USING btree (owner, webhook_id);

CREATE OR REPLACE FUNCTION public.json_object_or_null(given text)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  return case jsonb_typeof(given::jsonb) when 'object' then given::jsonb end;
exception when others then
  return null;
end $function$
;
CREATE OR REPLACE FUNCTION public.make_transfer_partitions(first date, days integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  d date;
  name text;
begin
  for d in select generate_series(first, first + days, '1 day')::date loop
    name := 'transfer_' || to_char(d, 'YYYYMMDD');
    continue when to_regclass(name) is not null;
    execute format('create table %I (like transfer including all)', name);
    execute format('alter table transfer attach partition %I for values from (%L) to (%L)', name, d, d + 1);
  end loop;
end $function$
;
