//! How many machines a rate takes, by what an order costs. Linear, without network and disks.

/// Orders a second that are planned for.
pub(super) const RATES: [f64; 3] = [10_000.0, 100_000.0, 1_000_000.0];
/// Processors of a machine.
pub(super) const MACHINE_PROCESSORS: f64 = 8.0;
/// The most of a processor that is used; the rest is for peaks, for a neighbour that died and for what was not measured.
pub(super) const USED_SHARE: f64 = 0.6;
/// Processors that one writer's work in PostgreSQL can use: it has one connection, and so one process there.
pub(super) const WRITER_PROCESSORS: f64 = 1.0;
/// Processors that one Redis can use: it works in one thread, and a stream is in one Redis.
pub(super) const STREAM_PROCESSORS: f64 = 1.0;
/// Copies of Kafka's log.
pub(super) const REPLICAS: f64 = 3.0;
/// Orders a second from which on Kafka's log is replicated; below it, the plan has what was measured.
pub(super) const REPLICATED_FROM: f64 = 100_000.0;
/// Memory of a node for a screen, in KiB, where none was measured.
pub(super) const SCREEN_KIBIBYTES: f64 = 10.0;

/// A part that is smaller than this is a rounding error.
const ROUNDING: f64 = 1e-9;

/// What lies between a node and the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    None,
    Redis,
    Kafka,
}

impl Log {
    /// As processes and services are named.
    pub(super) const fn service(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Redis => Some("redis"),
            Self::Kafka => Some("kafka"),
        }
    }
}

/// Processor time an order, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Costs {
    pub(super) node: f64,
    /// Of PostgreSQL, where it was measured.
    pub(super) store: Option<f64>,
    /// Of Redis or Kafka, where it was measured.
    pub(super) log: Option<f64>,
}

/// What a rate takes; none where what it follows from was not measured. Processors are busy ones, machines have idle time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Need {
    pub(super) node_processors: f64,
    pub(super) nodes: u64,
    pub(super) log_processors: Option<f64>,
    pub(super) log_machines: Option<u64>,
    /// Streams of Redis, or partitions of Kafka.
    pub(super) lanes: Option<u64>,
    pub(super) store_processors: Option<f64>,
    /// Connections that write: batchers of v1, readers of v2, partitions of v3.
    pub(super) writers: Option<u64>,
    /// Databases that the orders must be divided among.
    pub(super) shards: Option<u64>,
}

/// What a rate takes.
pub(super) fn need(rate: f64, log: Log, costs: &Costs) -> Need {
    let node_processors = rate * costs.node;
    let nodes = machines(node_processors);
    let writers = costs.store.map(|cost| at_least_one(rate / writer_limit(cost)));
    let store_processors = costs.store.map(|cost| rate * cost);
    let replicated = log == Log::Kafka && rate >= REPLICATED_FROM;
    let copies = if replicated { REPLICAS } else { 1.0 };
    let log_cost = costs.log.filter(|_| log != Log::None);
    let log_processors = log_cost.map(|cost| rate * cost * copies);
    let log_machines = log_processors.map(|processors| machines(processors).max(copies as u64));
    let lanes = match log {
        Log::None => None,
        Log::Redis => log_cost.map(|cost| at_least_one(rate / stream_limit(cost))),
        // A node without a partition stores nothing.
        Log::Kafka => writers.map(|writers| writers.max(nodes)),
    };
    Need {
        node_processors,
        nodes,
        log_processors,
        log_machines,
        lanes,
        store_processors,
        writers: if log == Log::Kafka { lanes } else { writers },
        shards: store_processors.map(machines),
    }
}

/// Orders a second that one writer stores.
pub(super) fn writer_limit(store_cost: f64) -> f64 {
    WRITER_PROCESSORS * USED_SHARE / store_cost
}

/// Orders a second that one PostgreSQL stores before orders must be divided among several.
pub(super) fn store_limit(store_cost: f64) -> f64 {
    MACHINE_PROCESSORS * USED_SHARE / store_cost
}

/// Orders a second that one stream takes.
pub(super) fn stream_limit(log_cost: f64) -> f64 {
    STREAM_PROCESSORS * USED_SHARE / log_cost
}

fn machines(processors: f64) -> u64 {
    at_least_one(processors / (MACHINE_PROCESSORS * USED_SHARE))
}

fn at_least_one(count: f64) -> u64 {
    ((count - ROUNDING).ceil() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs {
        node: 30e-6,
        store: Some(12e-6),
        log: Some(15e-6),
    };

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9 * expected, "{found} is not {expected}");
    }

    /// 4.8 processors of each machine are used.
    #[test]
    fn a_machine_is_added_where_the_last_one_is_full() {
        assert_eq!([0.0, 0.1, 4.8, 4.81, 9.6, 48.0].map(machines), [1, 1, 1, 2, 2, 10]);
        near(writer_limit(12e-6), 50_000.0);
        near(store_limit(12e-6), 400_000.0);
        near(stream_limit(15e-6), 40_000.0);
    }

    #[test]
    fn a_million_orders_take_so_much() {
        let direct = need(1e6, Log::None, &COSTS);
        near(direct.node_processors, 30.0);
        assert_eq!((direct.nodes, direct.writers, direct.shards), (7, Some(20), Some(3)));
        assert_eq!(
            (direct.log_processors, direct.log_machines, direct.lanes),
            (None, None, None)
        );
        let stream = need(1e6, Log::Redis, &COSTS);
        near(stream.log_processors.unwrap(), 15.0);
        assert_eq!(
            (stream.log_machines, stream.lanes, stream.writers),
            (Some(4), Some(25), Some(20))
        );
        let topic = need(1e6, Log::Kafka, &COSTS);
        near(topic.log_processors.unwrap(), 45.0);
        near(topic.store_processors.unwrap(), 12.0);
        assert_eq!(
            (topic.log_machines, topic.lanes, topic.shards),
            (Some(10), Some(20), Some(3))
        );
    }

    #[test]
    fn a_log_is_replicated_from_a_hundred_thousand_orders_on() {
        let small = need(10_000.0, Log::Kafka, &COSTS);
        near(small.log_processors.unwrap(), 0.15);
        assert_eq!((small.nodes, small.log_machines, small.lanes), (1, Some(1), Some(1)));
        let large = need(100_000.0, Log::Kafka, &COSTS);
        near(large.log_processors.unwrap(), 4.5);
        assert_eq!(large.log_machines, Some(3), "three copies are on three machines");
        assert_eq!(need(100_000.0, Log::Redis, &COSTS).log_machines, Some(1));
    }

    #[test]
    fn every_node_has_a_partition_and_what_was_not_measured_is_not_planned() {
        let idle_store = Costs {
            store: Some(1e-6),
            ..COSTS
        };
        let need_of_nodes = need(1e6, Log::Kafka, &idle_store);
        assert_eq!(
            (need_of_nodes.nodes, need_of_nodes.lanes, need_of_nodes.writers),
            (7, Some(7), Some(7))
        );
        let unknown = Costs {
            store: None,
            log: None,
            ..COSTS
        };
        let need = need(1e6, Log::Redis, &unknown);
        assert_eq!(
            (need.writers, need.shards, need.lanes, need.log_machines),
            (None, None, None, None)
        );
    }
}
