-- Income is asked for by the day on which cards were used, too: a record that came late is settled with the
-- open date, and counts in the statistics of its own. The table is a cache: it is made anew when asked for.
-- A process of the version before knows no event date: what it fills in counts on no day of use.
delete from income;
delete from income_batch;
alter table income add column event_date date not null default '-infinity';
alter table income drop constraint income_pkey;
alter table income add primary key (batch_id, party_id, book, event_date, terminal, line, vehicle, shift);
-- Serves the income of a party by the day of use.
create index income_used on income (party_id, event_date);
