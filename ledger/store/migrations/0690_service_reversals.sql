-- What happened at a service by mistake is taken back once, by two people. Its row stays as it was.
alter table service_event add column before jsonb; -- {"state": …}: what was remembered before; null: not noted

create table service_reversal (
  party_id     int not null,
  key          text not null,                     -- of the event that is taken back
  clearing_date date not null,                    -- the open date of then
  proposal_id  bigint not null,
  why          text not null,
  reversed_at  timestamptz not null,
  request_key  text,                              -- of the reversal of its purchase, with the event's client
  journal_id   bigint,                            -- of what other purses and the treasury get back
  primary key (party_id, key),
  foreign key (party_id, key) references service_event (party_id, key)
);
-- Serves shares: what was taken back in a period.
create index service_reversal_at on service_reversal (party_id, reversed_at);
