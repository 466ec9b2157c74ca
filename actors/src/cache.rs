//! Cache: writes the metrics to where readers find them who ask no node.
//!
//! Upstream: the [`Board`]. Downstream: a [`MetricsCache`].
//! A crash loses nothing: the next generation writes at once. What is written is absolute, so a write that was cut short,
//! doubled or overtaken is made good by the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::board::Board;
use crate::ports::{CacheAway, CacheWrite, MetricsCache};
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::CacheMetrics;

/// The least time between two writes.
pub const MIN_INTERVAL: Duration = Duration::from_millis(200);
/// A write is made at least this often: a cache that was emptied fills again, and what is newest stays known as such.
pub const MAX_INTERVAL: Duration = Duration::from_secs(4);
/// The pause before a failed write is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long a write may take.
pub const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// The longest wait within one message, so that stops and faults are heard.
const LISTEN: Duration = Duration::from_millis(250);

const _: () = assert!(MIN_INTERVAL.as_millis() < RETRY_PAUSE.as_millis());
const _: () = assert!(RETRY_PAUSE.as_millis() < MAX_INTERVAL.as_millis());

/// What a cache can be told.
pub enum CacheMsg {
    /// Wait for the next change and write it; it tells itself.
    Next,
}

/// What a cache starts from.
#[derive(Clone)]
pub struct CacheArgs {
    /// What is written.
    pub board: Arc<Board>,
    /// Where to.
    pub cache: Arc<dyn MetricsCache>,
    /// What it counts.
    pub metrics: CacheMetrics,
}

/// Writes metrics, one write at a time.
pub struct Cache {
    me: Address<CacheMsg>,
    args: CacheArgs,
    changes: watch::Receiver<u64>,
    times: Times,
    is_away: bool,
}

/// When the next write is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    /// Not before this, whatever changes.
    earliest: Instant,
    /// At this, though nothing changes.
    latest: Instant,
}

impl Times {
    /// After a write that ended now.
    fn after(now: Instant, has_failed: bool) -> Self {
        if has_failed {
            let again = now + RETRY_PAUSE;
            return Self {
                earliest: again,
                latest: again,
            };
        }
        Self {
            earliest: now + MIN_INTERVAL,
            latest: now + MAX_INTERVAL,
        }
    }
}

impl Worker for Cache {
    type Msg = CacheMsg;
    type Args = CacheArgs;

    async fn start(args: CacheArgs, me: Address<CacheMsg>) -> Result<Self, Failure> {
        let (changes, now) = (args.board.changes(), Instant::now());
        let _ = me.send(CacheMsg::Next);
        Ok(Self {
            me,
            args,
            changes,
            times: Times {
                earliest: now,
                latest: now,
            },
            is_away: false,
        })
    }

    async fn handle(&mut self, CacheMsg::Next: CacheMsg) -> Result<(), Failure> {
        let heard_until = Instant::now() + LISTEN;
        sleep_until(self.times.earliest.min(heard_until)).await;
        if Instant::now() >= self.times.earliest {
            let until = self.times.latest.min(heard_until);
            let has_changed = timeout_at(until, self.changes.changed()).await.is_ok();
            if has_changed || Instant::now() >= self.times.latest {
                self.write().await;
            }
        }
        let _ = self.me.send(CacheMsg::Next);
        Ok(())
    }

    /// What changed since the last write would else be missing until a node starts again.
    async fn stop(&mut self) {
        if self.is_away || self.changes.has_changed().unwrap_or(false) {
            self.write().await;
        }
    }
}

impl Cache {
    async fn write(&mut self) {
        self.changes.mark_unchanged();
        // Before the first view there is nothing to write; it comes as a change.
        let outcome = match self.args.board.cached_metrics() {
            None => Ok(None),
            Some(metrics) => match timeout(WRITE_LIMIT, self.args.cache.write(&metrics)).await {
                Ok(written) => written.map(Some),
                Err(_) => Err(CacheAway(format!("no answer within {WRITE_LIMIT:?}"))),
            },
        };
        self.times = Times::after(Instant::now(), outcome.is_err());
        self.show(outcome);
    }

    fn show(&mut self, outcome: Result<Option<CacheWrite>, CacheAway>) {
        let counts = &self.args.metrics;
        match outcome {
            Ok(None) => return,
            Ok(Some(CacheWrite::Written)) => {
                counts.written.inc();
                self.me.worked();
            }
            Ok(Some(CacheWrite::Outdated)) => counts.outdated.inc(),
            Err(error) => {
                counts.failed.inc();
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::warn!(%error, "the cached metrics grow old");
                }
                return;
            }
        }
        if std::mem::replace(&mut self.is_away, false) {
            tracing::info!("the cache answers");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_wait_a_little_and_failures_longer() {
        let now = Instant::now();
        let well = Times::after(now, false);
        assert_eq!((well.earliest, well.latest), (now + MIN_INTERVAL, now + MAX_INTERVAL));
        let failed = Times::after(now, true);
        assert_eq!((failed.earliest, failed.latest), (now + RETRY_PAUSE, now + RETRY_PAUSE));
    }
}
