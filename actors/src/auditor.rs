//! Auditor: recounts all orders now and then, and shows what it finds.
//!
//! Upstream: the store. Downstream: metrics and the log, for operators.
//! A crash loses one recount: the next generation begins another one after its interval.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::backoff::unless_it_panics;
use crate::domain;
use crate::ports::{AuditReport, OrderStore, StoreError};
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::AuditMetrics;

/// How long a recount may take: longer than a store lets one run, so that the next never runs beside it.
const ANSWER_LIMIT: Duration = Duration::from_secs(1_000);
/// Differences that are logged one by one; `coffee-rt audit` lists more.
const LOGGED_DIFFERENCES: usize = 5;

/// What an auditor can be told.
pub enum AuditorMsg {
    /// Recount; it tells itself.
    Begin,
    /// A recount ended.
    Ended(Result<AuditReport, StoreError>),
}

/// What an auditor starts from.
#[derive(Clone)]
pub struct AuditorArgs {
    /// What is recounted.
    pub store: Arc<dyn OrderStore>,
    /// From one recount's end to the next, at most: nodes that start together shall not recount together.
    pub every: Duration,
    /// What it counts.
    pub metrics: AuditMetrics,
}

/// Recounts, in a task of its own: stops and faults are heard meanwhile.
pub struct Auditor {
    me: Address<AuditorMsg>,
    args: AuditorArgs,
    began: Instant,
    /// The pause or the recount: ends with the generation that wanted it.
    work: JoinSet<()>,
}

impl Worker for Auditor {
    type Msg = AuditorMsg;
    type Args = AuditorArgs;

    async fn start(args: AuditorArgs, me: Address<AuditorMsg>) -> Result<Self, Failure> {
        let mut auditor = Self {
            me,
            args,
            began: Instant::now(),
            work: JoinSet::new(),
        };
        auditor.begin_later();
        Ok(auditor)
    }

    async fn handle(&mut self, message: AuditorMsg) -> Result<(), Failure> {
        match message {
            AuditorMsg::Begin => self.begin(),
            AuditorMsg::Ended(result) => {
                self.work = JoinSet::new();
                self.show(result);
                self.begin_later();
            }
        }
        Ok(())
    }
}

impl Auditor {
    fn begin_later(&mut self) {
        let (pause, me) = (self.args.every.mul_f64(rand::random_range(0.5..=1.0)), self.me.clone());
        self.work.spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = me.send(AuditorMsg::Begin);
        });
    }

    fn begin(&mut self) {
        self.began = Instant::now();
        let (store, me) = (self.args.store.clone(), self.me.clone());
        self.work = JoinSet::new();
        self.work.spawn(async move {
            let recount = unless_it_panics(store.audit(), StoreError::Away);
            let counted = timeout(ANSWER_LIMIT, recount).await;
            let late = |_| Err(StoreError::Away(format!("no recount within {ANSWER_LIMIT:?}")));
            let _ = me.send(AuditorMsg::Ended(counted.unwrap_or_else(late)));
        });
    }

    fn show(&self, result: Result<AuditReport, StoreError>) {
        let took = self.began.elapsed();
        let metrics = &self.args.metrics;
        match result {
            Ok(report) => {
                metrics.seconds.observe(took.as_secs_f64());
                metrics.show(&report, domain::Instant::now());
                self.me.worked();
                for difference in report.differences.iter().take(LOGGED_DIFFERENCES) {
                    tracing::error!(
                        what = difference.what,
                        recounted = difference.recounted,
                        recorded = difference.recorded,
                        "what is counted is not what is stored"
                    );
                }
                tracing::info!(
                    orders = report.orders,
                    differences = report.differences.len(),
                    ?took,
                    "recounted"
                );
            }
            Err(error) => {
                metrics.failed.inc();
                tracing::warn!(%error, "the orders could not be recounted");
            }
        }
    }
}
