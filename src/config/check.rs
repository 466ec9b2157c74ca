//! What settings must hold before any port is bound.

use coffee_rt_actors::ports::Engine;
use url::Url;

use super::secret::MASK;
use super::{Config, ConfigError, Secret, ServiceUrl, TracesConfig, Version};

impl Config {
    /// Names the key that cannot be used.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.menu.validate().map_err(|error| ConfigError(error.to_string()))?;
        self.check_secrets()?;
        self.traces.validate()?;
        self.check_flink()?;
        let limits = &self.limits;
        for (key, value, range) in [
            ("limits.credit_orders", limits.credit_orders as u64, 1..=1_000_000),
            ("limits.body_bytes", limits.body_bytes as u64, 256..=16_777_216),
            (
                "limits.discard_bytes",
                limits.discard_bytes as u64,
                limits.body_bytes as u64..=268_435_456,
            ),
            ("limits.sockets", limits.sockets as u64, 0..=1_000_000),
            ("limits.connections", limits.connections as u64, 1..=1_000_000),
            ("limits.order_deadline_ms", limits.order_deadline_ms, 100..=300_000),
            ("limits.read_deadline_ms", limits.read_deadline_ms, 100..=300_000),
            ("limits.leave_ms", limits.leave_ms, 0..=300_000),
            ("limits.drain_deadline_ms", limits.drain_deadline_ms, 100..=300_000),
            ("dashboard.min_interval_ms", self.dashboard.min_interval_ms, 1..=60_000),
            ("audit.every_seconds", self.audit.every_seconds, 0..=604_800),
            ("v1.batchers", self.v1.batchers as u64, 1..=64),
            ("v2.readers", self.v2.readers as u64, 1..=64),
            ("v2.backlog_orders", self.v2.backlog_orders, 1..=1_000_000_000),
            (
                "v3.partitions",
                u64::try_from(self.v3.partitions).unwrap_or_default(),
                1..=1_000,
            ),
            ("v3.backlog_orders", self.v3.backlog_orders, 1..=1_000_000_000_000),
            ("flink.parallelism", u64::from(self.flink.parallelism), 1..=1_000),
            ("flink.remember_hours", u64::from(self.flink.remember_hours), 1..=8_760),
        ] {
            if !range.contains(&value) {
                return Err(ConfigError(format!(
                    "{key} is {value}, must be {} to {}",
                    range.start(),
                    range.end()
                )));
            }
        }
        for version in self.running_versions() {
            match version {
                Version::V1 => {}
                Version::V2 if self.redis_url.is_some() => {}
                Version::V2 => return Err(ConfigError("versions: v2 needs redis_url, as in REDIS_URL".to_owned())),
                Version::V3 if self.kafka_bootstrap_servers.is_some() => {}
                Version::V3 => {
                    let needs = "versions: v3 needs kafka_bootstrap_servers, as in KAFKA_BOOTSTRAP_SERVERS";
                    return Err(ConfigError(needs.to_owned()));
                }
            }
        }
        if !is_topic_name(&self.v3.topic) {
            let rule = format!("v3.topic must be 1 to {MAX_TOPIC_BYTES} letters, digits, dots, dashes and underscores");
            return Err(ConfigError(rule));
        }
        if self.v3.group.is_empty() {
            return Err(ConfigError("v3.group must not be empty".to_owned()));
        }
        let kafka = crate::stores::kafka_client(self);
        kafka.map(drop).map_err(|error| ConfigError(error.to_string()))
    }

    fn check_flink(&self) -> Result<(), ConfigError> {
        for (key, url) in [
            ("flink.url", &self.flink.url),
            ("flink.gateway_url", &self.flink.gateway_url),
        ] {
            if url.as_ref().is_some_and(|url| !is_plain_http(url)) {
                return Err(ConfigError(format!("{key} must look like http://127.0.0.1:8081")));
            }
        }
        if self.v3.engine == Some(Engine::Flink) && self.database_url.is_none() {
            let needs = "v3.engine: flink needs database_url, as in DATABASE_URL: its job stores in PostgreSQL";
            return Err(ConfigError(needs.to_owned()));
        }
        Ok(())
    }

    fn check_secrets(&self) -> Result<(), ConfigError> {
        for (key, url, schemes, example) in [
            (
                "database_url",
                &self.database_url,
                &["postgres", "postgresql"][..],
                "postgres://user:password@host:5432/database",
            ),
            (
                "flink.database_url",
                &self.flink.database_url,
                &["postgres", "postgresql"][..],
                "postgres://user:password@host:5432/database",
            ),
            (
                "redis_url",
                &self.redis_url,
                &["redis", "rediss"][..],
                "redis://user:password@host:6379/0",
            ),
        ] {
            if url.as_ref().is_some_and(|url| !url.has_scheme(schemes)) {
                return Err(ConfigError(format!("{key} must look like {example}")));
            }
        }
        let masked = |url: &Option<ServiceUrl>| url.as_ref().is_some_and(ServiceUrl::is_masked);
        for (key, masked) in [
            ("database_url", masked(&self.database_url)),
            ("redis_url", masked(&self.redis_url)),
            ("admin_token", self.admin_token.as_ref().is_some_and(Secret::is_masked)),
            ("kafka.client", self.kafka.client.is_masked()),
            ("flink.database_url", masked(&self.flink.database_url)),
            ("flink.kafka_properties", self.flink.kafka_properties.is_masked()),
        ] {
            if masked {
                return Err(ConfigError(format!(
                    "{key} has the {} that stands for a secret where settings are printed",
                    MASK
                )));
            }
        }
        Ok(())
    }
}

impl TracesConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.endpoint.as_ref().is_some_and(|url| !is_plain_http(url)) {
            let rule =
                "traces.endpoint must look like http://127.0.0.1:4318: plain HTTP, to a collector beside the node";
            return Err(ConfigError(rule.to_owned()));
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            let ratio = self.sample_ratio;
            return Err(ConfigError(format!("traces.sample_ratio is {ratio}, must be 0 to 1")));
        }
        Ok(())
    }
}

fn is_plain_http(url: &Url) -> bool {
    url.scheme() == "http" && url.has_host()
}

/// The longest name of a topic: Kafka allows 249 bytes, of which the topic of dead letters needs some.
const MAX_TOPIC_BYTES: usize = 200;

/// Whether Kafka takes it as a topic's name.
fn is_topic_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_TOPIC_BYTES).contains(&name.len()) && name.bytes().all(allowed) && !matches!(name, "." | "..")
}
