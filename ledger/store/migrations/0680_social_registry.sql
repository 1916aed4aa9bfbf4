-- The registry of social-security cards: a machine of its own kind, and what it told of cards and applications.
alter table client drop constraint client_kind_check;
alter table client add constraint client_kind_check check (kind in (
  'gateway', 'operator', 'agent', 'registrar', 'auditor', 'centre', 'platform', 'social-security'));

create table social_message (
  message        text primary key,               -- as the registry named it
  bucket         smallint,                       -- of the card; null: it is about an application
  card_id        bigint,
  application_no bigint references card_application,
  says           text not null,
  said_at        timestamptz not null,           -- when the registry decided it
  next_card      text,                           -- what took its place, as the audit log names cards
  reason         text not null,
  client_id      text not null,
  told_at        timestamptz not null,
  outcome        text not null check (outcome in ('moved', 'noted', 'superseded')),
  state          text not null,                  -- of the card or application after it
  check ((card_id is null) = (bucket is null) and (card_id is null) = (application_no is not null))
);
-- Each message about a card, and each move to normal, asks what was said of the card before.
create index social_message_card on social_message (bucket, card_id) where card_id is not null;
create index social_message_application on social_message (application_no) where application_no is not null;
-- GET /v1/social-security/cards, in this order.
create index card_social on card (card_id) where card_type = 'social-security';
