//! Whether to expect repeated orders: storing a batch is cheapest where all of its orders are new, but has to be begun anew
//! where one is not.

use std::sync::atomic::{AtomicU32, Ordering};

/// Batches that are stored the careful way after a repeated order was seen: senders that repeat one order repeat more.
const CAREFUL_BATCHES: u32 = 64;

/// What recent batches of a writer tell.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    careful_batches_left: AtomicU32,
}

impl Repeats {
    /// Whether the next batch is likely to hold new orders only. Ask once for each batch.
    pub(crate) fn are_unlikely(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.careful_batches_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_err()
    }

    /// A batch had a repeated order.
    pub(crate) fn seen(&self) {
        self.careful_batches_left.store(CAREFUL_BATCHES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_makes_the_next_batches_careful() {
        let repeats = Repeats::default();
        assert!(repeats.are_unlikely());
        repeats.seen();
        let careful = (0..1_000).take_while(|_| !repeats.are_unlikely()).count();
        assert_eq!(careful, CAREFUL_BATCHES as usize);
        assert!(repeats.are_unlikely());
    }
}
