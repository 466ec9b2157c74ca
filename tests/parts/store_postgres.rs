//! What only PostgreSQL can do to a store: be away, come back, be shared by several nodes, and carry deltas.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::store_support::bus::{delta, large_ones_arrive, receive};
use crate::store_support::*;
use coffee_rt::adapters::postgres::{PostgresBus, PostgresStore};
use coffee_rt_actors::domain::{Item, Menu};
use coffee_rt_actors::ports::{DeltaBus, Horizon, OrderStore, StoreError};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

type Test = tokio::task::JoinSet<()>;

fn open(database: &PostgresDatabase) -> Arc<PostgresStore> {
    PostgresStore::connect_lazy(&database.url, &Menu::default()).unwrap()
}

/// Ends all other sessions of a database, as a restart of the server does.
async fn cut_connections(database: &PostgresDatabase) {
    let mut conn = PgConnection::connect(&database.url).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    conn.execute(cut).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_absent_is_away_until_it_comes() {
    let database = PostgresDatabase::absent();
    let store = open(&database);
    let writer = store.shard_writer("v1");
    assert!(matches!(writer.claim().await, Err(StoreError::Away(_))));
    assert!(matches!(store.positions().await, Err(StoreError::Away(_))));
    assert!(matches!(
        store.snapshot(Horizon::default()).await,
        Err(StoreError::Away(_))
    ));
    assert!(matches!(store.audit().await, Err(StoreError::Away(_))));
    database.make().await;
    let claim = writer.claim().await.unwrap();
    assert_eq!(
        stored(&writer.commit(claim, batch(&orders(3))).await.unwrap().outcomes),
        3
    );
    assert_eq!(store.snapshot(Horizon::default()).await.unwrap().stored_total, 3);
}

/// How many rows of orders were read one after the other, and how many were looked up.
async fn reads(database: &PostgresDatabase) -> (i64, i64) {
    let mut conn = PgConnection::connect(&database.url).await.unwrap();
    let read =
        "SELECT coalesce(seq_tup_read, 0), coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'order_rows'";
    sqlx::query_as(read).fetch_one(&mut conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_order_is_looked_up_and_not_looked_for() {
    let fixture = postgres().await;
    let Place::Postgres(database) = &fixture.place else {
        unreachable!()
    };
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let repeated = batch(&orders(1_000));
    // How repeated orders are found is planned while there are few.
    for _ in 0..2 {
        writer.commit(claim, repeated.clone()).await.unwrap();
    }
    writer.commit(claim, batch(&orders(1_000))).await.unwrap();
    let (before, deadline) = (reads(database).await, Instant::now() + Duration::from_secs(20));
    // What was read is told a while later.
    loop {
        writer.commit(claim, repeated.clone()).await.unwrap();
        let (read, looked_up) = reads(database).await;
        assert_eq!(read, before.0, "rows that were read one after the other");
        if looked_up > before.1 {
            break;
        }
        assert!(Instant::now() < deadline, "nothing was looked up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listening_is_told_at_once() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let store = PostgresStore::connect_lazy(&format!("postgres://u:secret@127.0.0.1:{port}/db"), &Menu::default());
    let started = Instant::now();
    let Err(StoreError::Away(reason)) = store.unwrap().positions().await else {
        panic!("not away")
    };
    assert!(reason.contains("refused") && !reason.contains("secret"), "{reason}");
    assert!(started.elapsed().as_secs() < 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_is_away_and_the_next_claim_heals_it() {
    let fixture = postgres().await;
    let Place::Postgres(database) = &fixture.place else {
        unreachable!()
    };
    let writer = fixture.store.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    writer.commit(claim, batch(&orders(5))).await.unwrap();
    fixture.store.positions().await.unwrap();
    cut_connections(database).await;
    let lost = batch(&orders(5));
    assert!(matches!(
        writer.commit(claim, lost.clone()).await,
        Err(StoreError::Away(_))
    ));
    assert_eq!(
        writer.commit(claim, lost.clone()).await,
        Err(StoreError::Fenced),
        "without a connection no claim holds"
    );
    let deadline = Instant::now() + DEADLINE;
    let next = loop {
        match writer.claim().await {
            // The server may hold the old slot's lock a moment longer; any free slot will do.
            Ok(claim) => break claim,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(stored(&writer.commit(next, lost).await.unwrap().outcomes), 5);
    cut_connections(database).await;
    writer.claim().await.unwrap();
    while fixture.store.positions().await.is_err() {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(fixture.rows().await, 10);
    fixture.assert_audit_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_migrate_once_and_share_the_catalog() {
    let database = PostgresDatabase::create().await;
    let mut nodes = Test::new();
    for _ in 0..4 {
        let store = open(&database);
        nodes.spawn(async move {
            let writer = store.shard_writer("v1");
            let claim = writer.claim().await.unwrap();
            assert_eq!(
                stored(&writer.commit(claim, batch(&orders(30))).await.unwrap().outcomes),
                30
            );
        });
    }
    tokio::time::timeout(DEADLINE, nodes.join_all()).await.unwrap();
    let store = open(&database);
    let report = store.audit().await.unwrap();
    assert_eq!((report.orders, report.differences), (120, vec![]));

    // Numbers of names are scarce: restarts use none up.
    let mut conn = PgConnection::connect(&database.url).await.unwrap();
    let highest: Vec<i16> = sqlx::query_scalar("SELECT max(id) FROM coffee_rt.drinks")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert!(highest[0] <= 12, "{highest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_gives_way_to_a_long_read() {
    let fixture = postgres().await;
    let Place::Postgres(database) = &fixture.place else {
        unreachable!()
    };
    let drop_columns = ["mark", "records", "repeated", "dead_lettered"].map(|column| format!("DROP COLUMN {column}"));
    let older = format!("ALTER TABLE {{s}}shards {}", drop_columns.join(", "));
    fixture.run(&older).await;
    fixture.run("DELETE FROM {s}_sqlx_migrations WHERE version = 2").await;
    let mut recount = PgConnection::connect(&database.url).await.unwrap();
    recount
        .execute("BEGIN; SELECT count(*) FROM coffee_rt.shards")
        .await
        .unwrap();
    let newer = open(database);
    let refused = newer.migrate().await;
    assert!(
        matches!(&refused, Err(StoreError::Away(reason)) if reason.contains("lock timeout")),
        "{refused:?}"
    );
    recount.execute("COMMIT").await.unwrap();
    newer.migrate().await.unwrap();
    newer.partition_writer("v3", 0).claim().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_another_node_added_is_learned() {
    let database = PostgresDatabase::create().await;
    let old = open(&database);
    let writer = old.shard_writer("v1");
    let claim = writer.claim().await.unwrap();
    let tea = order(uuid::Uuid::now_v7(), "tea", "uptown", 250, NINE);
    assert!(matches!(
        writer.commit(claim, batch(std::slice::from_ref(&tea))).await,
        Err(StoreError::Refused(_))
    ));
    let menu = Menu {
        drinks: vec![Item::from("tea")],
        ..Menu::default()
    };
    PostgresStore::connect_lazy(&database.url, &menu)
        .unwrap()
        .migrate()
        .await
        .unwrap();
    assert_eq!(stored(&writer.commit(claim, batch(&[tea])).await.unwrap().outcomes), 1);
    assert_eq!(&*old.snapshot(Horizon::default()).await.unwrap().recent[0].drink, "tea");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_for_reading_only_is_away_and_the_writer_recovers() {
    let fixture = postgres().await;
    let Place::Postgres(database) = &fixture.place else {
        unreachable!()
    };
    let writer = fixture.store.shard_writer("v1");
    fixture
        .run(&format!(
            "ALTER DATABASE {} SET default_transaction_read_only = on",
            database.name
        ))
        .await;
    assert!(matches!(writer.claim().await, Err(StoreError::Away(_))));
    let undo = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = off",
        database.name
    );
    let mut conn = PgConnection::connect(&database.url).await.unwrap();
    conn.execute("SET default_transaction_read_only = off").await.unwrap();
    conn.execute(AssertSqlSafe(undo)).await.unwrap();
    writer.claim().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_carries_deltas_between_nodes_but_not_back() {
    let database = PostgresDatabase::create().await;
    let (here, there) = (
        PostgresBus::new(&database.url).unwrap(),
        PostgresBus::new(&database.url).unwrap(),
    );
    let (mut at_here, mut at_there) = (here.subscribe().await.unwrap(), there.subscribe().await.unwrap());
    large_ones_arrive(&here, &mut at_here, &there, &mut at_there, 30, 3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_bus_says_so_and_connects_again() {
    let database = PostgresDatabase::create().await;
    let (here, there) = (
        PostgresBus::new(&database.url).unwrap(),
        PostgresBus::new(&database.url).unwrap(),
    );
    let mut at_there = there.subscribe().await.unwrap();
    here.publish(&[delta(1, 1)]).await.unwrap();
    assert_eq!(receive(&mut at_there, 1).await.len(), 1);
    cut_connections(&database).await;
    let broken = tokio::time::timeout(DEADLINE, at_there.next()).await.unwrap();
    assert!(matches!(broken, Err(StoreError::Away(_))));
    assert!(matches!(here.publish(&[delta(2, 1)]).await, Err(StoreError::Away(_))));
    let mut at_there = there.subscribe().await.unwrap();
    here.publish(&[delta(3, 1)]).await.unwrap();
    assert_eq!(receive(&mut at_there, 1).await[0].seq, 3);
}
