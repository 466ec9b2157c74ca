//! What was measured on, and with which versions.

use std::collections::BTreeMap;
use std::process::Command;

use coffee_rt::scenario::Machine;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::database::{Engine, postgres_url};
use crate::stream::Stream;

/// The versions of the libraries that the node and the reference are built from.
const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// Names and values for the report.
pub async fn describe(engines: &[Engine]) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let machine = Machine::here();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut facts = BTreeMap::from([
        ("cpu", format!("{} × {}", machine.cores, machine.cpu)),
        ("memory", format!("{} kB", machine.memory_bytes / 1024)),
        ("kernel", machine.kernel),
        ("load before", load.trim().to_owned()),
        ("rustc", first_line("rustc", &["--version"])),
        ("wrk", first_line("wrk", &["--version"])),
        ("warp", locked("warp")),
        ("hyper", locked("hyper")),
        ("sqlx", locked("sqlx")),
    ]);
    if engines.iter().any(|engine| *engine != Engine::Sqlite) {
        let mut conn = PgConnection::connect(&postgres_url()?).await?;
        let version = sqlx::query_scalar("SHOW server_version").fetch_one(&mut conn).await?;
        facts.insert("postgres", version);
        conn.close().await?;
    }
    if engines.contains(&Engine::Redis) {
        facts.insert("redis", Stream::create()?.version()?);
    }
    if engines.contains(&Engine::Kafka) {
        facts.insert("librdkafka", rdkafka::util::get_rdkafka_version().1);
    }
    let mut conn = SqliteConnectOptions::new().in_memory(true).connect().await?;
    let version = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut conn)
        .await?;
    facts.insert("sqlite", version);
    conn.close().await?;
    Ok(facts)
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    // wrk prints its version and then fails for want of a URL.
    let output = Command::new(program).args(arguments).output();
    let text = output.map_or_else(|_| Vec::new(), |output| output.stdout);
    String::from_utf8_lossy(&text)
        .lines()
        .next()
        .unwrap_or("not found")
        .split(" Copyright")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn locked(package: &str) -> String {
    let name = format!("name = \"{package}\"\nversion = \"");
    let rest = LOCK_FILE.split_once(name.as_str()).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once('"'))
        .map_or_else(String::new, |(version, _)| version.to_owned())
}
