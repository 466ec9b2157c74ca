//! A cache of the metrics for readers that ask no node.

use async_trait::async_trait;

use crate::view::{Dashboard, HourMetrics};

/// How many hours a cache holds, the present one included. It knows them by their number within the day, and 23 leave an
/// hour between the end of one and the same number on the next day.
pub const CACHED_HOURS: i64 = 23;

/// What a cache holds, all of it as of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedMetrics {
    /// What people see.
    pub dashboard: Dashboard,
    /// The last [`CACHED_HOURS`] hours, oldest first; those without orders are absent.
    pub hours: Vec<HourMetrics>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheWrite {
    /// The cache holds these metrics.
    Written,
    /// The cache holds metrics of more orders, and keeps them.
    Outdated,
}

/// The cache is out of reach, or not able now, and why. The write may or may not have been done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cache is away: {0}")]
pub struct CacheAway(pub String);

/// A cache that several nodes write, each the whole of it: what they write is absolute, so the newest is right.
#[async_trait]
pub trait MetricsCache: Send + Sync + 'static {
    /// Writes all metrics in one step, unless those of another node are newer.
    ///
    /// # Errors
    /// [`CacheAway`]; repeating the write is safe.
    async fn write(&self, metrics: &CachedMetrics) -> Result<CacheWrite, CacheAway>;
}
