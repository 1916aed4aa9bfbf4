-- Of what a merchant lets happen so many times only: entries of a spot on a day and in a slot.
create table service_quota (
  party_id     int not null references party,
  service      text not null,
  name         text not null,                     -- as the service names it
  on_date      date not null,
  used         int not null check (used >= 0),
  primary key (party_id, service, on_date, name)
);
alter table service_event add column quota text;  -- that it took one of, of its day
