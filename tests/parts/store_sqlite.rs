//! What only an SQLite file can do to a store: belong to one node, be locked by another program, grow a log.

use crate::store_support::*;
use coffee_rt::adapters::sqlite::SqliteStore;
use coffee_rt_actors::domain::Menu;
use coffee_rt_actors::ports::{Horizon, OrderStore, StoreError};
use sqlx::{ConnectOptions, Executor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_is_refused_and_a_reader_is_not() {
    let fixture = sqlite().await;
    let file = fixture.sqlite_file();
    let Err(StoreError::Refused(reason)) = SqliteStore::open(&file, &Menu::default()).await else {
        panic!("two nodes have one file");
    };
    assert_eq!(reason, format!("{} is in use by another node", file.display()));

    let reader = SqliteStore::open_read_only(&file).await.unwrap();
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    writer.commit(claim, batch(&orders(12))).await.unwrap();
    let report = reader.audit().await.unwrap();
    assert_eq!((report.orders, report.differences), (12, vec![]));
    assert!(matches!(
        reader.shard_writer("v1").claim().await,
        Err(StoreError::Refused(_))
    ));

    // The lock ends with its store, and so with its node.
    drop((writer, fixture.store));
    let again = SqliteStore::open(&file, &Menu::default()).await.unwrap();
    assert_eq!(again.snapshot(Horizon::default()).await.unwrap().stored_total, 12);
    let next = again.shard_writer("v1").claim().await.unwrap();
    assert_eq!(
        (next.shard, next.epoch, next.seq),
        (claim.shard, claim.epoch + 1, claim.seq + 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_missing_or_foreign_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = SqliteStore::open_read_only(&folder.path().join("none.db")).await;
    assert!(matches!(missing, Err(StoreError::Refused(_))));
    let foreign = folder.path().join("notes.txt");
    std::fs::write(
        &foreign,
        "not a database, but long enough to be taken for one".repeat(100),
    )
    .unwrap();
    assert!(matches!(
        SqliteStore::open_read_only(&foreign).await,
        Err(StoreError::Refused(_))
    ));
    assert!(matches!(
        SqliteStore::open(&foreign, &Menu::default()).await,
        Err(StoreError::Refused(_))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_an_older_version_must_be_migrated_before_it_is_read() {
    let fixture = sqlite().await;
    fixture.run("DELETE FROM _sqlx_migrations WHERE version > 1").await;
    let Err(StoreError::Refused(reason)) = SqliteStore::open_read_only(&fixture.sqlite_file()).await else {
        panic!("an older file is read");
    };
    assert!(reason.contains("coffee-rt migrate"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_programs_lock_is_waited_for_then_away_and_the_writer_recovers() {
    let fixture = sqlite().await;
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(fixture.sqlite_file());
    let mut other = options.connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let batch = batch(&orders(4));
    let busy = writer.commit(claim, batch.clone()).await;
    assert!(matches!(busy, Err(StoreError::Away(_))), "{busy:?}");
    // Reads don't wait for writers.
    assert_eq!(
        fixture.store.snapshot(Horizon::default()).await.unwrap().stored_total,
        0
    );
    other.execute("ROLLBACK").await.unwrap();
    let receipt = writer.commit(claim, batch).await.unwrap();
    assert_eq!((receipt.seq, stored(&receipt.outcomes)), (claim.seq + 1, 4));
    fixture.assert_audit_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_grows_under_a_long_read_and_shrinks_after_it() {
    let fixture = sqlite().await;
    let limit = coffee_rt::adapters::sqlite::WAL_LIMIT_BYTES;
    let log = || {
        std::fs::metadata(fixture.sqlite_file().with_extension("db-wal"))
            .unwrap()
            .len()
    };
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    writer.commit(claim, batch(&orders(1))).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(fixture.sqlite_file())
        .read_only(true);
    let mut reader = options.connect().await.unwrap();
    reader.execute("BEGIN; SELECT count(*) FROM order_rows").await.unwrap();
    while log() <= limit {
        writer.commit(claim, batch(&orders(8_000))).await.unwrap();
    }
    writer.commit(claim, batch(&orders(8_000))).await.unwrap();
    assert!(log() > limit, "a reader's view was taken from under it");
    reader.execute("ROLLBACK").await.unwrap();
    let mut commits = 0;
    while log() > limit {
        writer.commit(claim, batch(&orders(8_000))).await.unwrap();
        commits += 1;
        assert!(commits < 200, "the log stays at {} bytes", log());
    }
    fixture.assert_audit_clean().await;
}
