-- Rides that were paid by a phone's codes at the price of a tariff document.
alter table phone_use
  add column ride_no int,                        -- 1, 2, …: of the card; null: no ride
  add column line text,
  add column vehicle text,
  add column stop text,
  add column sense smallint,
  add column tariff_version int;                 -- that the terminal priced by
-- Pricing reads the rides of a card; no two have one number.
create unique index phone_use_ride on phone_use (bucket, card_id, ride_no) where ride_no is not null;
-- A tariff that counts from an instant on: who has ridden since.
create index phone_use_ridden on phone_use (used_at) where ride_no is not null;
