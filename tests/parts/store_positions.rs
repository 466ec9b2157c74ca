//! Shards that stand for partitions of a log: where their reading goes on, and that each record is accounted for.

mod owners;
mod properties;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store_support::*;
use coffee_rt_actors::domain::Order;
use coffee_rt_actors::ports::{Outcome, StoreError};
use uuid::Uuid;

contract!(
    a_position_moves_with_its_commit_and_survives,
    a_commit_that_fails_moves_nothing,
    reused_keys_are_named_and_nothing_is_written,
    repeated_orders_are_counted_as_repeated,
    overlapping_partitions_store_each_order_once_and_add_up,
    the_audit_finds_records_that_are_unaccounted_for,
    a_store_of_the_first_version_is_brought_up_to_date,
);

/// The partition of most stories.
const PARTITION: i32 = 2;

/// Its `records inserted repeated dead_lettered`.
async fn accounts(fixture: &Fixture) -> String {
    let sql = format!(
        "SELECT records || ' ' || coalesce(orders, 0) || ' ' || repeated || ' ' || dead_lettered
        FROM {{s}}shards AS h LEFT JOIN {{s}}shard_totals AS t ON t.shard = h.id WHERE slot = {PARTITION}"
    );
    fixture.text(&sql).await
}

/// With the key of an order, but another one.
fn reusing(order: &Order) -> Order {
    let mut reusing = order.clone();
    reusing.price.0 += 1;
    reusing
}

async fn a_position_moves_with_its_commit_and_survives(fixture: Fixture) {
    let writer = fixture.store.partition_writer("v3", PARTITION);
    let claim = writer.claim().await.unwrap();
    assert_eq!((claim.epoch, claim.seq, claim.position), (1, 0, None));
    assert_eq!(fixture.store.log_positions("v3").await.unwrap(), BTreeMap::new());

    let receipt = writer.commit(claim, records(&orders(3), at(30), 3, 0)).await.unwrap();
    assert_eq!((receipt.seq, stored(&receipt.outcomes)), (1, 3));
    assert_eq!(writer.claim().await.unwrap().position, Some(at(30)));
    // Records that are all in the dead letters move it too; a batch of no log leaves it.
    let claim = writer.claim().await.unwrap();
    let receipt = writer.commit(claim, records(&[], at(35), 2, 2)).await.unwrap();
    assert_eq!((receipt.seq, receipt.outcomes), (2, vec![]));
    writer.commit(claim, batch(&[])).await.unwrap();
    assert_eq!(accounts(&fixture).await, "5 3 0 2");

    drop(writer);
    let fixture = fixture.reopened().await;
    let next = fixture.store.partition_writer("v3", PARTITION).claim().await.unwrap();
    assert_eq!((next.shard, next.epoch, next.seq), (claim.shard, 4, 3));
    assert_eq!(next.position, Some(at(35)));
    let own_slot = fixture.store.shard_writer("v3").claim().await.unwrap();
    assert_eq!((own_slot.shard == next.shard, own_slot.position), (false, None));
    let positions = fixture.store.log_positions("v3").await.unwrap();
    assert_eq!(positions, BTreeMap::from([(PARTITION, 35)]));
    assert_eq!(fixture.store.log_positions("v2").await.unwrap(), BTreeMap::new());
    fixture.assert_audit_clean().await;
}

async fn a_commit_that_fails_moves_nothing(fixture: Fixture) {
    let writer = fixture.store.partition_writer("v3", PARTITION);
    let old = writer.claim().await.unwrap();
    let known = orders(2);
    writer.commit(old, records(&known, at(2), 2, 0)).await.unwrap();
    let claim = writer.claim().await.unwrap();

    let free = order(Uuid::now_v7(), "latte", "uptown", -1, NINE);
    let refused = writer.commit(claim, records(&[free], at(3), 1, 0)).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    // More orders than records, or than records outside of the dead letters.
    for (count, dead_lettered) in [(3, 0), (4, 1), (0, 1)] {
        let refused = writer
            .commit(claim, records(&orders(4), at(3), count, dead_lettered))
            .await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    let fenced = writer.commit(old, records(&orders(4), at(6), 4, 0)).await;
    assert_eq!(fenced, Err(StoreError::Fenced));
    // Who lost the partition is not told of reused keys either.
    let behind = format!("UPDATE {{s}}shards SET epoch = epoch + 1 WHERE id = {}", claim.shard.0);
    fixture.run(&behind).await;
    for orders in [vec![reusing(&known[0])], known.clone(), vec![]] {
        let fenced = writer.commit(claim, records(&orders, at(3), 2, 0)).await;
        assert_eq!(fenced, Err(StoreError::Fenced));
    }

    let claim = writer.claim().await.unwrap();
    assert_eq!((claim.seq, claim.position), (1, Some(at(2))));
    assert_eq!(accounts(&fixture).await, "2 2 0 0");
    writer.commit(claim, records(&orders(4), at(6), 4, 0)).await.unwrap();
    fixture.assert_audit_clean().await;
}

/// Records and dead letters by a clean audit.
async fn accounts_of_all(fixture: &Fixture) -> (u64, u64) {
    fixture.assert_audit_clean().await;
    let report = fixture.store.audit().await.unwrap();
    (report.records, report.dead_lettered)
}

async fn reused_keys_are_named_and_nothing_is_written(fixture: Fixture) {
    let writer = fixture.store.partition_writer("v3", PARTITION);
    let claim = writer.claim().await.unwrap();
    let known = orders(10);
    writer.commit(claim, records(&known, at(10), 10, 0)).await.unwrap();
    // Once where new orders are expected, once where they are looked up.
    for round in 0..2_usize {
        let (taken, fresh) = (&known[round * 3..][..3], orders(4));
        let mixed: Vec<_> = [known[9].clone(), reusing(&taken[0]), reusing(&taken[2])]
            .into_iter()
            .chain(fresh.clone())
            .collect();
        let to = at(17 + i64::try_from(round).unwrap() * 7);
        let refused = writer.commit(claim, records(&mixed, to, 7, 0)).await;
        let reused = vec![taken[0].message_id, taken[2].message_id];
        assert_eq!(refused, Err(StoreError::KeysReused(reused)));
        assert_eq!(fixture.rows().await, 10 + 4 * round as u64);
        let rest: Vec<_> = mixed[..1].iter().chain(&fresh).cloned().collect();
        let receipt = writer.commit(claim, records(&rest, to, 7, 2)).await.unwrap();
        assert_eq!(stored(&receipt.outcomes), 4);
    }
    assert_eq!(accounts(&fixture).await, "24 18 2 4");
    // Without a position they are outcomes.
    let both = batch(&[reusing(&known[0]), known[1].clone()]);
    let outcomes = writer.commit(claim, both).await.unwrap().outcomes;
    assert!(matches!(outcomes[..], [Outcome::KeyReused, Outcome::Repeated { .. }]));
    fixture.assert_audit_clean().await;
}

async fn repeated_orders_are_counted_as_repeated(fixture: Fixture) {
    let direct = fixture.store.shard_writer("v1");
    let claim = direct.claim().await.unwrap();
    let known = orders(20);
    direct.commit(claim, batch(&known)).await.unwrap();
    let writer = fixture.store.partition_writer("v3", PARTITION);
    let claim = writer.claim().await.unwrap();
    // All stored, by another shard; some; none, once with records that repeat within the batch.
    let fresh = orders(5);
    let mixed = [&known[5..], &fresh[..]].concat();
    for (orders, to, count, inserted) in [
        (known.clone(), 20, 20, 0),
        (mixed.clone(), 40, 20, 5),
        (mixed, 60, 20, 0),
        (orders(6), 70, 10, 6),
    ] {
        let receipt = writer.commit(claim, records(&orders, at(to), count, 0)).await.unwrap();
        assert_eq!(stored(&receipt.outcomes), inserted);
    }
    assert_eq!(accounts(&fixture).await, "70 11 59 0");
    assert_eq!(fixture.rows().await, 31);
    fixture.assert_audit_clean().await;
}

async fn overlapping_partitions_store_each_order_once_and_add_up(fixture: Fixture) {
    let all = Arc::new(orders(600));
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..4_usize {
        let writer = fixture
            .store
            .partition_writer("v3", i32::try_from(lane).unwrap() + PARTITION);
        let all = all.clone();
        lanes.spawn(async move {
            let claim = writer.claim().await.unwrap();
            // Windows of several sizes, so that one meets several of another lane; every other lane backwards.
            let mut windows: Vec<_> = all.chunks(37 + 11 * lane).map(<[_]>::to_vec).collect();
            if lane % 2 == 1 {
                windows.reverse();
            }
            let (mut mine, mut read) = (0, 0);
            for window in windows {
                read += window.len();
                let to = at(i64::try_from(read).unwrap());
                let receipt = writer.commit(claim, records(&window, to, window.len(), 0)).await;
                mine += stored(&receipt.unwrap().outcomes);
            }
            mine
        });
    }
    let counted = tokio::time::timeout(DEADLINE, lanes.join_all()).await.unwrap();
    assert_eq!(counted.iter().sum::<usize>(), 600, "{counted:?}");
    assert_eq!(fixture.rows().await, 600);
    assert_eq!(accounts_of_all(&fixture).await, (2_400, 0));
    let positions = fixture.store.log_positions("v3").await.unwrap();
    assert!(positions.values().all(|at| *at == 600), "{positions:?}");
}

async fn the_audit_finds_records_that_are_unaccounted_for(fixture: Fixture) {
    let writer = fixture.store.partition_writer("v3", PARTITION);
    let claim = writer.claim().await.unwrap();
    writer.commit(claim, records(&orders(7), at(9), 9, 1)).await.unwrap();
    assert_eq!(accounts_of_all(&fixture).await, (9, 1));
    for (column, by, recorded) in [
        ("records", 1, ["7 inserted, 1 repeated, 1 dead-lettered", "10 records"]),
        ("repeated", -1, ["7 inserted, 0 repeated, 1 dead-lettered", "9 records"]),
        (
            "dead_lettered",
            2,
            ["7 inserted, 1 repeated, 3 dead-lettered", "9 records"],
        ),
    ] {
        let plant = |by: i32| format!("UPDATE {{s}}shards SET {column} = {column} + {by}");
        fixture.run(&plant(by)).await;
        let found = fixture.store.audit().await.unwrap().differences;
        let texts: Vec<_> = found
            .iter()
            .map(|d| (d.what.as_str(), [d.recounted.as_str(), d.recorded.as_str()]))
            .collect();
        assert_eq!(texts, [("records of partition v3/2", recorded)]);
        fixture.run(&plant(-by)).await;
    }
    fixture.assert_audit_clean().await;
}

async fn a_store_of_the_first_version_is_brought_up_to_date(fixture: Fixture) {
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let known = orders(12);
    writer.commit(claim, batch(&known)).await.unwrap();
    for column in ["mark", "records", "repeated", "dead_lettered"] {
        fixture
            .run(&format!("ALTER TABLE {{s}}shards DROP COLUMN {column}"))
            .await;
    }
    fixture.run("DELETE FROM {s}_sqlx_migrations WHERE version = 2").await;
    drop(writer);
    let fixture = fixture.reopened().await;
    fixture.assert_audit_clean().await;
    let direct = fixture.store.shard_writer("v1");
    let next = direct.claim().await.unwrap();
    assert_eq!((next.epoch > claim.epoch, next.seq, next.position), (true, 1, None));
    let writer = fixture.store.partition_writer("v3", PARTITION);
    let claim = writer.claim().await.unwrap();
    writer.commit(claim, records(&known, at(12), 12, 0)).await.unwrap();
    assert_eq!(accounts(&fixture).await, "12 0 12 0");
    fixture.assert_audit_clean().await;
}
