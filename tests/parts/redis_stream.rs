//! The stream in a real Redis: what its entries count for, and what becomes of them.

use std::sync::Arc;

use crate::own_service::OwnService;
use crate::store_support::orders;
use coffee_rt::adapters::redis::{RedisStream, STREAM, SURPLUS};
use coffee_rt_actors::domain::{Menu, Order};
use coffee_rt_actors::ports::{
    Entry, LogError, LogReader, MAX_ENTRY_ORDERS, OrderLog, Poison, PoisonReason, Settlement, SharedLog,
};
use coffee_rt_actors::reader::MAX_ORDERS_IN_HAND;
use redis::Commands;

/// The most orders that the stream may hold.
const LIMIT: usize = 200;

struct Fixture {
    server: OwnService,
    log: RedisStream,
    reader: Arc<dyn LogReader>,
}

impl Fixture {
    async fn start() -> Self {
        let server = OwnService::up("redis").await;
        let log = RedisStream::new(&server.url, &Menu::default(), LIMIT as u64, 1).unwrap();
        let reader = log.reader(0);
        Self { server, log, reader }
    }

    async fn append(&self, count: usize) -> Result<(), LogError> {
        let orders: Vec<_> = orders(count).into_iter().map(Arc::new).collect();
        self.log.append(&orders).await
    }

    /// Entries as other producers write them, and without waiting for each.
    fn write(&self, count: usize, field: &str, value: &[u8]) {
        let mut writing = redis::pipe();
        for _ in 0..count {
            writing.cmd("XADD").arg(STREAM).arg("*").arg(field).arg(value).ignore();
        }
        writing.exec(&mut self.server.redis_client()).unwrap();
    }

    async fn read(&self) -> Vec<Entry> {
        self.reader.next(MAX_ORDERS_IN_HAND).await.unwrap()
    }

    async fn acknowledge(&self, entries: &[Entry]) {
        let entries: Vec<_> = entries.iter().map(settled).collect();
        self.reader.acknowledge(&entries).await.unwrap();
    }

    /// Orders of the backlog, entries in the stream, and how many more orders than these are counted.
    async fn counts(&self) -> (u64, usize, Option<usize>) {
        let mut client = self.server.redis_client();
        let backlog = self.log.keep().await.unwrap().backlog;
        let entries = redis::cmd("XLEN").arg(STREAM).query(&mut client).unwrap();
        (backlog, entries, client.get(SURPLUS).unwrap())
    }
}

fn settled(entry: &Entry) -> Settlement {
    Settlement {
        id: entry.id,
        surplus: entry.surplus,
        poison: Vec::new(),
    }
}

#[tokio::test]
async fn orders_are_counted_and_come_back_as_they_were_appended() {
    let fixture = Fixture::start().await;
    let appended: Vec<_> = orders(MAX_ENTRY_ORDERS + 1).into_iter().map(Arc::new).collect();
    fixture.log.append(&appended).await.unwrap();
    let entries = fixture.read().await;
    let read: Vec<_> = entries
        .iter()
        .flat_map(|entry| entry.orders.clone())
        .map(Result::unwrap)
        .collect();
    let keys = |orders: &[Arc<Order>]| orders.iter().map(|order| order.message_id).collect::<Vec<_>>();
    assert_eq!(keys(&read), keys(&appended));
    let sizes: Vec<_> = entries
        .iter()
        .map(|entry| (entry.orders.len(), entry.surplus))
        .collect();
    assert_eq!(sizes, [(MAX_ENTRY_ORDERS, MAX_ENTRY_ORDERS - 1), (1, 0)]);
    assert_eq!(fixture.counts().await, (65, 2, Some(63)));
    fixture.acknowledge(&entries).await;
    assert_eq!(fixture.counts().await, (0, 0, None));
}

#[tokio::test]
async fn all_that_a_reader_may_have_in_hand_is_acknowledged_at_once() {
    let fixture = Fixture::start().await;
    let record = orders(1)[0].to_record();
    fixture.write(MAX_ORDERS_IN_HAND, "order", &record);
    let entries = fixture.read().await;
    assert_eq!(entries.len(), MAX_ORDERS_IN_HAND);
    fixture.acknowledge(&entries).await;
    assert_eq!(fixture.counts().await, (0, 0, None));
}

/// Otherwise what cannot be stored, for want of room among the dead letters, would have the stream grow behind it.
#[tokio::test]
async fn what_is_stored_behind_an_entry_that_waits_counts_no_more() {
    let fixture = Fixture::start().await;
    for _ in 0..3 {
        fixture.append(MAX_ENTRY_ORDERS).await.unwrap();
    }
    fixture.append(10).await.unwrap();
    assert_eq!(fixture.append(1).await, Err(LogError::Full));
    let entries = fixture.read().await;
    fixture.acknowledge(&entries[1..]).await;
    assert_eq!(fixture.counts().await, (64, 1, Some(63)));
    // A second time, as after an answer that was lost.
    fixture.acknowledge(&entries[1..]).await;
    assert_eq!(fixture.counts().await, (64, 1, Some(63)));
    fixture.append(2).await.unwrap();
    fixture.acknowledge(&entries[..1]).await;
    assert_eq!(fixture.counts().await, (2, 1, Some(1)));
}

#[tokio::test]
async fn a_stream_that_somebody_deleted_takes_orders() {
    let fixture = Fixture::start().await;
    fixture.append(2 * LIMIT).await.unwrap();
    assert_eq!(fixture.append(1).await, Err(LogError::Full));
    let _: usize = fixture.server.redis_client().del(STREAM).unwrap();
    fixture.append(3).await.unwrap();
    assert_eq!(fixture.counts().await, (3, 1, Some(2)));
}

#[tokio::test]
async fn an_entry_of_another_producer_counts_as_one() {
    let fixture = Fixture::start().await;
    fixture.append(MAX_ENTRY_ORDERS).await.unwrap();
    let records: Vec<_> = orders(3).iter().map(Order::to_record).collect();
    fixture.write(1, "orders", &records.join(&b"\n"[..]));
    assert_eq!(fixture.counts().await, (65, 2, Some(63)));
    let entries = fixture.read().await;
    assert_eq!((entries[1].orders.len(), entries[1].surplus), (3, 0));
    fixture.acknowledge(&entries[1..]).await;
    assert_eq!(
        fixture.counts().await,
        (65, 2, Some(63)),
        "it is small, and goes with those before it"
    );
    fixture.acknowledge(&entries[..1]).await;
    assert_eq!(fixture.counts().await, (0, 0, None));
}

/// Two generations of a reader may have had it in hand.
#[tokio::test]
async fn poison_that_is_told_twice_is_one_dead_letter() {
    let fixture = Fixture::start().await;
    fixture.append(3).await.unwrap();
    let entries = fixture.read().await;
    let poison = Poison {
        part: Some(1),
        reason: PoisonReason::Refused,
        detail: "too dear".to_owned(),
    };
    let entry = Settlement {
        poison: vec![poison],
        ..settled(&entries[0])
    };
    for _ in 0..2 {
        fixture.reader.bury(&[entry.clone(), entry.clone()]).await.unwrap();
        assert_eq!(fixture.log.keep().await.unwrap().dead_letters, 1);
    }
    assert_eq!(fixture.counts().await, (0, 0, None));
}
