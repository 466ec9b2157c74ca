//! What the tests of the actors share: a store, logs and a cache in memory, probes for supervision, seeds, and waiting
//! with a deadline.
#![allow(dead_code, reason = "each test uses its own part")]

pub mod log_node;
pub mod memory_cache;
pub mod memory_engine;
pub mod memory_log;
pub mod memory_partitions;
pub mod memory_store;
pub mod node;
pub mod partition_node;
pub mod probe;
pub mod reach;
pub mod vandal;

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

/// How long a condition may take to come true, on the test's clock.
pub const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(1);

/// Waits until a condition is true.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(POLL).await;
    }
}

/// The numbers of a randomised test. Its seed is printed, and taken from `COFFEE_RT_TEST_SEED` to repeat a run.
pub fn seeded() -> StdRng {
    let given = std::env::var("COFFEE_RT_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = given.unwrap_or_else(rand::random::<u64>);
    println!("COFFEE_RT_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Keeps the panics that a test injects out of its output.
pub fn quiet_injected_panics() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload_as_str() != Some("panic injected") {
            eprintln!("{info}");
        }
    }));
}
