//! What a job stores is shown soon, a job that is gone is taken up again once, and what is not known is not made up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::follower::{Follower, FollowerArgs};
use coffee_rt_actors::ports::{Engine, EngineView};
use coffee_rt_actors::supervision::{ChildSpec, Fault, Slot};
use support::memory_engine::MemoryEngine;
use support::node::{Shared, new_order};
use support::probe::Grove;
use support::{eventually, seeded};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// A look, and what it takes.
const LOOKS: Duration = Duration::from_millis(1_200);

struct Followed {
    engine: MemoryEngine,
    shown: watch::Receiver<EngineView>,
    grove: Grove,
    shared: Shared,
}

impl Followed {
    async fn start() -> Self {
        let shared = Shared::default();
        let engine = MemoryEngine::over(&shared.store);
        let shown = Arc::new(watch::Sender::new(EngineView::default()));
        let args = FollowerArgs {
            engine: Arc::new(engine.clone()),
            deltas: shared.deltas.clone(),
            shown: shown.clone(),
            metrics: shared.telemetry.jobs.clone(),
        };
        let follower = ChildSpec::worker::<Follower>("follower", args, Slot::default());
        let grove = shared.plant("v3", vec![follower]).await;
        Self {
            engine,
            shown: shown.subscribe(),
            grove,
            shared,
        }
    }

    fn view(&self) -> EngineView {
        self.shown.borrow().clone()
    }

    fn runs(&self) -> bool {
        self.view().job.is_some_and(|job| job.is_running())
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_job_stores_is_shown_within_the_time_of_a_look() {
    let node = Followed::start().await;
    node.engine.turn(Engine::Flink);
    eventually("it is the job's turn", || node.runs()).await;
    for _ in 0..20 {
        node.engine.store(new_order(&mut seeded())).await;
        let began = Instant::now();
        node.shared.is_consistent().await;
        // The cache is written every 200 ms; without the follower the comparison of positions would take a second.
        assert!(began.elapsed() < Duration::from_millis(450), "{:?}", began.elapsed());
    }
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_gone_is_taken_up_again_whoever_is_killed_meanwhile() {
    let node = Followed::start().await;
    node.engine.turn(Engine::Flink);
    eventually("it is the job's turn", || node.runs()).await;
    for round in 1..=3 {
        node.engine.lose_job();
        eventually("somebody takes it up again", || node.engine.is_restoring()).await;
        assert!(node.view().trouble.is_some(), "{:?}", node.view());
        // The one who is at it goes on; the next generation finds that somebody is.
        node.grove.hit("v3/follower", Fault::Kill).await;
        eventually("the job runs again", || node.runs()).await;
        assert_eq!((node.engine.restores(), node.view().trouble), (round, None));
    }
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_not_made_up() {
    let node = Followed::start().await;
    node.engine.turn(Engine::Flink);
    eventually("it is the job's turn", || node.runs()).await;
    node.engine.go_away(true);
    sleep(LOOKS).await;
    let view = node.view();
    assert_eq!((view.engine, view.job), (Some(Engine::Flink), None));
    assert!(view.trouble.is_some());
    node.engine.go_away(false);
    node.engine.turn(Engine::Actors);
    sleep(LOOKS).await;
    let actors = EngineView {
        engine: Some(Engine::Actors),
        ..EngineView::default()
    };
    assert_eq!((node.view(), node.engine.restores()), (actors, 0));
    node.grove.drain().await.unwrap();
}
