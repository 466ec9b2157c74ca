//! The application's actors, and the host that runs each as a ractor actor.

use std::future::Future;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Mutex;

use super::address::{Address, Gauge};
use super::ended::{Ended, Life};
use super::fault::Fault;

/// Why a worker fails; its supervisor restarts it.
pub type Failure = ActorProcessingErr;

/// An actor of the application; the implementing value is its state, made anew for each generation.
pub trait Worker: Sized + Send + 'static {
    /// What it can be told.
    type Msg: Send + 'static;
    /// What each generation starts from.
    type Args: Clone + Send + Sync + 'static;

    /// Makes a generation. Must not wait for the outside: what takes time is done in a message to itself.
    fn start(args: Self::Args, me: Address<Self::Msg>) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Handles one message. Any await in it may be the last thing this generation does.
    fn handle(&mut self, message: Self::Msg) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Finishes what was begun when the tree drains; not called after a kill or a failure.
    fn stop(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What travels in a hosted worker's mailbox.
pub enum Envelope<M> {
    /// A message of the application.
    Work(M),
    /// A fault to suffer.
    Fault(Fault),
}

/// Runs a [`Worker`] as a ractor actor.
///
/// The worker is in here and not in ractor's state: the state of a killed actor travels to its supervisor and would live
/// there, with all it holds, until the supervisor looks at it.
pub(super) struct Host<W> {
    worker: Mutex<Option<W>>,
    _life: Life,
}

impl<W> Host<W> {
    pub(super) fn new() -> (Self, Ended) {
        let (life, ended) = Life::new();
        let host = Self {
            worker: Mutex::new(None),
            _life: life,
        };
        (host, ended)
    }
}

impl<W: Worker> Actor for Host<W> {
    type Msg = Envelope<W::Msg>;
    type State = Arc<Gauge>;
    type Arguments = (W::Args, Arc<Gauge>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (args, gauge): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let worker = W::start(args, Address::new(myself, gauge.clone())).await?;
        *self.worker.lock().await = Some(worker);
        Ok(gauge)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        gauge: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match envelope {
            Envelope::Work(message) => {
                let mut worker = self.worker.lock().await;
                let Some(worker) = worker.as_mut() else { return Ok(()) };
                let outcome = worker.handle(message).await;
                gauge.count_handled();
                outcome
            }
            Envelope::Fault(fault) => {
                fault.suffer().await;
                Ok(())
            }
        }
    }

    async fn post_stop(&self, _myself: ActorRef<Self::Msg>, _: &mut Self::State) -> Result<(), ActorProcessingErr> {
        if let Some(worker) = self.worker.lock().await.as_mut() {
            worker.stop().await;
        }
        Ok(())
    }
}
