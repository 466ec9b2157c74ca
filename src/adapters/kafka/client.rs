//! How clients of Kafka are set up, and what their errors mean.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use coffee_rt_actors::ports::LogError;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::reason::LastTrial;

/// How long Kafka may take to answer a question.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a group's coordinator may take to answer a new client, which has to find it first.
pub const FIRST_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// What is said where no broker answers.
pub(super) const NO_BROKER: &str = "no broker can be reached";
/// The longest pause before a lost connection is opened again.
const RECONNECT_BACKOFF_MAX_MS: u64 = 1_000;
/// How often clients look for new partitions and leaders.
const METADATA_REFRESH_MS: u64 = 5_000;

/// What the promises rest on; settings of the client must leave it alone.
const OWN_SETTINGS: [&str; 25] = [
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "heartbeat.interval.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "queuing.strategy",
    "request.required.acks",
    "retries",
    "session.timeout.ms",
    "transactional.id",
];

/// What to do where something is not there.
const NEEDS_OPENSSL: &str = "; for TLS and SCRAM build the node with --features kafka-tls";
/// Ways to log in that this build has. SCRAM needs OpenSSL.
const MECHANISMS: &[&str] = if cfg!(feature = "kafka-tls") {
    &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
} else {
    &["PLAIN"]
};

/// Other names of settings that may be set.
const ALIASES: [(&str, &str); 4] = [
    ("compression.type", "compression.codec"),
    ("linger.ms", "queue.buffering.max.ms"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("sasl.mechanism", "sasl.mechanisms"),
];

/// Why settings of Kafka cannot be used; never shows a value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// What is shared by the nodes of one installation, and by no other one of the same Kafka.
#[derive(Debug)]
pub struct Names {
    /// The topic of orders; their key is the store.
    pub topic: String,
    /// The topic of what could not be stored.
    pub dead_letters: String,
    /// The topic of what was sold each second, where a job stores orders.
    pub metrics: String,
    /// The consumer group of all nodes.
    pub group: String,
}

impl Names {
    /// The names around a topic of orders.
    #[must_use]
    pub fn new(topic: &str, group: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            dead_letters: format!("{topic}.dead-letter"),
            metrics: format!("{topic}.metrics"),
            group: group.to_owned(),
        }
    }
}

/// Where Kafka is, and how to talk to it.
#[derive(Clone)]
pub struct ClientSettings {
    config: ClientConfig,
    pub(in crate::adapters) names: Arc<Names>,
    pub(super) last_trial: Arc<LastTrial>,
}

impl ClientSettings {
    /// Reads the settings and does no I/O. `table` is passed on to librdkafka as it stands.
    ///
    /// # Errors
    /// Names the setting that cannot be used.
    pub fn new(servers: &str, names: Names, table: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        // Before librdkafka does it: so OpenSSL frees nothing at the end of the process, when threads of clients that nobody
        // waits for may still use it.
        #[cfg(feature = "kafka-tls")]
        openssl_sys::init();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", servers)
            .set("client.id", "coffee-rt")
            // The node makes its topics itself, with the partitions and the retention that they need.
            .set("allow.auto.create.topics", "false")
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", RECONNECT_BACKOFF_MAX_MS.to_string())
            .set("topic.metadata.refresh.interval.ms", METADATA_REFRESH_MS.to_string())
            .set("log.connection.close", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        if cfg!(feature = "kafka-tls") {
            // The OpenSSL in this program does not know where the system keeps its authorities.
            config.set("ssl.ca.location", "probe");
        }
        check_login(table)?;
        for (alias, name) in ALIASES {
            if table.contains_key(alias) && table.contains_key(name) {
                let same = format!("kafka.client.{alias} and kafka.client.{name} are the same setting");
                return Err(SettingsError(same));
            }
        }
        for (name, value) in table {
            if OWN_SETTINGS.contains(&name.as_str()) {
                return Err(SettingsError(format!(
                    "kafka.client.{name} is set by the node itself: its promises rest on it"
                )));
            }
            config.set(name, value);
        }
        match config.create_native_config() {
            Ok(_) => Ok(Self {
                config,
                names: Arc::new(names),
                last_trial: Arc::default(),
            }),
            Err(KafkaError::ClientConfig(_, reason, name, value)) => {
                Err(SettingsError(unusable(&name, &value, &reason)))
            }
            Err(_) => Err(SettingsError("kafka.client cannot be used as it stands".to_owned())),
        }
    }

    /// A client's configuration, to which its own settings are added.
    pub(super) fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// The same with what suits this client, where nothing else is set.
    pub(super) fn tuned(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.config();
        for (name, value) in defaults {
            let mut aliases = ALIASES.iter().filter(|(_, means)| means == name);
            if config.get(name).is_none() && aliases.all(|(alias, _)| config.get(alias).is_none()) {
                config.set(*name, *value);
            }
        }
        config
    }
}

/// Clients would find out only when they are made.
fn check_login(table: &BTreeMap<String, String>) -> Result<(), SettingsError> {
    let protocol = table
        .get("security.protocol")
        .map(|protocol| protocol.to_ascii_lowercase());
    let mechanism = table.get("sasl.mechanism").or(table.get("sasl.mechanisms"));
    let known = mechanism.is_some_and(|mechanism| MECHANISMS.contains(&mechanism.as_str()));
    if known || !protocol.is_some_and(|protocol| protocol.starts_with("sasl_")) {
        return Ok(());
    }
    let ways = MECHANISMS.join(", ");
    let more = if cfg!(feature = "kafka-tls") { "" } else { NEEDS_OPENSSL };
    Err(SettingsError(format!(
        "kafka.client.sasl.mechanism must be one of: {ways}{more}"
    )))
}

/// Why a setting cannot be used, without its value.
fn unusable(name: &str, value: &str, reason: &str) -> String {
    let reason = if value.is_empty() {
        reason.to_owned()
    } else {
        reason.replace(value, "…")
    };
    let advice = if reason.contains("OpenSSL not available") {
        NEEDS_OPENSSL
    } else {
        ""
    };
    format!("kafka.client.{name} cannot be used: {reason}{advice}")
}

/// What librdkafka says by itself goes to the node's log.
#[derive(Default)]
pub(super) struct Quiet {
    /// How much it has said.
    pub(super) lines: AtomicU64,
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka");
    }
}

impl ConsumerContext for Quiet {}

/// Connections that come and go are what the log watch reports, once.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, message, "kafka");
        }
        _ => tracing::debug!(facility, message, "kafka"),
    }
}

/// Why Kafka did not do what it was asked.
pub(super) fn away(error: &KafkaError) -> LogError {
    let reason = match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => NO_BROKER.to_owned(),
        Some(code) => code.to_string(),
        None => error.to_string(),
    };
    LogError::Away(reason)
}

/// Runs what blocks, off the threads of the actors.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(LogError::Away(format!("its thread ended: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, value: &str) -> Result<ClientSettings, SettingsError> {
        let table = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        ClientSettings::new("127.0.0.1:9092", Names::new("orders", "order-workers"), &table)
    }

    fn login(protocol: &str, mechanism: &str) -> Result<ClientSettings, SettingsError> {
        let table = [("security.protocol", protocol), ("sasl.mechanism", mechanism)];
        let table = table.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ClientSettings::new("127.0.0.1:9092", Names::new("orders", "order-workers"), &table.into())
    }

    #[test]
    fn what_the_promises_rest_on_cannot_be_set() {
        for name in OWN_SETTINGS {
            let error = settings(name, "1").err().unwrap().to_string();
            assert!(error.starts_with(&format!("kafka.client.{name} is set by")), "{error}");
        }
        assert!(OWN_SETTINGS.is_sorted());
    }

    #[test]
    fn what_is_tuning_is_set_by_either_name() {
        let defaults = [("queue.buffering.max.ms", "0"), ("compression.codec", "lz4")];
        let tuned = settings("linger.ms", "5").unwrap().tuned(&defaults);
        assert_eq!(
            ["linger.ms", "queue.buffering.max.ms", "compression.codec"].map(|name| tuned.get(name)),
            [Some("5"), None, Some("lz4")]
        );
        for (alias, name) in ALIASES {
            assert!(
                !OWN_SETTINGS.contains(&alias) && !OWN_SETTINGS.contains(&name),
                "{name}"
            );
            let both = BTreeMap::from([alias, name].map(|name| (name.to_owned(), "1".to_owned())));
            let error = ClientSettings::new("127.0.0.1:9092", Names::new("orders", "order-workers"), &both);
            let error = error.err().unwrap().to_string();
            assert!(
                error.ends_with("are the same setting") && error.contains(alias),
                "{error}"
            );
        }
    }

    #[test]
    fn a_bad_setting_is_named_without_its_value() {
        for (name, value) in [("no.such.setting", "s3cret"), ("socket.timeout.ms", "s3cret")] {
            let error = settings(name, value).err().unwrap().to_string();
            assert!(error.contains(&format!("kafka.client.{name}")), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(settings("sasl.password", "s3cret").is_ok());
        assert!(login("sasl_plaintext", "PLAIN").is_ok());
        for mechanism in ["GSSAPI", "s3cret", ""] {
            let error = login("SASL_PLAINTEXT", mechanism).err().unwrap().to_string();
            assert!(
                error.starts_with("kafka.client.sasl.mechanism must be one of: PLAIN"),
                "{error}"
            );
        }
        let scram = login("sasl_plaintext", "SCRAM-SHA-512");
        assert_eq!(scram.is_ok(), cfg!(feature = "kafka-tls"));
        if !cfg!(feature = "kafka-tls") {
            assert!(scram.err().unwrap().to_string().contains("--features kafka-tls"));
            let error = settings("security.protocol", "ssl").err().unwrap().to_string();
            assert!(error.contains("--features kafka-tls"), "{error}");
        }
    }
}
