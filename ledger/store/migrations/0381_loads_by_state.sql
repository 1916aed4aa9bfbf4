-- Serves the list of loads in one state, page by page.
create index load_state on load (state, load_id);
