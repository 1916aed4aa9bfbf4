-- Signed heads that left the house in something that lasts: a statement, a proof, an answer to anybody who
-- asked. They stay when others are thinned out, so that whoever kept one can have it proven for ever.
create table head_given (
  size         bigint not null,
  audit_rows   bigint not null,
  at           timestamptz not null,              -- when it was signed
  primary key (size, audit_rows)
);
