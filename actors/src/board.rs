//! The board: where the aggregator's view hangs, so that anyone can read it while the aggregator is dead or busy.

use std::time::Instant as Clock;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::Instant;
use crate::ports::{CachedMetrics, Delta};
use crate::sales::{History, Pulse, Sales};
use crate::view::{Applied, Dashboard, View};

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
    /// What was stored second by second.
    pulse: Pulse,
    /// When the newest order that came by a delta was accepted.
    accepted_at: Option<Instant>,
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
    /// Shows what was read from the store.
    pub(crate) fn show(&self, view: View) {
        self.change(|shown| shown.view = Some(view));
    }

    /// Counts a delta; none before the first view was read from the store.
    pub(crate) fn apply(&self, delta: &Delta) -> Option<Applied> {
        self.change(|shown| {
            let applied = shown.view.as_mut()?.apply(delta);
            let content = delta.content.as_ref().filter(|_| applied == Applied::Counted);
            shown.accepted_at = shown.accepted_at.max(content.and_then(|content| content.accepted_at));
            Some(applied)
        })
    }

    /// Changes what is shown in one piece; no reader sees half of it.
    fn change<R>(&self, change: impl FnOnce(&mut Shown) -> R) -> R {
        let mut shown = self.shown.lock();
        let before = shown.view.as_ref().map(View::stored_total);
        let result = change(&mut shown);
        shown.keep_pulse(before);
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

    /// What sales pages show now; none before the first view was read from the store.
    #[must_use]
    pub fn sales(&self) -> Option<Sales> {
        self.look_now(|shown, view, now| Sales {
            dashboard: view.dashboard(now),
            accepted_at: shown.accepted_at,
            hours: view.hour_sales(now),
            cells: view.cell_sales(now),
            seconds: shown.pulse.latest(now),
        })
    }

    /// The last hour and the last minutes; none before the first view was read from the store.
    #[must_use]
    pub fn history(&self) -> Option<History> {
        self.look_now(|shown, view, now| History {
            server_timestamp: now,
            seconds: shown.pulse.past(now),
            minutes: view.past_minutes(now),
        })
    }

    fn read_now<R>(&self, read: impl FnOnce(&View, Instant) -> R) -> Option<R> {
        self.look_now(|_, view, now| read(view, now))
    }

    fn look_now<R>(&self, read: impl FnOnce(&Shown, &View, Instant) -> R) -> Option<R> {
        let now = Instant::now();
        let mut shown = self.shown.lock();
        shown.view.as_mut()?.advance(now);
        shown.view.as_ref().map(|view| read(&shown, view, now))
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

    /// Wakes whenever the view changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes a frame for all receivers. Returns how long its oldest change has waited.
    pub(crate) fn send_frame(&self) -> Option<std::time::Duration> {
        let since = self.shown.lock().unsent_since.take();
        self.frames.send_replace(self.frame()?);
        since.map(|since| since.elapsed())
    }
}

impl Shown {
    /// Counts what a change added; the first view was stored before.
    fn keep_pulse(&mut self, before: Option<u64>) {
        let now = Instant::now();
        match (before, self.view.as_ref().map(View::stored_total)) {
            (Some(before), Some(after)) if after > before => self.pulse.count(now, after - before),
            (None, Some(_)) => self.pulse.begin(now),
            _ => {}
        }
    }
}
