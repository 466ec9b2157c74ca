//! The desk where orders are handed in: credit, deadline, and handing in again when an actor dies.
//!
//! It is no actor: it runs in the task of each request, so it outlives every actor it talks to.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::credit::Credit;
use crate::domain::Order;
use crate::ingest::IngestMsg;
use crate::supervision::Slot;
use crate::ticket::{Acknowledged, Refusal, Ticket};

/// The first pause before an order is handed in again; doubled each time.
const AGAIN_MIN: Duration = Duration::from_millis(1);
/// The longest such pause.
const AGAIN_MAX: Duration = Duration::from_millis(64);

/// Hands orders to one version's ingest.
#[derive(Clone)]
pub struct OrderDesk {
    /// The version's credit.
    pub credit: Credit,
    /// Where its ingest is found.
    pub ingest: Slot<IngestMsg>,
    /// How long an order may take, all attempts together.
    pub deadline: Duration,
}

impl OrderDesk {
    /// Hands in an order and waits until it is acknowledged.
    ///
    /// # Errors
    /// See [`Refusal`]. Only where it is `StoreAway`, `LogAway` or `TooLate` may the order have been stored.
    pub async fn place(&self, order: impl Into<Arc<Order>>) -> Result<Acknowledged, Refusal> {
        let order = order.into();
        let deadline = Instant::now() + self.deadline;
        let mut pause = AGAIN_MIN;
        let mut permit = Some(self.credit.try_take().ok_or(Refusal::Overloaded)?);
        // Whether an attempt ended without an answer, so that the order may be in the log already.
        let mut in_doubt = false;
        loop {
            // An attempt without a permit is skipped: somebody else took what the dead actor gave back.
            if let Some(permit) = permit {
                let (reply, answer) = oneshot::channel();
                let ticket = Ticket {
                    order: order.clone(),
                    permit,
                    reply,
                };
                if self.ingest.send(IngestMsg::Accept(ticket)).is_ok() {
                    match timeout_at(deadline, answer).await {
                        Ok(Ok(Err(Refusal::BacklogFull))) if in_doubt => {}
                        Ok(Ok(answer)) => return answer,
                        Ok(Err(_)) => in_doubt = true,
                        Err(_) => return Err(Refusal::TooLate),
                    }
                }
            }
            let again = Instant::now() + pause;
            if again >= deadline {
                return Err(Refusal::TooLate);
            }
            sleep_until(again).await;
            pause = (pause * 2).min(AGAIN_MAX);
            // Each attempt takes a permit anew: the last one went down with the dead actor, or came back with it. An order
            // that was let in once is not refused for want of credit: it may have been stored, and its sender did nothing
            // wrong.
            permit = self.credit.try_take();
        }
    }
}
