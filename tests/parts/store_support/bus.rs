//! Deltas to send over a bus, and to hear from one.

use coffee_rt_actors::domain::{Cents, Instant, Item};
use coffee_rt_actors::ports::{Delta, DeltaBus, DeltaCell, DeltaContent, DeltaStream, ShardId, StoreError};

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

/// Deltas that fill several messages arrive in their order, one that fits none without its content, and none at its sender.
pub async fn large_ones_arrive(
    here: &dyn DeltaBus,
    at_here: &mut Box<dyn DeltaStream>,
    there: &dyn DeltaBus,
    at_there: &mut Box<dyn DeltaStream>,
    large: usize,
    huge: usize,
) {
    here.publish(&[]).await.unwrap();

    // Far more than one message holds.
    let sent: Vec<Delta> = (1..=60).map(|seq| delta(seq, large)).collect();
    here.publish(&sent).await.unwrap();
    assert_eq!(receive(at_there, sent.len()).await, sent);

    let huge = delta(61, huge);
    here.publish(&[delta(62, 1), huge.clone(), delta(63, 1)]).await.unwrap();
    let received = receive(at_there, 3).await;
    assert_eq!(received[1], Delta { content: None, ..huge });
    assert_eq!((received[0].seq, received[2].seq), (62, 63));

    // The first that arrives here is the other node's: none of the own ones before it.
    there.publish(&[delta(1, 1)]).await.unwrap();
    assert_eq!(receive(at_here, 1).await[0].seq, 1);
}
