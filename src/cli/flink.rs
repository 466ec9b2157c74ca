//! `flink`: has a job on Apache Flink store v3's orders in the place of the nodes' actors, and gives it back.

use std::io::{Write, stdout};

use clap::ValueEnum;
use coffee_rt_actors::ports::{Engine, EngineError, JobStatus, StreamEngine};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Exit, Failure};
use crate::adapters::flink::{Change, FlinkEngine};
use crate::config::{Config, Flags};
use crate::{logs, stores};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The nodes need not be restarted: they see within a second whose turn it is. Orders are accepted all the while.

Examples:
  coffee-rt flink submit      the job stores from now on, beginning where the actors are
  coffee-rt flink status      exit code 1 where the job does not run
  coffee-rt flink stop        the actors store from now on, beginning where the job was
  coffee-rt flink script      the job as SQL, for Flink's own client or for its Kubernetes operator

COFFEE_RT_FLINK__URL says where the JobManager is, COFFEE_RT_FLINK__GATEWAY_URL where the SQL gateway is."
)]
pub struct Args {
    /// What to do
    #[arg(value_enum)]
    pub what: What,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Submit the job, where there is none, and make it its turn to store
    Submit,
    /// Cancel the job and make it the actors' turn
    Stop,
    /// Tell whose turn it is and how the job is
    Status,
    /// Have the database count what the job stores, and print the job as SQL
    Script,
}

/// What is told in the end.
#[derive(Debug, Serialize)]
struct Told {
    engine: Engine,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
    job: Option<JobStatus>,
}

/// Runs the command.
///
/// # Errors
/// Where settings lack, or Flink, Kafka or the database do not do their part.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.flags)?;
    let engine = stores::flink_engine(&config).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let engine = engine.ok_or_else(|| {
        let needs = "flink needs KAFKA_BOOTSTRAP_SERVERS, and PostgreSQL as DATABASE_URL";
        Failure::new(Exit::Usage, needs)
    })?;
    let bar = ProgressBar::new_spinner();
    logs::start_above(&config, &bar).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar.set_message(match args.what {
        What::Submit => "submitting the job",
        What::Stop => "cancelling the job",
        What::Status | What::Script => "asking",
    });
    let told = tell(&engine, args.what).await;
    bar.finish_and_clear();
    let told = match told.map_err(|error| failed(&error))? {
        Answer::Script(script) => {
            write!(stdout(), "{script}")?;
            return Ok(Exit::Well);
        }
        Answer::Told(told) => told,
    };
    if args.json {
        writeln!(stdout(), "{}", serde_json::to_string_pretty(&told).unwrap_or_default())?;
    } else {
        write!(stdout(), "{}", describe(&told))?;
    }
    Ok(exit(args.what, &told))
}

enum Answer {
    Told(Told),
    Script(String),
}

async fn tell(engine: &FlinkEngine, what: What) -> Result<Answer, EngineError> {
    let changed = match what {
        What::Submit => Some(engine.submit().await? != Change::Already),
        What::Stop => Some(engine.stop().await? != Change::Already),
        What::Status => None,
        What::Script => return Ok(Answer::Script(engine.script().await?)),
    };
    let whose = engine.engine().await?;
    let job = match whose {
        Engine::Flink => Some(engine.job().await?),
        Engine::Actors => None,
    };
    Ok(Answer::Told(Told {
        engine: whose,
        changed,
        job,
    }))
}

fn exit(what: What, told: &Told) -> Exit {
    let runs = told.job.as_ref().is_none_or(JobStatus::is_running);
    if what == What::Status && !runs {
        Exit::No
    } else {
        Exit::Well
    }
}

fn describe(told: &Told) -> String {
    let whose = match (told.engine, told.changed) {
        (Engine::Flink, Some(true)) => "Flink stores v3's orders from now on",
        (Engine::Flink, Some(false)) => "Flink stores v3's orders, as before",
        (Engine::Flink, None) => "Flink stores v3's orders",
        (Engine::Actors, Some(true)) => "actors store v3's orders from now on",
        (Engine::Actors, Some(false)) => "actors store v3's orders, as before",
        (Engine::Actors, None) => "actors store v3's orders",
    };
    let mut text = format!("{whose}\n");
    let Some(job) = &told.job else { return text };
    let known = |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
    for (name, value) in [
        ("job", job.id.clone().unwrap_or_else(|| "none".to_owned())),
        ("state", job.state.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("restarts", known(job.restarts)),
        ("checkpoints", known(job.checkpoints)),
        ("checkpoints that failed", known(job.failed_checkpoints)),
    ] {
        text.push_str(&format!("  {name:<24}{value}\n"));
    }
    text
}

fn failed(error: &EngineError) -> Failure {
    Failure::new(Exit::Environment, format!("flink: {error}"))
}
