-- Events of 400 days stay, and availability is asked for each minute: those that reached into a period.
create index terminal_event_cleared on terminal_event (cleared_at);
