-- Who sells the cards of a batch, and what it owes us for each that is made.
alter table issuing_batch add column sold_by text;
alter table issuing_batch add column deposit_fen bigint not null default 0 check (deposit_fen >= 0);
