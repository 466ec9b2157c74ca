//! The most orders a second that are acknowledged and stored while the log does not grow.

use std::time::Duration;

use anyhow::Context;

use crate::database::{Database, Engine};
use crate::node::Server;
use crate::pacer::Pacer;
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median, precise};
use crate::wrk;

/// Of what the bare route does, through a Redis stream and through a Kafka topic.
const GOAL_RATIOS: [f64; 2] = [0.35, 0.3];
/// Rates that are tried, as parts of the bare route's in the same round; from the first one up, or down.
const FIRST: i32 = 7;
const STEP: f64 = 0.05;
/// The most tried.
const LAST: i32 = 12;
/// What may be in the log when the orders end: what a node stores in a fraction of a second. More has been growing.
const LEFT_SECONDS: f64 = 0.2;
/// A rate that is not reached is none that was sustained.
const REACHED: f64 = 0.97;

/// What a rate did.
struct Try {
    /// Acknowledged orders a second.
    rate: f64,
    holds: bool,
    acknowledged: u64,
}

/// Measures a version with a log.
pub async fn measure(engine: Engine, rounds: u32, duration: Duration, progress: &Progress) -> anyhow::Result<Figure> {
    let database = Database::create(engine).await?;
    let (reference, node) = (
        Server::reference(database.folder()).await?,
        Server::node(&database).await?,
    );
    progress.say(format!("sustained, {}: warming up", engine.name()));
    let warm_up = wrk::run(node.address, engine.order_path(), engine.warm_up(), database.folder()).await?;
    // The generator leaves with an order under way on each connection: what is stored is what is counted from here on.
    let warmed = database.check(warm_up.requests, u64::from(wrk::CONNECTIONS)).await?;
    let (mut ratios, mut rates, mut acknowledged) = (Vec::new(), Vec::new(), warmed.orders);
    for round in 1..=rounds {
        let bare = wrk::run(reference.address, Engine::V1_PATH, duration, database.folder()).await?;
        let (mut best, mut step) = (0.0, FIRST);
        loop {
            progress.say(format!(
                "sustained, {}: round {round} of {rounds}, {:.2} of the bare route",
                engine.name(),
                f64::from(step) * STEP
            ));
            let tried = attempt(engine, &database, &node, bare.rate() * f64::from(step) * STEP, duration).await?;
            acknowledged += tried.acknowledged;
            let climbing = best > 0.0 || step == FIRST;
            if tried.holds {
                best = tried.rate;
            }
            step += if tried.holds { 1 } else { -1 };
            if step == 0 || step > LAST || !tried.holds && best > 0.0 || tried.holds && !climbing {
                break;
            }
        }
        ratios.push(best / bare.rate());
        rates.push(best);
    }
    database.check(acknowledged, 0).await?;
    node.stop().await?;
    reference.stop().await?;
    database.delete().await?;
    let what = format!(
        "{} acknowledged and stored, no growing backlog / bare route",
        engine.version()
    );
    let goal = GOAL_RATIOS[usize::from(engine == Engine::Kafka)];
    Ok(Figure::new(what, "", Wanted::AtLeast(goal), &ratios).beside(format!(
        "{:.0}/s (median of the highest rate that held, in steps of {STEP}); {acknowledged} acknowledged and stored",
        median(&rates)
    )))
}

async fn attempt(
    engine: Engine,
    database: &Database,
    node: &Server,
    rate: f64,
    duration: Duration,
) -> anyhow::Result<Try> {
    let pacer = Pacer::start(node.address, engine.order_path(), rate).await?;
    tokio::time::sleep(duration).await;
    let left = database.unstored().await?;
    let orders = pacer.finish().await?;
    database.until_stored(Duration::from_secs(60)).await?;
    let (first, last) = (orders.first().context("no order")?, orders.last().context("no order")?);
    let acknowledged = orders.len() as u64;
    let reached = precise(acknowledged) / (last.acknowledged - first.sent).as_secs_f64();
    Ok(Try {
        rate: reached,
        holds: reached >= rate * REACHED && precise(left) <= rate * LEFT_SECONDS,
        acknowledged,
    })
}
