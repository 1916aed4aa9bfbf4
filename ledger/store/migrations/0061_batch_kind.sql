-- What people and the registry posted: the statement of a card reads all of it, a handful of batches a day.
create index batch_by_people on batch (kind, batch_id) where kind in ('registry', 'correction');
