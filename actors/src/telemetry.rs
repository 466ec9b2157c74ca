//! What actors count, as Prometheus metrics. They are made once for a node and outlive each generation.

use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, exponential_buckets,
};

mod audits;
mod flow;
mod jobs;

pub use audits::AuditMetrics;
pub use flow::{FlowCounts, Work};
pub use jobs::JobMetrics;

use crate::domain::Cents;
use crate::ports::{DeltaContent, LogStatus, PoisonReason};

/// All metrics of the actors.
#[derive(Clone)]
pub struct Telemetry {
    batch_orders: HistogramVec,
    commit_seconds: HistogramVec,
    orders_created: IntCounterVec,
    /// `orders_created` of all drinks and stores, for those who look at the tree; `/metrics` has the parts.
    stored: IntCounterVec,
    order_value: CounterVec,
    logs: LogVecs,
    cache_writes: IntCounterVec,
    /// Of the aggregator.
    pub aggregator: AggregatorMetrics,
    /// Of the fan-out.
    pub fan_out: FanOutMetrics,
    /// Of the store watch.
    pub store: StoreMetrics,
    /// Of the auditor.
    pub audits: AuditMetrics,
    /// Of the follower.
    pub jobs: JobMetrics,
}

/// What a batcher counts.
#[derive(Clone)]
pub struct BatchMetrics {
    version: &'static str,
    /// Orders in each batch.
    pub batch_orders: Histogram,
    /// Seconds from handing a batch to the store to its answer.
    pub commit_seconds: Histogram,
    orders_created: IntCounterVec,
    stored: IntCounter,
    order_value: CounterVec,
}

/// The metrics of all versions' logs.
#[derive(Clone)]
struct LogVecs {
    up: IntGaugeVec,
    append_orders: HistogramVec,
    append_seconds: HistogramVec,
    read_orders: IntCounterVec,
    positions_lost: IntCounterVec,
    buried: IntCounterVec,
    backlog: IntGaugeVec,
    lag: IntGaugeVec,
    pending: IntGaugeVec,
    dead_letters: IntGaugeVec,
    claimed: IntCounterVec,
    redis_connection: IntCounterVec,
    kafka_connection: IntCounterVec,
    partition_lag: IntGaugeVec,
}

/// What an appender counts.
#[derive(Clone)]
pub struct AppendMetrics {
    /// Orders in each append.
    pub append_orders: Histogram,
    /// Seconds from handing orders to the log to its answer.
    pub append_seconds: Histogram,
}

/// What a reader counts.
#[derive(Clone)]
pub struct ReadMetrics {
    /// Orders taken in hand, repeated deliveries included.
    pub read_orders: IntCounter,
    /// How often the log had lost its readers' position.
    pub positions_lost: IntCounter,
    buried: IntCounterVec,
    version: &'static str,
}

/// Whose comings and goings are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogProduct {
    /// Redis.
    Redis,
    /// Kafka.
    Kafka,
}

/// What a log watch counts.
#[derive(Clone)]
pub struct LogMetrics {
    backlog: IntGauge,
    lag: IntGauge,
    pending: IntGauge,
    dead_letters: IntGauge,
    claimed: IntCounter,
    partition_lag: IntGaugeVec,
    version: &'static str,
    /// 1 while the log answers, else 0.
    pub up: IntGauge,
    /// How often the log had lost its readers' position; readers count here too.
    pub positions_lost: IntCounter,
    /// How often the log came.
    pub connected: IntCounter,
    /// How often it went.
    pub failed: IntCounter,
}

/// What an aggregator counts.
#[derive(Clone)]
pub struct AggregatorMetrics {
    /// How often the view was read from the store.
    pub hydrations: IntCounter,
}

/// What a cache counts.
#[derive(Clone)]
pub struct CacheMetrics {
    /// Writes that the cache took.
    pub written: IntCounter,
    /// Writes that came after newer ones, and changed nothing.
    pub outdated: IntCounter,
    /// Writes that failed, to be tried again.
    pub failed: IntCounter,
}

/// What a fan-out counts.
#[derive(Clone)]
pub struct FanOutMetrics {
    /// Frames made.
    pub frames: IntCounter,
    /// Seconds from a change of the view to the frame that shows it.
    pub freshness_seconds: Histogram,
}

/// What a store watch counts.
#[derive(Clone)]
pub struct StoreMetrics {
    /// 1 while the store answers, else 0.
    pub up: IntGauge,
    /// How often the store came.
    pub connected: IntCounter,
    /// How often it went.
    pub failed: IntCounter,
}

impl Telemetry {
    /// Makes and registers all metrics.
    ///
    /// # Errors
    /// Where the registry has one of them already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone())).map(|()| histogram)
        };
        let by_version =
            |name: &str, help: &str, buckets: Vec<f64>| histograms_by_version(registry, name, help, buckets);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let value = CounterVec::new(
            Opts::new("order_value_total", "Amount of the orders stored"),
            &["store"],
        )?;
        registry.register(Box::new(value.clone()))?;
        let database = counters(
            "db_connection_status_total",
            "Times the store came or went",
            &["status"],
        )?;
        let up = gauge(registry, "coffee_rt_store_up", "1 while the store answers, else 0")?;
        let single = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        Ok(Self {
            batch_orders: by_version("coffee_rt_batch_orders", "Orders in a batch", sizes()?)?,
            commit_seconds: by_version(
                "coffee_rt_commit_seconds",
                "Time the store takes for a batch",
                seconds()?,
            )?,
            stored: IntCounterVec::new(Opts::new("stored", "Orders stored"), &["version"])?,
            orders_created: counters("orders_created_total", "Orders stored", &["drink", "store", "version"])?,
            order_value: value,
            logs: LogVecs::register(registry)?,
            cache_writes: counters(
                "coffee_rt_cache_writes_total",
                "Times the metrics were written for other readers",
                &["outcome"],
            )?,
            aggregator: AggregatorMetrics {
                hydrations: single(
                    "coffee_rt_view_hydrations_total",
                    "Times the view was read from the store",
                )?,
            },
            fan_out: FanOutMetrics {
                frames: single("coffee_rt_frames_total", "Dashboard frames made")?,
                freshness_seconds: histogram(
                    "coffee_rt_freshness_seconds",
                    "Time from a change of the view to the frame that shows it",
                    seconds()?,
                )?,
            },
            audits: AuditMetrics::register(registry)?,
            jobs: JobMetrics::register(registry)?,
            store: StoreMetrics {
                up,
                connected: database.with_label_values(&["connected"]),
                failed: database.with_label_values(&["failed"]),
            },
        })
    }

    /// What the batchers of a version count.
    #[must_use]
    pub fn batches(&self, version: &'static str) -> BatchMetrics {
        BatchMetrics {
            version,
            batch_orders: self.batch_orders.with_label_values(&[version]),
            commit_seconds: self.commit_seconds.with_label_values(&[version]),
            orders_created: self.orders_created.clone(),
            stored: self.stored.with_label_values(&[version]),
            order_value: self.order_value.clone(),
        }
    }

    /// What the appender of a version counts.
    #[must_use]
    pub fn appends(&self, version: &'static str) -> AppendMetrics {
        AppendMetrics {
            append_orders: self.logs.append_orders.with_label_values(&[version]),
            append_seconds: self.logs.append_seconds.with_label_values(&[version]),
        }
    }

    /// What the readers of a version count.
    #[must_use]
    pub fn reads(&self, version: &'static str) -> ReadMetrics {
        for reason in PoisonReason::ALL {
            self.logs.buried.with_label_values(&[reason.name(), version]);
        }
        ReadMetrics {
            read_orders: self.logs.read_orders.with_label_values(&[version]),
            positions_lost: self.logs.positions_lost.with_label_values(&[version]),
            buried: self.logs.buried.clone(),
            version,
        }
    }

    /// What a cache counts.
    #[must_use]
    pub fn cache(&self) -> CacheMetrics {
        let writes = |outcome| self.cache_writes.with_label_values(&[outcome]);
        CacheMetrics {
            written: writes("written"),
            outdated: writes("outdated"),
            failed: writes("failed"),
        }
    }

    /// What the log watch of a version counts.
    #[must_use]
    pub fn log(&self, version: &'static str, product: LogProduct) -> LogMetrics {
        let connection = match product {
            LogProduct::Redis => &self.logs.redis_connection,
            LogProduct::Kafka => &self.logs.kafka_connection,
        };
        LogMetrics {
            up: self.logs.up.with_label_values(&[version]),
            backlog: self.logs.backlog.with_label_values(&[version]),
            lag: self.logs.lag.with_label_values(&[version]),
            pending: self.logs.pending.with_label_values(&[version]),
            dead_letters: self.logs.dead_letters.with_label_values(&[version]),
            claimed: self.logs.claimed.with_label_values(&[version]),
            positions_lost: self.logs.positions_lost.with_label_values(&[version]),
            partition_lag: self.logs.partition_lag.clone(),
            connected: connection.with_label_values(&["connected"]),
            failed: connection.with_label_values(&["failed"]),
            version,
        }
    }
}

impl ReadMetrics {
    /// Counts an entry moved to the dead letters.
    pub fn buried(&self, reason: PoisonReason) {
        self.buried.with_label_values(&[reason.name(), self.version]).inc();
    }
}

impl LogMetrics {
    /// Shows how the log is.
    pub fn show(&self, status: &LogStatus) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.backlog.set(gauge(status.backlog));
        // -1 where the log cannot tell: 0 would say that all is read.
        self.lag.set(status.lag.map_or(-1, gauge));
        for lag in &status.partitions {
            let labels = [self.version, &lag.partition.to_string()];
            self.partition_lag.with_label_values(&labels).set(gauge(lag.records));
        }
        self.pending.set(gauge(status.pending));
        self.dead_letters.set(gauge(status.dead_letters));
        self.claimed.inc_by(status.claimed);
    }
}

impl LogVecs {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone())).map(|()| gauges)
        };
        Ok(Self {
            append_orders: histograms_by_version(registry, "coffee_rt_append_orders", "Orders in an append", sizes()?)?,
            append_seconds: histograms_by_version(
                registry,
                "coffee_rt_append_seconds",
                "Time the log takes for an append",
                seconds()?,
            )?,
            read_orders: counters(
                "coffee_rt_log_read_total",
                "Orders read from the log, repeated deliveries included",
                &["version"],
            )?,
            positions_lost: counters(
                "coffee_rt_log_positions_lost_total",
                "Times the log had lost its readers' position",
                &["version"],
            )?,
            buried: counters(
                "coffee_rt_dead_letters_total",
                "Orders that cannot be stored, moved to the dead letters",
                &["reason", "version"],
            )?,
            up: gauges("coffee_rt_log_up", "1 while the log answers, else 0", &["version"])?,
            backlog: gauges("coffee_rt_log_backlog_orders", "Orders in the log", &["version"])?,
            lag: gauges(
                "coffee_rt_log_lag_orders",
                "Orders that no reader has seen, or that are not stored; -1 where unknown",
                &["version"],
            )?,
            pending: gauges(
                "coffee_rt_log_pending_orders",
                "Orders read and not acknowledged, over all nodes",
                &["version"],
            )?,
            dead_letters: gauges("coffee_rt_dead_letters", "Entries in the dead letters", &["version"])?,
            claimed: counters(
                "coffee_rt_log_claimed_total",
                "Entries taken over from dead nodes",
                &["version"],
            )?,
            redis_connection: counters("redis_connection_status_total", "Times Redis came or went", &["status"])?,
            kafka_connection: counters("kafka_connection_status_total", "Times Kafka came or went", &["status"])?,
            partition_lag: gauges(
                "coffee_rt_log_partition_lag_orders",
                "Records of a partition that are not stored yet",
                &["version", "partition"],
            )?,
        })
    }
}

/// Bounds of batch sizes: 1 to 1,024 orders.
fn sizes() -> prometheus::Result<Vec<f64>> {
    exponential_buckets(1.0, 2.0, 11)
}

/// Bounds of times: 0.25 ms to 8 s.
fn seconds() -> prometheus::Result<Vec<f64>> {
    exponential_buckets(0.000_25, 2.0, 16)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone())).map(|()| gauge)
}

fn histograms_by_version(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: Vec<f64>,
) -> prometheus::Result<HistogramVec> {
    let histograms = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), &["version"])?;
    registry.register(Box::new(histograms.clone())).map(|()| histograms)
}

impl BatchMetrics {
    /// Counts what a commit inserted.
    pub fn count_created(&self, content: &DeltaContent) {
        for cell in &content.cells {
            self.stored.inc_by(cell.orders);
            self.orders_created
                .with_label_values(&[&cell.drink, &cell.store, self.version])
                .inc_by(cell.orders);
            self.order_value
                .with_label_values(&[cell.store.as_ref()])
                .inc_by(whole_units(cell.amount));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus samples are floats; the store keeps the exact amount"
)]
fn whole_units(amount: Cents) -> f64 {
    amount.0 as f64 / 100.0
}
