-- What a policy was until somebody changed it: records are judged by the policies of their event's time, as
-- often as they are judged. Nothing is kept while a ledger is set up: what is set then counts from the start.
create table policy_past (
  name         text not null,
  until        timestamptz not null,
  value        jsonb,                             -- null: nobody had set it, the default counted
  primary key (name, until)
);
