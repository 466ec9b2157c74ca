//! Which store and log the settings mean, opened to serve or to read.

use std::sync::Arc;

use coffee_rt_actors::ports::{DeltaBus, EngineView, MetricsCache, OrderStore, SharedLog, StoreError};

use tokio::sync::watch;

use crate::adapters::dead_letter::DeadLetterBox;
use crate::adapters::flink::{FlinkEngine, FlinkSettings};
use crate::adapters::kafka::{ClientSettings, KafkaDeadLetters, KafkaLog, KafkaLogSettings, Names, SettingsError};
use crate::adapters::postgres::{PostgresBus, PostgresStore, database_name};
use crate::adapters::redis::{RedisBus, RedisCache, RedisDeadLetters, RedisStream};
use crate::adapters::sqlite::SqliteStore;
use crate::config::{Config, Version};

/// A store and, where several nodes can share it, the bus between them.
pub type StoreAndBus = (Arc<dyn OrderStore>, Option<Arc<dyn DeltaBus>>);

/// Opens the store of a node, and the bus: through Redis where there is one beside PostgreSQL. Either may be away: the
/// node then starts, is not ready without PostgreSQL, and tries again.
///
/// # Errors
/// Where the URL cannot be read, or the SQLite file cannot be opened or is another node's.
pub async fn open_to_serve(config: &Config) -> anyhow::Result<StoreAndBus> {
    match &config.database_url {
        Some(url) => {
            let store = PostgresStore::connect_lazy(url.reveal(), &config.menu)?;
            let bus: Arc<dyn DeltaBus> = match &config.redis_url {
                Some(redis) => Arc::new(RedisBus::new(redis.reveal(), &database_name(url.reveal())?)?),
                None => Arc::new(PostgresBus::new(url.reveal())?),
            };
            Ok((store, Some(bus)))
        }
        None => Ok((SqliteStore::open(&config.sqlite_path, &config.menu).await?, None)),
    }
}

/// Opens the store beside a node that may be writing it.
///
/// # Errors
/// Where it cannot be read.
pub async fn open_to_read(config: &Config) -> Result<Arc<dyn OrderStore>, StoreError> {
    match &config.database_url {
        Some(url) => {
            let store = PostgresStore::connect_lazy(url.reveal(), &config.menu);
            Ok(store.map_err(|error| StoreError::Refused(error.to_string()))?)
        }
        None => Ok(SqliteStore::open_read_only(&config.sqlite_path).await?),
    }
}

/// The stream of orders, where there is a Redis. It may be away: the node then starts, is not ready, and tries again.
///
/// # Errors
/// Where the URL cannot be used.
pub fn redis_stream(config: &Config) -> anyhow::Result<Option<Arc<dyn SharedLog>>> {
    let Some(url) = &config.redis_url else { return Ok(None) };
    let stream = RedisStream::new(url.reveal(), &config.menu, config.v2.backlog_orders, config.v2.readers)?;
    Ok(Some(Arc::new(stream)))
}

/// The topic of orders, where there is a Kafka. It may be away: the node then starts, is not ready, and tries again.
///
/// `engine` tells who stores, where that can be others than the nodes.
///
/// # Errors
/// Names the setting that cannot be used.
pub fn kafka_topic(
    config: &Config,
    engine: Option<watch::Receiver<EngineView>>,
) -> Result<Option<Arc<KafkaLog>>, SettingsError> {
    let Some(client) = kafka_client(config)? else {
        return Ok(None);
    };
    let settings = KafkaLogSettings {
        menu: config.menu.clone(),
        partitions: config.v3.partitions,
        backlog_limit: config.v3.backlog_orders,
    };
    Ok(Some(Arc::new(KafkaLog::new(client, settings, engine))))
}

/// How to talk to Kafka, where there is one.
///
/// # Errors
/// Names the setting that cannot be used.
pub fn kafka_client(config: &Config) -> Result<Option<ClientSettings>, SettingsError> {
    let Some(servers) = &config.kafka_bootstrap_servers else {
        return Ok(None);
    };
    let names = Names::new(&config.v3.topic, &config.v3.group);
    ClientSettings::new(servers, names, &config.kafka.client.reveal()).map(Some)
}

/// Apache Flink in the place of v3's readers and batchers, where the settings allow it: the store has to be PostgreSQL.
///
/// # Errors
/// Names the setting that cannot be used.
pub fn flink_engine(config: &Config) -> anyhow::Result<Option<FlinkEngine>> {
    let (Some(kafka), Some(url)) = (kafka_client(config)?, &config.database_url) else {
        return Ok(None);
    };
    let flink = &config.flink;
    let servers = flink
        .kafka_bootstrap_servers
        .as_ref()
        .or(config.kafka_bootstrap_servers.as_ref());
    let settings = FlinkSettings {
        url: flink.url.clone(),
        gateway_url: flink.gateway_url.clone(),
        database: flink.database_url.as_ref().unwrap_or(url).reveal().parse()?,
        bootstrap_servers: servers.cloned().unwrap_or_default(),
        kafka_properties: flink.kafka_properties.reveal(),
        menu: config.menu.clone(),
        partitions: config.v3.partitions,
        parallelism: flink.parallelism,
        remember_hours: flink.remember_hours,
        pinned: config.v3.engine,
    };
    let store = PostgresStore::connect_lazy(url.reveal(), &config.menu)?;
    Ok(Some(FlinkEngine::new(store, kafka, settings)))
}

/// Where other readers find the metrics, where there is a Redis.
///
/// # Errors
/// Where the URL cannot be used.
pub fn redis_cache(config: &Config) -> anyhow::Result<Option<Arc<dyn MetricsCache>>> {
    let Some(url) = &config.redis_url else { return Ok(None) };
    Ok(Some(Arc::new(RedisCache::new(url.reveal())?)))
}

/// What could not be stored out of a version's log, where there is such a log.
///
/// # Errors
/// Names the setting that cannot be used.
pub fn dead_letters(config: &Config, version: Version) -> anyhow::Result<Option<Box<dyn DeadLetterBox>>> {
    Ok(match (version, &config.redis_url) {
        (Version::V2, Some(url)) => {
            let opened = RedisDeadLetters::new(url.reveal(), config.v2.backlog_orders);
            Some(Box::new(opened?))
        }
        (Version::V3, _) => kafka_client(config)?.map(|client| {
            let opened: Box<dyn DeadLetterBox> = Box::new(KafkaDeadLetters::new(client, config.v3.backlog_orders));
            opened
        }),
        _ => None,
    })
}
