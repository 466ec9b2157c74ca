//! Real implementations of the ports of [`coffee_rt_actors::ports`]: stores and buses.

mod audit;
mod catalog;
mod repeats;
mod rows;

pub mod postgres;
pub mod sqlite;

pub use audit::MAX_AUDIT_DIFFERENCES;

use std::future::Future;
use std::time::Duration;

use coffee_rt_actors::ports::StoreError;

/// Writers of one source in one store, over all nodes; each holds one slot.
pub const MAX_SLOTS: i32 = 1024;

/// Runs to the end even where the caller is dropped: an actor's death must not cut a transaction in two.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Away(format!("the store's task ended: {error}"))),
    }
}

/// Waits at most `limit`, else says what took too long.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Away(format!("no answer within {limit:?} to: {what}"))),
    }
}
