-- Rows that carry money or proof beside the transfers are noted: a batch of kind `notes` commits to the
-- digests of what it wrote, so no such row can be changed unnoticed. Rows of before have none.
create table note (
  bucket    smallint not null default 0,         -- house rows, as in batch
  batch_id  bigint not null,
  noted     text not null,                       -- the table
  digests   bytea not null,                      -- 32 bytes a row, as core/notes.ts makes them
  primary key (bucket, batch_id)
);
alter table load add column noted_in bigint;
alter table card_block add column noted_in bigint;
alter table parameter_applied add column noted_in bigint;
alter table terminal add column noted_in bigint;
alter table terminal_enrolment add column noted_in bigint;
