//! `replay`: reads the topic again, into a new database or one that lost orders.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::log_watch::LogHealth;
use coffee_rt_actors::ports::{AuditReport, LogError, OrderStore};
use coffee_rt_actors::supervision::{Slot, Tree, run_guarded};
use coffee_rt_actors::telemetry::Telemetry;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::sync::watch;

use super::{Exit, Failure};
use crate::adapters::kafka::{
    ClientSettings, ReplayFrom, ReplayRange, SESSION_TIMEOUT_MS, group_members, replay_ranges,
};
use crate::config::{Config, Flags, Version};
use crate::tree::{V3Storing, v3_replay};
use crate::{logs, stores};

const SOURCE: &str = Version::V3.name();
/// How often the positions are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long a node that died is still in the group.
const MEMBERS_LEAVE: Duration = Duration::from_millis(SESSION_TIMEOUT_MS + 4_000);
/// How long nothing may be stored before the reason is shown.
const STUCK: Duration = Duration::from_secs(10);
/// How long nothing may be stored before it is given up.
const GIVEN_UP: Duration = Duration::from_secs(120);

/// Reads the topic again and stores what is not stored. Repeated orders change nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Stop the nodes that read the topic first. A node with a new database reads it from the beginning
by itself; this shows the progress, and can begin elsewhere. No record that is not stored is passed over: a
partition whose store is behind PLACE is read from where the store is. Records that could not be stored go to
the dead letters again.

Examples:
  coffee-rt replay --from beginning                    everything that the topic still has
  coffee-rt replay --from 2026-11-22T09:00:00Z         what was written since then
  coffee-rt replay --from 120000                       from that offset of each partition

Exit codes: 0 done and recounted, 1 the recount found a difference, 2 wrong usage,
            4 Kafka or the store fails, or nodes still read the topic"
)]
pub struct Args {
    /// beginning, an offset, or a time such as 2026-11-22T09:00:00Z
    #[arg(long, value_name = "PLACE")]
    pub from: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// Where to begin, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(ReplayFrom);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "beginning" {
            return Ok(Self(ReplayFrom::Beginning));
        }
        if let Some(offset) = text.parse().ok().filter(|offset| *offset >= 0) {
            return Ok(Self(ReplayFrom::Offset(offset)));
        }
        let time = Instant::parse(text);
        time.map(|time| Self(ReplayFrom::Time(time)))
            .map_err(|_| "must be beginning, an offset, or a time such as 2026-11-22T09:00:00Z".to_owned())
    }
}

/// What was done.
#[derive(Serialize)]
struct Replayed {
    partitions: usize,
    records: u64,
    seconds: f64,
    audit: AuditReport,
}

/// Replays, recounts, and says whether there is a difference.
///
/// # Errors
/// Where Kafka or the store fails, or nodes still read the topic.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.flags)?;
    let client = stores::kafka_client(&config).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let client = client.ok_or_else(|| {
        let needs = "replay needs kafka_bootstrap_servers, as in KAFKA_BOOTSTRAP_SERVERS";
        Failure::new(Exit::Usage, needs)
    })?;
    let bar = ProgressBar::hidden();
    logs::start_above(&config, &bar).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    until_alone(&client, &config.v3.group).await?;
    let ranges = replay_ranges(&client, args.from.0)
        .await
        .map_err(|error| kafka_failed(&error))?;
    if ranges.is_empty() {
        let topic = &config.v3.topic;
        return Err(failed(&format!("there is no topic {topic}: is v3.topic right?")));
    }
    let (store, _) = stores::open_to_serve(&config).await.map_err(|error| failed(&error))?;
    let positions = store.log_positions(SOURCE).await.map_err(|error| failed(&error))?;
    let ranges = from_what_is_not_stored(ranges, &positions);
    let began = Clock::now();
    let records = replay(&config, &store, &ranges, &bar).await?;
    let seconds = began.elapsed().as_secs_f64();
    let audit = store.audit().await.map_err(|error| failed(&error))?;
    let replayed = Replayed {
        partitions: ranges.len(),
        records,
        seconds,
        audit,
    };
    if args.json {
        let text = serde_json::to_string_pretty(&replayed).unwrap_or_default();
        writeln!(stdout(), "{text}")?;
    } else {
        write!(stdout(), "{}", describe(&replayed))?;
    }
    Ok(if replayed.audit.differences.is_empty() {
        Exit::Well
    } else {
        Exit::No
    })
}

fn failed(error: &impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Environment, format!("replay: {error}"))
}

fn kafka_failed(error: &LogError) -> Failure {
    failed(&format!("{error}; is KAFKA_BOOTSTRAP_SERVERS right?"))
}

/// No range begins behind what its partition's store has reached: what is between would never be stored.
fn from_what_is_not_stored(ranges: Vec<ReplayRange>, positions: &BTreeMap<i32, i64>) -> Vec<ReplayRange> {
    let from = |range: ReplayRange| ReplayRange {
        start: positions
            .get(&range.partition)
            .map_or(range.start, |reached| range.start.min(*reached)),
        ..range
    };
    ranges.into_iter().map(from).collect()
}

/// Waits for nodes that are gone to leave the group; whoever stays would go on from where it is. A question that is not
/// answered in time is asked again meanwhile.
async fn until_alone(client: &ClientSettings, group: &str) -> Result<(), Failure> {
    let until = Clock::now() + MEMBERS_LEAVE;
    loop {
        match group_members(client).await {
            Ok(0) => return Ok(()),
            Err(error) if Clock::now() > until => return Err(kafka_failed(&error)),
            Ok(members) if Clock::now() > until => {
                return Err(failed(&format!(
                    "the group {group} has {members} members: stop the nodes that read the topic first"
                )));
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Moves the positions back and stores until all is stored that was there at the beginning. Returns how many records.
async fn replay(
    config: &Config,
    store: &Arc<dyn OrderStore>,
    ranges: &[ReplayRange],
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    for range in ranges {
        let moved = store.move_position(SOURCE, range.partition, range.start).await;
        moved.map_err(|error| failed(&error))?;
    }
    let log = stores::kafka_topic(config, None).map_err(|error| failed(&error))?;
    let log = log.ok_or_else(|| failed(&"there is no Kafka"))?;
    let storing = V3Storing {
        store: store.clone(),
        // Nobody shows anything here; nodes see what is stored in the store.
        deltas: Deltas::new(Slot::default(), None),
        telemetry: Telemetry::register(&prometheus::Registry::new()).map_err(|error| failed(&error))?,
    };
    let (spec, health) = v3_replay(log, storing);
    show(bar, ranges);
    let mut outcome = Ok(());
    let watching = async {
        outcome = until_stored(store.as_ref(), ranges, bar, &health).await;
    };
    let guarded = run_guarded(spec, Arc::new(Tree::default()), watching).await;
    bar.finish_and_clear();
    guarded.map_err(|meltdown| failed(&meltdown))?;
    outcome?;
    Ok(total(ranges))
}

async fn until_stored(
    store: &dyn OrderStore,
    ranges: &[ReplayRange],
    bar: &ProgressBar,
    health: &watch::Receiver<LogHealth>,
) -> Result<(), Failure> {
    let (mut best, mut since) = (0, Clock::now());
    loop {
        // A store that is away for a moment is asked again.
        let positions = store.log_positions(SOURCE).await;
        let done = positions.as_ref().map_or(best, |positions| stored(ranges, positions));
        if done > best {
            (best, since) = (done, Clock::now());
        }
        bar.set_position(best);
        if best == total(ranges) {
            return Ok(());
        }
        let reason = match (&positions, &*health.borrow()) {
            (Err(error), _) => error.to_string(),
            (_, LogHealth::Away(reason)) => reason.clone(),
            _ => "nothing is stored".to_owned(),
        };
        if since.elapsed() > GIVEN_UP {
            return Err(failed(&format!(
                "{reason}; {best} of {} records were stored",
                total(ranges)
            )));
        }
        bar.set_message(if since.elapsed() > STUCK { reason } else { String::new() });
        tokio::time::sleep(LOOK).await;
    }
}

/// Records of the ranges that are stored.
fn stored(ranges: &[ReplayRange], positions: &BTreeMap<i32, i64>) -> u64 {
    let stored = ranges.iter().map(|range| {
        let at = positions.get(&range.partition).copied().unwrap_or(range.start);
        u64::try_from(at.clamp(range.start, range.end) - range.start).unwrap_or_default()
    });
    stored.sum()
}

fn total(ranges: &[ReplayRange]) -> u64 {
    let all = ranges.iter().map(|range| range.end - range.start);
    u64::try_from(all.sum::<i64>()).unwrap_or_default()
}

fn show(bar: &ProgressBar, ranges: &[ReplayRange]) {
    let template = "{bar:12} {pos}/{len} records  {per_sec}  {eta} left  {wide_msg}";
    // A template that indicatif cannot read leaves its default style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_length(total(ranges));
    bar.reset();
    bar.set_draw_target(ProgressDrawTarget::stderr());
}

fn describe(replayed: &Replayed) -> String {
    let Replayed {
        partitions,
        records,
        seconds,
        audit,
    } = replayed;
    let mut text = format!("{records} records of {partitions} partitions in {seconds:.1} s\n");
    text += &super::audit::describe(audit);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(partition: i32, start: i64, end: i64) -> ReplayRange {
        ReplayRange { partition, start, end }
    }

    #[test]
    fn places_are_read_as_people_type_them() {
        for (text, place) in [
            ("beginning", ReplayFrom::Beginning),
            ("0", ReplayFrom::Offset(0)),
            ("120000", ReplayFrom::Offset(120_000)),
            ("99999999999", ReplayFrom::Offset(99_999_999_999)),
            ("2026-11-22T09:00:00Z", ReplayFrom::Time(Instant(1_795_338_000_000_000))),
        ] {
            assert_eq!(text.parse(), Ok(Place(place)), "{text}");
        }
        for text in ["", "-1", "end", "yesterday", "2026-11-22"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_that_is_not_stored_is_passed_over() {
        let ranges = vec![range(0, 10, 20), range(1, 10, 20), range(2, 10, 20)];
        let positions = [(0, 4), (1, 15)].into();
        assert_eq!(
            from_what_is_not_stored(ranges, &positions),
            [range(0, 4, 20), range(1, 10, 20), range(2, 10, 20)]
        );
    }

    #[test]
    fn progress_counts_what_is_stored_of_the_ranges() {
        let ranges = [range(0, 10, 20), range(1, 0, 5), range(3, 7, 7)];
        assert_eq!(total(&ranges), 15);
        for (positions, done) in [
            (vec![], 0),
            (vec![(0, 12)], 2),
            (vec![(0, 20), (1, 3)], 13),
            // Records that came later are not counted.
            (vec![(0, 90), (1, 90), (3, 90)], 15),
        ] {
            assert_eq!(stored(&ranges, &positions.into_iter().collect()), done);
        }
    }
}
