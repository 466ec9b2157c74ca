//! Frames that are made when a socket wants one, once for all that want one at that time.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::board::Frame;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::socket::Frames;

/// What changes, how it is written down, and how often at most and at least.
pub(super) struct Feed {
    versions: watch::Receiver<u64>,
    make: Box<dyn Fn() -> Option<Frame> + Send + Sync>,
    /// The least time between two frames.
    min_interval: Duration,
    /// A frame is sent at least this often: rates and times in it change by themselves.
    refresh: Duration,
    last: Mutex<Option<(Instant, u64, Frame)>>,
}

impl Feed {
    /// A feed of what `make` makes, as often as the version changes, within these limits.
    pub(super) fn new(
        versions: watch::Receiver<u64>,
        min_interval: Duration,
        refresh: Duration,
        make: impl Fn() -> Option<Frame> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            versions,
            make: Box::new(make),
            min_interval,
            refresh,
            last: Mutex::new(None),
        })
    }

    /// A socket's view: a frame at once, where there is one, then after each change and at each refresh.
    pub(super) fn subscribe(self: &Arc<Self>) -> Subscription {
        Subscription {
            feed: self.clone(),
            versions: self.versions.clone(),
            asked: None,
        }
    }

    /// The frame of this version, or a later one; at most `min_interval` old. None where there is nothing to show yet.
    fn frame(&self, version: u64) -> Option<Frame> {
        let mut last = self.last.lock();
        if let Some((made, of, frame)) = &*last
            && *of >= version
            && made.elapsed() < self.min_interval
        {
            return Some(frame.clone());
        }
        let frame = (self.make)()?;
        *last = Some((Instant::now(), version, frame.clone()));
        Some(frame)
    }
}

/// A socket's view of a [`Feed`].
pub(super) struct Subscription {
    feed: Arc<Feed>,
    versions: watch::Receiver<u64>,
    /// When a frame was asked for, and of which version.
    asked: Option<(Instant, u64)>,
}

impl Frames for Subscription {
    async fn next(&mut self) -> Frame {
        loop {
            if let Some((at, asked)) = self.asked {
                let changed = async {
                    // Compared with what was asked for, so that a wait that is cancelled forgets no change.
                    let _ = self.versions.wait_for(|version| *version != asked).await;
                    sleep_until(at + self.feed.min_interval).await;
                };
                tokio::select! {
                    () = changed => {}
                    () = sleep_until(at + self.feed.refresh) => {}
                }
            }
            let version = *self.versions.borrow_and_update();
            self.asked = Some((Instant::now(), version));
            if let Some(frame) = self.feed.frame(version) {
                return frame;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const MIN: Duration = Duration::from_millis(100);
    const REFRESH: Duration = Duration::from_secs(1);

    /// A feed that numbers its frames from 1 on; the first asking finds nothing.
    fn numbered(versions: &watch::Sender<u64>) -> Arc<Feed> {
        let made = AtomicU64::new(0);
        Feed::new(versions.subscribe(), MIN, REFRESH, move || {
            let number = made.fetch_add(1, Ordering::Relaxed);
            (number > 0).then(|| Frame::from(number.to_string()))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn frames_follow_changes_within_the_limits_and_are_shared() {
        let versions = watch::Sender::new(0);
        let feed = numbered(&versions);
        let (mut one, mut other) = (feed.subscribe(), feed.subscribe());
        let began = Instant::now();
        // There is nothing yet: the refresh asks again.
        assert_eq!(one.next().await, "1");
        assert_eq!(began.elapsed(), REFRESH);
        assert_eq!(other.next().await, "1", "made once for both");
        // A change comes after the least time, and many of them as one.
        versions.send_replace(1);
        versions.send_replace(2);
        assert_eq!(one.next().await, "2");
        assert_eq!(began.elapsed(), REFRESH + MIN);
        assert_eq!(other.next().await, "2");
        // Without a change the refresh sends one.
        assert_eq!(one.next().await, "3");
        assert_eq!(began.elapsed(), REFRESH + MIN + REFRESH);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_cancelled_forgets_no_change() {
        let versions = watch::Sender::new(0);
        let feed = numbered(&versions);
        let mut one = feed.subscribe();
        assert_eq!(one.next().await, "1");
        versions.send_replace(1);
        let cut = tokio::time::timeout(MIN / 2, one.next()).await;
        assert!(cut.is_err());
        let before = Instant::now();
        assert_eq!(one.next().await, "2");
        assert_eq!(before.elapsed(), MIN / 2);
    }
}
