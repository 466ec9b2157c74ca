//! The two ends of the delta bus between nodes.
//!
//! The sender coalesces: one publication is under way, what comes meanwhile goes with the next. The receiver hands what
//! other nodes committed to this node's aggregator. A crash of either, or of the bus, loses deltas, and gaps heal.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::deltas::{DeltaParcel, Deltas};
use crate::ports::{Delta, DeltaBus, DeltaStream};
use crate::supervision::{Address, Failure, Worker};

/// The least time between two publications: every receiver pays for each.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(20);
/// How long one publication may take.
const PUBLISH_LIMIT: Duration = Duration::from_secs(5);
/// The pause before an absent bus is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// The longest wait within one message, so that stops and faults are heard.
const LISTEN: Duration = Duration::from_millis(250);

/// What a bus sender can be told.
pub enum BusSenderMsg {
    /// Publish this with the next publication.
    Deliver(DeltaParcel),
    /// Publish what has come.
    Publish,
}

/// What a bus sender starts from.
#[derive(Clone)]
pub struct BusSenderArgs {
    /// The bus.
    pub bus: Arc<dyn DeltaBus>,
}

/// Publishes deltas.
pub struct BusSender {
    me: Address<BusSenderMsg>,
    args: BusSenderArgs,
    waiting: Vec<DeltaParcel>,
    /// When the next publication may be made.
    earliest: Instant,
}

impl Worker for BusSender {
    type Msg = BusSenderMsg;
    type Args = BusSenderArgs;

    async fn start(args: BusSenderArgs, me: Address<BusSenderMsg>) -> Result<Self, Failure> {
        Ok(Self {
            me,
            args,
            waiting: Vec::new(),
            earliest: Instant::now(),
        })
    }

    async fn handle(&mut self, message: BusSenderMsg) -> Result<(), Failure> {
        match message {
            BusSenderMsg::Deliver(parcel) => {
                if self.waiting.is_empty() {
                    // The first at once: other nodes' dashboards wait for it.
                    let pause = self.earliest.saturating_duration_since(Instant::now());
                    self.me.send_after(pause, BusSenderMsg::Publish);
                }
                self.waiting.push(parcel);
            }
            BusSenderMsg::Publish => {
                self.earliest = Instant::now() + PUBLISH_INTERVAL;
                let parcels = std::mem::take(&mut self.waiting);
                let deltas: Vec<Delta> = parcels.iter().map(|parcel| Delta::clone(&parcel.delta)).collect();
                match timeout(PUBLISH_LIMIT, self.args.bus.publish(&deltas)).await {
                    Ok(Ok(())) => self.me.worked(),
                    Ok(Err(error)) => tracing::debug!(%error, "deltas not published, other nodes will read the store"),
                    Err(_) => tracing::debug!(limit = ?PUBLISH_LIMIT, "publishing deltas takes too long"),
                }
            }
        }
        Ok(())
    }
}

/// What a bus receiver can be told.
pub enum BusReceiverMsg {
    /// Wait for deltas; it tells itself.
    Receive,
}

/// What a bus receiver starts from.
#[derive(Clone)]
pub struct BusReceiverArgs {
    /// The bus.
    pub bus: Arc<dyn DeltaBus>,
    /// Who hears of them.
    pub deltas: Deltas,
}

/// Receives other nodes' deltas.
pub struct BusReceiver {
    me: Address<BusReceiverMsg>,
    args: BusReceiverArgs,
    stream: Option<Box<dyn DeltaStream>>,
}

impl Worker for BusReceiver {
    type Msg = BusReceiverMsg;
    type Args = BusReceiverArgs;

    async fn start(args: BusReceiverArgs, me: Address<BusReceiverMsg>) -> Result<Self, Failure> {
        let _ = me.send(BusReceiverMsg::Receive);
        Ok(Self { me, args, stream: None })
    }

    async fn handle(&mut self, BusReceiverMsg::Receive: BusReceiverMsg) -> Result<(), Failure> {
        match &mut self.stream {
            Some(stream) => match timeout(LISTEN, stream.next()).await {
                Ok(Ok(deltas)) => {
                    for delta in deltas {
                        self.args.deltas.show(Arc::new(delta));
                    }
                    self.me.worked();
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the delta bus is away");
                    self.stream = None;
                }
                Err(_) => {}
            },
            None => match self.args.bus.subscribe().await {
                Ok(stream) => {
                    self.stream = Some(stream);
                    self.args.deltas.missed();
                }
                Err(_) => sleep(RECONNECT_PAUSE).await,
            },
        }
        let _ = self.me.send(BusReceiverMsg::Receive);
        Ok(())
    }
}
