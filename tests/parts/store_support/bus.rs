//! Deltas to send over a bus, and to hear from one.

use coffee_rt_actors::domain::{Cents, Instant, Item};
use coffee_rt_actors::ports::{Delta, DeltaCell, DeltaContent, DeltaStream, ShardId, StoreError};

use super::{DEADLINE, orders};

/// What a commit of so many cells tells.
pub fn delta(seq: i64, cells: usize) -> Delta {
    let cell = |n: usize| DeltaCell {
        minute: i64::try_from(n).unwrap(),
        store: Item::from("uptown"),
        drink: Item::from("latte"),
        orders: 1,
        amount: Cents(450),
    };
    let recent = orders(2).iter().map(|order| order.stored_as(seq)).collect();
    Delta {
        shard: ShardId(7),
        seq,
        content: Some(DeltaContent {
            cells: (0..cells).map(cell).collect(),
            recent,
            accepted_at: Some(Instant(seq)),
        }),
    }
}

/// The next deltas that are heard.
pub async fn next(stream: &mut Box<dyn DeltaStream>) -> Result<Vec<Delta>, StoreError> {
    tokio::time::timeout(DEADLINE, stream.next()).await.unwrap()
}

/// So many deltas, as they are heard.
pub async fn receive(stream: &mut Box<dyn DeltaStream>, count: usize) -> Vec<Delta> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(next(stream).await.unwrap());
    }
    all
}
