//! Ingest: takes tickets and gives each to the batcher of its shard.
//!
//! Upstream: [`crate::order_desk::OrderDesk`]. Downstream: [`crate::batcher::Batcher`].
//! A crash loses the tickets in its mailbox. Their senders notice at once and hand them in again.

use std::sync::Arc;

use uuid::Uuid;

use crate::batcher::BatcherMsg;
use crate::supervision::{Address, Failure, Slot, Worker};
use crate::ticket::Ticket;

/// What an ingest can be told.
pub enum IngestMsg {
    /// Route this order.
    Accept(Ticket),
}

/// What an ingest starts from.
#[derive(Clone)]
pub struct IngestArgs {
    /// One for each batcher.
    pub batchers: Arc<[Slot<BatcherMsg>]>,
}

/// Routes orders to batchers.
pub struct Ingest {
    batchers: Arc<[Slot<BatcherMsg>]>,
}

impl Worker for Ingest {
    type Msg = IngestMsg;
    type Args = IngestArgs;

    async fn start(args: IngestArgs, _me: Address<IngestMsg>) -> Result<Self, Failure> {
        if args.batchers.is_empty() {
            return Err("an ingest needs a batcher".into());
        }
        Ok(Self {
            batchers: args.batchers,
        })
    }

    async fn handle(&mut self, IngestMsg::Accept(ticket): IngestMsg) -> Result<(), Failure> {
        let shard = shard_of(ticket.order.message_id, self.batchers.len());
        // A batcher that is being restarted gives the ticket back; dropping it tells the sender to come again, so that
        // one dead batcher holds up nobody else's orders.
        drop(self.batchers[shard].send(BatcherMsg::Accept(ticket)));
        Ok(())
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
