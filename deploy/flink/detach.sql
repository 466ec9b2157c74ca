-- Undoes attach.sql; fine to repeat. Shards and refused orders stay, for what was counted there counts. From now on PostgreSQL
-- refuses what a Flink job wants to store: without the triggers it would not be counted.
BEGIN;
SET LOCAL lock_timeout = '2s';
SELECT pg_advisory_xact_lock(hashtext('coffee_rt.flink'));

CREATE OR REPLACE FUNCTION coffee_rt.flink_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'it is not the turn of a Flink job to store orders'
        USING HINT = 'coffee-rt flink submit makes it its turn';
END $$;
CREATE OR REPLACE TRIGGER flink_refuses BEFORE INSERT ON coffee_rt.order_rows FOR EACH STATEMENT
WHEN (current_setting('application_name') = 'coffee-rt-flink')
EXECUTE FUNCTION coffee_rt.flink_refuses();

DROP TRIGGER IF EXISTS flink_counts ON coffee_rt.order_rows;
DROP TRIGGER IF EXISTS flink_keeps ON coffee_rt.order_rows;
DROP FUNCTION IF EXISTS coffee_rt.flink_counts();
DROP FUNCTION IF EXISTS coffee_rt.flink_keeps();
COMMIT;
