//! Several times as many orders as the node may have under way: it refuses early, stays small, and keeps its promises.

use std::time::{Duration, Instant};

use coffee_rt::load::{Arrivals, Driver, Finished, Options, Pace};
use tokio_util::sync::CancellationToken;

use crate::support::{Books, Database, Node, Subscriber, check_ledgers, customers, on_every_way, seed, within};

/// Orders that may be under way.
const CREDIT_ORDERS: usize = 32;
/// Customers who each send the next order when the last is answered.
const CUSTOMERS: usize = 6 * CREDIT_ORDERS;
/// Arrivals that no answer slows down; far more than a test build serves.
const FLOOD_PER_SECOND: f64 = 20_000.0;
/// How long each kind of overload lasts.
const OVERLOAD: Duration = Duration::from_secs(6);
/// Half of the refusals must be faster. The goal is 50 ms for all but one of a hundred, which a machine shared with other
/// tests cannot show: the benchmark measures that.
const REFUSAL_MEDIAN_LIMIT_MS: f64 = 50.0;
/// What the node may grow by: buffers of connections, not orders.
const GROWTH_LIMIT_KIB: u64 = 64 * 1024;
/// How long it then serves as if nothing had been.
const RELIEF: Duration = Duration::from_secs(1);

on_every_way!(too_many_customers_are_refused_early, a_flood_is_refused_early);

async fn too_many_customers_are_refused_early(database: Database) {
    overload(database, Pace::Closed).await;
}

async fn a_flood_is_refused_early(database: Database) {
    let flood = Pace::Open {
        rate_per_second: FLOOD_PER_SECOND,
        arrivals: Arrivals::Exponential,
    };
    overload(database, flood).await;
}

async fn overload(database: Database, pace: Pace) {
    let seed = seed();
    let credit = CREDIT_ORDERS.to_string();
    let node = Node::start_with(&database, &[("COFFEE_RT_LIMITS__CREDIT_ORDERS", &credit)]).await;
    let subscriber = Subscriber::connect(&node.client).await;
    let mut options = customers(&node, seed, 1.0);
    options.pace = pace;
    options.connections = CUSTOMERS;
    options.retry.max_attempts = 1;

    let before = node.resident_kib();
    let (finished, peak) = run(options, &node).await;
    let report = &finished.report;
    println!(
        "{:?} at {:.0}/s, refused in {:?}, latency {:?}, resident {before} KiB, then at most {peak} KiB",
        report.counts, report.achieved_per_second, report.refusal, report.latency
    );
    assert_eq!(report.broken_promises, 0, "{:?}", report.broken);
    assert_eq!(report.counts.unknown, 0, "{report:#?}\n{}", node.log());
    assert_eq!(report.refused_by_status.keys().collect::<Vec<_>>(), [&503]);
    let refusals = &report.refused_by_status[&503];
    assert_eq!(refusals.without_retry_after, 0, "{refusals:?}");
    assert!(refusals.answers > 1_000, "hardly an overload: {refusals:?}");
    assert!(report.refusal.p50_ms <= REFUSAL_MEDIAN_LIMIT_MS, "{:?}", report.refusal);
    assert!(peak <= before + GROWTH_LIMIT_KIB, "{before} KiB became {peak} KiB");

    let relieved = serve_again(&node, seed).await;
    node.until_stored().await;
    check_ledgers(&[&finished.ledger, &relieved.ledger], &Books::read(&database).await);
    let stored = database.assert_audit_clean();
    // An overloaded node refuses before anything is stored.
    assert_eq!(stored, report.counts.acknowledged + relieved.report.counts.acknowledged);
    within(
        Duration::from_secs(2),
        "the subscriber sees every order",
        async || match subscriber.stored_total() {
            total if total == stored => Ok(()),
            total => Err(format!("{total} of {stored}")),
        },
    )
    .await;
    assert_eq!(subscriber.seen().closed, None);
    node.stop().await;
}

/// The load, and the most memory that the node held meanwhile.
async fn run(options: Options, node: &Node) -> (Finished, u64) {
    let stop = CancellationToken::new();
    let load = Driver::new(options).unwrap().start(&stop);
    let (until, mut peak) = (Instant::now() + OVERLOAD, 0);
    while Instant::now() < until {
        peak = peak.max(node.resident_kib());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    let finished = load.finish().await;
    peak = peak.max(node.resident_kib());
    (finished, peak)
}

/// At once after the overload the node is ready and refuses nobody.
async fn serve_again(node: &Node, seed: u64) -> Finished {
    node.until_ready().await;
    let mut options = customers(node, seed, 50.0);
    // However slow the machine is, they fit into what may be under way.
    options.connections = CREDIT_ORDERS / 2;
    options.retry.max_attempts = 1;
    options.duration = Some(RELIEF);
    let relieved = Driver::new(options).unwrap().run().await;
    let counts = relieved.report.counts;
    assert_eq!((counts.refused, counts.unknown), (0, 0), "{:#?}", relieved.report);
    println!("then {} orders in {:?}", counts.acknowledged, relieved.report.latency);
    relieved
}
