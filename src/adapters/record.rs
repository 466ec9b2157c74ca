//! Orders as they stand in logs, whatever the log is.

use coffee_rt_actors::domain::{Instant, Menu, Order, OrderError};
use coffee_rt_actors::ports::PoisonReason;
use uuid::Uuid;

/// The longest record that is read as an order.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;

/// The field of an entry that holds the whole order as JSON. Entries of other producers may have a field for each of the
/// order's instead.
pub const RECORD_FIELD: &str = "order";
/// The field of an entry that holds several orders, each a line of JSON.
pub const RECORDS_FIELD: &str = "orders";
/// Beside them, how many orders beyond the first the stream's backlog was counted up for.
pub const SURPLUS_FIELD: &str = "surplus";

/// Reads an order out of a log, which took it at `accepted_at`; `minted` is its `message_id` where its producer gave none.
///
/// # Errors
/// Why it is none, and in words.
pub(crate) fn read(
    record: &[u8],
    minted: Uuid,
    accepted_at: Instant,
    menu: &Menu,
) -> Result<Order, (PoisonReason, String)> {
    if record.len() > MAX_RECORD_BYTES {
        let detail = format!("it is larger than {MAX_RECORD_BYTES} bytes");
        return Err((PoisonReason::Unreadable, detail));
    }
    Order::from_record(record, minted, accepted_at, menu).map_err(|error| (reason(&error), error.to_string()))
}

const fn reason(error: &OrderError) -> PoisonReason {
    match error {
        OrderError::Malformed(_) => PoisonReason::Unreadable,
        OrderError::Invalid(_) => PoisonReason::Invalid,
    }
}
