//! Orders of many customers go on together: the ingest lets those who are ready hand in theirs, and gives each taker one
//! parcel.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::domain::Order;
use coffee_rt_actors::ingest::{Ingest, IngestArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::supervision::{Address, ChildSpec, Failure, Slot, Strategy, Worker};
use coffee_rt_actors::ticket::{Acknowledged, Ticket};
use parking_lot::Mutex;
use support::node::{new_order, policy};
use support::probe::{Grove, supervisor};
use support::seeded;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Fewer than the 61 tasks after which the runtime looks after what was put off, whatever is ready.
const CUSTOMERS: usize = 20;
const TAKERS: usize = 2;

type Sizes = Arc<Mutex<Vec<usize>>>;

struct Parcel(Vec<Ticket>);

impl From<Vec<Ticket>> for Parcel {
    fn from(tickets: Vec<Ticket>) -> Self {
        Self(tickets)
    }
}

/// Acknowledges what it gets, and notes in which portions it came.
struct Taker(Sizes);

impl Worker for Taker {
    type Msg = Parcel;
    type Args = Sizes;

    async fn start(sizes: Sizes, _me: Address<Parcel>) -> Result<Self, Failure> {
        Ok(Self(sizes))
    }

    async fn handle(&mut self, Parcel(tickets): Parcel) -> Result<(), Failure> {
        self.0.lock().push(tickets.len());
        for ticket in tickets {
            let _ = ticket.reply.send(Ok(Acknowledged::Logged));
        }
        Ok(())
    }
}

/// One thread, so that it is known who is ready when the first order is handed in: everybody else. The runtime lets the
/// woken ingest go before all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orders_of_customers_who_are_ready_go_on_in_one_parcel() {
    let (sizes, slots): (Sizes, Vec<Slot<Parcel>>) = (Sizes::default(), (0..TAKERS).map(|_| Slot::default()).collect());
    let (credit, ingest) = (Credit::new(CUSTOMERS), Slot::default());
    let mut children: Vec<_> = slots
        .iter()
        .enumerate()
        .map(|(number, slot)| ChildSpec::worker::<Taker>(format!("taker-{number}"), sizes.clone(), slot.clone()))
        .collect();
    let args = IngestArgs {
        takers: Arc::from(slots),
    };
    children.push(ChildSpec::worker::<Ingest<Parcel>>("ingest", args, ingest.clone()));
    let grove = Grove::plant(supervisor(Strategy::OneForOne, policy(), children)).await;
    let desk = OrderDesk {
        credit,
        ingest,
        deadline: support::PATIENCE,
    };

    let mut random = seeded();
    let orders: Vec<_> = (0..CUSTOMERS as u64)
        .map(|number| Order {
            // Every taker has its share, whatever else is random.
            message_id: Uuid::from_u64_pair(0, number),
            ..new_order(&mut random)
        })
        .collect();
    // Spawned by a task of that one thread, which begins none of them before all are there.
    let all_at_once = tokio::spawn(async move {
        let mut customers = JoinSet::new();
        for order in orders {
            let desk = desk.clone();
            customers.spawn(async move { desk.place(order).await });
        }
        customers.join_all().await
    });
    let answers = all_at_once.await.unwrap();
    assert!(
        answers.iter().all(|answer| *answer == Ok(Acknowledged::Logged)),
        "{answers:?}"
    );
    let sizes = sizes.lock().clone();
    assert_eq!(sizes, [CUSTOMERS / TAKERS; TAKERS]);
    grove.drain().await.unwrap();
}
