-- The audit log under the signed heads: how many rows it had, the hash of the last of them, and a signature over both and the tree. A head of
-- a process of the version before has none; deeds without a batch after them make a head of the same tree, hence the longer key.
alter table tree_head
  add column audit_rows bigint not null default 0,
  add column audit_hash bytea,
  add column audit_signature bytea,
  drop constraint tree_head_pkey,
  add primary key (size, audit_rows);
-- A proof of the audit log ends at the last head over so many rows.
create index tree_head_audit on tree_head (audit_rows, size) where audit_hash is not null;
