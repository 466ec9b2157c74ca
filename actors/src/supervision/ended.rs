//! When an actor has really ended.
//!
//! ractor reports an actor as dead, and as stopped, a moment before its task drops what the actor holds.

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Held by an actor as its last field, so that it is dropped after everything else the actor holds.
pub(super) struct Life(#[expect(dead_code, reason = "held for its drop")] watch::Sender<()>);

/// Waits for the end of one generation of an actor.
#[derive(Clone)]
pub(super) struct Ended(watch::Receiver<()>);

impl Life {
    pub(super) fn new() -> (Self, Ended) {
        let (sender, receiver) = watch::channel(());
        (Self(sender), Ended(receiver))
    }
}

impl Ended {
    /// Whether nothing of the actor is left.
    pub(super) fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Waits until nothing of the actor is left. False where that takes longer than until `deadline`.
    pub(super) async fn by(&self, deadline: Instant) -> bool {
        timeout_at(deadline, self.clone().wait()).await.is_ok()
    }

    pub(super) async fn wait(mut self) {
        // Nothing is ever sent: the end of the channel is the news.
        while self.0.changed().await.is_ok() {}
    }
}
