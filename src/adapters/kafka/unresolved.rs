//! Which letters of the topic nobody has resolved, from what its records say one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::letter::LetterId;

/// The letters that are there, as far as the topic was read. It holds their ids only.
#[derive(Debug)]
pub(super) struct Unresolved {
    /// The most letters that are held; the oldest are, of each partition.
    limit: usize,
    letters: BTreeSet<LetterId>,
    /// The first letter of each partition for which there was no room.
    first_overlooked: BTreeMap<i32, i64>,
    /// How far each partition was read.
    next: BTreeMap<i32, i64>,
}

impl Unresolved {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            letters: BTreeSet::new(),
            first_overlooked: BTreeMap::new(),
            next: BTreeMap::new(),
        }
    }

    /// Takes note of a record: a letter, or what resolves one before it. A record that was seen changes nothing.
    pub(super) fn see(&mut self, record: LetterId, resolves: Option<LetterId>) {
        if record.offset < self.next(record.partition) {
            return;
        }
        self.next.insert(record.partition, record.offset + 1);
        match resolves {
            Some(letter) => self.resolve(letter),
            None if self.letters.len() < self.limit => drop(self.letters.insert(record)),
            None => drop(self.first_overlooked.entry(record.partition).or_insert(record.offset)),
        }
    }

    pub(super) fn resolve(&mut self, letter: LetterId) {
        self.letters.remove(&letter);
    }

    /// Where there were too many letters, and most of those held turned out to be resolved: makes the next reading begin
    /// where room was missing first, and returns true. The notes about what is read then are read again with it.
    pub(super) fn goes_back(&mut self) -> bool {
        let has_room = self.letters.len() <= self.limit / 2;
        if !self.overlooks() || !has_room {
            return false;
        }
        self.next.append(&mut self.first_overlooked);
        true
    }

    /// Takes note that a partition begins with its oldest offset, and that it was read so far.
    pub(super) fn span(&mut self, partition: i32, oldest: i64, next: i64) {
        self.letters
            .retain(|letter| letter.partition != partition || letter.offset >= oldest);
        let read = self.next(partition).max(next);
        self.next.insert(partition, read);
    }

    /// The first offset of a partition that was not read.
    pub(super) fn next(&self, partition: i32) -> i64 {
        self.next.get(&partition).copied().unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.letters.len()
    }

    pub(super) fn contains(&self, letter: LetterId) -> bool {
        self.letters.contains(&letter)
    }

    /// Whether there may be more than it holds.
    pub(super) fn overlooks(&self) -> bool {
        !self.first_overlooked.is_empty()
    }

    /// So many letters, the oldest first, beyond that one.
    pub(super) fn oldest_first(&self, beyond: Option<LetterId>, limit: usize) -> Vec<LetterId> {
        let from = beyond.map_or(Bound::Unbounded, Bound::Excluded);
        let letters = self.letters.range((from, Bound::Unbounded));
        letters.take(limit).copied().collect()
    }

    /// So many letters, the newest first, beyond that one.
    pub(super) fn newest_first(&self, beyond: Option<LetterId>, limit: usize) -> Vec<LetterId> {
        let to = beyond.map_or(Bound::Unbounded, Bound::Excluded);
        let letters = self.letters.range((Bound::Unbounded, to)).rev();
        letters.take(limit).copied().collect()
    }

    /// Before which offset each partition holds nothing but letters that are resolved, and notes about such.
    ///
    /// A note is behind its letter in the same partition, so none goes before its letter does.
    pub(super) fn needless_before(&self) -> Vec<(i32, i64)> {
        let mut needed = self.next.clone();
        let held = self.letters.iter().map(|letter| (letter.partition, letter.offset));
        let overlooked = self
            .first_overlooked
            .iter()
            .map(|(partition, offset)| (*partition, *offset));
        for (partition, offset) in held.chain(overlooked) {
            let first = needed.entry(partition).or_insert(offset);
            *first = (*first).min(offset);
        }
        needed.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, offset: i64) -> LetterId {
        LetterId { offset, partition }
    }

    /// Partition 0 with that many letters.
    fn letters(limit: usize, count: i64) -> Unresolved {
        let mut found = Unresolved::new(limit);
        for offset in 0..count {
            found.see(at(0, offset), None);
        }
        found
    }

    #[test]
    fn what_is_resolved_is_not_there() {
        let mut found = letters(10, 3);
        found.see(at(0, 3), Some(at(0, 1)));
        // Twice, or about nothing.
        found.see(at(0, 4), Some(at(0, 1)));
        found.see(at(0, 5), Some(at(0, 3)));
        assert_eq!(found.oldest_first(None, 10), [at(0, 0), at(0, 2)]);
        assert_eq!((found.len(), found.contains(at(0, 1))), (2, false));
        // What is read again does not bring it back.
        found.see(at(0, 1), None);
        assert_eq!((found.len(), found.next(0)), (2, 6));
    }

    #[test]
    fn pages_go_both_ways() {
        let mut found = letters(10, 5);
        found.see(at(1, 2), None);
        assert_eq!(found.oldest_first(Some(at(0, 0)), 2), [at(0, 1), at(0, 2)]);
        assert_eq!(found.oldest_first(Some(at(0, 2)), 2), [at(1, 2), at(0, 3)]);
        assert_eq!(found.newest_first(None, 2), [at(0, 4), at(0, 3)]);
        // Also where the last one is not there any more.
        found.resolve(at(0, 3));
        assert_eq!(found.newest_first(Some(at(0, 3)), 2), [at(1, 2), at(0, 2)]);
        assert!(found.newest_first(Some(at(0, 0)), 2).is_empty());
    }

    #[test]
    fn what_is_before_the_oldest_letter_is_needless() {
        let mut found = letters(10, 3);
        found.see(at(1, 4), None);
        found.see(at(0, 3), Some(at(0, 0)));
        assert_eq!(found.needless_before(), [(0, 1), (1, 4)]);
        found.see(at(0, 4), Some(at(0, 2)));
        assert_eq!(found.needless_before(), [(0, 1), (1, 4)]);
        found.see(at(0, 5), Some(at(0, 1)));
        found.span(2, 0, 7);
        assert_eq!(found.needless_before(), [(0, 6), (1, 4), (2, 7)]);
    }

    #[test]
    fn what_was_deleted_is_gone() {
        let mut found = letters(10, 5);
        found.span(0, 3, 5);
        assert_eq!(found.oldest_first(None, 10), [at(0, 3), at(0, 4)]);
        assert_eq!(found.needless_before(), [(0, 3)]);
    }

    #[test]
    fn too_many_are_not_looked_at_and_stay() {
        let mut found = letters(2, 4);
        assert_eq!((found.len(), found.overlooks()), (2, true));
        for (offset, letter) in [(4, 0), (5, 1)] {
            found.see(at(0, offset), Some(at(0, letter)));
        }
        // The third might be resolved or not.
        assert_eq!((found.len(), found.needless_before()), (0, vec![(0, 2)]));
        let mut all = letters(4, 4);
        assert!(!all.overlooks() && !all.goes_back());
    }

    #[test]
    fn where_most_are_resolved_reading_goes_back() {
        // Each letter's note is six records behind it.
        let read = |found: &mut Unresolved| {
            for offset in found.next(0)..12 {
                found.see(
                    at(0, offset),
                    (offset >= 6).then(|| at(0, offset - 6)).filter(|note| note.offset != 4),
                );
            }
        };
        let mut found = Unresolved::new(2);
        read(&mut found);
        assert_eq!((found.len(), found.overlooks()), (1, true));
        let mut readings = 1;
        while found.goes_back() {
            read(&mut found);
            readings += 1;
        }
        // The tenth record is a letter: it says of itself that it is no note.
        assert_eq!(found.oldest_first(None, 9), [at(0, 4), at(0, 10)]);
        // There was no room for the sixth, which is resolved: that is not known of it.
        assert_eq!((readings, found.overlooks()), (4, true));
    }
}
