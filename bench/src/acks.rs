//! Durable acknowledgements a second, against the bare route.

use std::time::Duration;

use crate::database::{Database, Engine, WARM_UP};
use crate::node::Server;
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median};
use crate::wrk;

/// Of what the bare route does.
const GOAL_RATIO: f64 = 0.5;
/// The same where the order is acknowledged by Kafka, which shares the machine.
const KAFKA_GOAL_RATIO: f64 = 0.4;

/// Measures an engine, and tells the node's rate beside.
pub async fn measure(
    engine: Engine,
    rounds: u32,
    duration: Duration,
    progress: &Progress,
) -> anyhow::Result<(Figure, f64)> {
    let database = Database::create(engine).await?;
    let (reference, node) = (
        Server::reference(database.folder()).await?,
        Server::node(&database).await?,
    );
    let (mut acknowledged, mut runs) = (0, 0);
    let (mut ratios, mut bare_rates, mut rates, mut waits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        progress.say(format!("acks, {}: round {round} of {rounds}", engine.name()));
        let [duration, bare_duration] = if round == 0 {
            [engine.warm_up(), WARM_UP]
        } else {
            [duration, duration]
        };
        // Taking turns at being first: a drift of the machine's speed favours neither.
        let node_first = round % 2 == 1;
        let early = if node_first {
            Some(wrk::run(node.address, engine.order_path(), duration, database.folder()).await?)
        } else {
            None
        };
        let bare = wrk::run(reference.address, Engine::V1_PATH, bare_duration, database.folder()).await?;
        let run = match early {
            Some(run) => run,
            None => wrk::run(node.address, engine.order_path(), duration, database.folder()).await?,
        };
        (acknowledged, runs) = (acknowledged + run.requests, runs + 1);
        if round > 0 {
            ratios.push(run.rate() / bare.rate());
            bare_rates.push(bare.rate());
            rates.push(run.rate());
            waits.push(run);
        }
    }
    let memory = node.resident_kib()?;
    reference.stop().await?;
    // The generator leaves at the end of each run with an order under way on each connection.
    let audit = database.check(acknowledged, runs * u64::from(wrk::CONNECTIONS)).await?;
    node.stop().await?;
    database.delete().await?;
    let what = format!("durable {} acks / bare warp route, {}", engine.version(), engine.name());
    let slowest = waits.iter().map(|run| run.p99_micros).max().unwrap_or_default();
    let goal = if engine == Engine::Kafka {
        KAFKA_GOAL_RATIO
    } else {
        GOAL_RATIO
    };
    let figure = Figure::new(what, "", Wanted::AtLeast(goal), &ratios)
        .beside(format!(
            "node {:.0}/s, bare route {:.0}/s (medians); slowest round's p99 {} ms; node's memory {} MB",
            median(&rates),
            median(&bare_rates),
            slowest / 1_000,
            memory / 1024
        ))
        .beside(format!(
            "{acknowledged} acknowledged, {} stored, no difference",
            audit.orders
        ));
    Ok((figure, median(&rates)))
}
