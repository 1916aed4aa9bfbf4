-- A file of a million records is booked part by part: its bytes, and what was said of its lines, are kept by part.

-- The file as it came, cut behind a line each ten thousand records; joined in order, the parts are its bytes. Part 0 begins with the header.
create table delivery_raw (
  bucket       smallint not null default 0,
  delivery_no  bigint not null,
  part_no      int not null,
  first_line   int not null,                      -- number of the first line in it; the header is line 0
  bytes        bytea not null,                    -- deflated
  primary key (bucket, delivery_no, part_no)
);

-- One posting transaction of a file: the lines of one part whose cards belong to one lane. It exists once its lines are booked, and
-- never changes: a file is answered when all of its rows are there.
create table delivery_part (
  bucket       smallint not null default 0,
  delivery_no  bigint not null,
  part_no      int not null,
  lane         smallint not null,
  batch_id     bigint,
  clearing_date date not null,
  lines        int not null,
  accepted_count int not null,
  accepted_fen bigint not null,
  refused_count int not null,                     -- held lines among them, as on the wire
  refused_fen  bigint not null,
  excluded_count int not null,
  excluded_fen bigint not null,
  answered     jsonb not null,                    -- lines that were not simply accepted, as the reply tells them
  primary key (bucket, delivery_no, part_no, lane)
);
-- The summary of a clearing date adds up its parts.
create index delivery_part_date on delivery_part (clearing_date);
-- A batch of a file leads to its part.
create index delivery_part_batch on delivery_part (batch_id);

-- How many rows of delivery_part make the file whole, and into how many lanes each part is split; 0 where one transaction books all.
alter table delivery
  add column bookings int not null default 0,
  add column lanes smallint not null default 1,
  alter column raw drop not null,
  alter column answer drop not null;

-- Files of before are one part in one lane; their answer stays where their batch committed to it.
insert into delivery_raw (delivery_no, part_no, first_line, bytes)
  select delivery_no, 0, 0, raw from delivery where kind = 'file';
insert into delivery_part (delivery_no, part_no, lane, batch_id, clearing_date, lines, accepted_count, accepted_fen, refused_count,
  refused_fen, excluded_count, excluded_fen, answered)
  select d.delivery_no, 0, 0, b.batch_id, d.clearing_date, d.lines, (x #>> '{confirmed,count}')::int,
    (x #>> '{confirmed,amountFen}')::bigint, (x #>> '{refused,count}')::int, (x #>> '{refused,amountFen}')::bigint,
    (x #>> '{excluded,count}')::int, (x #>> '{excluded,amountFen}')::bigint, x -> 'lines'
  from delivery d join batch b on b.bucket = 0 and b.delivery_no = d.delivery_no
    cross join lateral (select d.answer -> 'extra' as x) e
  where d.kind = 'file';
update delivery set raw = null, bookings = 1 where kind = 'file';

-- What belongs to a clearing date lies together, since tables grow with time: some kilobytes find it, and cost an insert nothing that
-- can be measured. Without them the close reads every event there ever was.
create index card_event_date on card_event using brin (clearing_date) with (autosummarize = on);
create index evidence_date on evidence using brin (clearing_date) with (autosummarize = on);
-- What a summary says of verdicts that changed on a date.
create index adjustment_date on adjustment (clearing_date);
