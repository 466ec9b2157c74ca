//! Deltas between nodes through a real Redis.

use std::time::{Duration, Instant};

use crate::own_service::OwnService;
use crate::store_support::DEADLINE;
use crate::store_support::bus::{delta, large_ones_arrive, next, receive};
use coffee_rt::adapters::redis::{MAX_MESSAGE_BYTES, RedisBus};
use coffee_rt_actors::ports::{DeltaBus, DeltaStream, StoreError};
use redis::Value;

/// Far more messages than wait for a reader.
const FLOOD_MESSAGES: i64 = 2_000;
/// A connection without an answer must be noticed so soon: asked after 10 s, waited for 3 s.
const NOTICE_LIMIT: Duration = Duration::from_secs(18);

/// The test's own store on the server that all tests share: channels have its name.
fn own_store() -> (String, String) {
    let url = std::env::var("COFFEE_RT_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!("COFFEE_RT_TEST_REDIS_URL is not set: run `make test`, which starts a Redis for the tests")
    });
    (url, format!("test_{}", uuid::Uuid::new_v4().simple()))
}

fn two_nodes(url: &str, store: &str) -> (RedisBus, RedisBus) {
    (RedisBus::new(url, store).unwrap(), RedisBus::new(url, store).unwrap())
}

async fn tell(url: &str, command: &[&str]) -> Value {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut told = redis::cmd(command[0]);
    told.arg(&command[1..]);
    told.query_async(&mut connection).await.unwrap()
}

async fn is_lost(stream: &mut Box<dyn DeltaStream>) {
    let lost = next(stream).await;
    assert!(matches!(lost, Err(StoreError::Away(_))), "{lost:?}");
}

/// Publishes and subscribes anew until both work.
async fn heals(here: &RedisBus, there: &RedisBus, seq: i64) {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < DEADLINE, "the bus does not heal");
        let Ok(mut at_there) = there.subscribe().await else {
            continue;
        };
        if here.publish(&[delta(seq, 1)]).await.is_ok() {
            assert_eq!(receive(&mut at_there, 1).await[0].seq, seq);
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_carries_deltas_between_nodes_but_not_back() {
    let (url, store) = own_store();
    let (here, there) = two_nodes(&url, &store);
    let (mut at_here, mut at_there) = (here.subscribe().await.unwrap(), there.subscribe().await.unwrap());
    large_ones_arrive(&here, &mut at_here, &there, &mut at_there, 100, MAX_MESSAGE_BYTES / 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_of_this_store_is_not_heard() {
    let (url, store) = own_store();
    let (here, there) = two_nodes(&url, &store);
    let mut at_there = there.subscribe().await.unwrap();
    let mut other_database = url::Url::parse(&url).unwrap();
    other_database.set_path("1");
    let other_store = RedisBus::new(&url, &format!("{store}_too")).unwrap();
    let other_database = RedisBus::new(other_database.as_str(), &store).unwrap();
    other_store.publish(&[delta(1, 1)]).await.unwrap();
    other_database.publish(&[delta(2, 1)]).await.unwrap();
    // Noise on the channel is passed over.
    let channel = format!("coffee_rt:deltas:0:{store}");
    assert_eq!(tell(&url, &["PUBLISH", &channel, "{\"node\":"]).await, Value::Int(1));
    here.publish(&[delta(3, 1)]).await.unwrap();
    assert_eq!(receive(&mut at_there, 1).await[0].seq, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_busy_misses_deltas_and_hears_the_next() {
    let (url, store) = own_store();
    let (here, there) = two_nodes(&url, &store);
    let mut at_there = there.subscribe().await.unwrap();
    for seq in 1..=FLOOD_MESSAGES {
        here.publish(&[delta(seq, 1)]).await.unwrap();
    }
    let heard = receive(&mut at_there, 1).await;
    assert_eq!(heard[0].seq, 1);
    // What waited is bounded, so some are missing; what is published now arrives.
    let (mut last, mut count, mut seq) = (1, 1, FLOOD_MESSAGES);
    while last <= FLOOD_MESSAGES {
        seq += 1;
        here.publish(&[delta(seq, 1)]).await.unwrap();
        for delta in next(&mut at_there).await.unwrap() {
            assert!(delta.seq > last, "{} after {last}", delta.seq);
            (last, count) = (delta.seq, count + 1);
        }
    }
    assert!(count < FLOOD_MESSAGES, "nothing was dropped: {count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_is_cut_or_gone_says_so_and_connects_again() {
    let server = OwnService::up("redis").await;
    let (here, there) = two_nodes(&server.url, "store");
    let mut at_there = there.subscribe().await.unwrap();
    here.publish(&[delta(1, 1)]).await.unwrap();
    assert_eq!(receive(&mut at_there, 1).await.len(), 1);

    let cut = tell(&server.url, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(cut, Value::Int(1));
    is_lost(&mut at_there).await;
    heals(&here, &there, 2).await;

    let mut at_there = there.subscribe().await.unwrap();
    server.kill().await;
    is_lost(&mut at_there).await;
    assert!(matches!(here.publish(&[delta(3, 1)]).await, Err(StoreError::Away(_))));
    assert!(matches!(there.subscribe().await, Err(StoreError::Away(_))));
    server.start().await;
    heals(&here, &there, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_went_mute_is_noticed() {
    let server = OwnService::up("redis").await;
    let (here, there) = two_nodes(&server.url, "store");
    let mut at_there = there.subscribe().await.unwrap();
    here.publish(&[delta(1, 1)]).await.unwrap();
    assert_eq!(receive(&mut at_there, 1).await.len(), 1);

    let began = Instant::now();
    tell(&server.url, &["CLIENT", "PAUSE", "60000", "ALL"]).await;
    let waited = (here.publish(&[delta(2, 1)]).await, there.subscribe().await.map(drop));
    assert!(
        matches!(waited, (Err(StoreError::Away(_)), Err(StoreError::Away(_)))),
        "{waited:?}"
    );
    is_lost(&mut at_there).await;
    println!("noticed after {:?}", began.elapsed());
    assert!(began.elapsed() < NOTICE_LIMIT);
}
