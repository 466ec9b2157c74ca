//! One of three brokers dies under load: the others have everything, and no request fails beyond the fail-over.

use std::time::Duration;

use coffee_rt::load::{Driver, Running};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Books, Database, Kafka, Node, OwnService, Recount, check_ledger, customers, eventually, patient, seed,
};

/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 40.0;
/// How often a broker is killed and comes back.
const KILLS: usize = 3;
/// How long a broker is gone: longer than it takes the others to notice.
const GONE: Duration = Duration::from_secs(6);
/// How long it is looked whether anybody is refused.
const QUIET: Duration = Duration::from_secs(3);
const BROKERS: [&str; 3] = ["kafka-1", "kafka-2", "kafka-3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_of_three_costs_no_order_and_no_request_beyond_the_fail_over() {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let database = Database::postgres().await;
    let database = database.through_topic(Kafka::on(OwnService::three_brokers().await));
    let node = Node::start(&database).await;
    // Brokers that have just come up may not know at once.
    eventually("what an acknowledgement means is known", async || {
        match node.log_state().await {
            log if log["durability"] == "replicated" => Ok(()),
            log => Err(log.to_string()),
        }
    })
    .await;
    let stop = CancellationToken::new();
    let options = patient(customers(&node, seed, ORDERS_PER_SECOND));
    let load = Driver::new(options).unwrap().start(&stop);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let broker = *BROKERS.choose(&mut rng).unwrap();
        println!("{broker} is killed");
        database.log_server().kill_one(broker).await;
        tokio::time::sleep(GONE.mul_f64(rng.random_range(1.0..1.5))).await;
        nobody_is_refused_once_all_were_answered(&load).await;
        database.log_server().start_one(broker).await;
        nobody_is_refused_once_all_were_answered(&load).await;
    }
    stop.cancel();
    let finished = load.finish().await;

    let report = &finished.report;
    println!("{:?}, refused {:?}", report.counts, report.refused_by_status);
    assert_eq!(report.broken_promises, 0, "{:?}", report.broken);
    assert_eq!((report.counts.refused, report.counts.unknown), (0, 0), "{report:#?}");
    node.until_stored().await;
    check_ledger(&finished.ledger, &Books::read(&database).await);
    assert_eq!(database.assert_audit_clean(), report.counts.acknowledged);
    database.assert_each_record_was_stored_once().await;
    Recount::read(&database).await.assert_shown_by(&node).await;
    node.stop().await;
}

/// Whoever came during the fail-over is answered in the end. From then on nobody is refused.
async fn nobody_is_refused_once_all_were_answered(load: &Running) {
    eventually("all who came during the fail-over are answered", async || {
        match load.progress() {
            now if now.in_flight + now.waiting + now.counts.refused == 0 => Ok(()),
            now => Err(format!("{now:?}")),
        }
    })
    .await;
    let before = load.progress();
    tokio::time::sleep(QUIET).await;
    let now = load.progress();
    assert_eq!(now.refusals, before.refusals, "{before:?} and then {now:?}");
    assert!(now.counts.acknowledged > before.counts.acknowledged, "{now:?}");
}
