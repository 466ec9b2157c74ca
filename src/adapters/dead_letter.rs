//! What a log could not bring to the store, whatever the log is.

use async_trait::async_trait;
use coffee_rt_actors::domain::{Instant, Order};
use coffee_rt_actors::ports::LogError;
use uuid::Uuid;

/// The most dead letters that are kept or, where there can be more, looked at.
pub const MAX_DEAD_LETTERS: u64 = 100_000;
/// How many dead letters are read at once.
pub const PAGE_LETTERS: usize = 100;

/// The dead letters of one log, for operators.
#[async_trait]
pub trait DeadLetterBox: Send + Sync {
    /// Who keeps it.
    fn keeper(&self) -> Keeper;

    /// How many letters there are, of those that are looked at.
    ///
    /// # Errors
    /// [`LogError::Away`], as for every call.
    async fn count(&self) -> Result<u64, LogError>;

    /// At most [`PAGE_LETTERS`] of them, the oldest first, beyond the one with that id. None where there are no more.
    ///
    /// # Errors
    /// [`LogError::Away`].
    async fn oldest_first(&self, beyond: Option<&str>) -> Result<Vec<DeadLetter>, LogError>;

    /// At most [`PAGE_LETTERS`] of them, the newest first, beyond the one with that id. None where there are no more.
    ///
    /// # Errors
    /// [`LogError::Away`].
    async fn newest_first(&self, beyond: Option<&str>) -> Result<Vec<DeadLetter>, LogError>;

    /// The one with that id.
    ///
    /// # Errors
    /// [`LogError::Away`].
    async fn find(&self, id: &str) -> Result<Option<DeadLetter>, LogError>;

    /// Puts a letter's order into the log and takes the letter away.
    ///
    /// # Errors
    /// [`LogError::Away`] leaves the outcome unknown; doing it again is safe.
    async fn resubmit(&self, letter: &DeadLetter, order: &Order) -> Result<Resubmission, LogError>;

    /// Takes a letter away for good. False where there is none with that id.
    ///
    /// # Errors
    /// [`LogError::Away`] leaves the outcome unknown; doing it again is safe.
    async fn discard(&self, id: &str) -> Result<bool, LogError>;

    /// Frees what letters that were taken away still occupy, if it can.
    async fn tidy(&self) {}

    /// Whether there may be letters, as of the last call, that are not looked at because there are too many.
    fn overlooks(&self) -> bool {
        false
    }
}

/// Who keeps dead letters, in the words of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// Its name.
    pub product: &'static str,
    /// The variable that says where it is.
    pub variable: &'static str,
    /// What its log is called.
    pub log: &'static str,
    /// The setting of the most orders that may wait in the log.
    pub backlog_setting: &'static str,
    /// Its value.
    pub backlog_limit: u64,
}

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
    /// The entry as the record of an order, right or wrong; none where it is no text, or where it holds several.
    pub record: Option<Vec<u8>>,
    /// The order's `message_id` where its producer gave none: the one that the log's reader gives it.
    pub minted: Uuid,
    /// The `message_id` that makes another order of it. The same each time, where a letter may be submitted twice.
    pub fresh: Uuid,
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
