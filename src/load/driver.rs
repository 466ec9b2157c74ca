//! Runs a plan against a node: a pacer that waits for nobody, and customers with one connection each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::answer::Answer;
use super::attempt::Connection;
use super::balancer::Balancer;
use super::ledger::Ledger;
use super::line::WaitingLine;
use super::options::{Options, OptionsError, RetryPolicy};
use super::order::Outgoing;
use super::pace::Pace;
use super::plan::Plan;
use super::report::{Books, Lap, Progress, Report};

/// Orders that may wait for a customer. Beyond it the pacer waits too, but orders keep the moments they were due at.
const MAX_WAITING_ORDERS: usize = 65_536;
/// The pacer looks up this often from a long wait to see whether it shall stop.
const MAX_NAP_MILLIS: u64 = 20;
/// The pacer's wait for room in the line, and for the line to empty at the end.
const ROOM_NAP_MILLIS: u64 = 1;

/// A load run that makes sense and has not begun.
#[derive(Debug)]
pub struct Driver {
    options: Options,
    balancer: Arc<Balancer>,
}

/// A run under way. Dropping it ends the run at once, whatever is in flight.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    customers: JoinSet<()>,
    pacer: Option<JoinHandle<()>>,
    _prober: AbortOnDropHandle<()>,
    _stop_on_drop: DropGuard,
}

/// A run that ended, and what its customers remember.
#[derive(Debug)]
pub struct Finished {
    /// In numbers.
    pub report: Report,
    /// Order by order.
    pub ledger: Ledger,
    /// When each order was acknowledged, in that order; empty unless asked for.
    pub moments: Vec<(Uuid, Instant)>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    books: Mutex<Books>,
    line: WaitingLine,
    /// Where customers take their next order themselves; only with [`Pace::Closed`].
    closed_plan: Option<Mutex<Plan>>,
    started: Instant,
    stop: CancellationToken,
    in_flight: AtomicU64,
    not_sent: AtomicU64,
}

impl Driver {
    /// Checks the options.
    ///
    /// # Errors
    /// Says what makes no sense.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        options.validate()?;
        let balancer = Arc::new(Balancer::new(&options).map_err(OptionsError)?);
        Ok(Self { options, balancer })
    }

    /// Begins, in the current tokio runtime. Cancelling `stop` ends the arrivals early; what is in flight is finished.
    #[must_use]
    pub fn start(self, stop: &CancellationToken) -> Running {
        let (plan, stop) = (Plan::new(&self.options), stop.child_token());
        let (closed_plan, open_plan) = match self.options.pace {
            Pace::Closed => (Some(Mutex::new(plan)), None),
            Pace::Open { .. } | Pace::Ramp { .. } => (None, Some(plan)),
        };
        let shared = Arc::new(Shared {
            books: Mutex::new(Books::new(&self.options)),
            line: WaitingLine::new(),
            closed_plan,
            started: Instant::now(),
            stop: stop.clone(),
            in_flight: AtomicU64::new(0),
            not_sent: AtomicU64::new(0),
            options: self.options,
        });
        let mut customers = JoinSet::new();
        for _ in 0..shared.options.connections {
            customers.spawn(customer(
                Arc::clone(&shared),
                Connection::new(Arc::clone(&self.balancer)),
            ));
        }
        // A thread of its own, because tokio's timer is a millisecond late and would show up as latency.
        let pacer = open_plan.map(|plan| {
            let shared = Arc::clone(&shared);
            tokio::task::spawn_blocking(move || shared.pace(plan))
        });
        let balancer = self.balancer;
        let prober = tokio::spawn(async move { balancer.probe().await });
        Running {
            shared,
            customers,
            pacer,
            _prober: AbortOnDropHandle::new(prober),
            _stop_on_drop: stop.drop_guard(),
        }
    }

    /// Runs to the end.
    pub async fn run(self) -> Finished {
        self.start(&CancellationToken::new()).finish().await
    }
}

impl Running {
    /// How it goes. Cheap enough for a few times a second.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let books = self.shared.books.lock();
        Progress {
            elapsed_seconds: self.shared.started.elapsed().as_secs_f64(),
            counts: books.ledger.counts(),
            in_flight: self.shared.in_flight.load(Ordering::Relaxed),
            waiting: self.shared.line.len() as u64,
            refusals: books.refusals(),
            broken_promises: books.ledger.broken_total(),
            latency: books.latency.quantiles(),
        }
    }

    /// What happened since the last lap.
    #[must_use]
    pub fn lap(&self) -> Lap {
        self.shared.books.lock().lap()
    }

    /// Waits until every order under way has its fate or its deadline. Cancel safe: call it again.
    pub async fn wait(&mut self) {
        if let Some(pacer) = &mut self.pacer {
            // A pacer that panicked leaves no customer waiting: they are sent home as it unwinds.
            let _ = pacer.await;
            self.pacer = None;
        }
        while let Some(ended) = self.customers.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    /// [`Self::wait`], then the report.
    pub async fn finish(mut self) -> Finished {
        self.wait().await;
        self.give_up()
    }

    /// The report as it stands now; orders in flight stay unknown.
    #[must_use]
    pub fn give_up(self) -> Finished {
        let (elapsed, not_sent) = (
            self.shared.started.elapsed(),
            self.shared.not_sent.load(Ordering::Relaxed),
        );
        let mut books = self.shared.books.lock();
        let report = books.report(&self.shared.options, elapsed, not_sent);
        Finished {
            report,
            ledger: std::mem::take(&mut books.ledger),
            moments: books.moments.take().unwrap_or_default(),
        }
    }
}

impl Shared {
    /// Puts orders into the line when they are due, then sends the customers home.
    fn pace(&self, plan: Plan) {
        let _home = SendHome(self);
        for arrival in plan {
            let due = self.started + arrival.due;
            while let Some(early) = due
                .checked_duration_since(Instant::now())
                .filter(|early| !early.is_zero())
            {
                if self.stop.is_cancelled() {
                    return;
                }
                std::thread::sleep(early.min(Duration::from_millis(MAX_NAP_MILLIS)));
            }
            while self.line.len() >= MAX_WAITING_ORDERS && !self.stop.is_cancelled() {
                std::thread::sleep(Duration::from_millis(ROOM_NAP_MILLIS));
            }
            if self.stop.is_cancelled() {
                return;
            }
            let outgoing = Outgoing::new(arrival.purchase, &self.options.menu, due);
            for _ in 1..outgoing.purchase.taps {
                self.line.push(Arc::clone(&outgoing));
            }
            self.line.push(outgoing);
        }
        let deadline = Instant::now() + self.options.drain;
        while self.line.len() > 0 && !self.stop.is_cancelled() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(ROOM_NAP_MILLIS));
        }
    }

    /// The next order for a customer; `None` at the end of the run.
    async fn next(&self) -> Option<Arc<Outgoing>> {
        let Some(plan) = &self.closed_plan else {
            return self.line.next().await;
        };
        if self.stop.is_cancelled() {
            return None;
        }
        if let Some(second_tap) = self.line.take() {
            return Some(second_tap);
        }
        if self
            .options
            .duration
            .is_some_and(|duration| self.started.elapsed() >= duration)
        {
            return None;
        }
        let arrival = plan.lock().next()?;
        let outgoing = Outgoing::new(arrival.purchase, &self.options.menu, Instant::now());
        for _ in 1..outgoing.purchase.taps {
            self.line.push(Arc::clone(&outgoing));
        }
        Some(outgoing)
    }

    fn note(&self, outgoing: &Outgoing, answer: &Answer, took: Duration) {
        let mut books = self.books.lock();
        if matches!(answer, Answer::Refused { .. }) {
            books.refusal.record(took.saturating_sub(outgoing.purchase.pause));
        }
        if books.ledger.answered(outgoing.message_id, answer) {
            books.acknowledged(outgoing.message_id, outgoing.waited());
        }
    }
}

/// Sends the customers home, also where the pacer panics.
struct SendHome<'a>(&'a Shared);

impl Drop for SendHome<'_> {
    fn drop(&mut self) {
        let mut left: Vec<_> = self
            .0
            .line
            .close(self.0.options.connections)
            .into_iter()
            .map(|order| order.message_id)
            .collect();
        left.dedup();
        let books = self.0.books.lock();
        let not_sent = left
            .into_iter()
            .filter(|message_id| books.ledger.order(*message_id).is_none())
            .count();
        self.0.not_sent.fetch_add(not_sent as u64, Ordering::Relaxed);
    }
}

async fn customer(shared: Arc<Shared>, mut connection: Connection) {
    while let Some(outgoing) = shared.next().await {
        {
            let mut books = shared.books.lock();
            books.start_delay.record(outgoing.due.elapsed());
            books.ledger.sending(&outgoing);
        }
        shared.in_flight.fetch_add(1, Ordering::Relaxed);
        place(&shared, &mut connection, &outgoing).await;
        shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        let think_time = shared.options.think_time;
        if !think_time.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(think_time) => {}
                () = shared.stop.cancelled() => {}
            }
        }
    }
}

/// Sends an order until its fate is known or patience is over.
async fn place(shared: &Shared, connection: &mut Connection, outgoing: &Outgoing) {
    let (first, retry) = (Instant::now(), &shared.options.retry);
    for attempt in 1_u32.. {
        let sent = Instant::now();
        let answer = connection.attempt(outgoing).await;
        shared.note(outgoing, &answer, sent.elapsed());
        let Some(pause) = retry.pause_before_repeat(attempt, &answer) else {
            return;
        };
        if first.elapsed() + pause > retry.deadline {
            return;
        }
        // Between half and all of it, so that customers cut off together do not come back together.
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
    }
}

impl RetryPolicy {
    /// How long to wait before sending again after `attempt` attempts; `None` where the order is not repeated.
    fn pause_before_repeat(&self, attempt: u32, answer: &Answer) -> Option<Duration> {
        let asked = match answer {
            Answer::Acknowledged { .. } => return None,
            Answer::Refused {
                status: 503,
                retry_after,
                ..
            } if self.repeat_refused => retry_after.unwrap_or_default(),
            Answer::Refused { .. } => return None,
            Answer::Unknown(_) => Duration::ZERO,
        };
        let doubled = self
            .first_backoff
            .saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
        (attempt < self.max_attempts).then(|| doubled.max(asked).min(self.max_backoff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_bounded_and_only_for_what_may_help() {
        let millis = Duration::from_millis;
        let patient = RetryPolicy {
            max_attempts: 40,
            first_backoff: millis(20),
            max_backoff: millis(500),
            repeat_refused: true,
            ..RetryPolicy::default()
        };
        let plain = RetryPolicy {
            repeat_refused: false,
            max_attempts: 3,
            ..patient
        };
        let lost = Answer::Unknown("cut".into());
        let refused = |status, retry_after| Answer::Refused {
            status,
            detail: String::new(),
            retry_after,
        };
        let done = Answer::Acknowledged { id: None, wrong: None };
        for (policy, attempt, answer, pause) in [
            (plain, 1, &lost, Some(millis(20))),
            (plain, 2, &lost, Some(millis(40))),
            (plain, 3, &lost, None),
            (patient, 39, &lost, Some(millis(500))),
            (plain, 1, &refused(503, None), None),
            (patient, 1, &refused(503, None), Some(millis(20))),
            (patient, 1, &refused(503, Some(millis(300))), Some(millis(300))),
            (patient, 1, &refused(503, Some(millis(30_000))), Some(millis(500))),
            (patient, 1, &refused(422, None), None),
            (patient, 1, &done, None),
        ] {
            assert_eq!(
                policy.pause_before_repeat(attempt, answer),
                pause,
                "{attempt} {answer:?}"
            );
        }
    }
}
