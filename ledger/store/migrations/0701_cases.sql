-- What residents ask for or complain of, each with the day by which it is answered. What it comes to is the end of
-- the proposal that staff have started for it, or their own words.
create table resident_case (
  case_no      bigint generated always as identity primary key,
  holder_id    bigint not null references holder,
  kind         text not null check (kind in ('missing_exit', 'refund', 'lift_loss', 'complaint')),
  subject      text not null,                    -- one open case per person, kind and subject
  body         jsonb not null,
  words        text not null,
  filed_at     timestamptz not null,
  due_on       date not null,
  proposal_id  bigint references proposal,
  outcome      text check (outcome in ('refused', 'answered', 'withdrawn')),
  answer       text,
  ended_by     text,
  ended_at     timestamptz
);
-- A person's own, the newest first.
create index resident_case_holder on resident_case (holder_id, case_no);
-- What waits for the staff.
create index resident_case_open on resident_case (case_no) where outcome is null;
