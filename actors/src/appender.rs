//! Appender: group append. One append to the log is in flight; what arrives meanwhile forms the next one.
//!
//! Upstream: [`crate::ingest::Ingest`]. Downstream: an [`OrderLog`].
//! A crash loses the tickets it holds. Senders hand their orders in again; one that was appended already is then in the
//! log twice and in the store once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::{Backoff, RETRY_BATCH_MS, RETRY_PAUSE_MIN_MS, unless_it_panics};
use crate::batcher::MAX_BATCH_ORDERS;
use crate::domain::Order;
use crate::ports::{LogError, OrderLog};
use crate::spans;
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::AppendMetrics;
use crate::ticket::{Acknowledged, Answer, Consignment, Refusal, Ticket};

/// What an appender can be told.
pub enum AppenderMsg {
    /// Append these orders.
    Accept(Vec<Ticket>),
    /// The append it began has ended.
    Appended(Result<(), LogError>),
    /// The pause is over.
    Resume,
}

impl From<Vec<Ticket>> for AppenderMsg {
    fn from(tickets: Vec<Ticket>) -> Self {
        Self::Accept(tickets)
    }
}

/// What an appender starts from.
#[derive(Clone)]
pub struct AppenderArgs {
    /// Where orders go.
    pub log: Arc<dyn OrderLog>,
    /// What it counts.
    pub metrics: AppendMetrics,
}

/// Appends orders in groups.
pub struct Appender {
    me: Address<AppenderMsg>,
    args: AppenderArgs,
    /// Whether an append or a pause is under way: exactly one message will end it.
    busy: bool,
    waiting: Vec<Ticket>,
    in_flight: Vec<Ticket>,
    /// Whether orders in flight may have been appended by a try that got no answer.
    in_doubt: bool,
    backoff: Backoff,
}

impl Worker for Appender {
    type Msg = AppenderMsg;
    type Args = AppenderArgs;

    async fn start(args: AppenderArgs, me: Address<AppenderMsg>) -> Result<Self, Failure> {
        Ok(Self {
            me,
            args,
            busy: false,
            waiting: Vec::new(),
            in_flight: Vec::new(),
            in_doubt: false,
            backoff: Backoff::default(),
        })
    }

    async fn handle(&mut self, message: AppenderMsg) -> Result<(), Failure> {
        match message {
            AppenderMsg::Accept(tickets) => self.accept(tickets),
            AppenderMsg::Appended(Err(error @ LogError::Away(_) | error @ LogError::PositionLost)) => {
                self.back_off(&error);
            }
            AppenderMsg::Appended(appended) => {
                self.busy = false;
                self.backoff.answers();
                self.me.worked();
                let (answered, answer) = (std::mem::take(&mut self.in_flight), self.answer_of(&appended));
                self.in_doubt = false;
                // The next append first: what is woken by the answers would go before it.
                self.proceed();
                answer_all(answered, &answer);
            }
            AppenderMsg::Resume => self.busy = false,
        }
        self.proceed();
        Ok(())
    }

    /// While the log is absent, what arrives is looked at as it arrives: when it came decides whether it is refused.
    fn is_busy(&self) -> bool {
        self.busy && !self.backoff.is_absent()
    }

    /// Appends what is left; by now nothing new arrives.
    async fn stop(&mut self) {
        let began = Instant::now();
        self.in_doubt |= self.busy;
        while began.elapsed() < Duration::from_millis(RETRY_BATCH_MS) {
            self.fill();
            if self.in_flight.is_empty() {
                return;
            }
            // What was under way answers to a mailbox that is closed: once more is harmless.
            let appended = self.args.log.append(&orders(&self.in_flight)).await;
            if matches!(appended, Ok(()) | Err(LogError::Full)) {
                let answer = self.answer_of(&appended);
                self.in_doubt = false;
                answer_all(std::mem::take(&mut self.in_flight), &answer);
            } else {
                self.in_doubt = true;
                tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MIN_MS)).await;
            }
        }
        self.refuse_all("it did not answer before the end");
    }
}

impl Appender {
    fn accept(&mut self, mut tickets: Vec<Ticket>) {
        if self.backoff.is_away() {
            // Between two tries they are refused; after the pause one of them is the next try.
            let refused = tickets.split_off(tickets.len().min(usize::from(!self.busy)));
            let refusal = Refusal::LogAway("it has not answered for a while".to_owned());
            answer_all(refused, &Err(refusal));
        }
        self.waiting.append(&mut tickets);
    }

    /// Begins the next append, if none is under way.
    fn proceed(&mut self) {
        if self.busy {
            return;
        }
        self.fill();
        if self.in_flight.is_empty() {
            return;
        }
        self.busy = true;
        let (log, me, orders) = (self.args.log.clone(), self.me.clone(), orders(&self.in_flight));
        let timer = self.args.metrics.append_seconds.start_timer();
        let began = spans::begin();
        tokio::spawn(async move {
            let appended = unless_it_panics(log.append(&orders), LogError::Away).await;
            timer.observe_duration();
            if appended.is_ok() {
                spans::tell("append", began, &orders, |_| Vec::new());
            }
            let _ = me.send(AppenderMsg::Appended(appended));
        });
    }

    /// Takes the next group out of what waits, oldest first.
    fn fill(&mut self) {
        if !self.in_flight.is_empty() || self.waiting.is_empty() {
            return;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(MAX_BATCH_ORDERS));
        self.in_flight = std::mem::replace(&mut self.waiting, rest);
        let count = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        self.args.metrics.append_orders.observe(f64::from(count));
    }

    /// Pauses before the log is tried again, and answers those who have waited long enough.
    fn back_off(&mut self, error: &LogError) {
        tracing::debug!(%error, "orders are not appended, trying again");
        if self.backoff.absent() {
            tracing::warn!(%error, "orders wait to be appended");
        }
        self.in_doubt = true;
        if self.backoff.is_away() {
            self.refuse_all(&error.to_string());
        }
        self.me.send_after(self.backoff.next_pause(), AppenderMsg::Resume);
    }

    /// What an answered append means to those who wait. That the log is full now says nothing of an earlier try.
    fn answer_of(&self, appended: &Result<(), LogError>) -> Answer {
        match appended {
            Ok(()) => Ok(Acknowledged::Logged),
            Err(error) if self.in_doubt => Err(Refusal::LogAway(error.to_string())),
            Err(_) => Err(Refusal::BacklogFull),
        }
    }

    fn refuse_all(&mut self, reason: &str) {
        self.in_doubt = false;
        let refusal = Err(Refusal::LogAway(reason.to_owned()));
        answer_all(std::mem::take(&mut self.in_flight), &refusal);
        answer_all(std::mem::take(&mut self.waiting), &refusal);
    }
}

fn orders(tickets: &[Ticket]) -> Vec<Arc<Order>> {
    tickets.iter().map(|ticket| ticket.order.clone()).collect()
}

fn answer_all(tickets: Vec<Ticket>, answer: &Answer) {
    Ticket::answer(tickets.into_iter().map(|ticket| (ticket, answer.clone())).collect());
}
