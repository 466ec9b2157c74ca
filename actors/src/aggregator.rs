//! Aggregator: keeps the view on the board equal to the store.
//!
//! Upstream: deltas of this node's batchers and of the bus, positions from [`crate::store_watch::StoreWatch`].
//! Downstream: the [`Board`].
//! A crash loses the deltas in its mailbox; the next generation reads the store anew, and the board shows the last view
//! meanwhile. A lost, repeated or reordered delta shows in its sequence number: known ones are ignored, a gap makes it
//! read the store. A last delta lost before quiet leaves no gap, so positions of the store are compared as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant as Clock, timeout};

use crate::board::Board;
use crate::deltas::DeltaParcel;
use crate::domain::Instant;
use crate::ports::{Horizon, OrderStore, ShardId};
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::AggregatorMetrics;
use crate::view::{Applied, View};

/// How long reading the store may take.
const HYDRATE_LIMIT: Duration = Duration::from_secs(10);
/// The least time between two readings of the store.
const HYDRATE_PAUSE: Duration = Duration::from_millis(100);

/// What an aggregator can be told.
pub enum AggregatorMsg {
    /// Count this commit.
    Apply(DeltaParcel),
    /// Compare with the store's positions.
    Compare(BTreeMap<ShardId, i64>),
    /// Deltas may have been missed: read the store.
    Rehydrate,
    /// The pause before reading the store is over.
    Hydrate,
}

/// What an aggregator starts from.
#[derive(Clone)]
pub struct AggregatorArgs {
    /// Where the view hangs.
    pub board: Arc<Board>,
    /// What it is read from.
    pub store: Arc<dyn OrderStore>,
    /// What it counts.
    pub metrics: AggregatorMetrics,
}

/// Keeps the view.
pub struct Aggregator {
    me: Address<AggregatorMsg>,
    args: AggregatorArgs,
    /// Whether a reading of the store is due; deltas beyond a gap wait for it.
    hydration_due: bool,
    last_hydration: Option<Clock>,
    /// Positions that the store had at the last comparison and the view had not: deltas may still be under way.
    behind: BTreeMap<ShardId, i64>,
}

impl Worker for Aggregator {
    type Msg = AggregatorMsg;
    type Args = AggregatorArgs;

    async fn start(args: AggregatorArgs, me: Address<AggregatorMsg>) -> Result<Self, Failure> {
        let mut aggregator = Self {
            me,
            args,
            hydration_due: false,
            last_hydration: None,
            behind: BTreeMap::new(),
        };
        aggregator.request_hydration();
        Ok(aggregator)
    }

    async fn handle(&mut self, message: AggregatorMsg) -> Result<(), Failure> {
        match message {
            AggregatorMsg::Apply(parcel) => self.apply(&parcel),
            AggregatorMsg::Compare(positions) => self.compare(positions),
            AggregatorMsg::Rehydrate => self.request_hydration(),
            AggregatorMsg::Hydrate => self.hydrate().await,
        }
        Ok(())
    }
}

impl Aggregator {
    fn apply(&mut self, parcel: &DeltaParcel) {
        match self.args.board.apply(&parcel.delta) {
            Some(Applied::Gap) => self.request_hydration(),
            Some(Applied::Counted) => self.me.worked(),
            Some(Applied::Known) | None => {}
        }
    }

    /// A view that is behind the same positions twice has missed something; once may be a delta on its way.
    fn compare(&mut self, positions: BTreeMap<ShardId, i64>) {
        let behind = std::mem::replace(&mut self.behind, positions);
        if self.args.board.read(|view| view.is_behind(&behind)) == Some(true) {
            self.request_hydration();
        }
    }

    fn request_hydration(&mut self) {
        if std::mem::replace(&mut self.hydration_due, true) {
            return;
        }
        let pause = self
            .last_hydration
            .map_or(Duration::ZERO, |last| HYDRATE_PAUSE.saturating_sub(last.elapsed()));
        self.me.send_after(pause, AggregatorMsg::Hydrate);
    }

    /// Reads the store. Deltas that arrive meanwhile wait in the mailbox and are then known or next.
    async fn hydrate(&mut self) {
        let horizon = Horizon::at(Instant::now());
        let began = Clock::now();
        let read = timeout(HYDRATE_LIMIT, self.args.store.snapshot(horizon)).await;
        self.hydration_due = false;
        self.last_hydration = Some(Clock::now());
        match read {
            Ok(Ok(snapshot)) => {
                self.args.metrics.hydrations.inc();
                self.args.board.show(View::of_snapshot(snapshot, horizon));
                tracing::debug!(took = ?began.elapsed(), "view read from the store");
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the view cannot be read, trying again");
                self.request_hydration();
            }
            Err(_) => {
                tracing::warn!(limit = ?HYDRATE_LIMIT, "reading the view takes too long, trying again");
                self.request_hydration();
            }
        }
    }
}
