-- What a batch commits to besides its transfers, and how a verification finds a batch's rows without an index that taps pay for.

-- Form 1 covered the transfers and the raw bytes. Form 2 adds the batch's own columns and `items_digest`: one hash over the delivery with its
-- answer and over the rows of card_event, evidence and adjustment that the batch wrote. A process of the version before goes on writing form 1.
alter table batch add column form smallint not null default 1, add column items_digest bytea;

-- Verifying a batch reads the rows it wrote. Batch numbers grow with the table, so a block range index of some kilobytes serves, and costs an
-- insert nothing that can be measured.
create index card_event_batch on card_event using brin (batch_id) with (autosummarize = on);
create index evidence_batch on evidence using brin (batch_id) with (autosummarize = on);
create index adjustment_batch on adjustment using brin (batch_id) with (autosummarize = on);
