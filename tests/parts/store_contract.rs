//! What every store promises, run against each engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::store_support::*;
use coffee_rt_actors::domain::{Cents, Instant};
use coffee_rt_actors::ports::{Claim, DeltaContent, Horizon, HourCell, Outcome, RECENT_ORDERS, Snapshot, StoreError};
use uuid::Uuid;

contract!(
    a_batch_is_stored_and_counted,
    an_old_epoch_is_refused_and_stores_nothing,
    a_repeated_order_keeps_its_id_and_is_not_counted_again,
    a_reused_key_is_told_and_changes_nothing,
    a_dropped_commit_still_commits_and_the_next_claim_waits,
    writers_get_slots_of_their_own_and_keep_them,
    overlapping_batches_in_both_directions_store_each_order_once,
    the_audit_finds_planted_differences,
    the_audit_lists_a_bounded_number_of_differences,
    a_refused_batch_leaves_the_writer_usable,
    an_empty_batch_moves_only_the_sequence,
    snapshots_agree_with_deltas,
    the_view_shows_exact_columns,
    a_schema_of_a_newer_version_is_worked_with,
);

/// In a rollout nodes of two versions share a schema, and after a rollback the older one has the newer schema.
async fn a_schema_of_a_newer_version_is_worked_with(fixture: Fixture) {
    fixture
        .run(
            "INSERT INTO {s}_sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (99, 'something new', true, 'x', 0)",
        )
        .await;
    let fixture = fixture.reopened().await;
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    writer.commit(claim, batch(&orders(3))).await.unwrap();
    assert_eq!(fixture.rows().await, 3);
    fixture.assert_audit_clean().await;
}

async fn a_batch_is_stored_and_counted(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    for (seq, size) in (claim.seq + 1..).zip([1, 2, 15, 16, 128, 300]) {
        let batch = batch(&orders(size));
        let receipt = writer.commit(claim, batch.clone()).await.unwrap();
        assert_eq!((receipt.seq, receipt.outcomes.len()), (seq, size));
        assert_eq!(stored(&receipt.outcomes), size);
        for (order, outcome) in batch.orders().iter().zip(&receipt.outcomes) {
            let Outcome::Stored { id } = outcome else {
                panic!("{outcome:?}")
            };
            let sql = format!("SELECT cast(message_id AS text) FROM {{s}}orders WHERE id = {id}");
            assert_eq!(fixture.text(&sql).await, order.message_id.to_string());
        }
    }
    assert_eq!(fixture.rows().await, 462);
    fixture.assert_audit_clean().await;
}

async fn an_old_epoch_is_refused_and_stores_nothing(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let old = writer.claim().await.unwrap();
    let new = writer.claim().await.unwrap();
    assert_eq!((new.shard, new.epoch, new.seq), (old.shard, old.epoch + 1, old.seq));
    assert_eq!(writer.commit(old, batch(&orders(20))).await, Err(StoreError::Fenced));
    assert_eq!(fixture.rows().await, 0);

    // Fenced in the store too, not only by what this writer remembers.
    fixture
        .run(&format!(
            "UPDATE {{s}}shards SET epoch = {} WHERE id = {}",
            new.epoch + 5,
            new.shard.0
        ))
        .await;
    assert_eq!(writer.commit(new, batch(&orders(20))).await, Err(StoreError::Fenced));
    assert_eq!(fixture.rows().await, 0);
    assert_eq!(fixture.store.positions().await.unwrap()[&new.shard], new.seq);

    // So is a batch after a repeated order, which is looked up before it is stored.
    let newest = writer.claim().await.unwrap();
    assert_eq!((newest.shard, newest.epoch), (new.shard, new.epoch + 6));
    let known = batch(&orders(1));
    writer.commit(newest, known.clone()).await.unwrap();
    writer.commit(newest, known).await.unwrap();
    fixture
        .run(&format!(
            "UPDATE {{s}}shards SET epoch = epoch + 1 WHERE id = {}",
            new.shard.0
        ))
        .await;
    assert_eq!(writer.commit(newest, batch(&orders(20))).await, Err(StoreError::Fenced));
    assert_eq!(fixture.rows().await, 1);

    let (new, newest) = (newest, writer.claim().await.unwrap());
    assert_eq!((newest.shard, newest.seq), (new.shard, new.seq + 2));
    assert_eq!(
        writer.commit(newest, batch(&orders(20))).await.unwrap().seq,
        newest.seq + 1
    );
    fixture.assert_audit_clean().await;
}

async fn a_repeated_order_keeps_its_id_and_is_not_counted_again(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let known = orders(40);
    let first = writer.commit(claim, batch(&known)).await.unwrap();
    let ids: BTreeMap<Uuid, Outcome> = batch(&known)
        .orders()
        .iter()
        .map(|order| order.message_id)
        .zip(first.outcomes)
        .collect();

    let mixed = batch(&[&known[10..30], &orders(25)[..]].concat());
    let second = writer.commit(claim, mixed.clone()).await.unwrap();
    assert_eq!((second.seq, stored(&second.outcomes)), (first.seq + 1, 25));
    for (order, outcome) in mixed.orders().iter().zip(&second.outcomes) {
        match ids.get(&order.message_id) {
            Some(Outcome::Stored { id }) => assert_eq!(outcome, &Outcome::Repeated { id: *id }),
            _ => assert!(matches!(outcome, Outcome::Stored { .. })),
        }
    }
    assert_eq!(fixture.rows().await, 65);
    assert_eq!(
        fixture.store.snapshot(Horizon::default()).await.unwrap().stored_total,
        65
    );
    fixture.assert_audit_clean().await;
}

async fn a_reused_key_is_told_and_changes_nothing(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let id = Uuid::now_v7();
    let original = order(id, "latte", "uptown", 450, NINE);
    let first = writer
        .commit(claim, batch(std::slice::from_ref(&original)))
        .await
        .unwrap();
    for other in [
        order(id, "latte", "uptown", 451, NINE),
        order(id, "latte", "uptown", 450, NINE + 1),
        order(id, "americano", "uptown", 450, NINE),
        order(id, "latte", "central", 450, NINE),
    ] {
        let receipt = writer.commit(claim, batch(&[other])).await.unwrap();
        assert_eq!(receipt.outcomes, [Outcome::KeyReused]);
    }
    let Outcome::Stored { id } = first.outcomes[0] else {
        panic!()
    };
    let again = writer.commit(claim, batch(&[original])).await.unwrap();
    assert_eq!(again.outcomes, [Outcome::Repeated { id }]);
    assert_eq!(fixture.rows().await, 1);
    fixture.assert_audit_clean().await;
}

async fn a_dropped_commit_still_commits_and_the_next_claim_waits(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let mut claim: Claim = claim;
    for round in 1..=20_u64 {
        let commit = writer.commit(claim, batch(&orders(200)));
        // Polled just once, so that it has begun and hardly more, then dropped as a killed actor would drop it.
        drop(futures_util::future::poll_immediate(commit).await);
        let next = writer.claim().await.unwrap();
        assert_eq!(
            (next.epoch, next.seq),
            (claim.epoch + 1, claim.seq + 1),
            "round {round}"
        );
        assert_eq!(fixture.rows().await, round * 200);
        claim = next;
    }
    fixture.assert_audit_clean().await;
}

async fn writers_get_slots_of_their_own_and_keep_them(fixture: Fixture) {
    let store = &fixture.store;
    let writers = [
        store.shard_writer("v1"),
        store.shard_writer("v1"),
        store.shard_writer("v2"),
    ];
    let mut shards = BTreeSet::new();
    for writer in &writers {
        let claim = writer.claim().await.unwrap();
        assert!(shards.insert(claim.shard), "two writers share a shard");
        let again = writer.claim().await.unwrap();
        assert_eq!((again.shard, again.epoch), (claim.shard, claim.epoch + 1));
    }
    let slots = "SELECT group_concat(source || '/' || slot, ' ') FROM (SELECT * FROM {s}shards ORDER BY source, slot)";
    let slots = match &fixture.place {
        Place::Sqlite(_) => slots.to_owned(),
        Place::Postgres(_) => slots
            .replace("group_concat", "string_agg")
            .replace("shards ORDER BY source, slot)", "shards ORDER BY source, slot) AS s"),
    };
    assert_eq!(fixture.text(&slots).await, "v1/0 v1/1 v2/0");
    if let Place::Postgres(database) = &fixture.place {
        let locks = format!(
            "SELECT count(*)::text FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE locktype = 'advisory' AND datname = '{}'",
            database.name
        );
        assert_eq!(fixture.text(&locks).await, "3", "one lock for each writer");
    }
}

async fn overlapping_batches_in_both_directions_store_each_order_once(fixture: Fixture) {
    let all = Arc::new(orders(400));
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..4_usize {
        let (writer, all) = (fixture.store.shard_writer("v1"), all.clone());
        tasks.spawn(async move {
            let claim = writer.claim().await.unwrap();
            let mut windows: Vec<_> = all.chunks(40).map(<[_]>::to_vec).collect();
            if lane % 2 == 1 {
                windows.reverse();
            }
            let mut mine = 0;
            for window in windows {
                mine += stored(&writer.commit(claim, batch(&window)).await.unwrap().outcomes);
            }
            mine
        });
    }
    let counted = tokio::time::timeout(DEADLINE, tasks.join_all()).await.unwrap();
    assert_eq!(counted.iter().sum::<usize>(), 400);
    assert_eq!(fixture.rows().await, 400);
    fixture.assert_audit_clean().await;
}

async fn the_audit_finds_planted_differences(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let kept = [
        order(Uuid::now_v7(), "latte", "uptown", 450, NINE),
        order(Uuid::now_v7(), "latte", "central", 300, NINE),
    ];
    writer.commit(claim, batch(&kept)).await.unwrap();
    let clean = fixture.store.audit().await.unwrap();
    assert_eq!(
        (clean.orders, clean.amount, clean.rollup_rows, clean.shards),
        (2, Cents(750), 2, 1)
    );
    assert_eq!(clean.differences, []);

    fixture
        .run("UPDATE {s}order_rows SET price_cents = price_cents + 1 WHERE price_cents = 450")
        .await;
    let found = fixture.store.audit().await.unwrap().differences;
    let texts: Vec<_> = found
        .iter()
        .map(|d| (d.what.as_str(), d.recounted.as_str(), d.recorded.as_str()))
        .collect();
    let want = [
        ("all orders", "2 orders, 7.51", "2 orders, 7.5"),
        ("2026-11-22T09:00Z uptown latte", "1 orders, 4.51", "1 orders, 4.5"),
    ];
    assert_eq!(texts, want);

    fixture
        .run("UPDATE {s}order_rows SET price_cents = price_cents - 1 WHERE price_cents = 451")
        .await;
    fixture.run("UPDATE {s}shard_totals SET orders = orders + 1").await;
    let found = fixture.store.audit().await.unwrap().differences;
    let what: Vec<_> = found.iter().map(|difference| difference.what.as_str()).collect();
    assert_eq!(what, ["all orders", "total of shard v1/0"]);
}

async fn the_audit_lists_a_bounded_number_of_differences(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let spread = |n: i64| order(Uuid::now_v7(), "latte", "uptown", 100, NINE + n * 60_000_000);
    writer
        .commit(claim, batch(&(0..1200).map(spread).collect::<Vec<_>>()))
        .await
        .unwrap();
    fixture.run("UPDATE {s}rollups SET orders = orders + 1").await;
    let found = fixture.store.audit().await.unwrap().differences;
    assert_eq!(found.len(), coffee_rt::adapters::MAX_AUDIT_DIFFERENCES + 1);
    // 1,200 cells and the shard's total.
    assert_eq!(found.last().unwrap().what, "and 201 more");
}

async fn a_refused_batch_leaves_the_writer_usable(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let good = orders(3);
    for bad in [
        order(Uuid::now_v7(), "latte", "uptown", -1, NINE),
        order(Uuid::now_v7(), "latte", "uptown", i64::from(i32::MAX) + 1, NINE),
        order(Uuid::now_v7(), "latte", "uptown", 450, -1),
        order(Uuid::now_v7(), "tea", "uptown", 450, NINE),
        order(Uuid::now_v7(), "latte", "moon", 450, NINE),
    ] {
        let mixed = batch(&[&good[..], &[bad][..]].concat());
        let refused = writer.commit(claim, mixed).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    assert_eq!(fixture.rows().await, 0);
    let receipt = writer.commit(claim, batch(&good)).await.unwrap();
    assert_eq!((receipt.seq, stored(&receipt.outcomes)), (claim.seq + 1, 3));
    fixture.assert_audit_clean().await;
}

async fn an_empty_batch_moves_only_the_sequence(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let receipt = writer.commit(claim, batch(&[])).await.unwrap();
    assert_eq!((receipt.seq, receipt.outcomes), (claim.seq + 1, vec![]));
    fixture.assert_audit_clean().await;
}

async fn snapshots_agree_with_deltas(fixture: Fixture) {
    let empty = fixture.store.snapshot(Horizon::default()).await.unwrap();
    assert_eq!((empty.stored_total, empty.hours.len(), empty.recent.len()), (0, 0, 0));

    let mut hours: BTreeMap<(i64, String, String), (u64, i64)> = BTreeMap::new();
    let mut minutes: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
    let mut recent = Vec::new();
    let mut positions = BTreeMap::new();
    for source in ["v1", "v2"] {
        let writer = fixture.store.shard_writer(source);
        let claim = writer.claim().await.unwrap();
        for size in [5, 300, 40] {
            let batch = batch(&orders(size));
            let receipt = writer.commit(claim, batch.clone()).await.unwrap();
            let content = DeltaContent::of_commit(batch.orders(), &receipt.outcomes);
            for cell in content.cells {
                let key = (cell.minute / 60, cell.store.to_string(), cell.drink.to_string());
                for sum in [hours.entry(key).or_default(), minutes.entry(cell.minute).or_default()] {
                    *sum = (sum.0 + cell.orders, sum.1 + cell.amount.0);
                }
            }
            recent.extend(content.recent);
            positions.insert(claim.shard, receipt.seq);
        }
    }
    recent.sort_unstable_by_key(|order| std::cmp::Reverse(order.id));
    recent.truncate(RECENT_ORDERS);

    let snapshot = fixture.store.snapshot(Horizon::default()).await.unwrap();
    let cells = |from: i64| -> Vec<_> {
        let kept = hours.iter().filter(move |(key, _)| key.0 >= from);
        kept.map(|((hour, store, drink), sum)| (*hour, store.clone(), drink.clone(), sum.0, sum.1))
            .collect()
    };
    let shown = |snapshot: &Snapshot| -> Vec<_> {
        let cell = |c: &HourCell| (c.hour, c.store.to_string(), c.drink.to_string(), c.orders, c.amount.0);
        snapshot.hours.iter().map(cell).collect()
    };
    let by_minute = |snapshot: &Snapshot| -> BTreeMap<_, _> {
        let cells = snapshot.minutes.iter();
        cells.map(|c| (c.minute, (c.orders, c.amount.0))).collect()
    };
    assert_eq!(snapshot.stored_total, 690);
    assert_eq!(snapshot.positions, positions);
    assert_eq!(fixture.store.positions().await.unwrap(), positions);
    assert_eq!(snapshot.recent, recent);
    assert_eq!(shown(&snapshot), cells(0));
    assert_eq!(
        (by_minute(&snapshot), snapshot.minutes.len()),
        (minutes.clone(), minutes.len())
    );
    let ten = Horizon {
        hour: Instant(NINE).hour() + 1,
        minute: Instant(NINE).minute() + 20,
    };
    let later = fixture.store.snapshot(ten).await.unwrap();
    assert_eq!(shown(&later), cells(ten.hour));
    let shown_minutes = minutes.split_off(&ten.minute);
    assert_eq!(by_minute(&later), shown_minutes);
    assert!(!minutes.is_empty() && !shown_minutes.is_empty());
    assert!(later.hours.len() < snapshot.hours.len() && later.stored_total == 690);
}

async fn the_view_shows_exact_columns(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let id: Uuid = "01936F2A-7B3C-7ABC-8DEF-0123456789AB".parse().unwrap();
    let one = order(id, "latte", "southend", 999_999, NINE + 1);
    let Outcome::Stored { id } = writer.commit(claim, batch(&[one])).await.unwrap().outcomes[0] else {
        panic!()
    };
    let (sql, want) = match &fixture.place {
        Place::Sqlite(_) => (
            "SELECT id || '|' || drink || '|' || store || '|' || price || '|' || \"timestamp\" || '|' || message_id
                || '|' || typeof(price) || '|' || typeof(\"timestamp\") FROM orders",
            "9999.99|2026-11-22T09:00:00.000001Z|01936f2a-7b3c-7abc-8def-0123456789ab|real|text",
        ),
        Place::Postgres(_) => (
            "SELECT concat_ws('|', id, drink, store, price, to_char(\"timestamp\" AT TIME ZONE 'UTC',
                'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), message_id, pg_typeof(\"timestamp\"),
                (SELECT format_type(atttypid, atttypmod) FROM pg_attribute
                 WHERE attrelid = 'coffee_rt.orders'::regclass AND attname = 'price')) FROM coffee_rt.orders",
            "9999.99|2026-11-22T09:00:00.000001Z|01936f2a-7b3c-7abc-8def-0123456789ab|timestamp with time zone|numeric(10,2)",
        ),
    };
    assert_eq!(fixture.text(sql).await, format!("{id}|latte|southend|{want}"));
}

/// The drill must be caught, else the checks prove nothing.
#[cfg(feature = "fault-drills")]
#[test]
fn a_store_that_counts_conflicts_is_caught() {
    for engine in ["sqlite", "postgres"] {
        let story = format!("store_contract::{engine}::a_repeated_order_keeps_its_id_and_is_not_counted_again");
        assert_caught(&story, "count-conflicts", "left: 85");
    }
}
