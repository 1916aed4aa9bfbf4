-- What somebody must look at soon. Found again it stays as it is: one alert per kind, thing and clearing date.
create table alert (
  alert_id     bigint generated always as identity primary key,
  kind         text not null,
  about        text not null,                     -- 'psam/990000000001/1', 'terminal/SHP-1', 'party/SHP', 'card/…' with its number masked
  clearing_date date not null,                    -- in which it was raised
  at           timestamptz not null,
  evidence     jsonb not null,                    -- the first that was found
  unique (kind, about, clearing_date)
);
-- Alerts of a date, and of one kind, newest first.
create index alert_date on alert (clearing_date, alert_id);
