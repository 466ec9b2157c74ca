//! The metrics in a cache: written soon, not too often, again after a failure, and by each generation at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::cache::{MAX_INTERVAL, MIN_INTERVAL, RETRY_PAUSE, WRITE_LIMIT};
use coffee_rt_actors::supervision::Fault;
use support::memory_store::Reach;
use support::node::{Node, new_order};
use support::{eventually, seeded};
use tokio::time::{Instant, sleep};

const CREDIT: usize = 100;
/// For what takes no time of its own.
const SOON: Duration = Duration::from_millis(50);
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

impl Node {
    async fn order(&self) {
        self.desk.place(new_order(&mut seeded())).await.unwrap();
    }

    /// Waits until the cache includes so many orders, and tells how long that took.
    async fn cached_after(&self, orders: u64) -> Duration {
        let began = Instant::now();
        eventually("the cache is written", || self.cache.stored_total() == Some(orders)).await;
        began.elapsed()
    }

    /// Started, with a cache that was written and may be written again at once.
    async fn started() -> Self {
        let node = Self::start(CREDIT).await;
        assert!(node.cached_after(0).await < MIN_INTERVAL + SOON);
        sleep(2 * MIN_INTERVAL).await;
        node
    }

    fn writes_since(&self, began: Instant) -> usize {
        self.cache
            .writes_begun()
            .iter()
            .filter(|write| **write >= began)
            .count()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_change_is_written_at_once_and_later_ones_together() {
    let node = Node::started().await;
    node.order().await;
    assert!(node.cached_after(1).await < SOON);
    let began = Instant::now();
    while began.elapsed() < 10 * MIN_INTERVAL {
        node.order().await;
        sleep(Duration::from_millis(5)).await;
    }
    let writes = node.writes_since(began);
    assert!((8..=11).contains(&writes), "{writes} writes");
    node.is_consistent().await;
    let writes = node.cache.writes_begun();
    for pair in writes.windows(2) {
        assert!(pair[1] - pair[0] >= MIN_INTERVAL, "{writes:?}");
    }
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_is_tried_again_though_nothing_changes() {
    for reach in [Reach::Away, Reach::AnswerLost] {
        let node = Node::started().await;
        node.cache.behave(reach, Duration::ZERO);
        let began = Instant::now();
        for _ in 0..50 {
            node.order().await;
        }
        sleep(4 * RETRY_PAUSE).await;
        let writes = node.writes_since(began);
        assert!((4..=5).contains(&writes), "{writes} writes");
        node.cache.behave(Reach::Up, Duration::ZERO);
        assert!(node.cached_after(50).await <= RETRY_PAUSE + SOON);
        node.is_consistent().await;
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_does_not_answer_is_given_up_and_asked_again() {
    let node = Node::started().await;
    node.cache.behave(Reach::Up, FOR_EVER);
    let began = Instant::now();
    node.order().await;
    sleep(3 * (WRITE_LIMIT + RETRY_PAUSE)).await;
    let writes = node.writes_since(began);
    assert!((3..=4).contains(&writes), "{writes} writes");
    assert_eq!(node.cache.most_under_way(), 1);
    node.cache.behave(Reach::Up, Duration::ZERO);
    assert!(node.cached_after(1).await <= WRITE_LIMIT + RETRY_PAUSE + SOON);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_killed_writer_is_followed_by_one_that_writes_at_once() {
    let node = Node::started().await;
    node.cache.behave(Reach::Up, FOR_EVER);
    node.order().await;
    sleep(SOON).await;
    node.cache.behave(Reach::Up, Duration::ZERO);
    for path in ["shared/cache", "shared", "root"] {
        node.cache.replace(None);
        node.grove.hit(path, Fault::Kill).await;
        assert!(node.cached_after(1).await < SOON, "{path}");
    }
    assert_eq!(node.cache.most_under_way(), 1);
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_emptied_cache_fills_again_though_nothing_changes() {
    let node = Node::started().await;
    node.order().await;
    node.cached_after(1).await;
    node.cache.replace(None);
    assert!(node.cached_after(1).await <= MAX_INTERVAL + SOON);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn newer_metrics_of_another_node_stay_until_they_are_gone() {
    let node = Node::started().await;
    let mut newer = node.cache.metrics().unwrap();
    newer.dashboard.stored_total = 7;
    node.cache.replace(Some(newer.clone()));
    node.order().await;
    sleep(2 * MAX_INTERVAL).await;
    assert_eq!(node.cache.metrics(), Some(newer));
    node.cache.replace(None);
    assert!(node.cached_after(1).await <= MAX_INTERVAL + SOON);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_writes_what_has_changed_last() {
    for is_away in [false, true] {
        let mut node = Node::started().await;
        if is_away {
            node.cache.behave(Reach::Away, Duration::ZERO);
        }
        node.order().await;
        sleep(SOON).await;
        node.order().await;
        node.cache.behave(Reach::Up, Duration::ZERO);
        assert_ne!(node.cache.stored_total(), Some(2));
        node.grove.ask_to_drain();
        let (cache, grove) = (node.cache, node.grove);
        grove.outcome().await.unwrap();
        assert_eq!(cache.stored_total(), Some(2), "away before: {is_away}");
    }
}
