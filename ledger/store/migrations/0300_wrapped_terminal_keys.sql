-- Master keys of terminals come with their enrolment, wrapped for gateways: the ledger cannot open them.
alter table terminal_enrolment add column key_wrapped text;
comment on column terminal_enrolment.key_wrapped is 'under the transport key of gateways; never a key in clear';
