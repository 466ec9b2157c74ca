//! How far a log has been read.

/// A place in a partition of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The offset of the record after the last one that was dealt with.
    pub next_offset: i64,
    /// Tells the record before it from any other, so that a log that was made anew is noticed; 0 where it is not known.
    pub mark: i64,
}

/// How far a batch moves its shard's [`Position`], and what becomes of the records that it moves over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Where the shard is after the commit.
    pub to: Position,
    /// Records that it moves over: as many as are inserted, repeated or dead-lettered.
    pub records: u64,
    /// Records among them that are in the dead letters, and not in the batch.
    pub dead_lettered: u64,
}
