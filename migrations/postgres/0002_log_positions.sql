-- How far partitions of a log have been read, and what became of their records. Older nodes beside leave the new columns
-- alone. Adding them rewrites no row, but waits for whoever reads the table, with all commits behind it: rather than that
-- the migration gives up, and the next contact tries again.
SET LOCAL lock_timeout = '2s';

ALTER TABLE coffee_rt.shards
    ADD COLUMN mark bigint,
    ADD COLUMN records bigint NOT NULL DEFAULT 0,
    ADD COLUMN repeated bigint NOT NULL DEFAULT 0,
    ADD COLUMN dead_lettered bigint NOT NULL DEFAULT 0;
