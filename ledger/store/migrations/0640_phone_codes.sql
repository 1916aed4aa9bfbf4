-- The card in a phone: phones that get codes for a card, and uses of codes that terminals told of.
create table phone (
  phone        text primary key,
  token_hash   bytea not null unique,            -- SHA-256; serves the look-up for each code
  bucket       smallint not null,
  card_id      bigint not null,
  holder_id    bigint not null,                  -- whose card it was when the phone was bound
  party_id     int not null,                     -- company of the program
  bound_by     text not null,
  bound_at     timestamptz not null,
  ended_by     text,
  ended_at     timestamptz,
  last_code_at timestamptz
);
-- GET /v1/cards/:card/codes, and what ends with a card.
create index phone_card on phone (bucket, card_id);

-- Each use that was told, whether it is paid or not; its text is what the terminal read.
create table phone_use (
  bucket       smallint not null,                -- of the card
  card_id      bigint not null,
  nonce        bytea not null,
  operator     text not null,
  terminal     text not null,
  used_at      timestamptz not null,
  amount_fen   bigint not null,
  code         text not null,
  client_id    text not null,                    -- which gateway told first
  told_at      timestamptz not null,
  reason       smallint not null,
  payer        smallint,                         -- 0 the online account, 1 the issuer
  journal_id   bigint,                           -- that pays it now
  primary key (bucket, card_id, nonce, operator, terminal, used_at, amount_fen)
);
-- One code pays once, whoever looks away.
create unique index phone_use_once on phone_use (bucket, card_id, nonce) where journal_id is not null;
-- GET /v1/cards/:card/codes: the newest first.
create index phone_use_card on phone_use (bucket, card_id, used_at);
