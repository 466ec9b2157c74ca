//! Log watch: keeps this node alive in the eyes of others, takes over what dead nodes left, and shows how the log is.
//!
//! Upstream: an [`OrderLog`]. Downstream: the readers, which compare; the health that `readyz` shows.
//! A crash loses one round; the next generation begins with one. A node that is silent for some rounds is taken for dead,
//! and its entries are stored by others: then some are repeated orders, nothing worse.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::backoff::unless_it_panics;
use crate::ports::{LogError, LogStatus, OrderLog};
use crate::reader::ReaderMsg;
use crate::supervision::{Address, Failure, Slot, Worker};
use crate::telemetry::LogMetrics;

/// How often the log is looked after.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long one round may take. Logs should give up before: only they can throw a mute connection away.
pub const ROUND_LIMIT: Duration = Duration::from_secs(5);

/// Whether the log can be reached, and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogHealth {
    /// Not asked yet.
    Unknown,
    /// It answers.
    Up(LogStatus),
    /// It does not, and why.
    Away(String),
}

impl LogHealth {
    /// Whether orders can be appended now.
    #[must_use]
    pub fn takes_orders(&self) -> bool {
        matches!(self, Self::Up(status) if status.backlog < status.backlog_limit)
    }
}

/// What a log watch can be told.
pub enum LogWatchMsg {
    /// Look after the log; it tells itself.
    Keep,
}

/// What a log watch starts from.
#[derive(Clone)]
pub struct LogWatchArgs {
    /// The log.
    pub log: Arc<dyn OrderLog>,
    /// This node's readers.
    pub readers: Arc<[Slot<ReaderMsg>]>,
    /// Where the health is shown; outlives each generation.
    pub health: Arc<watch::Sender<LogHealth>>,
    /// What it counts.
    pub metrics: LogMetrics,
}

/// Looks after the log.
pub struct LogWatch {
    me: Address<LogWatchMsg>,
    args: LogWatchArgs,
}

impl Worker for LogWatch {
    type Msg = LogWatchMsg;
    type Args = LogWatchArgs;

    async fn start(args: LogWatchArgs, me: Address<LogWatchMsg>) -> Result<Self, Failure> {
        let _ = me.send(LogWatchMsg::Keep);
        Ok(Self { me, args })
    }

    async fn handle(&mut self, LogWatchMsg::Keep: LogWatchMsg) -> Result<(), Failure> {
        let keeping = unless_it_panics(self.args.log.keep(), LogError::Away);
        let kept = timeout(ROUND_LIMIT, keeping).await;
        match kept.unwrap_or_else(|_| Err(LogError::Away(format!("no answer within {ROUND_LIMIT:?}")))) {
            Ok(status) => {
                self.me.worked();
                self.tell_readers(&status);
                self.args.metrics.show(&status);
                self.show(&LogHealth::Up(status));
            }
            Err(error) => {
                if error == LogError::PositionLost {
                    tracing::error!("the log lost its readers' position, and orders with it perhaps");
                    self.args.metrics.positions_lost.inc();
                }
                self.show(&LogHealth::Away(error.to_string()));
            }
        }
        self.me.send_after(INTERVAL, LogWatchMsg::Keep);
        Ok(())
    }

    async fn stop(&mut self) {
        let _ = timeout(ROUND_LIMIT, self.args.log.leave()).await;
    }
}

impl LogWatch {
    fn tell_readers(&self, status: &LogStatus) {
        if status.claimed > 0 {
            tracing::warn!(
                entries = status.claimed,
                "took over what a dead node has not acknowledged"
            );
            if let Some(first) = self.args.readers.first() {
                let _ = first.send(ReaderMsg::Rescan);
            }
        }
        for (reader, unacknowledged) in self.args.readers.iter().zip(&status.own_pending) {
            let _ = reader.send(ReaderMsg::Compare(*unacknowledged));
        }
    }

    fn show(&self, health: &LogHealth) {
        let durability = |health: &LogHealth| match health {
            LogHealth::Up(status) => Some(status.durability),
            _ => None,
        };
        let before = self.args.health.send_replace(health.clone());
        let changed = std::mem::discriminant(&before) != std::mem::discriminant(health)
            || durability(&before) != durability(health);
        self.args.metrics.up.set(i64::from(matches!(health, LogHealth::Up(_))));
        match health {
            LogHealth::Up(status) if changed => {
                self.args.metrics.connected.inc();
                let durability = status.durability;
                tracing::info!(?durability, "the log answers: {}", durability.meaning());
            }
            LogHealth::Away(reason) if before != *health => {
                self.args.metrics.failed.inc_by(u64::from(changed));
                // Also where the reason is known later only.
                tracing::warn!(reason, "the log is away");
            }
            _ => {}
        }
    }
}
