//! A job on Apache Flink stores v3's orders in the place of actors: the same orders, counted in the same way, whatever is
//! killed, and it gives way to actors again.

use std::time::Duration;

use coffee_rt::load::Driver;
use coffee_rt::scenario::{Mixture, Records};
use coffee_rt_actors::domain::Menu;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::tables::{Tables, in_metrics};
use crate::support::{Books, Database, Flink, Node, OwnService, Recount, Requests, patient, within};
use crate::support::{check_ledger, customers, seed};

mod tables;

/// Records of the comparison, unless COFFEE_RT_TEST_FLINK_RECORDS says another number.
const RECORDS: u64 = 100_000;
/// Load while engines change.
const ORDERS_PER_SECOND: f64 = 100.0;
/// How long a debug build and three JVMs may take for that, beside other stories.
const LIMIT: Duration = Duration::from_secs(240);

/// Actors, then Flink, then actors, while customers order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_change_while_orders_come() {
    let (database, flink) = (Database::kafka().await, Flink::up().await);
    let node = Node::start_with(&database, &flink.settings()).await;
    let stop = CancellationToken::new();
    let load = patient(customers(&node, seed(), ORDERS_PER_SECOND));
    let load = Driver::new(load).unwrap().start(&stop);
    within(LIMIT, "actors store", async || stored(&node, 100).await).await;
    assert_eq!(engine(&node).await, "actors");

    let told = flink.command(&database, "submit").await;
    assert_eq!(
        (&told["engine"], &told["changed"]),
        (&"flink".into(), &true.into()),
        "{told}"
    );
    within(LIMIT, "the node has no reader", async || {
        let paths = node.actor_paths().await;
        let readers: Vec<_> = paths.iter().filter(|path| path.contains("partition-")).collect();
        if readers.is_empty() {
            Ok(())
        } else {
            Err(format!("{readers:?}"))
        }
    })
    .await;
    within(LIMIT, "the job is known", async || {
        let ready: Value = node.client.get("/readyz").await.map_err(|error| error.to_string())?;
        let v3 = &ready["components"]["v3"];
        let known = v3["job"]["state"] == "RUNNING" && v3["job"]["checkpoints"].as_u64() > Some(1);
        if known && v3["engine"] == "flink" {
            Ok(())
        } else {
            Err(v3.to_string())
        }
    })
    .await;
    let before = total(&node).await;
    within(LIMIT, "the job's orders are shown", async || {
        stored(&node, before + 200).await
    })
    .await;
    // A second is told of when an order of two seconds later has come.
    within(LIMIT, "the job tells metrics", async || {
        match in_metrics(&database).await {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    within(LIMIT, "the job is up", async || {
        match node.metric("coffee_rt_job_up").await {
            1.0 => Ok(()),
            down => Err(format!("{down}\n{}", node.log())),
        }
    })
    .await;
    // Whoever asks again changes nothing.
    assert_eq!(flink.command(&database, "submit").await["changed"], false);

    let told = flink.command(&database, "stop").await;
    assert_eq!(
        (&told["engine"], &told["changed"]),
        (&"actors".into(), &true.into()),
        "{told}"
    );
    let before = total(&node).await;
    within(LIMIT, "actors store again", async || stored(&node, before + 200).await).await;
    within(LIMIT, "the node knows who stores", async || match engine(&node).await {
        actors if actors == "actors" => Ok(()),
        other => Err(other),
    })
    .await;

    stop.cancel();
    let finished = load.finish().await;
    node.until_stored().await;
    check_ledger(&finished.ledger, &Books::read(&database).await);
    assert_eq!(database.assert_audit_clean(), finished.report.counts.acknowledged);
    Recount::read(&database).await.assert_shown_by(&node).await;
    assert!(in_metrics(&database).await > 0, "the metrics count no order");
    node.stop().await;
}

/// Repeated orders and garbage in one topic, through each engine, with everything killed under Flink.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_make_the_same_of_a_topic() {
    let records = std::env::var("COFFEE_RT_TEST_FLINK_RECORDS").map_or(RECORDS, |records| records.parse().unwrap());
    let mixture = Mixture {
        repeated: 0.05,
        garbage: 0.01,
    };
    let mut records = Records::mixed(seed(), records, mixture, &Menu::default());
    let to_write = records.by_ref().collect();

    let by_actors = Database::kafka().await;
    let node = Node::start(&by_actors).await;
    by_actors.topic().produce_to(to_write).await;
    within(LIMIT, "actors store", async || {
        by_actors.topic().place().is_stored().await
    })
    .await;
    node.stop().await;
    let actors = Tables::read(&by_actors).await;
    assert_eq!(
        (actors.orders as u64, actors.letters.len() as u64),
        (records.orders(), records.garbage()),
        "actors"
    );

    let (flink, postgres) = (Flink::up().await, OwnService::up("postgres").await);
    // The same group, which says that everything is stored: in the other database.
    let by_flink = Database::at(&postgres.url).through_topic(by_actors.into_topic());
    // Where that is set the node submits the job by itself.
    let [url, gateway_url] = flink.settings();
    let settings = [url, gateway_url, ("COFFEE_RT_V3__ENGINE", "flink")];
    let node = Node::start_with(&by_flink, &settings).await;
    for harm in ["flink-taskmanager", "postgres", "flink-jobmanager"] {
        let before = total(&node).await;
        within(LIMIT, "the job gets on", async || stored(&node, before + 1).await).await;
        if harm == "postgres" {
            postgres.kill().await;
            postgres.start().await;
        } else {
            flink.kill_and_start(harm).await;
        }
    }
    within(LIMIT, "the job stores", async || {
        by_flink
            .topic()
            .place()
            .is_stored()
            .await
            .map_err(|told| format!("{told}\n{}", node.log()))
    })
    .await;
    // When it was submitted first, and when the JobManager had forgotten it. One that comes up later than it is waited for
    // counts as a failure, and is there.
    within(LIMIT, "the job is taken up again", async || {
        let of = async |outcome| {
            node.metric(&format!("coffee_rt_job_restores_total{{outcome=\"{outcome}\"}}"))
                .await
        };
        let (done, failed, up) = (
            of("done").await,
            of("failed").await,
            node.metric("coffee_rt_job_up").await,
        );
        if done + failed >= 2.0 && up == 1.0 {
            Ok(())
        } else {
            Err(format!("{done} done, {failed} failed, {up} up\n{}", node.log()))
        }
    })
    .await;
    Recount::read(&by_flink).await.assert_shown_by(&node).await;
    node.stop().await;
    assert_eq!(by_flink.assert_audit_clean(), records.orders());
    let job = Tables::with_letters_beyond(&by_flink, actors.letters.len()).await;
    assert_eq!(job.hash, actors.hash, "orders and what is counted of them");
    assert_eq!(job.letters, actors.letters, "what is in the dead letters, and why");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_flink_the_command_says_what_is_missing() {
    let database = Database::kafka().await;
    let (code, text) = database.command(&["flink", "submit"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("flink.url is not set"), "{text}");
    let (code, text) = database.command(&["flink", "status"]);
    assert_eq!((code, text.as_str()), (0, "actors store v3's orders\n"));
    let (code, text) = Database::sqlite().command(&["flink", "status"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("DATABASE_URL"), "{text}");
}

async fn total(node: &Node) -> u64 {
    let shown: Value = node.client.get("/api/dashboard").await.unwrap();
    shown["stored_total"].as_u64().unwrap()
}

async fn stored(node: &Node, wanted: u64) -> Result<(), String> {
    let total = total(node).await;
    if total >= wanted {
        Ok(())
    } else {
        Err(format!("{total} of {wanted}\n{}", node.log()))
    }
}

async fn engine(node: &Node) -> String {
    let ready = Requests::to(node).get("/readyz").await;
    let ready: Value = serde_json::from_str(&ready.body).unwrap();
    ready["components"]["v3"]["engine"]
        .as_str()
        .unwrap_or("unknown")
        .to_owned()
}
