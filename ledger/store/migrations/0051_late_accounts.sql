-- An instruction made while a side had no bank account gets the first one that side registers. Beside the instruction, not in
-- it: what was instructed stays as it was committed.
create table instruction_account (
  instruction_id text primary key references instruction,
  from_account_id int references bank_account,
  to_account_id int references bank_account
);
