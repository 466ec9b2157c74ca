//! Fan-out: makes one frame of each change, shared by all sockets.
//!
//! Upstream: the [`Board`]. Downstream: whoever subscribed to its frames.
//! A crash loses nothing: the channel of frames belongs to the board, so no socket closes, and the next generation sends
//! a frame at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::board::Board;
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::FanOutMetrics;

/// A frame is sent at least this often.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// What one socket costs: with many sockets frames come less often, so that sending them leaves time for orders.
const COST_PER_SOCKET: Duration = Duration::from_micros(20);
/// The longest wait within one message, so that stops and faults are heard.
const LISTEN: Duration = Duration::from_millis(250);

/// What a fan-out can be told.
pub enum FanOutMsg {
    /// Wait for the next change and send it; it tells itself.
    Next,
}

/// What a fan-out starts from.
#[derive(Clone)]
pub struct FanOutArgs {
    /// What is shown, and to whom.
    pub board: Arc<Board>,
    /// The least time between two frames.
    pub min_interval: Duration,
    /// What it counts.
    pub metrics: FanOutMetrics,
}

/// Makes frames.
pub struct FanOut {
    me: Address<FanOutMsg>,
    args: FanOutArgs,
    changes: watch::Receiver<u64>,
    heartbeat_at: Instant,
}

impl Worker for FanOut {
    type Msg = FanOutMsg;
    type Args = FanOutArgs;

    async fn start(args: FanOutArgs, me: Address<FanOutMsg>) -> Result<Self, Failure> {
        let changes = args.board.changes();
        let _ = me.send(FanOutMsg::Next);
        Ok(Self {
            me,
            args,
            changes,
            heartbeat_at: Instant::now(),
        })
    }

    async fn handle(&mut self, FanOutMsg::Next: FanOutMsg) -> Result<(), Failure> {
        let until = self.heartbeat_at.min(Instant::now() + LISTEN);
        let changed = timeout_at(until, self.changes.changed()).await.is_ok();
        if changed || Instant::now() >= self.heartbeat_at {
            self.send_frame();
            sleep(pace(self.args.min_interval, self.args.board.subscribers())).await;
        }
        let _ = self.me.send(FanOutMsg::Next);
        Ok(())
    }
}

impl FanOut {
    fn send_frame(&mut self) {
        self.changes.mark_unchanged();
        if let Some(waited) = self.args.board.send_frame() {
            self.args.metrics.freshness_seconds.observe(waited.as_secs_f64());
        }
        self.args.metrics.frames.inc();
        self.me.worked();
        self.heartbeat_at = Instant::now() + HEARTBEAT;
    }
}

fn pace(min_interval: Duration, sockets: usize) -> Duration {
    min_interval.max(COST_PER_SOCKET.saturating_mul(u32::try_from(sockets).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_slow_down_with_the_number_of_sockets() {
        let least = Duration::from_millis(20);
        assert_eq!(pace(least, 0), least);
        assert_eq!(pace(least, 1_000), least);
        assert_eq!(pace(least, 9_000), Duration::from_millis(180));
    }
}
