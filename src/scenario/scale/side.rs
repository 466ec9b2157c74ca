//! The versions side by side.

use super::markdown::{code, paragraph, table};
use super::runs::{
    BREAKPOINT, EMBEDDED, KILL_ACTORS, KILL_NODE, MIXED, NODE, Runs, SLOW_STORE, SOCKETS, STORE, SUSTAINED, Side, V1,
    V2, V3, breakpoint, cpu_of, cpu_of_all, cpu_sustained_of_all, load, longest_ms, peak_mebibytes, share, viewers,
};
use crate::scenario::report::{measured, number, times};
use crate::scenario::{Outcome, Verdict};

/// The columns.
const SIDES: [Side; 4] = [EMBEDDED, V1, V2, V3];
/// Of the mixed scenario: its customers, and who looks at the dashboard's socket.
const ORDERS: &str = "orders";
const SCREENS: &str = "screens";

/// What is measured in one of some scenarios, and how it is written.
type Measure = (
    &'static str,
    &'static [&'static str],
    fn(&Outcome) -> Option<f64>,
    fn(f64) -> String,
);

const RATE: Measure = ("highest sustained rate, orders/s", BREAKPOINT, breakpoint, measured);

const MEASURES: &[Measure] = &[
    (
        "at 4/5 of it: p50 to acknowledged, ms",
        BREAKPOINT,
        |run| of_load(run, SUSTAINED, 0),
        measured,
    ),
    (
        "at 4/5 of it: p99 to acknowledged, ms",
        BREAKPOINT,
        |run| of_load(run, SUSTAINED, 1),
        measured,
    ),
    (
        "at 4/5 of it: processor time of 1,000 orders, all processes, s",
        BREAKPOINT,
        cpu_sustained_of_all,
        measured,
    ),
    (
        "peak memory of the node while the rate was looked for, MiB",
        BREAKPOINT,
        peak_mebibytes,
        measured,
    ),
    (
        "`mixed`: p50 to acknowledged, ms",
        MIXED,
        |run| of_load(run, ORDERS, 0),
        measured,
    ),
    (
        "`mixed`: p99 to acknowledged, ms",
        MIXED,
        |run| of_load(run, ORDERS, 1),
        measured,
    ),
    (
        "`mixed`: p50 from acknowledged to shown, ms",
        MIXED,
        |run| of_viewers(run, SCREENS, 0),
        measured,
    ),
    (
        "`mixed`: p99 from acknowledged to shown, ms",
        MIXED,
        |run| of_viewers(run, SCREENS, 1),
        measured,
    ),
    (
        "`mixed`: processor time of 1,000 orders, node, s",
        MIXED,
        |run| cpu_of(run, NODE),
        measured,
    ),
    (
        "`mixed`: the same of PostgreSQL, s",
        MIXED,
        |run| cpu_of(run, STORE),
        measured,
    ),
    (
        "`mixed`: the same of Redis, s",
        MIXED,
        |run| cpu_of(run, "redis"),
        measured,
    ),
    (
        "`mixed`: the same of Kafka, s",
        MIXED,
        |run| cpu_of(run, "kafka"),
        measured,
    ),
    ("`mixed`: the same of all together, s", MIXED, cpu_of_all, measured),
    ("`mixed`: peak memory of the node, MiB", MIXED, peak_mebibytes, measured),
    (
        "batcher killed (`kill-actors`): longest wait, ms",
        KILL_ACTORS,
        longest_ms,
        measured,
    ),
    (
        "batcher killed: orders acknowledged, %",
        KILL_ACTORS,
        |run| share(&run.loads),
        number,
    ),
    (
        "node killed (`kill-node`): longest wait, ms",
        KILL_NODE,
        longest_ms,
        measured,
    ),
    (
        "node killed: orders acknowledged, %",
        KILL_NODE,
        |run| share(&run.loads),
        number,
    ),
    (
        "store slow, cut off, locked (`slow-store`): longest wait, ms",
        SLOW_STORE,
        longest_ms,
        measured,
    ),
    (
        "store slow, cut off, locked: orders acknowledged, %",
        SLOW_STORE,
        |run| share(&run.loads),
        number,
    ),
];

const NOTES: &str = "A dash means not measured. The rate is the highest at which 99 of 100 orders were acknowledged, 99 \
of 100 of these within the bound of `breakpoint` (for SQLite of `embedded`), they were sent in time, and nothing waited behind \
the node. Orders are sent late where no connection is free, which is the node's doing, or where the driver, which shares the \
processors, is too slow: it is the rate of both together. Processor time in `mixed` is what the \
processes used over the whole run, by all its acknowledged orders; readers and screens are part of it, and in PostgreSQL's \
the recounts that check it while it runs, at most a twentieth of one processor. At four fifths of the \
breakpoint it is what they used while that load ran, by its orders: what is stored after it is not in it. The longest wait \
is that of an order that was acknowledged in the end, from the moment it was due. In `kill-actors` other actors than batchers \
are killed as well.";

/// The section.
pub(super) fn text(runs: &Runs<'_>) -> String {
    let head: Vec<_> = std::iter::once("").chain(SIDES.map(|side| side.name)).collect();
    let table = table(&head, &rows(runs));
    let doubts = doubts(runs);
    let doubts = if doubts.is_empty() {
        String::new()
    } else {
        let told = format!(
            "Some of these figures are of runs that did not end well: {}.",
            doubts.join("; ")
        );
        format!("\n{}", paragraph(&told))
    };
    format!("## The versions side by side\n\n{table}\n{}{doubts}", paragraph(NOTES))
}

fn rows(runs: &Runs<'_>) -> Vec<Vec<String>> {
    let ratio = |side| {
        let [own, first] = [side, V1].map(|side| runs.measure(side, BREAKPOINT, breakpoint));
        own.zip(first).map(|(own, first)| own / first)
    };
    let ratios = row("the same by that of v1 on PostgreSQL", ratio, |ratio| {
        format!("{ratio:.2}")
    });
    let measure =
        |(name, scenarios, measure, write): &Measure| row(name, |side| runs.measure(side, scenarios, measure), write);
    let rest = MEASURES.iter().map(measure);
    [measure(&RATE), ratios].into_iter().chain(rest).collect()
}

fn row(name: &str, value: impl Fn(Side) -> Option<f64>, write: impl Fn(f64) -> String) -> Vec<String> {
    let cells = SIDES.map(|side| value(side).map_or("–".to_owned(), &write));
    std::iter::once(name.to_owned()).chain(cells).collect()
}

fn of_load(outcome: &Outcome, name: &str, place: usize) -> Option<f64> {
    times(&load(outcome, name)?.report.latency)[place]
}

fn of_viewers(outcome: &Outcome, name: &str, place: usize) -> Option<f64> {
    times(&viewers(outcome, name)?.latency)[place]
}

/// Runs in the table that ended badly, and how.
fn doubts(runs: &Runs<'_>) -> Vec<String> {
    let scenarios = [BREAKPOINT, MIXED, KILL_ACTORS, KILL_NODE, SLOW_STORE, SOCKETS];
    let used = SIDES
        .iter()
        .flat_map(|side| scenarios.map(|scenarios| runs.of(*side, scenarios)));
    let bad = used
        .flatten()
        .filter(|run| matches!(run.verdict, Verdict::PromiseBroken | Verdict::EnvironmentFailed));
    let told = bad.map(|run| format!("{} on {}, {}", code(&run.scenario), run.ran(), run.verdict.words()));
    told.collect()
}
