-- A city platform sees terminals as components of the city; machines of such platforms see nothing else.
alter table client drop constraint client_kind_check;
alter table client add constraint client_kind_check
  check (kind in ('gateway', 'operator', 'agent', 'registrar', 'auditor', 'centre', 'platform'));

-- What happened to components, in the order in which it was committed: whoever reads on from a number misses
-- nothing.
create table component_news (
  number       bigint generated always as identity primary key,
  terminal_id  int not null references terminal,
  what         text not null check (what in ('found', 'cleared', 'handled', 'enrolled', 'suspended', 'retired')),
  kind         text,                              -- of the event, where it is one
  found_at     timestamptz,                       -- of the event
  at           timestamptz not null,
  told_at      timestamptz not null
);
create index component_news_told on component_news (told_at); -- serves retention
