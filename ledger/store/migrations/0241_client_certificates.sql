-- A client that has ever had a certificate calls with one of them only: its token alone is not enough.
create table client_certificate (
  fingerprint  bytea primary key,                  -- SHA-256 over the certificate in DER
  client_id    text not null references client,
  not_after    timestamptz not null,
  bound_at     timestamptz not null,
  revoked_at   timestamptz
);
-- All certificates of one client, with each of its calls.
create index client_certificate_client on client_certificate (client_id);
