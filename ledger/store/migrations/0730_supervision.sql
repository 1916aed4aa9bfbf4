-- Scores of a quarter: cases by the day by which they are answered.
create index resident_case_due on resident_case (due_on);
