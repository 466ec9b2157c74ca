CREATE TABLE drinks (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE stores (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE order_rows (
    id INTEGER PRIMARY KEY,
    message_id BLOB NOT NULL UNIQUE CHECK (length(message_id) = 16),
    ordered_us INTEGER NOT NULL CHECK (ordered_us >= 0),
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
    drink_id INTEGER NOT NULL REFERENCES drinks (id),
    store_id INTEGER NOT NULL REFERENCES stores (id)
) STRICT;

CREATE TABLE shards (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    slot INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    next_offset INTEGER,
    UNIQUE (source, slot)
) STRICT;

CREATE TABLE rollups (
    shard INTEGER NOT NULL REFERENCES shards (id),
    minute INTEGER NOT NULL,
    store_id INTEGER NOT NULL REFERENCES stores (id),
    drink_id INTEGER NOT NULL REFERENCES drinks (id),
    orders INTEGER NOT NULL,
    cents INTEGER NOT NULL,
    PRIMARY KEY (shard, minute, store_id, drink_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE shard_totals (
    shard INTEGER PRIMARY KEY REFERENCES shards (id),
    orders INTEGER NOT NULL,
    cents INTEGER NOT NULL
) STRICT;

CREATE VIEW orders AS
SELECT
    o.id AS id,
    d.name AS drink,
    s.name AS store,
    o.price_cents / 100.0 AS price,
    strftime('%Y-%m-%dT%H:%M:%S', o.ordered_us / 1000000, 'unixepoch')
        || printf('.%06dZ', o.ordered_us % 1000000) AS "timestamp",
    lower(
        substr(hex(o.message_id), 1, 8) || '-' || substr(hex(o.message_id), 9, 4) || '-'
        || substr(hex(o.message_id), 13, 4) || '-' || substr(hex(o.message_id), 17, 4) || '-'
        || substr(hex(o.message_id), 21)
    ) AS message_id
FROM order_rows AS o
JOIN drinks AS d ON d.id = o.drink_id
JOIN stores AS s ON s.id = o.store_id;
