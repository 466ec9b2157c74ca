-- How far partitions of a log have been read, and what became of their records.
ALTER TABLE shards ADD COLUMN mark INTEGER;
ALTER TABLE shards ADD COLUMN records INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shards ADD COLUMN repeated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shards ADD COLUMN dead_lettered INTEGER NOT NULL DEFAULT 0;
