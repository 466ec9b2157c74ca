//! A cache in memory that keeps the promises of its port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::ports::{CacheAway, CacheWrite, CachedMetrics, MetricsCache};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::memory_store::Reach;

/// An in-memory [`MetricsCache`]. Clones are the same cache.
#[derive(Clone, Default)]
pub struct MemoryCache(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    metrics: Option<CachedMetrics>,
    reach: Reach,
    /// Each write takes this long.
    delay: Duration,
    writes_begun: Vec<Instant>,
    under_way: u64,
    most_under_way: u64,
}

/// One write, ended when dropped, whatever cut it short.
struct UnderWay(MemoryCache);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.lock().under_way -= 1;
    }
}

impl MemoryCache {
    /// Changes how the cache behaves from now on.
    pub fn behave(&self, reach: Reach, delay: Duration) {
        let mut held = self.0.lock();
        (held.reach, held.delay) = (reach, delay);
    }

    /// What it holds.
    pub fn metrics(&self) -> Option<CachedMetrics> {
        self.0.lock().metrics.clone()
    }

    /// How many orders it includes; none before it was first written.
    pub fn stored_total(&self) -> Option<u64> {
        self.0.lock().metrics.as_ref().map(|held| held.dashboard.stored_total)
    }

    /// As another node or an administrator would.
    pub fn replace(&self, metrics: Option<CachedMetrics>) {
        self.0.lock().metrics = metrics;
    }

    /// When each write began, whatever became of it.
    pub fn writes_begun(&self) -> Vec<Instant> {
        self.0.lock().writes_begun.clone()
    }

    /// The most writes that were ever under way at the same time.
    pub fn most_under_way(&self) -> u64 {
        self.0.lock().most_under_way
    }
}

#[async_trait]
impl MetricsCache for MemoryCache {
    async fn write(&self, metrics: &CachedMetrics) -> Result<CacheWrite, CacheAway> {
        let (reach, delay) = {
            let mut held = self.0.lock();
            held.writes_begun.push(Instant::now());
            held.under_way += 1;
            held.most_under_way = held.most_under_way.max(held.under_way);
            (held.reach, held.delay)
        };
        let _under_way = UnderWay(self.clone());
        sleep(delay).await;
        let away = || Err(CacheAway("told to be".to_owned()));
        if matches!(reach, Reach::Away | Reach::Refused) {
            return away();
        }
        let mut held = self.0.lock();
        let newer = |held: &CachedMetrics| held.dashboard.stored_total > metrics.dashboard.stored_total;
        if held.metrics.as_ref().is_some_and(newer) {
            return Ok(CacheWrite::Outdated);
        }
        held.metrics = Some(metrics.clone());
        if reach == Reach::AnswerLost {
            return away();
        }
        Ok(CacheWrite::Written)
    }
}
