//! What actors count, as Prometheus metrics. They are made once for a node and outlive each generation.

use prometheus::{
    CounterVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, exponential_buckets,
};

use crate::domain::Cents;
use crate::ports::DeltaContent;

/// All metrics of the actors.
#[derive(Clone)]
pub struct Telemetry {
    batch_orders: Histogram,
    commit_seconds: Histogram,
    orders_created: IntCounterVec,
    order_value: CounterVec,
    /// Of the aggregator.
    pub aggregator: AggregatorMetrics,
    /// Of the fan-out.
    pub fan_out: FanOutMetrics,
    /// Of the store watch.
    pub store: StoreMetrics,
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
    order_value: CounterVec,
}

/// What an aggregator counts.
#[derive(Clone)]
pub struct AggregatorMetrics {
    /// How often the view was read from the store.
    pub hydrations: IntCounter,
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
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let seconds = || exponential_buckets(0.000_25, 2.0, 16);
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
        let single = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        Ok(Self {
            batch_orders: histogram(
                "coffee_rt_batch_orders",
                "Orders in a batch",
                exponential_buckets(1.0, 2.0, 11)?,
            )?,
            commit_seconds: histogram(
                "coffee_rt_commit_seconds",
                "Time the store takes for a batch",
                seconds()?,
            )?,
            orders_created: counters("orders_created_total", "Orders stored", &["drink", "store", "version"])?,
            order_value: value,
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
            store: StoreMetrics {
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
            batch_orders: self.batch_orders.clone(),
            commit_seconds: self.commit_seconds.clone(),
            orders_created: self.orders_created.clone(),
            order_value: self.order_value.clone(),
        }
    }
}

impl BatchMetrics {
    /// Counts what a commit inserted.
    pub fn count_created(&self, content: &DeltaContent) {
        for cell in &content.cells {
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
