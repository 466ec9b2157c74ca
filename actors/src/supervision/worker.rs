//! The application's actors, and the host that runs each as a ractor actor.

use std::future::Future;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Mutex;

use super::address::{Address, Gauge};
use super::ended::{Ended, Life};
use super::fault::Fault;
use super::mail::Mail;

/// Why a worker fails; its supervisor restarts it.
pub type Failure = ActorProcessingErr;

/// An actor of the application; the implementing value is its state, made anew for each generation.
pub trait Worker: Sized + Send + 'static {
    /// What it can be told.
    type Msg: Send + 'static;
    /// What each generation starts from.
    type Args: Clone + Send + Sync + 'static;

    /// Whether tasks that are ready go first when it is told of a message, so that it sees what they send all at once.
    const GATHERS: bool = false;

    /// Makes a generation. Must not wait for the outside: what takes time is done in a message to itself.
    fn start(args: Self::Args, me: Address<Self::Msg>) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Handles one message. Any await in it may be the last thing this generation does.
    fn handle(&mut self, message: Self::Msg) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Everything that was in the mailbox has been handled. What is done here is done once for many messages.
    fn caught_up(&mut self) {}

    /// Whether it waits for the end of something that a message will tell, and does nothing with what is
    /// [left](Address::leave) for it until then.
    fn is_busy(&self) -> bool {
        false
    }

    /// Finishes what was begun when the tree drains; not called after a kill or a failure.
    fn stop(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What travels in a hosted worker's ractor mailbox.
pub enum Envelope {
    /// There are messages of the application.
    Mail,
    /// A fault to suffer.
    Fault(Fault),
}

/// Runs a [`Worker`] as a ractor actor.
///
/// The worker is in here and not in ractor's state: the state of a killed actor travels to its supervisor and would live
/// there, with all it holds, until the supervisor looks at it.
pub(super) struct Host<W: Worker> {
    hosted: Mutex<Option<Hosted<W>>>,
    mail: Arc<Mail<W::Msg>>,
    _life: Life,
}

struct Hosted<W: Worker> {
    worker: W,
    /// Messages in hand: lost with the worker.
    taken: Vec<W::Msg>,
}

impl<W: Worker> Host<W> {
    pub(super) fn new(mail: Arc<Mail<W::Msg>>) -> (Self, Ended) {
        let (life, ended) = Life::new();
        let host = Self {
            hosted: Mutex::new(None),
            mail,
            _life: life,
        };
        (host, ended)
    }
}

impl<W: Worker> Drop for Host<W> {
    fn drop(&mut self) {
        self.mail.close();
    }
}

impl<W: Worker> Hosted<W> {
    async fn handle_taken(&mut self, gauge: &Gauge) -> Result<(), Failure> {
        for message in self.taken.drain(..) {
            let outcome = self.worker.handle(message).await;
            gauge.count_handled();
            outcome?;
        }
        self.worker.caught_up();
        Ok(())
    }
}

impl<W: Worker> Actor for Host<W> {
    type Msg = Envelope;
    type State = Arc<Gauge>;
    type Arguments = (W::Args, Arc<Gauge>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (args, gauge): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let worker = W::start(args, Address::new(myself, self.mail.clone(), gauge.clone())).await?;
        *self.hosted.lock().await = Some(Hosted {
            worker,
            taken: Vec::new(),
        });
        Ok(gauge)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        envelope: Self::Msg,
        gauge: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match envelope {
            Envelope::Mail => {
                if W::GATHERS {
                    tokio::task::yield_now().await;
                }
                let mut hosted = self.hosted.lock().await;
                let Some(hosted) = hosted.as_mut() else { return Ok(()) };
                self.mail.take(&mut hosted.taken);
                hosted.handle_taken(gauge).await?;
                // By another note, not a loop: faults and the end of the tree must not wait for the end of a flood.
                // While the tree drains no note is taken, and `post_stop` handles the rest.
                if self.mail.has_more(hosted.worker.is_busy()) {
                    let _ = myself.send_message(Envelope::Mail);
                }
                Ok(())
            }
            Envelope::Fault(fault) => {
                fault.suffer().await;
                Ok(())
            }
        }
    }

    async fn post_stop(&self, _myself: ActorRef<Self::Msg>, gauge: &mut Self::State) -> Result<(), ActorProcessingErr> {
        if let Some(hosted) = self.hosted.lock().await.as_mut() {
            hosted.taken = self.mail.close();
            hosted.handle_taken(gauge).await?;
            hosted.worker.stop().await;
        }
        Ok(())
    }
}
