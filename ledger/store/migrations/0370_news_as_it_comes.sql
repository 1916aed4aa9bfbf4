-- What is compressed for nothing. News live for a second or so: compressing their lists took 40 ms of the server a batch of ten thousand
-- lines. Raw parts are deflated already. Known sequences of a PSAM are written anew with each look.
alter table batch_news
  alter psam_ids set storage external, alter lows set storage external, alter highs set storage external,
  alter card_buckets set storage external, alter card_ids set storage external,
  alter purses set storage external;
alter table delivery_raw alter bytes set storage external;
alter table psam_sequence alter seen set storage external;
