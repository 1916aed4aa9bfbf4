-- Serves pages of records: the batches that hold the lines of deliveries from one on.
create index batch_delivery on batch (bucket, delivery_no) where delivery_no is not null;
-- Serves the same of one date, and whatever asks for the batches of a date.
drop index batch_date;
create index batch_date on batch (bucket, clearing_date, delivery_no);
