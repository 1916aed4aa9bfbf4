-- What became of a grey record may be known before any signed record reaches its counter: a chip was read, or
-- people gave it up. Nothing of the card is open then, yet its next record must be judged with what is known
-- there, or one event would be paid twice. True sends the card down the careful path for good.
alter table purse add column beyond boolean not null default false;
update purse p set beyond = true where exists (
  select 1 from evidence e where e.bucket = p.bucket and e.card_id = p.card_id and e.purse = p.purse
    and e.kind in (1, 2) and e.counter > p.last_counter);
