-- The rule that a request or a load was declined by, in the words of its first answer: the limits of that moment may be others when it is
-- asked again. Null where no rule was named.
alter table request add column rule text;
alter table load add column rule text;
