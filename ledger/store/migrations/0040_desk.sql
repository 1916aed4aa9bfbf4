-- Calendar, branches, sessions that can be looked at and ended, and the override of a red day.

-- Days that are not what their weekday says: a holiday, or a weekend that is worked.
create table holiday (
  date         date primary key,
  settlement   boolean not null,                  -- true: worked and settled although it is a weekend
  note         text not null default ''
);

-- An office of the card company. Whoever belongs to none is of the whole city; what belongs to none is everybody's.
alter table staff add column branch text;
alter table party add column branch text;
alter table card add column branch text;

-- A password somebody else has chosen serves only to choose another; who left signs in no more.
alter table staff add column must_change boolean not null default false;
alter table staff add column active boolean not null default true;
-- The administrator who may fetch one initial password, after another has approved it.
alter table staff add column granted_to text;

alter table session add column session_id bigint generated always as identity;
alter table session add column opened_at timestamptz not null default now();
alter table session add column seen_at timestamptz not null default now();
-- One person's sessions, to list and to end them.
create index session_staff on session (staff_id);

-- A clearing date whose float identity was off and that two people let go on all the same.
create table settlement_override (
  clearing_date date primary key references clearing_day,
  proposal_id  bigint not null references proposal,
  reason       text not null,
  at           timestamptz not null
);

-- The audit log by person and by kind of deed, newest first.
create index audit_by on audit (by_whom, seq);
create index audit_action on audit (action, seq);
