//! Who may move a partition's position: the one who claimed it last, on whatever node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::domain::Position;
use coffee_rt_actors::ports::{OrderStore, StoreError};

use super::{PARTITION, accounts, accounts_of_all};
use crate::store_support::*;

contract!(
    who_claims_a_partition_last_has_it,
    first_claims_at_once_make_one_row,
    a_commit_beside_a_claim_is_seen_by_it_or_fenced,
    a_moved_position_fences_and_is_taken_up,
    a_writer_that_lost_its_partition_moves_nothing,
);

/// Commits that meet a claim.
const MEETINGS: i64 = 40;
/// The longest that a claim comes after its commit began.
const LONGEST_HEAD_START: Duration = Duration::from_millis(1);

/// The store as another node has it, where there can be one.
async fn another_node(fixture: &Fixture) -> Arc<dyn OrderStore> {
    match &fixture.place {
        Place::Sqlite(_) => fixture.store.clone(),
        Place::Postgres(_) => fixture.place.store().await,
    }
}

async fn who_claims_a_partition_last_has_it(fixture: Fixture) {
    let (first, second) = (
        fixture.store.partition_writer("v3", PARTITION),
        fixture.store.partition_writer("v3", PARTITION),
    );
    let old = first.claim().await.unwrap();
    let new = second.claim().await.unwrap();
    assert_eq!((new.shard, new.epoch), (old.shard, old.epoch + 1));
    let fenced = first.commit(old, records(&orders(5), at(5), 5, 0)).await;
    assert_eq!(fenced, Err(StoreError::Fenced));
    second.commit(new, records(&orders(4), at(4), 4, 0)).await.unwrap();
    let back = first.claim().await.unwrap();
    assert_eq!((back.epoch, back.seq, back.position), (new.epoch + 1, 1, Some(at(4))));
    let fenced = second.commit(new, records(&[], at(9), 0, 0)).await;
    assert_eq!(fenced, Err(StoreError::Fenced));
    // Other partitions and sources are shards of their own.
    let others = [("v3", 0), ("v3", 1), ("v2", PARTITION)];
    let mut shards = BTreeSet::from([back.shard]);
    for (source, partition) in others {
        let claim = fixture.store.partition_writer(source, partition).claim().await.unwrap();
        assert!(shards.insert(claim.shard) && claim.position.is_none());
    }
    first.commit(back, records(&orders(1), at(5), 1, 0)).await.unwrap();
    assert_eq!(accounts_of_all(&fixture).await, (5, 0));
}

async fn first_claims_at_once_make_one_row(fixture: Fixture) {
    let stores = [
        fixture.store.clone(),
        another_node(&fixture).await,
        another_node(&fixture).await,
    ];
    for partition in 0..10 {
        let mut claims = tokio::task::JoinSet::new();
        for lane in 0..6 {
            let writer = stores[lane % stores.len()].partition_writer("v3", partition);
            claims.spawn(async move { writer.claim().await.unwrap() });
        }
        let claims = tokio::time::timeout(DEADLINE, claims.join_all()).await.unwrap();
        let shards: BTreeSet<_> = claims.iter().map(|claim| claim.shard).collect();
        let epochs: BTreeSet<_> = claims.iter().map(|claim| claim.epoch).collect();
        assert_eq!((shards.len(), epochs), (1, (1..=6).collect()));
    }
    assert_eq!(fixture.text("SELECT cast(count(*) AS text) FROM {s}shards").await, "10");
    // Claims of a row that is there use up no ids.
    let writer = fixture.store.partition_writer("v3", 0);
    for _ in 0..100 {
        writer.claim().await.unwrap();
    }
    let next = fixture.store.partition_writer("v3", 10).claim().await.unwrap();
    assert!(next.shard.0 <= 61, "{next:?}");
}

async fn a_commit_beside_a_claim_is_seen_by_it_or_fenced(fixture: Fixture) {
    let other = another_node(&fixture).await;
    let mut writers = [fixture.store.clone(), other].map(|store| store.partition_writer("v3", PARTITION));
    let mut claim = writers[0].claim().await.unwrap();
    let (mut expected, mut seen) = (None, 0);
    for round in 1..=MEETINGS {
        let (writer, to) = (writers[0].clone(), at(round * 50));
        let committing = tokio::spawn(async move { writer.commit(claim, records(&orders(50), to, 50, 0)).await });
        // Tokio's timers are too coarse.
        std::thread::sleep(LONGEST_HEAD_START.mul_f64(rand::random()));
        claim = writers[1].claim().await.unwrap();
        match committing.await.unwrap() {
            Ok(_) => (expected, seen) = (Some(to), seen + 1),
            Err(error) => assert_eq!(error, StoreError::Fenced),
        }
        assert_eq!((claim.position, claim.seq), (expected, seen));
        writers.swap(0, 1);
    }
    println!("{seen} of {MEETINGS} commits came before the claim");
    assert_eq!(fixture.rows().await, u64::try_from(seen).unwrap() * 50);
    fixture.assert_audit_clean().await;
}

async fn a_moved_position_fences_and_is_taken_up(fixture: Fixture) {
    let moved_to = |next_offset| Some(Position { next_offset, mark: 0 });
    // Before there is a row, and where there is one.
    fixture.store.move_position("v3", PARTITION, 40).await.unwrap();
    let writer = fixture.store.partition_writer("v3", PARTITION);
    let claim = writer.claim().await.unwrap();
    assert_eq!((claim.epoch, claim.position), (2, moved_to(40)));
    let read = orders(10);
    writer.commit(claim, records(&read, at(50), 10, 0)).await.unwrap();
    fixture.store.move_position("v3", PARTITION, 45).await.unwrap();
    let fenced = writer.commit(claim, records(&orders(1), at(51), 1, 0)).await;
    assert_eq!(fenced, Err(StoreError::Fenced));
    let claim = writer.claim().await.unwrap();
    assert_eq!((claim.seq, claim.position), (1, moved_to(45)));
    let receipt = writer.commit(claim, records(&read[5..], at(50), 5, 0)).await.unwrap();
    assert_eq!(stored(&receipt.outcomes), 0);
    assert_eq!(accounts(&fixture).await, "15 10 5 0");
    let positions = fixture.store.log_positions("v3").await.unwrap();
    assert_eq!(positions, BTreeMap::from([(PARTITION, 50)]));
    fixture.assert_audit_clean().await;
}

async fn a_writer_that_lost_its_partition_moves_nothing(fixture: Fixture) {
    let other = another_node(&fixture).await;
    let lost = fixture.store.partition_writer("v3", PARTITION);
    let old = lost.claim().await.unwrap();
    lost.commit(old, records(&orders(5), at(5), 5, 0)).await.unwrap();
    // The new owner reads on, while the old one is still at what it read before.
    let owner = other.partition_writer("v3", PARTITION);
    let claim = owner.claim().await.unwrap();
    let read = orders(20);
    owner.commit(claim, records(&read, at(25), 20, 0)).await.unwrap();
    let late = lost.commit(old, records(&read[..8], at(13), 8, 0)).await;
    let position = fixture.store.log_positions("v3").await.unwrap()[&PARTITION];
    assert_eq!(position, 25, "the position went back");
    assert_eq!(late, Err(StoreError::Fenced));
    assert_eq!(accounts(&fixture).await, "25 25 0 0");
    fixture.assert_audit_clean().await;
}

/// The drill must be caught, else the checks prove nothing.
#[cfg(feature = "fault-drills")]
#[test]
fn a_store_without_a_fence_is_caught() {
    for engine in ["sqlite", "postgres"] {
        let story = format!("store_positions::owners::{engine}::a_writer_that_lost_its_partition_moves_nothing");
        assert_caught(&story, "skip-fence", "the position went back");
    }
}
