-- Certificates of terminals come with their enrolment: fingerprints, sorted; null: over any connection.
alter table terminal_enrolment add column certificates text[];
