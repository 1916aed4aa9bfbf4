-- The oldest file that is not booked to its end, among those of the last days.
create index delivery_file_received on delivery (received_at) where kind = 'file';
-- How many tellings were given up.
create index telling_dead on telling (telling_id) where state = 'dead';
