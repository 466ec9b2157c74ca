//! The board: where the aggregator's view hangs, so that anyone can read it while the aggregator is dead or busy.

use std::time::Instant as Clock;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::Instant;
use crate::ports::CachedMetrics;
use crate::view::{Dashboard, View};

/// One serialized dashboard, shared by all that send it.
pub type Frame = Bytes;

/// The present view and the frames made of it. Outlives the actors that write to it.
pub struct Board {
    shown: Mutex<Shown>,
    changes: watch::Sender<u64>,
    frames: watch::Sender<Frame>,
}

#[derive(Default)]
struct Shown {
    view: Option<View>,
    /// When the oldest change that is in no frame yet was made.
    unsent_since: Option<Clock>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            shown: Mutex::default(),
            changes: watch::Sender::new(0),
            frames: watch::Sender::new(Frame::new()),
        }
    }
}

impl Board {
    /// Changes the view in one piece; no reader sees half of it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Option<View>) -> R) -> R {
        let mut shown = self.shown.lock();
        let result = change(&mut shown.view);
        shown.unsent_since.get_or_insert_with(Clock::now);
        drop(shown);
        self.changes.send_modify(|version| *version += 1);
        result
    }

    /// Reads the view; none before the first one was read from the store.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&View) -> R) -> Option<R> {
        self.shown.lock().view.as_ref().map(read)
    }

    /// What people see now; none before the first view was read from the store.
    #[must_use]
    pub fn dashboard(&self) -> Option<Dashboard> {
        self.read_now(View::dashboard)
    }

    /// What a cache holds now; none before the first view was read from the store.
    #[must_use]
    pub fn cached_metrics(&self) -> Option<CachedMetrics> {
        self.read_now(View::cached_metrics)
    }

    fn read_now<R>(&self, read: impl FnOnce(&View, Instant) -> R) -> Option<R> {
        let now = Instant::now();
        let mut shown = self.shown.lock();
        let view = shown.view.as_mut()?;
        view.advance(now);
        Some(read(view, now))
    }

    /// The same, serialized.
    #[must_use]
    pub fn frame(&self) -> Option<Frame> {
        serde_json::to_vec(&self.dashboard()?).ok().map(Frame::from)
    }

    /// Frames as they are made; a receiver that is slow sees only the newest.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Frame> {
        self.frames.subscribe()
    }

    /// How many receivers there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.frames.receiver_count()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes a frame for all receivers. Returns how long its oldest change has waited.
    pub(crate) fn send_frame(&self) -> Option<std::time::Duration> {
        let since = self.shown.lock().unsent_since.take();
        self.frames.send_replace(self.frame()?);
        since.map(|since| since.elapsed())
    }
}
