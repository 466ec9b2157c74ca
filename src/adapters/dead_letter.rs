//! What a log could not bring to the store, whatever the log is.

use coffee_rt_actors::domain::Instant;
use uuid::Uuid;

/// An entry that was put aside, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name among the dead letters.
    pub id: String,
    /// When it was put aside.
    pub at: Instant,
    /// What kind of trouble, as a [`PoisonReason`](coffee_rt_actors::ports::PoisonReason) is named.
    pub reason: String,
    /// The trouble in words.
    pub detail: String,
    /// Where it stood in the log.
    pub source_id: String,
    /// The entry's fields as they were: names and values.
    pub entry: Vec<(Vec<u8>, Vec<u8>)>,
    /// The entry as the record of an order, right or wrong; none where it is no text.
    pub record: Option<Vec<u8>>,
    /// The order's `message_id` where its producer gave none: the one that the log's reader gives it.
    pub minted: Uuid,
}

/// What became of a dead letter's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resubmission {
    /// It is in the log again, and the dead letter is gone.
    Done,
    /// There is no such dead letter; nothing changed.
    Missing,
    /// The log holds as much as it may; nothing changed.
    Full,
}
