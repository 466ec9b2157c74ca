//! Whether a topic is still the one that it was. Clients read on in silence where a topic that was made anew has grown beyond
//! their place; but whoever puts a record where another one was put before has seen it happen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// How far a topic has grown, as its producer was told.
#[derive(Default)]
pub(super) struct Growth {
    /// The offset after the last record that was put into a partition.
    ends: Mutex<BTreeMap<i32, i64>>,
    setbacks: AtomicU64,
}

impl Growth {
    /// A record is safe there. Negative offsets say that the broker did not tell where.
    pub(super) fn put(&self, partition: i32, offset: i64) {
        if offset < 0 {
            return;
        }
        let mut ends = self.ends.lock();
        let before = ends.insert(partition, offset + 1);
        if before.is_some_and(|end| offset < end) {
            // One report is enough for all partitions.
            ends.clear();
            ends.insert(partition, offset + 1);
            self.setbacks.fetch_add(1, Ordering::Release);
            tracing::warn!(
                partition,
                offset,
                "a record was put where another one had been, looking what is there"
            );
        }
    }

    /// How often the topic was found shorter than before. A producer that was given up may be the one that tells, late, of
    /// an older place: so this is a reason to look, and no more.
    pub(super) fn setbacks(&self) -> u64 {
        self.setbacks.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_grows_has_no_setback() {
        let growth = Growth::default();
        for (partition, offset) in [(0, 7), (1, 3), (0, 8), (1, -1), (0, 20), (1, 4)] {
            growth.put(partition, offset);
        }
        assert_eq!(growth.setbacks(), 0);
    }

    #[test]
    fn a_topic_that_was_made_anew_has_one_whatever_its_partitions() {
        let growth = Growth::default();
        for (partition, offset) in [(0, 7), (1, 3), (1, 0), (0, 0), (1, 1), (0, 1)] {
            growth.put(partition, offset);
        }
        assert_eq!(growth.setbacks(), 1);
        growth.put(0, 1);
        assert_eq!(growth.setbacks(), 2, "the same place twice");
    }
}
