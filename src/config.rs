//! Every knob of the node: defaults < `coffee-rt.toml` < environment < flags, checked before any port is bound.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use coffee_rt_actors::domain::Menu;
use coffee_rt_actors::ports::Engine;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use url::Url;

mod check;
mod legacy;
mod secret;
mod version;

pub use secret::{ClientTable, Secret, ServiceUrl};
pub use version::{Version, Versions};

/// The file read from the working directory unless another is named.
pub const DEFAULT_FILE: &str = "coffee-rt.toml";

/// Variables that are read as they stand: their values are never numbers, lists or tables.
const PLAIN_VARIABLES: [(&str, &str); 14] = [
    ("DATABASE_URL", "database_url"),
    ("COFFEE_RT_DATABASE_URL", "database_url"),
    ("REDIS_URL", "redis_url"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka_bootstrap_servers"),
    ("COFFEE_RT_KAFKA_BOOTSTRAP_SERVERS", "kafka_bootstrap_servers"),
    ("COFFEE_RT_REDIS_URL", "redis_url"),
    ("COFFEE_RT_ADMIN_TOKEN", "admin_token"),
    ("COFFEE_RT_LOG", "log"),
    ("COFFEE_RT_VERSIONS", "versions"),
    ("COFFEE_RT_TRACES__ENDPOINT", "traces.endpoint"),
    ("COFFEE_RT_FLINK__URL", "flink.url"),
    ("COFFEE_RT_FLINK__GATEWAY_URL", "flink.gateway_url"),
    ("COFFEE_RT_FLINK__DATABASE_URL", "flink.database_url"),
    ("COFFEE_RT_V3__ENGINE", "v3.engine"),
];
/// What begins the names of variables that are settings of Kafka's client: `…SASL__PASSWORD` is `sasl.password`. They are
/// read as they stand, too.
const CLIENT_VARIABLES: &str = "COFFEE_RT_KAFKA__CLIENT__";
/// `COFFEE_RT_*` variables that are no settings of the node: the client's address, the tests' own, the build's.
const OTHER_VARIABLES: [&str; 4] = ["url", "test_", "fault_drill", "ui"];

/// All settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Which architecture versions run; all that are configured where absent.
    pub versions: Option<Versions>,
    /// PostgreSQL; the embedded SQLite where absent.
    pub database_url: Option<ServiceUrl>,
    /// Redis, for orders through its streams and for deltas between nodes.
    pub redis_url: Option<ServiceUrl>,
    /// Kafka's brokers, `host:port` and more of them after commas, for orders through its topic.
    pub kafka_bootstrap_servers: Option<String>,
    /// The embedded database's file.
    pub sqlite_path: PathBuf,
    /// Needed for fault injection wherever the node listens beyond loopback.
    pub admin_token: Option<Secret>,
    /// Which events are logged, such as `info` or `coffee_rt=debug,warn`.
    pub log: String,
    /// How events are logged.
    pub log_format: LogFormat,
    /// Where traces of orders are sent.
    pub traces: TracesConfig,
    /// What can be ordered.
    pub menu: Menu,
    /// How dashboards are fed.
    pub dashboard: DashboardConfig,
    /// How orders are recounted.
    pub audit: AuditConfig,
    /// The limit of everything.
    pub limits: Limits,
    /// The version that writes to the store directly.
    pub v1: V1Config,
    /// The version that goes through Redis Streams.
    pub v2: V2Config,
    /// The version that goes through Kafka.
    pub v3: V3Config,
    /// How to talk to Kafka.
    pub kafka: KafkaConfig,
    /// Where Flink is.
    pub flink: FlinkConfig,
}

/// How events are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; in colour on a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// Where traces of orders are sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    /// A collector that speaks OTLP over HTTP, such as `http://127.0.0.1:4318`; no traces where absent.
    pub endpoint: Option<Url>,
    /// The part of the orders that are traced where the client does not say: it does in a `traceparent` header.
    pub sample_ratio: f64,
}

/// How dashboards are fed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DashboardConfig {
    /// The least time between two frames.
    pub min_interval_ms: u64,
}

/// How orders are recounted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// From one recount of all orders to the next, at most; 0 for none. It reads the whole store, and every node does it.
    pub every_seconds: u64,
}

/// The limit of everything. What exceeds one is refused with an answer that says so.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Orders under way in a version; further ones are answered 503.
    pub credit_orders: usize,
    /// The largest request body.
    pub body_bytes: usize,
    /// How much of a larger one is read and thrown away, so that the client sees the 413.
    pub discard_bytes: usize,
    /// WebSockets; further ones are answered 503.
    pub sockets: usize,
    /// TCP connections, WebSockets included; further ones are answered 503 and closed.
    pub connections: usize,
    /// How long an order may take before it is answered 503.
    pub order_deadline_ms: u64,
    /// How long a request's header or body may take to arrive.
    pub read_deadline_ms: u64,
    /// How long a node that was told to stop still serves, while `/readyz` says that it is not ready, so that balancers
    /// leave it first.
    pub leave_ms: u64,
    /// How long open requests may take to finish when the node stops.
    pub drain_deadline_ms: u64,
}

/// The version that writes to the store directly.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V1Config {
    /// Batchers, each with a shard and, on PostgreSQL, a connection of its own.
    pub batchers: usize,
}

/// The version that goes through Redis Streams.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V2Config {
    /// Readers of the stream, each with a batcher.
    pub readers: usize,
    /// Orders that the stream may hold; further ones are answered 503.
    pub backlog_orders: u64,
}

/// The version that goes through Kafka.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V3Config {
    /// The topic of orders; that of dead letters has `.dead-letter` behind it. A database belongs to one topic.
    pub topic: String,
    /// The consumer group that all nodes of the topic share.
    pub group: String,
    /// Partitions of a topic that is made because it is missing.
    pub partitions: i32,
    /// Orders in the topic that may wait to be stored; further ones are answered 503.
    pub backlog_orders: u64,
    /// Who stores orders of the topic; what `coffee-rt flink` said last where absent.
    pub engine: Option<Engine>,
}

/// Apache Flink, for v3.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlinkConfig {
    /// The JobManager, such as `http://127.0.0.1:8081`.
    pub url: Option<Url>,
    /// The SQL gateway, such as `http://127.0.0.1:8083`; needed to submit the job, and to take one up again that is gone.
    pub gateway_url: Option<Url>,
    /// PostgreSQL as Flink reaches it; as the node does where absent.
    pub database_url: Option<ServiceUrl>,
    /// Kafka's brokers as Flink reaches them; as the node does where absent.
    pub kafka_bootstrap_servers: Option<String>,
    /// Settings of the job's clients of Kafka, in the names that Java's have, such as `security.protocol`.
    pub kafka_properties: ClientTable,
    /// Tasks of each step of the job.
    pub parallelism: u16,
    /// How long the job knows a `message_id`, in hours. PostgreSQL never forgets one.
    pub remember_hours: u32,
}

/// How to talk to Kafka.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Whether v3 runs where there is a Kafka and `versions` does not say.
    pub enabled: bool,
    /// Settings that librdkafka gets as they stand, such as `security.protocol`.
    pub client: ClientTable,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8005)),
            versions: None,
            database_url: None,
            redis_url: None,
            kafka_bootstrap_servers: None,
            sqlite_path: PathBuf::from("data/coffee-rt.db"),
            admin_token: None,
            log: "info".to_owned(),
            log_format: LogFormat::Human,
            traces: TracesConfig {
                endpoint: None,
                sample_ratio: 0.01,
            },
            menu: Menu::default(),
            dashboard: DashboardConfig { min_interval_ms: 20 },
            audit: AuditConfig { every_seconds: 0 },
            limits: Limits {
                credit_orders: crate::tree::DEFAULT_CREDIT_ORDERS,
                body_bytes: 64 * 1024,
                discard_bytes: 8 * 1024 * 1024,
                sockets: 10_000,
                connections: 12_000,
                order_deadline_ms: 10_000,
                read_deadline_ms: 30_000,
                leave_ms: 0,
                drain_deadline_ms: 15_000,
            },
            v1: V1Config { batchers: 1 },
            v2: V2Config {
                readers: 1,
                backlog_orders: crate::tree::DEFAULT_BACKLOG_ORDERS,
            },
            v3: V3Config {
                topic: "orders".to_owned(),
                group: "order-workers".to_owned(),
                partitions: 4,
                backlog_orders: crate::tree::DEFAULT_TOPIC_BACKLOG_ORDERS,
                engine: None,
            },
            kafka: KafkaConfig {
                enabled: true,
                client: ClientTable::default(),
            },
            flink: FlinkConfig {
                url: None,
                gateway_url: None,
                database_url: None,
                kafka_bootstrap_servers: None,
                kafka_properties: ClientTable::default(),
                parallelism: 1,
                remember_hours: 24,
            },
        }
    }
}

/// What flags say; each wins over file and environment.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Flags {
    /// Read this file instead of coffee-rt.toml
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Serve HTTP here [default: 127.0.0.1:8005]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Architecture versions to run, comma-separated [default: all that are configured]
    #[arg(long, value_name = "LIST")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
    /// PostgreSQL URL; without one the embedded SQLite is used
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// Redis URL, for orders through its streams (v2) and for deltas between nodes
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_url: Option<String>,
    /// Kafka's brokers, comma-separated, for orders through its topic (v3)
    #[arg(long, value_name = "SERVERS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_bootstrap_servers: Option<String>,
    /// The embedded SQLite's file [default: data/coffee-rt.db]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlite_path: Option<PathBuf>,
    /// What to log, such as info or coffee_rt=debug,warn [default: info]
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// human or json [default: human]
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
}

/// Settings that cannot be used, with the key that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("settings: {0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads all layers and checks the result.
    ///
    /// # Errors
    /// Names the key that is unknown, of the wrong kind or out of range.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) if !path.is_file() => {
                return Err(ConfigError(format!("there is no file {}", path.display())));
            }
            Some(path) => path.clone(),
            None => PathBuf::from(DEFAULT_FILE),
        };
        let environment = Env::prefixed("COFFEE_RT_")
            .filter(|key| {
                let key = key.as_str().to_ascii_lowercase().replace("__", ".");
                let plain = PLAIN_VARIABLES.iter().any(|(_, plain)| *plain == key) || key.starts_with("kafka.client.");
                !plain && !OTHER_VARIABLES.iter().any(|other| key.starts_with(other))
            })
            .split("__");
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        for (key, value) in legacy::settings(|name| std::env::var(name).ok()) {
            figment = figment.merge(Serialized::default(key, value));
        }
        figment = figment.merge(Toml::file(file)).merge(environment);
        for (variable, key) in PLAIN_VARIABLES {
            // An empty variable is what compose files and charts pass on where nothing is set.
            if let Some(value) = std::env::var(variable).ok().filter(|value| !value.is_empty()) {
                figment = figment.merge(Serialized::default(key, value));
            }
        }
        let mut config: Self = figment
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|e| ConfigError(e.to_string()))?;
        for (name, value) in Env::prefixed(CLIENT_VARIABLES).iter() {
            if !value.is_empty() {
                config.kafka.client.set(name.as_str().replace("__", "."), value);
            }
        }
        config.validate()?;
        Ok(config)
    }

    /// The versions that this node runs.
    #[must_use]
    pub fn running_versions(&self) -> Vec<Version> {
        match &self.versions {
            Some(versions) => versions.0.clone(),
            None => {
                let kafka = self.kafka_bootstrap_servers.is_some() && self.kafka.enabled;
                let also = [(self.redis_url.is_some(), Version::V2), (kafka, Version::V3)];
                let also = also.into_iter().filter_map(|(runs, version)| runs.then_some(version));
                std::iter::once(Version::V1).chain(also).collect()
            }
        }
    }

    /// How long an order may take.
    #[must_use]
    pub const fn order_deadline(&self) -> Duration {
        Duration::from_millis(self.limits.order_deadline_ms)
    }

    /// From one recount of all orders to the next, where they are recounted.
    #[must_use]
    pub const fn audit_every(&self) -> Option<Duration> {
        match self.audit.every_seconds {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// Whether the node is reachable from this machine only.
    #[must_use]
    pub const fn listens_on_loopback(&self) -> bool {
        match self.listen.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback(),
        }
    }
}

#[cfg(test)]
mod tests;
