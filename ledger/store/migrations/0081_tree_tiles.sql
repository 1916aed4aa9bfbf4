-- The root of each full tile of 256 leaves, so that a proof in a tree of millions reads thousands. Written by whoever seals next: a process
-- of the version before leaves them out, the next one fills them in.
create table tree_tile (
  tile         bigint primary key,                -- leaves 256 × tile to 256 × tile + 255
  hash         bytea not null
);
