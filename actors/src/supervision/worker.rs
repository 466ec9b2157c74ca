//! The application's actors, and the host that runs each as a ractor actor.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::address::{Address, Gauge};
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
pub(super) struct Host<W>(PhantomData<fn() -> W>);

impl<W> Host<W> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<W: Worker> Actor for Host<W> {
    type Msg = Envelope<W::Msg>;
    type State = Hosted<W>;
    type Arguments = (W::Args, Arc<Gauge>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (args, gauge): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let worker = W::start(args, Address::new(myself, gauge.clone())).await?;
        Ok(Hosted { worker, gauge })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        hosted: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match envelope {
            Envelope::Work(message) => {
                let outcome = hosted.worker.handle(message).await;
                hosted.gauge.count_handled();
                outcome
            }
            Envelope::Fault(fault) => {
                fault.suffer().await;
                Ok(())
            }
        }
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        hosted: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        hosted.worker.stop().await;
        Ok(())
    }
}

/// A worker and its counters.
pub(super) struct Hosted<W> {
    worker: W,
    gauge: Arc<Gauge>,
}
