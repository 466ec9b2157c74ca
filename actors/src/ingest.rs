//! Ingest: takes tickets and gives each to the batcher of its shard, or to the appender of its log.
//!
//! Upstream: [`crate::order_desk::OrderDesk`]. Downstream: [`crate::batcher::Batcher`] or [`crate::appender::Appender`].
//! A crash loses the tickets in its mailbox. Their senders notice at once and hand them in again.

use std::sync::Arc;

use uuid::Uuid;

use crate::drill;
use crate::supervision::{Address, Failure, Slot, Worker};
use crate::ticket::{Acknowledged, Ticket};

/// What an ingest can be told.
pub enum IngestMsg {
    /// Route this order.
    Accept(Ticket),
}

/// What an ingest starts from: a slot for each of those who take its orders.
pub struct IngestArgs<M: Send + 'static> {
    /// One for each shard.
    pub takers: Arc<[Slot<M>]>,
}

impl<M: Send + 'static> Clone for IngestArgs<M> {
    fn clone(&self) -> Self {
        Self {
            takers: self.takers.clone(),
        }
    }
}

/// Routes orders to those who take messages `M`.
pub struct Ingest<M: Send + 'static> {
    me: Address<IngestMsg>,
    takers: Arc<[Slot<M>]>,
    /// What each taker is to be given.
    parcels: Vec<Vec<Ticket>>,
}

impl<M: From<Vec<Ticket>> + Send + 'static> Worker for Ingest<M> {
    type Msg = IngestMsg;
    type Args = IngestArgs<M>;

    /// What is ready to come in goes on together: each group that finds its taker idle costs it a wake-up, and its store a
    /// write to disk.
    const GATHERS: bool = true;

    async fn start(args: IngestArgs<M>, me: Address<IngestMsg>) -> Result<Self, Failure> {
        if args.takers.is_empty() {
            return Err("an ingest needs somebody who takes its orders".into());
        }
        Ok(Self {
            me,
            parcels: args.takers.iter().map(|_| Vec::new()).collect(),
            takers: args.takers,
        })
    }

    async fn handle(&mut self, IngestMsg::Accept(ticket): IngestMsg) -> Result<(), Failure> {
        let ticket = if drill::acknowledge_before_commit() {
            acknowledged_already(ticket)
        } else {
            ticket
        };
        let shard = shard_of(ticket.order.message_id, self.takers.len());
        self.parcels[shard].push(ticket);
        Ok(())
    }

    fn caught_up(&mut self) {
        for (taker, parcel) in self.takers.iter().zip(&mut self.parcels) {
            if parcel.is_empty() {
                continue;
            }
            // A taker that is busy looks at it when it is not. One that is being restarted gives it back; dropping it tells
            // the senders to come again, so that one dead batcher holds up nobody else's orders.
            if taker.leave(M::from(std::mem::take(parcel))).is_ok() {
                self.me.worked();
            }
        }
    }
}

/// The drill: answers, and leaves a ticket that nobody waits for.
fn acknowledged_already(ticket: Ticket) -> Ticket {
    let Ticket { order, permit, reply } = ticket;
    let _ = reply.send(Ok(Acknowledged::Stored { id: 0 }));
    Ticket {
        order,
        permit,
        reply: tokio::sync::oneshot::channel().0,
    }
}

/// Repeated keys meet in one batcher, where they become one row without a conflict.
fn shard_of(message_id: Uuid, shards: usize) -> usize {
    // The last 8 bytes are random in both UUIDv4 and UUIDv7.
    let (_, low) = message_id.as_u64_pair();
    usize::try_from(low % shards as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_get_even_shares_and_keys_stay() {
        let mut counts = [0_u32; 4];
        for _ in 0..10_000 {
            let key = Uuid::now_v7();
            assert_eq!(shard_of(key, 4), shard_of(key, 4));
            counts[shard_of(key, 4)] += 1;
        }
        assert!(counts.iter().all(|count| (2_200..2_800).contains(count)), "{counts:?}");
    }
}
