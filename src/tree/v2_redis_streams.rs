//! Version 2: HTTP to a Redis stream to SQL. An order is acknowledged when it is in the stream.
//!
//! ```text
//! v2                   one_for_one
//! ├── log-watch        worker        sign of life, entries of dead nodes → reader, health
//! ├── pair-0           rest_for_one  what the reader has in hand is in the batcher's hands
//! │   ├── batcher      worker        entries → transaction on a shard of its own → deltas, settled
//! │   └── reader       worker        stream → batcher; settled → acknowledged, or dead letters
//! ├── pair-…           rest_for_one  … one for each of v2.readers
//! ├── appender         worker        orders → stream → answers
//! └── ingest           worker        orders → appender
//! ```
//!
//! Limits: `limits.credit_orders` orders under way to the stream (further ones: 503), 1,000 orders in an append and in a
//! transaction, one of each under way, `v2.backlog_orders` entries in the stream (further ones: 503), 4,000 entries in a
//! reader's hands (the rest waits in the stream), 100,000 dead letters (further ones wait in the stream).
//!
//! Sinks start first. Everything but the pairs goes through slots, so each child restarts alone. The appender runs on a
//! thread of its own (`src/fast_lane.rs`).

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::batcher::{Batcher, BatcherArgs, MAX_BATCH_ORDERS};
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::log_ticket::Settled;
use coffee_rt_actors::log_watch::LogHealth;
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::{OrderStore, SharedLog};
use coffee_rt_actors::reader::{MAX_ORDERS_IN_HAND, Reader, ReaderArgs, ReaderMsg};
use coffee_rt_actors::supervision::{ChildSpec, RestartPolicy, Slot, Strategy, SupervisorSpec};
use coffee_rt_actors::telemetry::{LogProduct, Telemetry};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::log_branch::{LogBranch, log_branch};
use crate::config::Version;

/// The name in paths, metrics, and of the shards' source.
pub const SOURCE: &str = Version::V2.name();
/// The stream's limit unless configured.
pub const DEFAULT_BACKLOG_ORDERS: u64 = 1_000_000;
/// The next batches can be read while one is under way.
const _: () = assert!(MAX_ORDERS_IN_HAND >= 2 * MAX_BATCH_ORDERS);
/// A single reader cannot hold up the stream: what it has in hand is part of the backlog.
const _: () = assert!(DEFAULT_BACKLOG_ORDERS >= 2 * MAX_ORDERS_IN_HAND as u64);

/// What the branch is made of.
pub struct V2RedisStreams {
    /// Where orders are safe.
    pub log: Arc<dyn SharedLog>,
    /// Where they go.
    pub store: Arc<dyn OrderStore>,
    /// Who hears of commits.
    pub deltas: Deltas,
    /// How many pairs of a reader and a batcher.
    pub readers: usize,
    /// How many orders may be under way to the stream.
    pub credit_orders: usize,
    /// How long an order may take.
    pub order_deadline: Duration,
    /// Where those run whom customers wait for.
    pub lane: Handle,
    /// What is counted.
    pub telemetry: Telemetry,
}

/// The branch, the desk where its orders are handed in, and how its log is.
#[must_use]
pub fn v2_redis_streams(parts: &V2RedisStreams) -> (SupervisorSpec, OrderDesk, watch::Receiver<LogHealth>) {
    let readers: Arc<[Slot<ReaderMsg>]> = (0..parts.readers).map(|_| Slot::default()).collect();
    let pairs = readers.iter().enumerate().map(|(number, reader)| {
        let pair = pair(parts, number, reader.clone());
        ChildSpec::supervisor(format!("pair-{number}"), pair)
    });
    let branch = LogBranch {
        source: SOURCE,
        product: LogProduct::Redis,
        log: parts.log.clone(),
        storing: pairs.collect(),
        follower: None,
        readers: readers.clone(),
        credit_orders: parts.credit_orders,
        order_deadline: parts.order_deadline,
        lane: parts.lane.clone(),
    };
    log_branch(branch, &parts.telemetry)
}

fn pair(parts: &V2RedisStreams, number: usize, reader: Slot<ReaderMsg>) -> SupervisorSpec {
    let (batcher, credit) = (Slot::default(), Credit::new(MAX_ORDERS_IN_HAND));
    let batching = BatcherArgs {
        writer: parts.store.shard_writer(SOURCE),
        deltas: parts.deltas.clone(),
        ready: Arc::default(),
        metrics: parts.telemetry.batches(SOURCE),
        partition: None,
    };
    let reading = ReaderArgs {
        log: parts.log.reader(number),
        batcher: batcher.clone(),
        settled: Arc::new(Settled::new(reader.clone())),
        credit: credit.clone(),
        metrics: parts.telemetry.reads(SOURCE),
    };
    SupervisorSpec {
        strategy: Strategy::RestForOne,
        policy: RestartPolicy::default(),
        children: vec![
            ChildSpec::worker::<Batcher<_>>("batcher", batching, batcher),
            ChildSpec::worker::<Reader>("reader", reading, reader).with_load(credit.probe()),
        ],
    }
}
