-- Who a member of the staff is at the identity provider: bound at the first sign-in by it, one for one, so that
-- two identities are never one person's two names.
create table staff_identity (
  issuer       text not null,
  subject      text not null,
  staff_id     int not null references staff,
  bound_at     timestamptz not null,
  primary key (issuer, subject),
  unique (issuer, staff_id)
);

-- Roles that the provider grants for a session; null: all that the member has.
alter table session add column roles text[];
