-- What was put into the archive of a clearing date: made once, each naming the one before.
create table archive_day (
  clearing_date date primary key,
  manifest     text not null,                     -- JSON, its keys in order
  digest       bytea not null unique,             -- SHA-256 of it
  made_by      text not null,
  made_at      timestamptz not null
);
