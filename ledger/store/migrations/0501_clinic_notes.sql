-- Rows of clinics under the tree: each names the batch that has noted it. Rows of before have none.
alter table clinic_settlement add column noted_in bigint;
alter table clinic_effect add column noted_in bigint;
alter table clinic_message add column noted_in bigint;
alter table clinic_reversed add column noted_in bigint;
alter table clinic_person add column noted_in bigint;
alter table clinic_institution add column noted_in bigint;
