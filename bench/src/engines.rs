//! One topic with repeated orders and garbage through each engine of v3: the node's actors, and a job on Apache Flink.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use coffee_rt::scenario::processes::Watched;
use coffee_rt::scenario::{Service, fingerprint, stored_orders};
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use crate::database::{Database, Engine, WrongCount};
use crate::node::Server;
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median, precise};
use crate::topic::Mixed;

/// Orders a second of the actors to those of Flink.
const GOAL_RATE: f64 = 1.3;
/// Memory of the actors to that of Flink.
const GOAL_MEMORY: f64 = 1.0 / 8.0;
/// How long one engine may take.
const LIMIT: Duration = Duration::from_secs(900);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);
/// Where the processes of Flink are, as `deploy/local/with-services.sh` says.
const HOME_VARIABLE: &str = "COFFEE_RT_TEST_SERVICES_HOME";
/// Those that do the work: the gateway only submits it.
const FLINK: [&str; 2] = [Service::FlinkJobmanager.name(), Service::FlinkTaskmanager.name()];
const BYTES_PER_MB: f64 = 1e6;

/// What one engine took for all of it.
struct Run {
    seconds: f64,
    cpu_seconds: f64,
    peak_bytes: u64,
    /// Of what it has stored and counted.
    tables: String,
}

/// Measures both in turn.
pub async fn measure(rounds: u32, records: u64, progress: &Progress) -> anyhow::Result<[Figure; 2]> {
    let (mut rates, mut memories, mut actors, mut flink) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut orders = 0;
    for round in 1..=rounds {
        progress.say(format!("engines: round {round} of {rounds}, writing {records} records"));
        let by_actors = Database::create(Engine::Kafka).await?;
        by_actors.command(&["migrate"]).await?;
        // The node makes the topic.
        Server::node(&by_actors).await?.stop().await?;
        let mixed = by_actors.fill_mixed(records)?;
        orders = mixed.orders;
        progress.say(format!("engines: round {round} of {rounds}, actors"));
        let one = by_the_actors(&by_actors, mixed).await?;
        let by_flink = by_actors.beside().await?;
        by_flink.command(&["migrate"]).await?;
        progress.say(format!("engines: round {round} of {rounds}, Flink"));
        let other = by_a_job(&by_flink, mixed).await?;
        if one.tables != other.tables {
            return Err(WrongCount("actors and Flink made different tables of one topic".to_owned()).into());
        }
        rates.push(other.seconds / one.seconds);
        memories.push(precise(one.peak_bytes) / precise(other.peak_bytes));
        actors.push(one);
        flink.push(other);
        by_flink.delete().await?;
        by_actors.delete().await?;
    }
    let what = format!("{records} records, 5 % repeated, 1 % garbage: actors / Flink");
    let rate = Figure::new(what, "", Wanted::AtLeast(GOAL_RATE), &rates)
        .beside(describe("actors", orders, &actors))
        .beside(describe("Flink, once its job runs", orders, &flink));
    let memory = Figure::new(
        "most memory meanwhile: actors / Flink",
        "",
        Wanted::AtMost(GOAL_MEMORY),
        &memories,
    );
    Ok([rate, memory])
}

fn describe(who: &str, orders: u64, runs: &[Run]) -> String {
    let of = |figure: &dyn Fn(&Run) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
    format!(
        "{who}: {:.0} orders/s, {:.1} processor seconds for a million, {:.0} MB (medians)",
        of(&|run| precise(orders) / run.seconds),
        of(&|run| run.cpu_seconds * 1e6 / precise(orders)),
        of(&|run| precise(run.peak_bytes) / BYTES_PER_MB),
    )
}

async fn by_the_actors(database: &Database, mixed: Mixed) -> anyhow::Result<Run> {
    let began = Instant::now();
    let node = Server::node(database).await?;
    let process = i32::try_from(node.pid()?)?;
    let run = until_stored(database, mixed, began, &[process]).await?;
    node.stop().await?;
    Ok(run)
}

async fn by_a_job(database: &Database, mixed: Mixed) -> anyhow::Result<Run> {
    let variable =
        |name: &str| std::env::var(name).with_context(|| format!("no {name}: run deploy/local/bench.sh engines"));
    let home = PathBuf::from(variable(HOME_VARIABLE)?);
    let process = |name: &&str| {
        let text = std::fs::read_to_string(home.join(name).join("pid"))?;
        anyhow::Ok(text.trim().parse::<i32>()?)
    };
    let processes = FLINK.iter().map(process).collect::<anyhow::Result<Vec<_>>>()?;
    let (url, gateway_url) = (
        variable("COFFEE_RT_FLINK__URL")?,
        variable("COFFEE_RT_FLINK__GATEWAY_URL")?,
    );
    let settings = [
        ("COFFEE_RT_V3__ENGINE", "flink"),
        ("COFFEE_RT_FLINK__URL", url.as_str()),
        ("COFFEE_RT_FLINK__GATEWAY_URL", gateway_url.as_str()),
    ];
    let node = Server::node_with(database, &settings).await?;
    let submitted = Instant::now();
    while stored(database).await? == 0 {
        if submitted.elapsed() > LIMIT {
            bail!("Flink has stored nothing after {LIMIT:?}");
        }
        sleep(LOOK).await;
    }
    let run = until_stored(database, mixed, Instant::now(), &processes).await?;
    // Another round's job needs its slot.
    node.stop().await?;
    database.command_with(&["flink", "stop"], &settings[1..]).await?;
    Ok(run)
}

async fn until_stored(database: &Database, mixed: Mixed, began: Instant, processes: &[i32]) -> anyhow::Result<Run> {
    let mut watched = Watched::new("engine");
    loop {
        let stored = stored(database).await?;
        watched.look(processes.iter().copied(), began.elapsed().as_secs_f64());
        if stored == mixed.orders {
            let (seconds, used) = (began.elapsed().as_secs_f64(), watched.outcome());
            database.assert_sound().await?;
            let url = database.url().context("a URL")?;
            return Ok(Run {
                seconds,
                cpu_seconds: used.cpu_seconds,
                peak_bytes: used.peak_memory_bytes,
                tables: fingerprint(&url).await?.context("orders")?,
            });
        }
        if stored > mixed.orders {
            return Err(WrongCount(format!("{stored} orders are stored of {}", mixed.orders)).into());
        }
        if began.elapsed() > LIMIT {
            bail!("{stored} of {} orders are stored after {LIMIT:?}", mixed.orders);
        }
        sleep(LOOK).await;
    }
}

async fn stored(database: &Database) -> anyhow::Result<u64> {
    let mut conn = PgConnection::connect(&database.url().context("a URL")?).await?;
    let stored = stored_orders(&mut conn).await?;
    conn.close().await?;
    Ok(stored)
}
