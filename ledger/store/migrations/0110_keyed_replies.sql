-- What a caller's Idempotency-Key was answered first, written in the transaction of the deed itself: a death leaves both or neither.
create table keyed_reply (
  caller       text not null,                     -- client id, or name of the person
  key          text not null,
  request      bytea not null,                    -- SHA-256 of method, address and body
  status       smallint not null,
  body         text,                              -- as it was sent; null where there was none
  made_at      timestamptz not null,
  primary key (caller, key)
);
-- What has had its time.
create index keyed_reply_age on keyed_reply (made_at);
