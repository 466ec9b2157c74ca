//! An engine in memory whose job stores in the store in memory, as Flink's does in PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::{Order, OrderBatch};
use coffee_rt_actors::ports::{Engine, EngineError, JobStatus, OrderStore, ShardWriter, StreamEngine};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::memory_store::MemoryStore;

/// An in-memory [`StreamEngine`]. Clones are the same engine.
#[derive(Clone)]
pub struct MemoryEngine {
    writer: Arc<dyn ShardWriter>,
    held: Arc<Mutex<Held>>,
}

struct Held {
    engine: Engine,
    job: Option<JobStatus>,
    is_away: bool,
    progress: i64,
    /// Taking a job up again takes this long.
    delay: Duration,
    restoring: bool,
    restores: u32,
}

impl MemoryEngine {
    pub fn over(store: &MemoryStore) -> Self {
        let held = Held {
            engine: Engine::Actors,
            job: None,
            is_away: false,
            progress: 0,
            delay: Duration::from_secs(10),
            restoring: false,
            restores: 0,
        };
        Self {
            writer: store.shard_writer("flink"),
            held: Arc::new(Mutex::new(held)),
        }
    }

    /// Makes it somebody's turn; a job's with one that runs.
    pub fn turn(&self, engine: Engine) {
        let mut held = self.held.lock();
        held.engine = engine;
        held.job = (engine == Engine::Flink).then(running);
    }

    pub fn lose_job(&self) {
        self.held.lock().job = None;
    }

    pub fn go_away(&self, is_away: bool) {
        self.held.lock().is_away = is_away;
    }

    /// Whether somebody is taking a job up again.
    pub fn is_restoring(&self) -> bool {
        self.held.lock().restoring
    }

    /// How often a job was taken up again.
    pub fn restores(&self) -> u32 {
        self.held.lock().restores
    }

    /// What the job does with an order.
    pub async fn store(&self, order: Order) {
        let claim = self.writer.claim().await.unwrap();
        let batch = OrderBatch::build(vec![Arc::new(order)]);
        self.writer.commit(claim, Arc::new(batch)).await.unwrap();
        self.held.lock().progress += 1;
    }

    fn answers(&self) -> Result<(), EngineError> {
        let away = self.held.lock().is_away;
        if away {
            Err(EngineError::Away("told to be".to_owned()))
        } else {
            Ok(())
        }
    }
}

fn running() -> JobStatus {
    JobStatus {
        id: Some("job".to_owned()),
        state: Some("RUNNING".to_owned()),
        ..JobStatus::default()
    }
}

#[async_trait]
impl StreamEngine for MemoryEngine {
    async fn engine(&self) -> Result<Engine, EngineError> {
        Ok(self.held.lock().engine)
    }

    async fn job(&self) -> Result<JobStatus, EngineError> {
        self.answers()?;
        Ok(self.held.lock().job.clone().unwrap_or_default())
    }

    async fn restore(&self) -> Result<(), EngineError> {
        self.answers()?;
        let delay = {
            let mut held = self.held.lock();
            if std::mem::replace(&mut held.restoring, true) {
                return Ok(());
            }
            held.delay
        };
        sleep(delay).await;
        let mut held = self.held.lock();
        held.restoring = false;
        if held.job.is_none() {
            held.restores += 1;
            held.job = Some(running());
        }
        Ok(())
    }

    async fn progress(&self) -> Result<i64, EngineError> {
        self.answers()?;
        Ok(self.held.lock().progress)
    }
}
