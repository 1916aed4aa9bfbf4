-- What operators earn, by where and when they earned it: a projection of transfers and raw deliveries, filled behind the traffic.

create table income (
  batch_id     bigint not null,
  party_id     int not null,
  book         text not null,
  terminal     text not null,                     -- '' in all four: told by no record
  line         text not null,
  vehicle      text not null,
  shift        text not null,
  clearing_date date not null,
  claims       int not null,
  claims_fen   bigint not null,
  adjustments  int not null,
  adjustments_fen bigint not null,
  primary key (batch_id, party_id, book, terminal, line, vehicle, shift)
);
-- The income of a party in a clearing date.
create index income_party on income (party_id, clearing_date);
-- Batches whose income is there.
create table income_batch (
  batch_id     bigint primary key
);

-- People of a company: they see what its machine clients see.
alter table staff add column party_id int references party;
