-- What people gave back of an event whose verdict changed afterwards, and which was taken back with it. Appended only.
create table redress_void (
  redress_id   bigint primary key references redress,
  bucket       smallint not null,
  transfer_id  bigint not null,                   -- took it back, and names the redress's own transfer
  clearing_date date not null,
  at           timestamptz not null
);
