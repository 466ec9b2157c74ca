-- Hot rows are rewritten with each commit: free space on their pages keeps those updates within the page (HOT).
-- Order rows name drinks and stores by number without foreign keys: a check for each row would lock and slow each insert,
-- and names are only ever added.

CREATE TABLE coffee_rt.drinks (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE coffee_rt.stores (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE coffee_rt.order_rows (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL UNIQUE,
    ordered_us bigint NOT NULL CHECK (ordered_us >= 0),
    price_cents integer NOT NULL CHECK (price_cents >= 0),
    drink_id smallint NOT NULL,
    store_id smallint NOT NULL
);

CREATE TABLE coffee_rt.shards (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    slot integer NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    next_offset bigint,
    UNIQUE (source, slot)
) WITH (fillfactor = 20);

CREATE TABLE coffee_rt.rollups (
    shard integer NOT NULL REFERENCES coffee_rt.shards (id),
    minute bigint NOT NULL,
    store_id smallint NOT NULL,
    drink_id smallint NOT NULL,
    orders bigint NOT NULL,
    cents bigint NOT NULL,
    PRIMARY KEY (shard, minute, store_id, drink_id)
) WITH (fillfactor = 60);

CREATE TABLE coffee_rt.shard_totals (
    shard integer PRIMARY KEY REFERENCES coffee_rt.shards (id),
    orders bigint NOT NULL,
    cents bigint NOT NULL
) WITH (fillfactor = 20);

CREATE VIEW coffee_rt.orders AS
SELECT
    o.id,
    d.name AS drink,
    s.name AS store,
    (o.price_cents::numeric / 100)::numeric(10, 2) AS price,
    timestamptz 'epoch' + o.ordered_us * interval '1 microsecond' AS "timestamp",
    o.message_id
FROM coffee_rt.order_rows AS o
JOIN coffee_rt.drinks AS d ON d.id = o.drink_id
JOIN coffee_rt.stores AS s ON s.id = o.store_id;
