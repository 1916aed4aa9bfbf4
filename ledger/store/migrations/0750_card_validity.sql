-- The last day on which terminals take the chip of a card, as its file 0015 says; null: nobody has told it.
alter table card add column valid_until date;
