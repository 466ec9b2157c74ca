//! The log or PostgreSQL dies under orders that go through the log: what was acknowledged is stored in the end, once.

use std::time::{Duration, Instant};

use coffee_rt::load::{Driver, Finished, Options, Running};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Books, Database, Node, OwnService, Recount, Requests, Subscriber, check_ledger, customers, eventually, patient,
    seed,
};

/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 300.0;
/// How often the log is killed.
const KILLS: usize = 4;
/// How long PostgreSQL is away while orders are accepted.
const OUTAGE: Duration = Duration::from_secs(30);
/// How long the log hangs: longer than it is waited for, so that appends are given up and done all the same.
const HANG: Duration = Duration::from_secs(5);
/// How often.
const HANGS: usize = 3;
/// How long each is dead where both are.
const BOTH_DEAD: Duration = Duration::from_secs(5);

/// A node of the log's version alone, on services of the story's own.
struct Scene {
    postgres: OwnService,
    database: Database,
    node: Node,
    subscriber: Subscriber,
}

/// Runs stories with each log.
macro_rules! with_each_log {
    ($($story:ident),+ $(,)?) => {
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(super::Scene::of("redis").await).await })+
        }
        mod kafka {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(super::Scene::of("kafka").await).await })+
        }
    };
}

with_each_log!(
    a_log_that_is_killed_loses_nothing,
    a_log_that_hangs_doubles_nothing,
    orders_are_accepted_while_postgres_is_away,
    both_may_die_at_once,
);

impl Scene {
    async fn of(log: &'static str) -> Self {
        let (postgres, log) = tokio::join!(OwnService::up("postgres"), OwnService::up(log));
        let database = Database::at(&postgres.url).through_own(log);
        let version = database.version().name();
        let node = Node::start_with(&database, &[("COFFEE_RT_VERSIONS", version)]).await;
        let subscriber = Subscriber::connect(&node.client).await;
        Self {
            postgres,
            database,
            node,
            subscriber,
        }
    }

    /// Load while something happens.
    async fn under_load(&self, options: Options, fault: impl AsyncFnOnce(&Running)) -> Finished {
        let stop = CancellationToken::new();
        let load = Driver::new(options).unwrap().start(&stop);
        tokio::time::sleep(Duration::from_secs(1)).await;
        fault(&load).await;
        self.until_nobody_is_refused(&load).await;
        stop.cancel();
        let finished = load.finish().await;
        println!(
            "{:?}, refused {:?}",
            finished.report.counts, finished.report.refused_by_status
        );
        finished
    }

    /// Waits until who was refused has come again. Between two faults, too: together they are longer than patience.
    async fn until_nobody_is_refused(&self, load: &Running) {
        until_ready_is(&self.node, 200).await;
        eventually("who was refused has come again", async || {
            match load.progress().counts.refused {
                0 => Ok(()),
                refused => Err(format!("{refused} have not\n{}", self.node.log())),
            }
        })
        .await;
    }

    /// Every order is acknowledged, stored once, and shown to everybody.
    async fn assert_well(self, finished: &Finished) {
        let report = &finished.report;
        assert_eq!(report.broken_promises, 0, "{:?}", report.broken);
        assert_eq!((report.counts.refused, report.counts.unknown), (0, 0), "{report:#?}");
        assert!(report.refused_by_status.values().all(|r| r.without_retry_after == 0));
        self.node.until_stored().await;
        check_ledger(&finished.ledger, &Books::read(&self.database).await);
        assert_eq!(self.database.assert_audit_clean(), report.counts.acknowledged);
        let recount = Recount::read(&self.database).await;
        recount.assert_shown_by(&self.node).await;
        recount.assert_seen_by(&self.subscriber).await;
        self.node.stop().await;
    }
}

async fn a_log_that_is_killed_loses_nothing(scene: Scene) {
    let options = patient(customers(&scene.node, seed(), ORDERS_PER_SECOND));
    let log = scene.database.log_server();
    let finished = scene
        .under_load(options, async |load| {
            for _ in 0..KILLS {
                log.kill().await;
                until_ready_is(&scene.node, 503).await;
                log.start().await;
                scene.until_nobody_is_refused(load).await;
            }
        })
        .await;
    scene.assert_well(&finished).await;
}

async fn a_log_that_hangs_doubles_nothing(scene: Scene) {
    let options = patient(customers(&scene.node, seed(), ORDERS_PER_SECOND));
    let log = scene.database.log_server();
    let finished = scene
        .under_load(options, async |load| {
            for _ in 0..HANGS {
                log.pause();
                tokio::time::sleep(HANG).await;
                until_ready_is(&scene.node, 503).await;
                log.resume();
                scene.until_nobody_is_refused(load).await;
            }
        })
        .await;
    scene.node.until_stored().await;
    // Appends whose answer came too late were repeated: their orders were in the log twice.
    let metric = format!(r#"coffee_rt_log_read_total{{version="{}"}}"#, scene.node.version);
    let read = scene.node.metric(&metric).await;
    let (acknowledged, read) = (finished.report.counts.acknowledged, read as u64);
    println!("{acknowledged} orders acknowledged, {read} entries read");
    assert!(
        read > acknowledged,
        "{read} entries of {acknowledged} orders: no append was repeated"
    );
    scene.assert_well(&finished).await;
}

async fn orders_are_accepted_while_postgres_is_away(scene: Scene) {
    let mut options = customers(&scene.node, seed(), ORDERS_PER_SECOND);
    options.retry.max_attempts = 1;
    let finished = scene
        .under_load(options, async |_| {
            scene.postgres.kill().await;
            let until = Instant::now() + OUTAGE;
            until_degraded(&scene.node).await;
            while Instant::now() < until {
                let ready = Requests::to(&scene.node).get("/readyz").await;
                assert_eq!(ready.status, 200, "{ready:?}");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            let waiting = scene.node.log_state().await["backlog"].as_u64().unwrap();
            println!("{waiting} orders wait for the store");
            assert!(
                waiting > (ORDERS_PER_SECOND * OUTAGE.as_secs_f64() / 2.0) as u64,
                "{waiting}"
            );
            scene.postgres.start().await;
        })
        .await;
    assert!(finished.report.refused_by_status.is_empty(), "{:?}", finished.report);
    scene.assert_well(&finished).await;
}

async fn both_may_die_at_once(scene: Scene) {
    let options = patient(customers(&scene.node, seed(), ORDERS_PER_SECOND));
    let log = scene.database.log_server();
    let finished = scene
        .under_load(options, async |load| {
            for log_first in [true, false] {
                tokio::join!(log.kill(), scene.postgres.kill());
                tokio::time::sleep(BOTH_DEAD).await;
                let [first, second] = if log_first {
                    [log, &scene.postgres]
                } else {
                    [&scene.postgres, log]
                };
                first.start().await;
                tokio::time::sleep(BOTH_DEAD).await;
                second.start().await;
                scene.until_nobody_is_refused(load).await;
            }
        })
        .await;
    scene.assert_well(&finished).await;
}

async fn until_ready_is(node: &Node, status: u16) {
    let client = Requests::to(node);
    eventually("readiness follows the log", async || {
        match client.get("/readyz").await {
            ready if ready.status == status => Ok(()),
            ready => Err(format!("{ready:?}\n{}", node.log())),
        }
    })
    .await;
}

async fn until_degraded(node: &Node) {
    let client = Requests::to(node);
    eventually("the absent store is told", async || match client.get("/readyz").await {
        ready if ready.body.contains("wait in the log for the store") => Ok(()),
        ready => Err(ready.body),
    })
    .await;
}
