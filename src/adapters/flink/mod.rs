//! Apache Flink in the place of v3's readers and batchers: the job, how it is, and how it takes its turn and gives it back.
//!
//! Whose turn it is stands in the database, for all nodes. Both may store at once, in the moment of a change: each order is
//! stored once all the same.

mod gateway;
mod jobs;
mod rest;
mod script;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::Menu;
use coffee_rt_actors::ports::{Engine, EngineError, JobStatus, OrderStore, StreamEngine};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use url::Url;

use self::jobs::Job;
use self::rest::Rest;
use self::script::Script;
use super::kafka::{ClientSettings, begin_job_at, make_job_topics, stored_by_job};
use super::postgres::{JobLock, PostgresStore, Turn};

/// The source whose orders the job stores.
const SOURCE: &str = crate::tree::V3_SOURCE;
/// How long a job that was submitted may take to run.
const RUNNING_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two looks whether it does.
const RUNNING_PAUSE: Duration = Duration::from_millis(250);

/// What is set about the job.
#[derive(Clone, Debug)]
pub struct FlinkSettings {
    /// The JobManager.
    pub url: Option<Url>,
    /// The SQL gateway: without one jobs are submitted by others.
    pub gateway_url: Option<Url>,
    /// The database, as Flink reaches it.
    pub database: Url,
    /// Kafka's brokers, as Flink reaches them.
    pub bootstrap_servers: String,
    /// Settings of the job's clients of Kafka, in Java's names.
    pub kafka_properties: BTreeMap<String, String>,
    /// What can be ordered.
    pub menu: Menu,
    /// Partitions of a topic that is made because it is missing.
    pub partitions: i32,
    /// Tasks of each step of the job.
    pub parallelism: u16,
    /// How long the job itself knows a `message_id`.
    pub remember_hours: u32,
    /// Who stores, where that is set and not read from the database.
    pub pinned: Option<Engine>,
}

/// The engine, as one node or command sees it.
pub struct FlinkEngine {
    store: Arc<PostgresStore>,
    kafka: ClientSettings,
    settings: FlinkSettings,
    manager: Option<Rest>,
    gateway: Option<Rest>,
    job_name: String,
    /// As it was noted last.
    checkpoint: Mutex<Option<String>>,
}

/// What became of the wish that it be the job's turn, or the actors'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is now.
    Done,
    /// It was before.
    Already,
}

impl FlinkEngine {
    /// Does no I/O.
    #[must_use]
    pub fn new(store: Arc<PostgresStore>, kafka: ClientSettings, settings: FlinkSettings) -> Self {
        Self {
            store,
            manager: settings.url.as_ref().map(|url| Rest::new("Flink's JobManager", url)),
            gateway: settings
                .gateway_url
                .as_ref()
                .map(|url| Rest::new("Flink's SQL gateway", url)),
            job_name: format!("coffee-rt-{}", kafka.names.topic),
            kafka,
            settings,
            checkpoint: Mutex::default(),
        }
    }

    /// Makes it the job's turn: where there is none it is submitted and begins where the actors are. Orders wait in the topic
    /// meanwhile.
    ///
    /// # Errors
    /// [`EngineError`]; it is the actors' turn again then. Where not even that could be said, doing it again is safe.
    pub async fn submit(&self) -> Result<Change, EngineError> {
        let mut lock = self.lock().await?.ok_or_else(busy)?;
        let turn = lock.turn(SOURCE).await?;
        let running = jobs::job(self.manager()?, &self.job_name).await?;
        if turn.engine == Engine::Flink && !turn.moving && running.status.id.is_some() {
            return Ok(Change::Already);
        }
        let begun = match (self.begin_turn(&mut lock).await, running.status.id) {
            (Ok(()), None) => self.start(&mut lock, None).await,
            // It was submitted by other means.
            (Ok(()), Some(_)) => Ok(()),
            (Err(error), _) => Err(error),
        };
        if begun.is_err() {
            self.give_turn(&mut lock, Engine::Actors, false).await?;
            if let Err(error) = jobs::cancel(self.manager()?, &self.job_name).await {
                tracing::debug!(%error, "a job that may be coming up was not cancelled");
            }
        }
        lock.release().await;
        begun.map(|()| Change::Done)
    }

    /// Makes it the actors' turn: the job is cancelled, and they begin where it was.
    ///
    /// # Errors
    /// [`EngineError`]; doing it again is safe.
    pub async fn stop(&self) -> Result<Change, EngineError> {
        let mut lock = self.lock().await?.ok_or_else(busy)?;
        let turn = lock.turn(SOURCE).await?;
        if let Err(error) = jobs::cancel(self.manager()?, &self.job_name).await {
            // The database refuses what it wants to store from now on, so it may as well go on in vain.
            tracing::warn!(%error, "the job was not cancelled: cancel it by Flink's own means");
        }
        lock.detach().await?;
        if turn.engine == Engine::Actors {
            lock.release().await;
            return Ok(Change::Already);
        }
        if !turn.moving {
            let positions = self.store.log_positions(SOURCE).await?;
            for (partition, stored) in stored_by_job(&self.kafka).await? {
                let reached = positions.get(&partition).copied();
                if let Some(stored) = stored.filter(|stored| Some(*stored) > reached) {
                    self.store.move_position(SOURCE, partition, stored).await?;
                }
            }
        }
        self.give_turn(&mut lock, Engine::Actors, false).await?;
        lock.release().await;
        Ok(Change::Done)
    }

    /// The job's script, filled in, for those who submit it by other means. Has the database count what it stores.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn script(&self) -> Result<String, EngineError> {
        let mut lock = self.lock().await?.ok_or_else(busy)?;
        lock.attach().await?;
        make_job_topics(&self.kafka, self.settings.partitions).await?;
        let starts = self.store.log_positions(SOURCE).await?;
        let statements = self.statements(&mut lock, &starts, None).await?;
        lock.release().await;
        Ok(statements.iter().map(|statement| format!("{statement};\n\n")).collect())
    }

    async fn give_turn(&self, lock: &mut JobLock, engine: Engine, moving: bool) -> Result<(), EngineError> {
        let turn = Turn {
            engine,
            moving,
            checkpoint: None,
        };
        Ok(lock.give_turn(SOURCE, &turn).await?)
    }

    /// Has the nodes leave the group, and tells it where they were.
    async fn begin_turn(&self, lock: &mut JobLock) -> Result<(), EngineError> {
        make_job_topics(&self.kafka, self.settings.partitions).await?;
        self.give_turn(lock, Engine::Flink, true).await?;
        // Whoever stores on although it is not its turn only makes orders come twice.
        let reached = self.store.log_positions(SOURCE).await?;
        begin_job_at(&self.kafka, &reached).await?;
        self.give_turn(lock, Engine::Flink, false).await
    }

    async fn lock(&self) -> Result<Option<JobLock>, EngineError> {
        Ok(self.store.lock_job().await?)
    }

    fn manager(&self) -> Result<&Rest, EngineError> {
        let missing = || EngineError::Refused("flink.url is not set: how the job is cannot be known".to_owned());
        self.manager.as_ref().ok_or_else(missing)
    }

    /// Submits the job and waits until it runs.
    async fn start(&self, lock: &mut JobLock, checkpoint: Option<&str>) -> Result<(), EngineError> {
        let missing = || EngineError::Refused("flink.gateway_url is not set: no job can be submitted".to_owned());
        let gateway = self.gateway.as_ref().ok_or_else(missing)?;
        lock.attach().await?;
        let told = stored_by_job(&self.kafka).await?.into_iter();
        let starts = told.map(|(partition, told)| (partition, told.unwrap_or_default()));
        let statements = self.statements(lock, &starts.collect(), checkpoint).await?;
        gateway::run(gateway, &statements).await?;
        let began = Instant::now();
        loop {
            let Job { status, .. } = jobs::job(self.manager()?, &self.job_name).await?;
            match status.id {
                Some(_) if status.is_running() => return Ok(()),
                None => {
                    let ended = "the job ended at once: see Flink's log";
                    return Err(EngineError::Refused(ended.to_owned()));
                }
                Some(_) if began.elapsed() > RUNNING_LIMIT => {
                    let state = status.state.unwrap_or_default();
                    return Err(EngineError::Away(format!(
                        "the job is still {state} after {RUNNING_LIMIT:?}"
                    )));
                }
                Some(_) => sleep(RUNNING_PAUSE).await,
            }
        }
    }

    async fn statements(
        &self,
        lock: &mut JobLock,
        starts: &BTreeMap<i32, i64>,
        checkpoint: Option<&str>,
    ) -> Result<Vec<String>, EngineError> {
        let names = &self.kafka.names;
        let script = Script {
            job_name: &self.job_name,
            bootstrap_servers: &self.settings.bootstrap_servers,
            topic: &names.topic,
            dead_letter_topic: &names.dead_letters,
            metrics_topic: &names.metrics,
            group: &names.group,
            starts,
            kafka_properties: &self.settings.kafka_properties,
            database: &self.settings.database,
            menu: &lock.menu_numbers(&self.settings.menu).await?,
            parallelism: self.settings.parallelism,
            remember_hours: self.settings.remember_hours,
            checkpoint,
        };
        script.statements().map_err(EngineError::Refused)
    }

    /// The job is gone while it is its turn.
    async fn take_up(&self) -> Result<(), EngineError> {
        let Some(mut lock) = self.lock().await? else {
            return Ok(());
        };
        let turn = lock.turn(SOURCE).await?;
        let engine = self.settings.pinned.unwrap_or(turn.engine);
        let running = jobs::job(self.manager()?, &self.job_name).await?;
        if engine == Engine::Flink && running.status.id.is_none() {
            if turn.engine != engine || turn.moving {
                // What settings say is what other nodes and commands go by, too.
                self.begin_turn(&mut lock).await?;
            }
            let started = self.start(&mut lock, turn.checkpoint.as_deref()).await;
            if matches!(started, Err(EngineError::Refused(_))) && turn.checkpoint.is_some() {
                // The checkpoint may be what is wrong. Without it the job begins where the group says, and what is stored
                // already is repeated.
                self.give_turn(&mut lock, Engine::Flink, false).await?;
            }
            started?;
            tracing::info!(
                checkpoint = turn.checkpoint,
                "the job that stores orders is taken up again"
            );
        }
        lock.release().await;
        Ok(())
    }
}

fn busy() -> EngineError {
    EngineError::Away("somebody else is submitting or stopping the job: try again in a minute".to_owned())
}

#[async_trait]
impl StreamEngine for FlinkEngine {
    async fn engine(&self) -> Result<Engine, EngineError> {
        match self.settings.pinned {
            Some(engine) => Ok(engine),
            None => Ok(self.store.turn(SOURCE).await?.engine),
        }
    }

    async fn job(&self) -> Result<JobStatus, EngineError> {
        let Job { status, checkpoint } = jobs::job(self.manager()?, &self.job_name).await?;
        let news = checkpoint.filter(|path| self.checkpoint.lock().as_ref() != Some(path));
        if let Some(path) = news {
            self.store.note_checkpoint(SOURCE, &path).await?;
            *self.checkpoint.lock() = Some(path);
        }
        Ok(status)
    }

    async fn restore(&self) -> Result<(), EngineError> {
        self.take_up().await
    }

    async fn progress(&self) -> Result<i64, EngineError> {
        Ok(self.store.job_progress().await?)
    }
}
