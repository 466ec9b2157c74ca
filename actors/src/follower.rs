//! Follower: knows who stores what is in a log and, where that is a job on another engine, follows and keeps it.
//!
//! Upstream: a [`StreamEngine`]. Downstream: the aggregator, which reads what the job has stored; the view that `readyz`, the
//! tree and the log show and go by.
//! A crash loses one look; the next generation begins with one. A job that is being taken up again goes on coming up, and the
//! next generation, which finds none yet, does nothing because somebody is at it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::deltas::Deltas;
use crate::ports::{Engine, EngineError, EngineView, JobStatus, StreamEngine};
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::JobMetrics;

/// How often it is asked who stores, and how the job is.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How often it is asked whether the job has stored something: dashboards are as old as this and the job's own delay.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(50);
/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// How long taking a job up again may take. The steps of that have limits of their own, and far shorter ones: whoever gave it
/// up between two would not know whether a job is coming up.
const RESTORE_LIMIT: Duration = Duration::from_secs(300);
/// The least time between two tries of that.
const RESTORE_PAUSE: Duration = Duration::from_secs(5);
/// How long a job is gone before that: an engine with high availability takes its jobs up by itself.
const GONE_FOR: Duration = Duration::from_secs(3);

/// What a follower can be told.
pub enum FollowerMsg {
    /// Look who stores, and how; it tells itself.
    Look,
    /// See whether the job has stored something; it tells itself.
    Follow,
    /// A job was taken up again, or not.
    Restored(Result<(), EngineError>),
}

/// What a follower starts from.
#[derive(Clone)]
pub struct FollowerArgs {
    /// Whom to ask.
    pub engine: Arc<dyn StreamEngine>,
    /// Who hears that something was stored.
    pub deltas: Deltas,
    /// Where the view is shown; outlives each generation.
    pub shown: Arc<watch::Sender<EngineView>>,
    /// What it counts.
    pub metrics: JobMetrics,
}

/// Follows the job.
pub struct Follower {
    me: Address<FollowerMsg>,
    args: FollowerArgs,
    progress: Option<i64>,
    /// Since when there is no job.
    gone: Option<Instant>,
    restoring: bool,
    restored: Option<Instant>,
    /// Why the last try failed, to tell it once.
    failure: Option<EngineError>,
}

impl Worker for Follower {
    type Msg = FollowerMsg;
    type Args = FollowerArgs;

    async fn start(args: FollowerArgs, me: Address<FollowerMsg>) -> Result<Self, Failure> {
        let _ = me.send(FollowerMsg::Look);
        let _ = me.send(FollowerMsg::Follow);
        Ok(Self {
            me,
            args,
            progress: None,
            gone: None,
            restoring: false,
            restored: None,
            failure: None,
        })
    }

    async fn handle(&mut self, message: FollowerMsg) -> Result<(), Failure> {
        match message {
            FollowerMsg::Look => {
                self.look().await;
                self.me.send_after(LOOK_INTERVAL, FollowerMsg::Look);
            }
            FollowerMsg::Follow => {
                self.follow().await;
                self.me.send_after(FOLLOW_INTERVAL, FollowerMsg::Follow);
            }
            FollowerMsg::Restored(outcome) => self.restored(outcome),
        }
        Ok(())
    }
}

impl Follower {
    async fn look(&mut self) {
        let before = self.args.shown.borrow().clone();
        let view = match answer(self.args.engine.engine()).await {
            Ok(Engine::Actors) => EngineView {
                engine: Some(Engine::Actors),
                ..EngineView::default()
            },
            Ok(Engine::Flink) => view_of_job(answer(self.args.engine.job()).await),
            // Who it was stores on: that changes by being told only.
            Err(error) => EngineView {
                engine: before.engine,
                job: None,
                trouble: Some(error.to_string()),
            },
        };
        if view.trouble.is_none() {
            self.me.worked();
        }
        // While its engine does not answer nothing is known of it, so it is not gone.
        if view.job.as_ref().is_some_and(|job| job.id.is_none()) {
            let gone = *self.gone.get_or_insert_with(Instant::now);
            if gone.elapsed() >= GONE_FOR {
                self.begin_restoring();
            }
        } else {
            self.gone = None;
        }
        self.args.metrics.show(&view);
        tell(&before, &view);
        self.args
            .shown
            .send_if_modified(|shown| std::mem::replace(shown, view) != before);
    }

    /// Has the aggregator read what the job has stored.
    async fn follow(&mut self) {
        if self.args.shown.borrow().engine != Some(Engine::Flink) {
            return;
        }
        if let Ok(progress) = answer(self.args.engine.progress()).await
            && self.progress.replace(progress) != Some(progress)
        {
            self.args.deltas.missed();
        }
    }

    fn begin_restoring(&mut self) {
        let tried = self.restored.is_some_and(|tried| tried.elapsed() < RESTORE_PAUSE);
        if self.restoring || tried {
            return;
        }
        self.restoring = true;
        let (engine, me) = (self.args.engine.clone(), self.me.clone());
        tokio::spawn(async move {
            let restored = timeout(RESTORE_LIMIT, engine.restore()).await;
            let late = || Err(EngineError::Away(format!("no answer within {RESTORE_LIMIT:?}")));
            let _ = me.send(FollowerMsg::Restored(restored.unwrap_or_else(|_| late())));
        });
    }

    fn restored(&mut self, outcome: Result<(), EngineError>) {
        self.restoring = false;
        self.restored = Some(Instant::now());
        match outcome {
            Ok(()) => {
                self.args.metrics.restored.inc();
                self.failure = None;
            }
            Err(error) => {
                self.args.metrics.not_restored.inc();
                if self.failure.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the job that stores orders was not taken up again, trying on");
                }
                self.failure = Some(error);
            }
        }
    }
}

async fn answer<T>(asked: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    let late = || Err(EngineError::Away(format!("no answer within {ANSWER_LIMIT:?}")));
    timeout(ANSWER_LIMIT, asked).await.unwrap_or_else(|_| late())
}

fn view_of_job(job: Result<JobStatus, EngineError>) -> EngineView {
    let (job, trouble) = match job {
        Ok(job) if job.is_running() => (Some(job), None),
        Ok(job) => {
            let state = job.state.as_deref().unwrap_or("gone");
            let trouble = format!("the job is {state}: orders wait in the log");
            (Some(job), Some(trouble))
        }
        Err(error) => (None, Some(error.to_string())),
    };
    EngineView {
        engine: Some(Engine::Flink),
        job,
        trouble,
    }
}

/// One event for each change of who stores, and of what is wrong.
fn tell(before: &EngineView, now: &EngineView) {
    if let Some(engine) = now.engine.filter(|_| before.engine != now.engine) {
        tracing::info!(engine = engine.name(), "who stores orders of the log");
    }
    match (&before.trouble, &now.trouble) {
        (was, Some(trouble)) if was.as_ref() != Some(trouble) => tracing::warn!(trouble, "the engine is in trouble"),
        (Some(_), None) => tracing::info!("the engine works"),
        _ => {}
    }
}
