//! Who stores v3's orders: the nodes' actors, or a job on Apache Flink.

use super::markdown::{list, paragraph, table};
use super::runs::{COMPARE_ENGINES, NODE, STORE, load, viewers};
use crate::scenario::report::{MEBIBYTE, measured, number, shown, times};
use crate::scenario::{BacklogOutcome, Outcome, Service, Verdict};

/// Of the scenario: customers and screens while nothing is killed, and those when the worker is.
const CUSTOMERS: &str = "customers";
const SCREENS: &str = "screens";
const CUSTOMERS_AT_THE_KILL: &str = "customers-at-the-kill";
const SCREENS_AT_THE_KILL: &str = "screens-at-the-kill";
/// What Flink does its work with; its gateway only submits the job.
const FLINK: [&str; 2] = [Service::FlinkJobmanager.name(), Service::FlinkTaskmanager.name()];

const HEAD: [&str; 4] = ["", "actors", "Flink", "actors by Flink"];
const NOTES: &str = "What stores is the node with actors, and with Flink its JobManager and TaskManager, beside which the node \
only follows; its job ran with parallelism 1, the default. A backlog's rate is from the first order stored to the last one, so Flink's start is not in it; processor time and \
memory are from the node's start on. The worker that was killed with SIGKILL and started again a second later is the node with \
actors, and the TaskManager with Flink. So with actors customers wait until they are acknowledged, and screens until the group gives \
up the member that died, six seconds at most; another node alive would have had its orders acknowledged meanwhile. With Flink \
only screens wait.";

/// A row's name, and what was measured with either engine.
type Row = (&'static str, fn(&Outcome) -> Option<f64>);

const ROWS: &[Row] = &[
    ("backlog: orders stored a second", |run| backlog(run)?.orders_per_second),
    ("backlog: from the node's start to the first order stored, s", |run| {
        Some(backlog(run)?.first_after_seconds)
    }),
    ("backlog: processor time of a million orders, what stores, s", cpu),
    ("backlog: the same of PostgreSQL, s", |run| {
        Some(backlog(run)?.cpu_seconds_per_million(|name| name == STORE))
    }),
    ("backlog: most memory of what stores, MiB", memory),
    ("p50 from acknowledged to shown, ms", |run| freshness(run, SCREENS, 0)),
    ("p99 from acknowledged to shown, ms", |run| freshness(run, SCREENS, 1)),
    ("p99 from due to acknowledged, ms", |run| waited(run, CUSTOMERS, 1)),
    ("worker killed: longest from due to acknowledged, ms", |run| {
        waited(run, CUSTOMERS_AT_THE_KILL, 2)
    }),
    ("worker killed: longest from acknowledged to shown, ms", |run| {
        freshness(run, SCREENS_AT_THE_KILL, 2)
    }),
];

/// The section; none where not both were run.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let run = |engine: Option<&str>| {
        outcomes.iter().find(|outcome| {
            outcome.scenario == COMPARE_ENGINES
                && outcome.engine.as_deref() == engine
                && outcome.verdict != Verdict::Vacuous
        })
    };
    let (Some(actors), Some(flink)) = (run(None), run(Some("flink"))) else {
        return String::new();
    };
    let row = |(name, measure): &Row| {
        let (one, other) = (measure(actors), measure(flink));
        let ratio = by(one, other).map_or("–".to_owned(), measured);
        vec![(*name).to_owned(), shown(one), shown(other), ratio]
    };
    let rows: Vec<_> = ROWS.iter().map(row).collect();
    let parts = [
        "### Which engine for v3\n".to_owned(),
        table(&HEAD, &rows),
        paragraph(NOTES),
        paragraph(&correctness(actors, flink)),
        list(&advice(actors, flink)),
    ];
    parts.join("\n")
}

fn correctness(actors: &Outcome, flink: &Outcome) -> String {
    let (Some(one), Some(other)) = (backlog(actors), backlog(flink)) else {
        return "What they stored was not compared.".to_owned();
    };
    if one.tables != other.tables || one.orders != other.orders {
        return "**They made different tables**, or not of the same records.".to_owned();
    }
    format!(
        "Both read the same {} records with {} different orders among them, and made the same tables of them, but for the order in \
         which rows were stored. Both were recounted: how each run ended is told below.",
        number(one.records as f64),
        number(one.orders as f64),
    )
}

fn advice(actors: &Outcome, flink: &Outcome) -> Vec<String> {
    let rate = |run| backlog(run)?.orders_per_second;
    let faster = by(rate(actors), rate(flink));
    let (cheaper, smaller) = (by(cpu(flink), cpu(actors)), by(memory(flink), memory(actors)));
    let better = faster.zip(cheaper).zip(smaller);
    let better =
        better.filter(|((faster, cheaper), smaller)| [faster, cheaper, smaller].iter().all(|ratio| **ratio > 1.0));
    let told = better.map(|((faster, cheaper), smaller)| {
        let [faster, cheaper, smaller] = [faster, cheaper, smaller].map(measured);
        format!(
            "**Actors** unless something speaks against them: they stored {faster} times as many orders a second here, while Flink \
             took {cheaper} times their processor time and {smaller} times their memory, and has a cluster to run. Where one node \
             is not enough, partitions are shared out among more. Behind either there is one PostgreSQL."
        )
    });
    let flink = "**Flink** where it runs anyway, and for what only it does: other jobs on the same orders, joined with other topics \
                 or kept in large state, and stream work that is scaled, deployed and watched apart from the nodes that take orders. \
                 The change takes one command each way and loses nothing, so nothing has to be decided beforehand.";
    told.into_iter().chain([flink.to_owned()]).collect()
}

fn by(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    let both = one.zip(other).filter(|(_, other)| *other > 0.0);
    both.map(|(one, other)| one / other)
}

fn backlog(run: &Outcome) -> Option<&BacklogOutcome> {
    run.backlog.as_ref()
}

/// Whether a process does what is compared.
fn stores(run: &Outcome, process: &str) -> bool {
    match run.engine {
        Some(_) => FLINK.contains(&process),
        None => process.starts_with(NODE),
    }
}

fn cpu(run: &Outcome) -> Option<f64> {
    let seconds = backlog(run)?.cpu_seconds_per_million(|name| stores(run, name));
    (seconds > 0.0).then_some(seconds)
}

fn memory(run: &Outcome) -> Option<f64> {
    let bytes = backlog(run)?.peak_memory_bytes(|name| stores(run, name));
    (bytes > 0).then_some(bytes as f64 / MEBIBYTE)
}

fn freshness(run: &Outcome, screens: &str, place: usize) -> Option<f64> {
    times(&viewers(run, screens)?.latency)[place]
}

fn waited(run: &Outcome, customers: &str, place: usize) -> Option<f64> {
    times(&load(run, customers)?.report.latency)[place]
}
