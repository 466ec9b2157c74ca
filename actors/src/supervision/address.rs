//! How workers are reached: an address of one generation, and the slot in which the current one is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{ActorRef, ActorStatus};
use tokio::sync::watch;

use super::journal::{FirstWork, Journal};
use super::mail::{Mail, Posted};
use super::worker::Envelope;

/// Counters of one generation of an actor, read by the tree without a message to the actor.
pub(super) struct Gauge {
    sent: AtomicU64,
    handled: AtomicU64,
    first_work: FirstWork,
    journal: Arc<Journal>,
    path: Arc<str>,
}

impl Gauge {
    pub(super) fn new(journal: Arc<Journal>, path: Arc<str>) -> Self {
        Self {
            sent: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            first_work: FirstWork::default(),
            journal,
            path,
        }
    }

    fn worked(&self) {
        if self.first_work.note() {
            self.journal.worked(&self.path, &self.first_work);
        }
    }

    pub(super) fn first_work(&self) -> &FirstWork {
        &self.first_work
    }

    pub(super) fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_handled(&self) {
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages handled by this generation.
    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Messages sent and not yet handled.
    pub(super) fn mailbox(&self) -> u64 {
        self.sent.load(Ordering::Relaxed).saturating_sub(self.handled())
    }
}

/// One generation of a worker. Sending to a dead one fails and gives the message back.
pub struct Address<M: Send + 'static> {
    actor: ActorRef<Envelope>,
    mail: Arc<Mail<M>>,
    gauge: Arc<Gauge>,
}

impl<M: Send + 'static> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            mail: self.mail.clone(),
            gauge: self.gauge.clone(),
        }
    }
}

impl<M: Send + 'static> Address<M> {
    pub(super) fn new(actor: ActorRef<Envelope>, mail: Arc<Mail<M>>, gauge: Arc<Gauge>) -> Self {
        Self { actor, mail, gauge }
    }

    /// Puts a message into the mailbox. The mailbox itself has no limit: whatever is sent in number carries a permit.
    ///
    /// # Errors
    /// Gives the message back where this generation is dead.
    pub fn send(&self, message: M) -> Result<(), M> {
        self.post(message, Mail::send)
    }

    /// Puts a message into the mailbox for when this generation is no longer [busy](super::Worker::is_busy): many such
    /// messages wake it once.
    ///
    /// # Errors
    /// Gives the message back where this generation is dead.
    pub fn leave(&self, message: M) -> Result<(), M> {
        self.post(message, Mail::leave)
    }

    fn post(&self, message: M, how: impl FnOnce(&Mail<M>, M) -> Result<Posted, M>) -> Result<(), M> {
        if !self.accepts() {
            return Err(message);
        }
        // Counted first, so that the mailbox never looks negative; a dead generation's counters are not shown.
        self.gauge.count_sent();
        if how(&self.mail, message)? == Posted::Tell {
            // Where it is ending, what it has not looked at is handled in its last moment, or is lost with it.
            let _ = self.actor.send_message(Envelope::Mail);
        }
        Ok(())
    }

    /// Puts a message into the mailbox after a while, unless this generation is dead by then. Limited like every message:
    /// a worker has few such under way.
    pub fn send_after(&self, pause: Duration, message: M) {
        let me = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = me.send(message);
        });
    }

    /// Tells that this generation has done what it is there for. The first time, that is an event of the tree; cheap.
    pub fn worked(&self) {
        self.gauge.worked();
    }

    fn accepts(&self) -> bool {
        self.actor.get_status() < ActorStatus::Draining
    }
}

/// Where the current generation of a worker is found; empty while there is none.
pub struct Slot<M: Send + 'static>(Arc<watch::Sender<Option<Address<M>>>>);

impl<M: Send + 'static> Clone for Slot<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Send + 'static> Default for Slot<M> {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl<M: Send + 'static> Slot<M> {
    /// Sends to the current generation.
    ///
    /// # Errors
    /// Gives the message back where there is none, or where it just died.
    pub fn send(&self, message: M) -> Result<(), M> {
        self.post(message, Address::send)
    }

    /// Leaves a message for the current generation, as [`Address::leave`] does.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn leave(&self, message: M) -> Result<(), M> {
        self.post(message, Address::leave)
    }

    fn post(&self, message: M, how: impl FnOnce(&Address<M>, M) -> Result<(), M>) -> Result<(), M> {
        match self.0.borrow().as_ref() {
            Some(address) => how(address, message),
            None => Err(message),
        }
    }

    /// Waits until there is a live generation to send to. Cancel safe.
    pub async fn ready(&self) {
        // The supervisor may not have noticed yet that the one in the slot is dead, or may be dead itself.
        let lives = |found: &Option<Address<M>>| found.as_ref().is_some_and(Address::accepts);
        // The sender is in `self`, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(lives).await;
    }

    pub(super) fn fill(&self, address: Address<M>) {
        self.0.send_replace(Some(address));
    }

    pub(super) fn clear(&self) {
        self.0.send_replace(None);
    }
}
