//! A Flink of a story's own: JobManager, TaskManager and SQL gateway.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use super::{Database, OwnService, answered};

/// A cluster takes 2 GB of memory and all processors while a job starts: there is one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// The cluster.
pub struct Flink {
    service: OwnService,
    url: String,
    gateway_url: String,
    /// Given back when the service has ended.
    _turn: MutexGuard<'static, ()>,
}

impl Flink {
    pub async fn up() -> Self {
        let turn = Self::turn().await;
        let service = OwnService::up("flink").await;
        let gateway_url = service.variable("COFFEE_RT_FLINK__GATEWAY_URL").await;
        Self {
            url: service.url.clone(),
            gateway_url,
            service,
            _turn: turn,
        }
    }

    /// For whoever has a cluster started by another program.
    pub async fn turn() -> MutexGuard<'static, ()> {
        ONE_AT_A_TIME.lock().await
    }

    /// Settings of a node.
    pub fn settings(&self) -> [(&'static str, &str); 2] {
        [
            ("COFFEE_RT_FLINK__URL", &self.url),
            ("COFFEE_RT_FLINK__GATEWAY_URL", &self.gateway_url),
        ]
    }

    /// Runs `coffee-rt flink`, which must do it, and tells what it says.
    pub async fn command(&self, database: &Database, what: &str) -> Value {
        let url = database.direct_url().unwrap().to_owned();
        let settings: Vec<_> = self
            .settings()
            .into_iter()
            .chain([("DATABASE_URL", url.as_str())])
            .collect();
        // The first statement warms three JVMs up, which a slow machine may not do while the command waits.
        let text = answered(COMMAND_LIMIT, what, async || {
            let command = ["flink", what, "--json"];
            database.run_within(COMMAND_LIMIT, &command, &settings).await
        })
        .await;
        let json = text.find('{').and_then(|begin| Some(&text[begin..=text.rfind('}')?]));
        serde_json::from_str(json.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// SIGKILL of one of its processes, and another start.
    pub async fn kill_and_start(&self, process: &'static str) {
        self.service.kill_one(process).await;
        self.service.start_one(process).await;
    }
}
