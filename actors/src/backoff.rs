//! When something absent is tried again, and since when it has been absent.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

/// The first pause before trying again; doubled each time.
pub const RETRY_PAUSE_MIN_MS: u64 = 5;
/// The longest such pause.
pub const RETRY_PAUSE_MAX_MS: u64 = 500;
/// How long a request's work is tried again; then it is answered 503.
pub const RETRY_BATCH_MS: u64 = 3_000;

/// The pauses of one user of a store or log.
#[derive(Debug)]
pub struct Backoff {
    pause: Duration,
    away_since: Option<Instant>,
    is_told: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(RETRY_PAUSE_MIN_MS),
            away_since: None,
            is_told: false,
        }
    }
}

impl Backoff {
    /// It answers: the next pause is the shortest again.
    pub fn answers(&mut self) {
        *self = Self::default();
    }

    /// It did not answer. Returns whether it is [away](Self::is_away) by now, once for each absence.
    pub fn absent(&mut self) -> bool {
        self.away_since.get_or_insert_with(Instant::now);
        self.is_away() && !std::mem::replace(&mut self.is_told, true)
    }

    /// Whether its last answer is missing.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.away_since.is_some()
    }

    /// Whether it has been away for so long that requests are refused rather than kept waiting.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.away_since
            .is_some_and(|since| since.elapsed() >= Duration::from_millis(RETRY_BATCH_MS))
    }

    /// How long to wait before the next try; longer each time.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(Duration::from_millis(RETRY_PAUSE_MAX_MS));
        pause
    }
}

/// A panic of a store or log is an absence too: without a message the generation would wait for ever.
pub(crate) async fn unless_it_panics<T, E>(
    work: impl Future<Output = Result<T, E>>,
    away: impl FnOnce(String) -> E,
) -> Result<T, E> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.unwrap_or_else(|_| Err(away("its task panicked".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_their_limit_and_start_anew_with_an_answer() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..10).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 500, 500, 500]);
        backoff.answers();
        assert_eq!(backoff.next_pause().as_millis(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_absence_of_a_while_counts_as_away() {
        let mut backoff = Backoff::default();
        assert!(!backoff.absent());
        tokio::time::advance(Duration::from_millis(RETRY_BATCH_MS - 1)).await;
        assert!(!backoff.absent());
        assert!(!backoff.is_away());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(backoff.is_away());
        assert_eq!((backoff.absent(), backoff.absent()), (true, false));
        backoff.answers();
        assert!(!backoff.is_away());
    }
}
