//! What stories share: a node of the real binary on a database of its own, load with a ledger, and the recount.

#[path = "../../parts/store_support/mod.rs"]
mod store_support;

mod books;
mod database;
mod flink;
mod held_commits;
pub mod kafka;
mod node;
mod own_service;
pub mod promql;
mod proxy;
mod recount;
mod requests;
mod subscriber;
pub mod wire;

use std::time::{Duration, Instant};

use coffee_rt::load::{Arrivals, Options, Pace};

pub use books::{Books, broken_promises, check_ledger, check_ledgers};
pub use database::Database;
pub use flink::Flink;
pub use held_commits::HeldCommits;
pub use kafka::Kafka;
pub use node::Node;
pub use own_service::OwnService;
pub use proxy::Proxy;
pub use recount::Recount;
pub use requests::Requests;
pub use subscriber::{Subscriber, open_socket};
pub use wire::{Reply, Wire};

/// How long a story waits for a condition before it fails.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The exit code of a command that found something away, or had no answer in time; doing it again is safe.
pub const AWAY: i32 = 4;
/// Load ends by itself after so long, whatever a story does.
const LONGEST_LOAD: Duration = Duration::from_secs(300);

/// Defines a story once and runs it on both engines.
macro_rules! on_both_engines {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(crate::support::Database::sqlite()).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(crate::support::Database::postgres().await).await })+
        }
    };
}
pub(crate) use on_both_engines;

/// Runs stories with orders that go through a Redis stream or a Kafka topic to PostgreSQL.
macro_rules! through_a_log {
    ($($story:ident),+ $(,)?) => {
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(crate::support::Database::redis().await).await })+
        }
        mod kafka {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(crate::support::Database::kafka().await).await })+
        }
    };
}
pub(crate) use through_a_log;

/// Runs stories on both engines and through a log.
macro_rules! on_every_way {
    ($($story:ident),+ $(,)?) => {
        crate::support::on_both_engines!($($story),+);
        crate::support::through_a_log!($($story),+);
    };
}
pub(crate) use on_every_way;

/// Customers who come again, for a minute, until each order is acknowledged.
pub fn patient(mut customers: Options) -> Options {
    customers.retry.max_attempts = 100;
    customers.retry.deadline = Duration::from_secs(60);
    customers.retry.repeat_refused = true;
    customers
}

/// Waits until a condition holds, or fails with what was waited for.
pub async fn eventually<T>(what: &str, check: impl AsyncFnMut() -> Result<T, String>) -> T {
    within(DEADLINE, what, check).await
}

/// Waits until a condition holds, or fails after `limit` with what was waited for.
pub async fn within<T>(limit: Duration, what: &str, mut check: impl AsyncFnMut() -> Result<T, String>) -> T {
    let until = Instant::now() + limit;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(state) if Instant::now() > until => panic!("{what}: not within {limit:?}: {state}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// What a command says that must do what it is told: a machine that stands still may keep it from an answer, so it is run
/// again while it finds something away.
pub async fn answered(limit: Duration, what: &str, mut run: impl AsyncFnMut() -> (i32, String)) -> String {
    within(limit, what, async || match run().await {
        (0, text) => Ok(text),
        (AWAY, text) => Err(text),
        (code, text) => panic!("{what}: {code}: {text}"),
    })
    .await
}

/// Customers at a steady rate until the story stops them.
pub fn customers(node: &Node, seed: u64, rate_per_second: f64) -> Options {
    let mut options = Options::new(node.url.clone());
    options.version = node.version;
    options.seed = seed;
    options.connections = 64;
    options.duration = Some(LONGEST_LOAD);
    options.pace = Pace::Open {
        rate_per_second,
        arrivals: Arrivals::Exponential,
    };
    options
}

/// A seed for a random story; printed, and settable to repeat a failure.
pub fn seed() -> u64 {
    let given = std::env::var("COFFEE_RT_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("repeat with COFFEE_RT_TEST_SEED={seed}");
    seed
}
