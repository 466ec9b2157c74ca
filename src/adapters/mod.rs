//! Real implementations of the ports of [`coffee_rt_actors::ports`]: stores, logs and buses.

mod audit;
mod bus;
mod catalog;
mod commit;
mod migrations;
mod record;
mod repeats;
mod rows;

pub mod dead_letter;
pub mod flink;
pub mod kafka;
pub mod postgres;
pub mod redis;
pub mod sqlite;

pub use audit::MAX_AUDIT_DIFFERENCES;
pub use migrations::{Migration, MigrationState};
pub use record::{MAX_RECORD_BYTES, RECORD_FIELD, RECORDS_FIELD};

use std::future::Future;
use std::time::Duration;

use coffee_rt_actors::ports::{LogError, StoreError};

/// Writers of one source in one store, over all nodes; each holds one slot.
pub const MAX_SLOTS: i32 = 1024;

/// An error that can say that somebody is out of reach.
pub(crate) trait Absence {
    /// Out of reach, and why.
    fn away(reason: String) -> Self;
}

impl Absence for StoreError {
    fn away(reason: String) -> Self {
        Self::Away(reason)
    }
}

impl Absence for LogError {
    fn away(reason: String) -> Self {
        Self::Away(reason)
    }
}

/// Runs to the end even where the caller is dropped: an actor's death must not cut a transaction in two.
pub(crate) async fn to_the_end<T: Send + 'static, E: Absence + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => Err(E::away(format!("its task ended: {error}"))),
    }
}

/// Waits at most `limit`, else says what took too long.
pub(crate) async fn within<T, E: Absence>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(E::away(format!("no answer within {limit:?} to: {what}"))),
    }
}
