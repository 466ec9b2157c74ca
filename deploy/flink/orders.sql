-- What the actors of v3 do, as a job of Apache Flink 2.1: reads the topic of orders, stores each order once, buries what is
-- none with the dead letters, and tells each second what was sold, to the topic of metrics. attach.sql has PostgreSQL count
-- what is stored.
--
-- `coffee-rt flink submit` fills this in and sends it to Flink's SQL gateway, statement by statement: each ends with a
-- semicolon before an empty line. Flink's own SQL client takes it as well. A text is put in with its quotes doubled:
--
--   ${job_name}             coffee-rt-orders           by which it is found again
--   ${bootstrap_servers}, ${topic}, ${group}          Kafka's brokers, the topic of orders, and the group that shows the lag
--   ${dead_letter_topic}, ${metrics_topic}            must be there
--   ${starting_offsets}     partition:0,offset:42;…   a partition that is not named is read from its oldest record
--   ${kafka_options}        'properties.security.protocol' = 'SASL_SSL', … with a comma behind each, or nothing
--   ${jdbc_url}             jdbc:postgresql://host:5432/db?stringtype=unspecified&reWriteBatchedInserts=true
--                           &ApplicationName=coffee-rt-flink — without the last PostgreSQL would count nothing
--   ${jdbc_user}, ${jdbc_password}
--   ${drinks}, ${stores}    'latte', 'mocha'          the menu
--   ${drink_ids}, ${store_ids}  WHEN 'latte' THEN 3 WHEN 'mocha' THEN 4    as the tables drinks and stores number it
--   ${parallelism}          tasks of each step
--   ${state_ttl}            1 d                       how long a message_id is remembered here; PostgreSQL never forgets one
--
-- What this reads otherwise than the actors do (Order::from_record), all of it rare:
--   - A field that stands twice is noticed unless its name is written with escapes: then the last one counts.
--   - A record is refused as well where some name stands twice in one object and a field's name twice anywhere.
--   - Where a number is expected a text may be, and the other way round: {"drink": 5} is off the menu, not "no string".
--   - Numbers of more than 1,000 digits and what is nested deeper than 1,000 levels make a record unreadable, even in fields
--     that no order has. A price of more than 18 decimals with an exponent is rounded to 18.
--   - What follows the object is noticed, unless it begins with ",9".
--   - Details of dead letters do not say where JSON is broken; the letter of a reused key has no trace_id.
--   - A reused key whose first order the job has forgotten, or the actors stored, is in coffee_rt.flink_refused, not among
--     the letters. A letter may be there twice, as the actors' may.
-- The last seconds' metrics wait until a record comes that was taken two seconds later.

SET 'pipeline.name' = '${job_name}';

SET 'parallelism.default' = '${parallelism}';

SET 'execution.checkpointing.interval' = '1 s';

SET 'execution.checkpointing.externalized-checkpoint-retention' = 'RETAIN_ON_CANCELLATION';

-- Most keys are new, and a checkpoint each second leaves many small files: not to look into each, nor to merge them often.
SET 'state.backend.type' = 'rocksdb';

SET 'execution.checkpointing.incremental' = 'true';

SET 'state.backend.rocksdb.use-bloom-filter' = 'true';

SET 'state.backend.rocksdb.compaction.style' = 'UNIVERSAL';

-- No step here keeps or changes what it was handed.
SET 'pipeline.object-reuse' = 'true';

SET 'table.local-time-zone' = 'UTC';

SET 'table.exec.state.ttl' = '${state_ttl}';

-- A view that several statements read is computed once.
SET 'table.optimizer.reuse-optimize-block-with-digest-enabled' = 'true';

CREATE TABLE orders_topic (
    record_key BYTES,
    record_value BYTES,
    topic STRING NOT NULL METADATA VIRTUAL,
    `partition` INT NOT NULL METADATA VIRTUAL,
    `offset` BIGINT NOT NULL METADATA VIRTUAL,
    taken TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp' VIRTUAL,
    arrived AS PROCTIME(),
    WATERMARK FOR taken AS taken - INTERVAL '2' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    'properties.bootstrap.servers' = '${bootstrap_servers}',
    ${kafka_options}
    'properties.group.id' = '${group}',
    'scan.startup.mode' = 'specific-offsets',
    'scan.startup.specific-offsets' = '${starting_offsets}',
    'scan.topic-partition-discovery.interval' = '5 s',
    'scan.watermark.idle-timeout' = '2 s',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TABLE dead_letters (
    record_key BYTES,
    record_value BYTES,
    headers MAP<STRING, BYTES> METADATA
) WITH (
    'connector' = 'kafka',
    'topic' = '${dead_letter_topic}',
    'properties.bootstrap.servers' = '${bootstrap_servers}',
    ${kafka_options}
    'sink.delivery-guarantee' = 'at-least-once',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
);

CREATE TABLE metrics (
    window_start TIMESTAMP_LTZ(3),
    window_end TIMESTAMP_LTZ(3),
    store STRING,
    drink STRING,
    orders BIGINT,
    revenue DECIMAL(20, 2)
) WITH (
    'connector' = 'kafka',
    'topic' = '${metrics_topic}',
    'properties.bootstrap.servers' = '${bootstrap_servers}',
    ${kafka_options}
    'sink.delivery-guarantee' = 'at-least-once',
    'key.format' = 'raw',
    'key.fields' = 'store',
    'value.format' = 'json',
    'value.json.timestamp-format.standard' = 'ISO-8601',
    'value.json.encode.decimal-as-plain-number' = 'true'
);

CREATE TABLE order_rows (
    message_id STRING,
    ordered_us BIGINT,
    price_cents INT,
    drink_id SMALLINT,
    store_id SMALLINT,
    PRIMARY KEY (message_id) NOT ENFORCED
) WITH (
    'connector' = 'jdbc',
    'url' = '${jdbc_url}',
    'table-name' = 'coffee_rt.order_rows',
    'username' = '${jdbc_user}',
    'password' = '${jdbc_password}',
    'sink.buffer-flush.max-rows' = '1000',
    'sink.buffer-flush.interval' = '100 ms',
    'sink.max-retries' = '3'
);

-- A view that two others read is computed once for both; one that a single view reads is written into it. So what costs much
-- is computed in views that two others read.

-- Behind the record stands another value, so that nothing that follows the order's object goes unnoticed.
CREATE VIEW texts AS
SELECT *,
    CHAR_LENGTH(DECODE(record_value, 'ISO-8859-1')) AS size,
    '[' || DECODE(record_value, 'UTF-8') || ',9]' AS in_array
FROM orders_topic;

CREATE VIEW fields AS
SELECT record_key, record_value, topic, `partition`, `offset`, taken, arrived,
    CASE
        WHEN record_value IS NULL THEN 'it has no value'
        WHEN size > 65536 THEN 'it is larger than 65536 bytes'
        WHEN ENCODE(DECODE(record_value, 'UTF-8'), 'UTF-8') <> record_value THEN 'the body is not JSON: it is not UTF-8'
        WHEN JSON_VALUE(in_array, '$[1]') IS DISTINCT FROM '9' THEN 'the body is not JSON'
    END AS unreadable,
    CASE WHEN size <= 65536 THEN JSON_VALUE(in_array, '$[0].message_id') END AS its_id,
    CASE WHEN size <= 65536 THEN JSON_VALUE(in_array, '$[0].drink') END AS its_drink,
    CASE WHEN size <= 65536 THEN JSON_VALUE(in_array, '$[0].store') END AS its_store,
    CASE WHEN size <= 65536 THEN JSON_VALUE(in_array, '$[0].price') END AS its_price,
    CASE WHEN size <= 65536 THEN JSON_VALUE(in_array, '$[0].timestamp') END AS its_time
FROM texts;

CREATE VIEW readable AS
SELECT *,
    DECODE(record_value, 'UTF-8') AS text,
    EXTRACT(EPOCH FROM taken) * 1000 + EXTRACT(MILLISECOND FROM taken) AS millis,
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3])((:?)[0-5][0-9](\3([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?([Zz]|[+-]([01][0-9]|2[0-5])((:?)[0-5][0-9](\10[0-5][0-9])?)?)?$' AS iso_8601,
    CASE WHEN NOT REGEXP(its_time, '[Zz]$')
        THEN REPLACE(REGEXP_EXTRACT(its_time, '^.{11}[^+-]*([+-].*)$', 1), ':', '') END AS shift
FROM fields WHERE unreadable IS NULL;

-- The order's values; those that break a rule are null. What is wrong with a price is told in words.
CREATE VIEW valued AS
SELECT record_key, record_value, topic, `partition`, `offset`, taken, arrived, its_drink, its_store, its_price, its_time,
    CASE
        WHEN NOT REGEXP(text, '^[ \t\r\n]*\{')
            THEN 'body must be a JSON object with drink, store, price and timestamp'
        WHEN TRY_PARSE_JSON(text) IS NULL AND TRY_PARSE_JSON(text, TRUE) IS NOT NULL
            AND (text LIKE '%"drink"%"drink"%' OR text LIKE '%"store"%"store"%' OR text LIKE '%"price"%"price"%'
                OR text LIKE '%"timestamp"%"timestamp"%' OR text LIKE '%"message_id"%"message_id"%')
            THEN 'body has a duplicate field'
    END AS no_order,
    CASE
        WHEN its_id IS NOT NULL THEN CASE
            WHEN REGEXP(its_id, '^([0-9a-fA-F]{32}|(urn:uuid:)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\{[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\})$')
                THEN LOWER(REGEXP_REPLACE(its_id, '^urn:uuid:|[{}-]', ''))
            END
        WHEN NOT JSON_EXISTS(text, '$.message_id')
            THEN LOWER(LPAD(HEX(millis), 12, '0') || '8' || LPAD(HEX(MOD(`partition`, 4096)), 3, '0')
                || '8' || LPAD(HEX(`offset`), 15, '0'))
    END AS hex_id,
    CASE
        WHEN its_price IS NULL THEN CASE WHEN JSON_EXISTS(text, '$.price') THEN 'must be a number' ELSE 'is missing' END
        WHEN REGEXP(its_price, '^[0-9]{1,4}([.][0-9]{1,2})?$') THEN CAST(NULL AS STRING)
        WHEN its_price IN ('true', 'false') THEN 'must be a number'
        WHEN NOT REGEXP(its_price, '^-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$') THEN 'is not a decimal number'
        WHEN REGEXP(its_price, '^-?[0.]+([eE].*)?$') THEN CAST(NULL AS STRING)
        WHEN REGEXP(its_price, '^-|[eE][+]?0*[1-9][0-9]') THEN 'must be between 0 and 10000'
        WHEN REGEXP(its_price, '^[^eE]*[.][0-9]{2}[0-9]*[1-9][0-9]*$|[eE]-0*[1-9][0-9]') THEN 'has more than two decimals'
        WHEN COALESCE(TRY_CAST(its_price AS DECIMAL(38, 18)), 10001) > 10000 THEN 'must be between 0 and 10000'
        WHEN MOD(TRY_CAST(its_price AS DECIMAL(38, 18)), 0.01) <> 0 OR TRY_CAST(its_price AS DECIMAL(38, 18)) = 0
            THEN 'has more than two decimals'
    END AS price_fault,
    CASE WHEN REGEXP(its_time, iso_8601) THEN
        (EXTRACT(EPOCH FROM TRY_CAST(SUBSTRING(its_time, 1, 10) AS DATE))
            + TRY_CAST(SUBSTRING(its_time, 12, 2) AS INT) * 3600
            + COALESCE(TRY_CAST(REGEXP_EXTRACT(its_time, '^.{13}:?([0-9]{2})', 1) AS INT), 0) * 60
            -- A second that is put in is the one before it.
            + LEAST(COALESCE(TRY_CAST(REGEXP_EXTRACT(its_time, '^.{13}:?[0-9]{2}:?([0-9]{2})', 1) AS INT), 0), 59)
            - CASE WHEN shift IS NULL THEN 0 ELSE
                CASE WHEN shift LIKE '-%' THEN -1 ELSE 1 END * (TRY_CAST(SUBSTRING(shift, 2, 2) AS INT) * 3600
                    + COALESCE(TRY_CAST(SUBSTRING(shift, 4, 2) AS INT), 0) * 60
                    + COALESCE(TRY_CAST(SUBSTRING(shift, 6, 2) AS INT), 0)) END
        ) * 1000000
        + COALESCE(TRY_CAST(SUBSTRING(RPAD(REGEXP_EXTRACT(its_time, '[.,]([0-9]+)', 1), 6, '0'), 1, 6) AS INT), 0)
    END AS us
FROM readable;

CREATE VIEW told AS
SELECT *,
    no_order IS NULL AND hex_id IS NOT NULL AND price_fault IS NULL AND us IS NOT NULL
        AND us BETWEEN 0 AND 253402207200999999
        AND its_drink IS NOT NULL AND its_drink IN (${drinks}) AND its_store IS NOT NULL AND its_store IN (${stores}) AS is_order
FROM valued;

-- Nothing but a zero with a vast exponent is too large a number here.
CREATE VIEW good AS
SELECT hex_id, its_drink, its_store, CAST(COALESCE(TRY_CAST(its_price AS DECIMAL(18, 4)), 0) * 100 AS INT) AS cents, us,
    topic, `partition`, `offset`, taken, arrived
FROM told WHERE is_order;

-- By the order that came first under each message_id.
CREATE VIEW told_apart AS
SELECT *, payload <> first_payload AS is_another
FROM (
    SELECT *, COUNT(*) OVER by_id AS nth, FIRST_VALUE(payload) OVER by_id AS first_payload
    FROM (SELECT *, CONCAT_WS('|', its_drink, its_store, CAST(cents AS STRING), CAST(us AS STRING)) AS payload FROM good)
    WINDOW by_id AS (PARTITION BY hex_id ORDER BY arrived)
);

CREATE VIEW first_orders AS SELECT * FROM told_apart WHERE nth = 1;

CREATE VIEW letters AS
SELECT record_key AS letter_key, COALESCE(record_value, x'') AS letter, 'unreadable' AS reason, unreadable AS detail,
    topic, `partition`, `offset`, taken
FROM fields WHERE unreadable IS NOT NULL
UNION ALL
SELECT record_key, record_value, 'invalid',
    CASE
        WHEN no_order IS NOT NULL THEN no_order
        WHEN hex_id IS NULL THEN 'message_id must be a UUID'
        ELSE CONCAT_WS('; ',
            CASE
                WHEN its_drink IN (${drinks}) THEN CAST(NULL AS STRING)
                WHEN its_drink IS NOT NULL THEN 'drink must be one of ' || CONCAT_WS(', ', ${drinks})
                WHEN JSON_EXISTS(DECODE(record_value, 'UTF-8'), '$.drink') THEN 'drink must be a string'
                ELSE 'drink is missing'
            END,
            CASE
                WHEN its_store IN (${stores}) THEN CAST(NULL AS STRING)
                WHEN its_store IS NOT NULL THEN 'store must be one of ' || CONCAT_WS(', ', ${stores})
                WHEN JSON_EXISTS(DECODE(record_value, 'UTF-8'), '$.store') THEN 'store must be a string'
                ELSE 'store is missing'
            END,
            'price ' || price_fault,
            CASE
                WHEN us < 0 THEN 'timestamp is before 1970'
                WHEN us <= 253402207200999999 THEN CAST(NULL AS STRING)
                WHEN its_time IS NOT NULL THEN 'timestamp is not an ISO 8601 date and time, such as 2026-11-22T09:00:00Z'
                WHEN JSON_EXISTS(DECODE(record_value, 'UTF-8'), '$.timestamp') THEN 'timestamp must be a string'
                ELSE 'timestamp is missing'
            END)
    END,
    topic, `partition`, `offset`, taken
FROM told WHERE NOT is_order
UNION ALL
SELECT ENCODE(its_store, 'UTF-8'),
    ENCODE('{"message_id":"' || REGEXP_REPLACE(hex_id, '(?<=^(.{8}|.{12}|.{16}|.{20}))', '-')
        || '","drink":' || JSON_STRING(its_drink) || ',"store":' || JSON_STRING(its_store)
        || ',"price":' || CAST(cents / 100 AS STRING)
        || REGEXP_REPLACE('.' || LPAD(CAST(MOD(cents, 100) AS STRING), 2, '0'), '[.]?0*$', '')
        || ',"timestamp":"' || DATE_FORMAT(TO_TIMESTAMP_LTZ(us / 1000000, 0), 'yyyy-MM-dd''T''HH:mm:ss')
        || REGEXP_REPLACE('.' || LPAD(CAST(MOD(us, 1000000) AS STRING), 6, '0'), '[.]?0*$', '') || 'Z"}', 'UTF-8'),
    'key_reused', 'another order was stored under its key',
    topic, `partition`, `offset`, CAST(NULL AS TIMESTAMP_LTZ(3))
FROM told_apart WHERE is_another;

CREATE VIEW whole_letters AS
SELECT *, CHAR_LENGTH(DECODE(letter, 'ISO-8859-1')) AS size FROM letters;

EXECUTE STATEMENT SET BEGIN
INSERT INTO order_rows
SELECT hex_id, us, cents, CAST(CASE its_drink ${drink_ids} END AS SMALLINT), CAST(CASE its_store ${store_ids} END AS SMALLINT)
FROM first_orders;
INSERT INTO dead_letters
SELECT letter_key,
    CASE WHEN size > 800000 THEN ENCODE(SUBSTRING(DECODE(letter, 'ISO-8859-1'), 1, 800000), 'ISO-8859-1') ELSE letter END,
    MAP[
        'reason', ENCODE(reason, 'UTF-8'),
        'detail', ENCODE(detail || CASE WHEN size > 800000
            THEN '; ' || CAST(size - 800000 AS STRING) || ' bytes of it are not in this letter' ELSE '' END, 'UTF-8'),
        'topic', ENCODE(topic, 'UTF-8'),
        'partition', ENCODE(CAST(`partition` AS STRING), 'UTF-8'),
        'offset', ENCODE(CAST(`offset` AS STRING), 'UTF-8'),
        'timestamp', ENCODE(CAST(EXTRACT(EPOCH FROM taken) * 1000 + EXTRACT(MILLISECOND FROM taken) AS STRING), 'UTF-8')
    ]
FROM whole_letters;
INSERT INTO metrics
SELECT CAST(window_start AS TIMESTAMP_LTZ(3)), CAST(window_end AS TIMESTAMP_LTZ(3)), its_store, its_drink,
    COUNT(*), CAST(SUM(CAST(cents AS BIGINT)) AS DECIMAL(18, 0)) / 100
FROM TUMBLE(TABLE first_orders, DESCRIPTOR(taken), INTERVAL '1' SECOND)
GROUP BY window_start, window_end, its_store, its_drink;
END;
