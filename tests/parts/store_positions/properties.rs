//! Whatever comes over a partition, and however often its reader dies, each record is accounted for once.

use std::collections::HashMap;
use std::sync::Arc;

use coffee_rt_actors::domain::Order;
use coffee_rt_actors::ports::{Claim, ShardWriter, StoreError};
use futures_util::future::poll_immediate;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

use super::{PARTITION, accounts};
use crate::store_support::*;

/// Logs that each engine gets.
const LOGS: u32 = 24;
/// Keys of orders: so few that many are repeated.
const KEYS: u128 = 40;

/// What the world does next.
#[derive(Clone, Debug)]
enum Step {
    /// The reader takes so many records.
    Read(usize),
    /// It dies while they are committed.
    Die(usize),
    /// Another version stores an order.
    Order(Shape),
}

/// A key, and whether its order is another one than usual.
type Shape = (u128, bool);

fn shape() -> impl Strategy<Value = Shape> {
    (1..=KEYS, prop::bool::weighted(0.1))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..9_usize).prop_map(Step::Read),
        2 => (1..9_usize).prop_map(Step::Die),
        1 => shape().prop_map(Step::Order),
    ]
}

fn shaped((key, other): Shape) -> Order {
    order(Uuid::from_u128(key), "latte", "uptown", 300 + i64::from(other), NINE)
}

/// A partition's records and what must have become of those that were read.
struct World {
    fixture: Fixture,
    log: Vec<Order>,
    next: usize,
    reader: Arc<dyn ShardWriter>,
    claim: Claim,
    stored: HashMap<Uuid, Order>,
    inserted: usize,
    dead_lettered: usize,
}

impl World {
    async fn new(fixture: Fixture, log: Vec<Order>) -> Self {
        let reader = fixture.store.partition_writer("v3", PARTITION);
        let claim = reader.claim().await.unwrap();
        Self {
            fixture,
            log,
            next: 0,
            reader,
            claim,
            stored: HashMap::new(),
            inserted: 0,
            dead_lettered: 0,
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Read(count) => self.read(*count).await,
            Step::Die(count) => self.die(*count).await,
            Step::Order(shape) => {
                let order = shaped(*shape);
                let direct = self.fixture.store.shard_writer("v1");
                let claim = direct.claim().await.unwrap();
                direct.commit(claim, batch(std::slice::from_ref(&order))).await.unwrap();
                self.stored.entry(order.message_id).or_insert(order);
            }
        }
    }

    /// The next records, up to one whose key another order of them has: the reader decides about that one alone.
    fn records(&self, count: usize) -> Vec<Order> {
        let mut taken: Vec<Order> = Vec::new();
        for order in self.log[self.next..].iter().take(count) {
            let reuses = |earlier: &Order| earlier.message_id == order.message_id && !earlier.same_payload(order);
            if taken.iter().any(reuses) {
                break;
            }
            taken.push(order.clone());
        }
        taken
    }

    async fn read(&mut self, count: usize) {
        let records = self.records(count);
        let (mut orders, mut dead_lettered) = (records.clone(), 0);
        loop {
            match self
                .reader
                .commit(self.claim, self.batch(&records, &orders, dead_lettered))
                .await
            {
                Ok(_) => break self.account(&records),
                Err(StoreError::KeysReused(keys)) => {
                    orders.retain(|order| !keys.contains(&order.message_id));
                    dead_lettered = records.len() - orders.len();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Begins a commit, goes away, and lets the next reader find out what became of it.
    async fn die(&mut self, count: usize) {
        let records = self.records(count);
        let commit = self.reader.commit(self.claim, self.batch(&records, &records, 0));
        // Where the machine is busy it may be over before it is looked at; nobody hears of it either way.
        drop(poll_immediate(commit).await);
        self.claim = self.reader.claim().await.unwrap();
        if self.claim.position == Some(at(self.next_after(&records))) {
            self.account(&records);
        } else {
            assert!(records.iter().any(|order| self.reuses(order)), "{records:?} are lost");
        }
    }

    fn batch(
        &self,
        records: &[Order],
        orders: &[Order],
        dead_lettered: usize,
    ) -> Arc<coffee_rt_actors::domain::OrderBatch> {
        let to = at(self.next_after(records));
        crate::store_support::records(orders, to, records.len(), dead_lettered as u64)
    }

    fn next_after(&self, records: &[Order]) -> i64 {
        i64::try_from(self.next + records.len()).unwrap()
    }

    fn reuses(&self, order: &Order) -> bool {
        let stored = self.stored.get(&order.message_id);
        stored.is_some_and(|stored| !stored.same_payload(order))
    }

    fn account(&mut self, records: &[Order]) {
        self.next += records.len();
        for order in records {
            if self.reuses(order) {
                self.dead_lettered += 1;
            } else if self.stored.insert(order.message_id, order.clone()).is_none() {
                self.inserted += 1;
            }
        }
    }

    async fn check(&self) {
        let (read, inserted, dead_lettered) = (self.next, self.inserted, self.dead_lettered);
        let repeated = read - inserted - dead_lettered;
        let expected = format!("{read} {inserted} {repeated} {dead_lettered}");
        assert_eq!(accounts(&self.fixture).await, expected);
        assert_eq!(self.fixture.rows().await, self.stored.len() as u64);
        self.fixture.assert_audit_clean().await;
    }
}

/// Its seed is printed, and settable to repeat a failure.
fn config() -> ProptestConfig {
    let given = std::env::var("COFFEE_RT_TEST_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("repeat with COFFEE_RT_TEST_SEED={seed}");
    ProptestConfig {
        cases: LOGS,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

async fn live(fixture: Fixture, log: &[Shape], steps: &[Step]) {
    let mut world = World::new(fixture, log.iter().copied().map(shaped).collect()).await;
    for step in steps {
        world.take(step).await;
    }
    while world.next < world.log.len() {
        world.read(log.len()).await;
    }
    world.check().await;
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_record_is_accounted_for_in_sqlite(log in vec(shape(), 1..80), steps in vec(step(), 0..24)) {
        block_on(async { live(sqlite().await, &log, &steps).await });
    }

    #[test]
    fn each_record_is_accounted_for_in_postgres(log in vec(shape(), 1..80), steps in vec(step(), 0..24)) {
        block_on(async { live(postgres().await, &log, &steps).await });
    }
}
