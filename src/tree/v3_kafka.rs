//! Version 3: HTTP to a Kafka topic to SQL. An order is acknowledged when all in-sync replicas have it.
//!
//! ```text
//! v3                   one_for_one
//! ├── follower         worker        who stores: actors, or a job on Flink, which it keeps   only with PostgreSQL
//! ├── log-watch        worker        place in the consumer group → partitions; lag, health
//! ├── partitions       one_for_one   those that the group gives this node, as they come and go
//! │   ├── partition-0  rest_for_one  what the reader has in hand is in the batcher's hands
//! │   │   ├── batcher  worker        records → transaction that moves the partition's position → deltas
//! │   │   └── reader   worker        partition, from the position that the batcher's claim says → batcher
//! │   └── partition-…  rest_for_one  … one for each partition
//! ├── appender         worker        orders → topic → answers
//! └── ingest           worker        orders → appender
//! ```
//!
//! Limits: `limits.credit_orders` orders under way to the topic (further ones: 503), 1,000 orders in an append and in a
//! transaction, one of each under way, `v3.backlog_orders` records that are not stored (further orders: 503), 4,000
//! records in a reader's hands and 1 MiB read ahead of it (the rest waits in the partition).
//!
//! While a job on Flink stores, the group gives this node no partition, and the follower has the aggregator read what the job
//! has stored.
//!
//! Sinks start first. Everything but the pairs goes through slots, so each child restarts alone. The appender runs on a
//! thread of its own (`src/fast_lane.rs`).

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::batcher::{Batcher, BatcherArgs, MAX_BATCH_ORDERS, PartitionSide};
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::follower::FollowerArgs;
use coffee_rt_actors::log_watch::{LogHealth, LogWatch, LogWatchArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::partition_reader::{MAX_RECORDS_IN_HAND, PartitionReader, PartitionReaderArgs};
use coffee_rt_actors::ports::{OrderStore, PartitionedLog};
use coffee_rt_actors::supervision::{ChildSpec, CrewSpec, RestartPolicy, Slot, Strategy, SupervisorSpec};
use coffee_rt_actors::telemetry::{LogProduct, Telemetry};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::log_branch::{LogBranch, log_branch};
use crate::config::Version;

/// The name in paths, metrics, and of the shards' source.
pub const SOURCE: &str = Version::V3.name();
/// Records that may wait to be stored unless configured.
pub const DEFAULT_TOPIC_BACKLOG_ORDERS: u64 = 10_000_000;
/// The next batches can be read while one is under way.
const _: () = assert!(MAX_RECORDS_IN_HAND >= 2 * MAX_BATCH_ORDERS);

/// What the branch is made of.
pub struct V3Kafka {
    /// Where orders are safe.
    pub log: Arc<dyn PartitionedLog>,
    /// Who stores them.
    pub storing: V3Storing,
    /// Who follows the job that may store in the place of actors, where there can be one.
    pub follower: Option<FollowerArgs>,
    /// How many orders may be under way to the topic.
    pub credit_orders: usize,
    /// How long an order may take.
    pub order_deadline: Duration,
    /// Where those run whom customers wait for.
    pub lane: Handle,
}

/// What a partition needs to be stored.
#[derive(Clone)]
pub struct V3Storing {
    /// Where orders go.
    pub store: Arc<dyn OrderStore>,
    /// Who hears of commits.
    pub deltas: Deltas,
    /// What is counted.
    pub telemetry: Telemetry,
}

/// The branch, the desk where its orders are handed in, and how its log is.
#[must_use]
pub fn v3_kafka(parts: V3Kafka) -> (SupervisorSpec, OrderDesk, watch::Receiver<LogHealth>) {
    let telemetry = parts.storing.telemetry.clone();
    let branch = LogBranch {
        source: SOURCE,
        product: LogProduct::Kafka,
        log: parts.log.clone(),
        readers: Arc::from([]),
        storing: vec![partitions(parts.log, parts.storing)],
        follower: parts.follower,
        credit_orders: parts.credit_orders,
        order_deadline: parts.order_deadline,
        lane: parts.lane,
    };
    log_branch(branch, &telemetry)
}

/// Those who store the partitions that are this node's.
#[must_use]
fn partitions(log: Arc<dyn PartitionedLog>, storing: V3Storing) -> ChildSpec {
    let crew = CrewSpec {
        policy: RestartPolicy::default(),
        wanted: log.assigned(),
        child: Box::new(move |number| {
            let pair = partition(log.as_ref(), &storing, number);
            ChildSpec::supervisor(format!("partition-{number}"), pair)
        }),
    };
    ChildSpec::crew("partitions", crew)
}

/// What reads a topic again, without taking orders: the place in the group, and those who store its partitions.
#[must_use]
pub fn v3_replay(log: Arc<dyn PartitionedLog>, storing: V3Storing) -> (SupervisorSpec, watch::Receiver<LogHealth>) {
    let health = Arc::new(watch::Sender::new(LogHealth::Unknown));
    let shown = health.subscribe();
    let watching = LogWatchArgs {
        log: log.clone(),
        readers: Arc::from([]),
        health,
        metrics: storing.telemetry.log(SOURCE, LogProduct::Kafka),
    };
    let spec = SupervisorSpec {
        strategy: Strategy::OneForOne,
        policy: RestartPolicy::default(),
        children: vec![
            ChildSpec::worker::<LogWatch>("log-watch", watching, Slot::default()),
            partitions(log, storing),
        ],
    };
    (spec, shown)
}

fn partition(log: &dyn PartitionedLog, storing: &V3Storing, number: i32) -> SupervisorSpec {
    let (batcher, reader, credit) = (Slot::default(), Slot::default(), Credit::new(MAX_RECORDS_IN_HAND));
    let (partition, metrics) = (log.partition(number), storing.telemetry.reads(SOURCE));
    let batching = BatcherArgs {
        writer: storing.store.partition_writer(SOURCE, number),
        deltas: storing.deltas.clone(),
        ready: Arc::default(),
        metrics: storing.telemetry.batches(SOURCE),
        partition: Some(PartitionSide {
            log: partition.clone(),
            metrics: metrics.clone(),
        }),
    };
    let reading = PartitionReaderArgs {
        partition,
        number,
        batcher: batcher.clone(),
        credit: credit.clone(),
        metrics,
    };
    SupervisorSpec {
        strategy: Strategy::RestForOne,
        policy: RestartPolicy::default(),
        children: vec![
            ChildSpec::worker::<Batcher<_>>("batcher", batching, batcher),
            ChildSpec::worker::<PartitionReader>("reader", reading, reader).with_load(credit.probe()),
        ],
    }
}
