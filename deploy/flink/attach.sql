-- Has PostgreSQL count what a Flink job stores. Run by `coffee-rt flink submit`; fine to repeat; detach.sql undoes it.
--
-- Flink's sinks share no transaction, so the job stores orders only, and says `ApplicationName=coffee-rt-flink`. Triggers add
-- what was really inserted to the rollups, within the same transaction: what a restarted job brings again changes nothing.
-- The node's own statements run no trigger, but pay for a table of what they insert; so there are triggers only while there
-- is a job.
BEGIN;
-- Making a trigger waits for whoever writes orders, with all others behind it: rather than that it gives up.
SET LOCAL lock_timeout = '2s';
SELECT pg_advisory_xact_lock(hashtext('coffee_rt.flink'));

-- Each statement counts into one of these, so that tasks do not wait for each other.
INSERT INTO coffee_rt.shards (source, slot, epoch, seq)
SELECT 'flink', slot, 1, 0 FROM generate_series(0, 3) AS slot
WHERE NOT EXISTS (SELECT FROM coffee_rt.shards AS s WHERE s.source = 'flink' AND s.slot = slot.slot);

-- Orders that have the message_id of another one that is stored, as the first of each came. The job sees most of these
-- itself and buries them with the dead letters; here are those whose first one it did not see, or has forgotten.
CREATE TABLE IF NOT EXISTS coffee_rt.flink_refused (
    message_id uuid PRIMARY KEY,
    ordered_us bigint NOT NULL,
    price_cents integer NOT NULL,
    drink_id smallint NOT NULL,
    store_id smallint NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
);

-- Orders never change.
CREATE OR REPLACE FUNCTION coffee_rt.flink_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.ordered_us, NEW.price_cents, NEW.drink_id, NEW.store_id)
        <> (OLD.ordered_us, OLD.price_cents, OLD.drink_id, OLD.store_id) THEN
        INSERT INTO coffee_rt.flink_refused (message_id, ordered_us, price_cents, drink_id, store_id)
        VALUES (NEW.message_id, NEW.ordered_us, NEW.price_cents, NEW.drink_id, NEW.store_id)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

-- Does what a node's commit does beside inserting. The statement's transaction keeps the shard's row until it ends, so the
-- numbers of a shard are told in their order.
CREATE OR REPLACE FUNCTION coffee_rt.flink_counts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its_shard integer;
    its_seq bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM added) THEN RETURN NULL; END IF;
    SELECT id INTO its_shard FROM coffee_rt.shards WHERE source = 'flink'
    ORDER BY slot LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT id INTO STRICT its_shard FROM coffee_rt.shards WHERE source = 'flink' AND slot = 0 FOR NO KEY UPDATE;
    END IF;
    UPDATE coffee_rt.shards SET seq = seq + 1 WHERE id = its_shard RETURNING seq INTO its_seq;
    WITH counted AS (
        INSERT INTO coffee_rt.rollups AS r (shard, minute, store_id, drink_id, orders, cents)
        SELECT its_shard, ordered_us / 60000000, store_id, drink_id, count(*), sum(price_cents)
        FROM added GROUP BY 2, 3, 4 ORDER BY 2, 3, 4
        ON CONFLICT (shard, minute, store_id, drink_id)
        DO UPDATE SET orders = r.orders + excluded.orders, cents = r.cents + excluded.cents
    )
    INSERT INTO coffee_rt.shard_totals AS t (shard, orders, cents)
    SELECT its_shard, count(*), sum(price_cents) FROM added
    ON CONFLICT (shard) DO UPDATE SET orders = t.orders + excluded.orders, cents = t.cents + excluded.cents;
    -- A node that hears it reads what was counted.
    PERFORM pg_notify('coffee_rt_deltas',
        format('{"node":0,"deltas":[{"shard":%s,"seq":%s,"content":null}]}', its_shard, its_seq));
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER flink_keeps BEFORE UPDATE ON coffee_rt.order_rows FOR EACH ROW
WHEN (current_setting('application_name') = 'coffee-rt-flink')
EXECUTE FUNCTION coffee_rt.flink_keeps();

CREATE OR REPLACE TRIGGER flink_counts AFTER INSERT ON coffee_rt.order_rows
REFERENCING NEW TABLE AS added FOR EACH STATEMENT
WHEN (current_setting('application_name') = 'coffee-rt-flink')
EXECUTE FUNCTION coffee_rt.flink_counts();

DROP TRIGGER IF EXISTS flink_refuses ON coffee_rt.order_rows;
COMMIT;
