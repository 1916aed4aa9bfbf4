-- Debits that go back: which of them wait for people. Nobody pays for himself a second time as his own family.

-- People were asked, or have to look: nothing is asked for again, only whether it went back.
alter table clinic_message add column due_asked boolean not null default false;
-- The timer goes over them a page at a time.
create index clinic_message_due_page on clinic_message (message_no) where due_debit is not null;

update clinic_person set family_id = null where family_id = person_id;
alter table clinic_person add check (family_id <> person_id);
