-- What was told of the debit before: its TAC, as the chip answers GET TRANSACTION PROVE. It proves a debit of which the terminal never
-- saw the end, whichever of the two comes first.
create table last_tac (
  bucket       smallint not null,
  card_id      bigint not null,
  purse        smallint not null,
  counter      int not null,                      -- of the debit that it is of
  tac          bytea not null,
  told_at      timestamptz not null,
  source       text not null,                     -- who told it
  due          int not null default 1,            -- 0: held against all grey records that are known of the counter
  primary key (bucket, card_id, purse, counter, tac)
);
-- Serves the watch, which holds them against grey records.
create index last_tac_due on last_tac (told_at) where due > 0;
