//! An order on its way through the actors, and what becomes of it.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::credit::Permit;
use crate::domain::{Order, Position};
use crate::ports::{PoisonReason, PoisonRecord};

/// An order, its share of the credit, and where the answer goes.
///
/// A ticket that is dropped unanswered tells its sender to try again: the `message_id` makes that safe.
#[derive(Debug)]
pub struct Ticket {
    /// The order, shared with its sender.
    pub order: Arc<Order>,
    /// Given back when the ticket is dropped.
    pub permit: Permit,
    /// The answer.
    pub reply: oneshot::Sender<Answer>,
}

/// What became of an order.
pub type Answer = Result<Acknowledged, Refusal>;

/// Where a consignment stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of the claim that it was read under; under another one it is worth nothing.
    pub epoch: i64,
    /// The position after it.
    pub next: Position,
}

/// An order on its way to where it will be safe, and who waits for it.
pub trait Consignment: Send + 'static {
    /// Whether it is kept until an absent store is back. Others are answered that it is away.
    const PATIENT: bool;

    /// The order; none where there is only something to pass over.
    fn order(&self) -> Option<&Arc<Order>>;

    /// Where it stands, where that is in a partition whose position is kept in the store.
    fn place(&self) -> Option<Place> {
        None
    }

    /// What is to be copied to the dead letters before it is passed over.
    fn poison(&self) -> Option<&PoisonRecord> {
        None
    }

    /// Makes it one that is passed over: its order cannot be stored. Only for what has a [`Place`].
    fn condemn(&mut self, _reason: PoisonReason, _detail: &str) {}

    /// Tells what became of orders.
    fn answer(answered: Vec<(Self, Answer)>)
    where
        Self: Sized;
}

impl Consignment for Ticket {
    const PATIENT: bool = false;

    fn order(&self) -> Option<&Arc<Order>> {
        Some(&self.order)
    }

    fn answer(answered: Vec<(Self, Answer)>) {
        for (ticket, answer) in answered {
            let _ = ticket.reply.send(answer);
        }
    }
}

/// An order that is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// In the store, under this id.
    Stored {
        /// Given by the store.
        id: i64,
    },
    /// In the log, to be stored soon.
    Logged,
}

impl Acknowledged {
    /// The id, where the order is in the store already.
    #[must_use]
    pub const fn id(self) -> Option<i64> {
        match self {
            Self::Stored { id } => Some(id),
            Self::Logged => None,
        }
    }
}

/// An order that was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// All credit is taken.
    #[error("too many orders are under way")]
    Overloaded,
    /// The store cannot be reached; whether this order was stored is unknown, and repeating it with its key is safe.
    #[error("the store is away: {0}")]
    StoreAway(String),
    /// The log cannot be reached; as above.
    #[error("the log is away: {0}")]
    LogAway(String),
    /// The log holds as many orders that are not stored yet as it may.
    #[error("too many orders wait to be stored")]
    BacklogFull,
    /// No answer within the deadline; as above.
    #[error("no answer within the deadline")]
    TooLate,
    /// Another order was stored under this key.
    #[error("this Idempotency-Key was used for a different order")]
    KeyReused,
    /// The store refuses it and would refuse it again.
    #[error("the store refuses the order: {0}")]
    Rejected(String),
}
