//! The capacity model in words and tables.

use super::capacity::{
    Costs, Log, MACHINE_PROCESSORS, RATES, REPLICAS, REPLICATED_FROM, SCREEN_KIBIBYTES, STREAM_PROCESSORS, USED_SHARE,
    WRITER_PROCESSORS, need, store_limit, stream_limit, writer_limit,
};
use super::costs::{self, Priced};
use super::markdown::{list, paragraph, table};
use super::runs::{NODE, Runs, SOCKETS, V1, V2, V3};
use crate::scenario::report::{measured, number, shown};

/// Screens of a chain with many dashboards, as an example.
const MANY_SCREENS: f64 = 100_000.0;
const KIBIBYTES_IN_A_GIBIBYTE: f64 = 1_048_576.0;
const SECONDS_IN_A_DAY: f64 = 86_400.0;
const BILLION: f64 = 1e9;

/// A version, what lies between its nodes and the store, and what an order costs it.
type Planned = (&'static str, Log, Costs);

/// The section.
pub(super) fn text(runs: &Runs<'_>) -> String {
    let priced = Priced::all(runs);
    let planned = priced
        .iter()
        .filter_map(|priced| Some((priced.version, priced.log, priced.costs()?)));
    let planned: Vec<Planned> = planned.collect();
    let introduction = "From what an order costs here to what many would take elsewhere. This is linear extrapolation from one \
                        machine and no measurement: a first guess to be proved wrong.";
    let head = "## Capacity model";
    if planned.is_empty() {
        let missing = "No processor time of an order was measured on PostgreSQL, so there is nothing to extrapolate.";
        return format!("{head}\n\n{}\n{}", paragraph(introduction), paragraph(missing));
    }
    [
        format!("{head}\n\n{}", paragraph(introduction)),
        format!("### What an order costs\n\n{}", costs::text(&priced)),
        format!("### Assumptions\n\n{}", list(&assumptions(runs, &planned))),
        format!("### The plan\n\n{}", plan(&planned)),
        format!("### What does not scale\n\n{}", list(&obstacles(&planned))),
        format!(
            "### What would have to be measured to trust it\n\n{}",
            list(&unmeasured())
        ),
    ]
    .join("\n")
}

fn assumptions(runs: &Runs<'_>, planned: &[Planned]) -> Vec<String> {
    let full = MACHINE_PROCESSORS * USED_SHARE;
    let mut told = vec![
        format!("A machine has {MACHINE_PROCESSORS} processors like those here."),
        format!(
            "Of a processor at most {USED_SHARE} is used, so of a machine {} processors.",
            number(full)
        ),
        "An order costs the same processor time at every rate above that at which it was measured.".to_owned(),
        format!(
            "A writer of the store has one connection, and so at most {WRITER_PROCESSORS} processor of PostgreSQL. Its background \
             work counts as the writers'."
        ),
        "A partition of a topic has one writer, and a node at least one partition.".to_owned(),
        format!("A stream is in one Redis, which works in one thread: at most {STREAM_PROCESSORS} processor."),
        format!(
            "From {} orders/s on Kafka keeps its log {REPLICAS} times, and each copy costs what the one here did.",
            number(REPLICATED_FROM)
        ),
    ];
    for (version, _, costs) in planned {
        told.extend(costs.store.map(|cost| {
            let [writer, store] = [writer_limit(cost), store_limit(cost)].map(measured);
            format!(
                "{version}: so one writer stores {writer} orders/s, and one PostgreSQL {store} orders/s before they must be divided \
                 among several databases."
            )
        }));
    }
    let (screen, source) = match screen_kibibytes(runs) {
        Some(measured) => (measured, "measured in `sockets`"),
        None => (SCREEN_KIBIBYTES, "not measured"),
    };
    let memory = screen * MANY_SCREENS / KIBIBYTES_IN_A_GIBIBYTE;
    told.push(format!(
        "A screen takes {} KiB of its node's memory ({source}), so {} screens take {} GiB, by whatever nodes.",
        measured(screen),
        number(MANY_SCREENS),
        measured(memory)
    ));
    told
}

/// What a screen takes: the node's most, without what it had with the first of them.
fn screen_kibibytes(runs: &Runs<'_>) -> Option<f64> {
    let run = [V1, V2, V3].into_iter().find_map(|side| runs.of(side, SOCKETS))?;
    let node = run.processes.iter().find(|process| process.name == NODE)?;
    let first = node.moments.first()?.memory_bytes;
    let screens: u64 = run.viewers.iter().map(|viewers| viewers.count).sum();
    let grown = node
        .peak_memory_bytes
        .checked_sub(first)
        .filter(|grown| *grown > 0 && screens > 0)?;
    Some(grown as f64 / screens as f64 / 1_024.0)
}

fn plan(planned: &[Planned]) -> String {
    let head = [
        "orders/s",
        "version",
        "processors for nodes",
        "nodes",
        "processors for the log",
        "log machines",
        "partitions or streams",
        "processors for PostgreSQL",
        "writers",
        "database shards",
    ];
    let count = |count: Option<u64>| count.map_or("–".to_owned(), |count| number(count as f64));
    let rows = RATES.iter().flat_map(|rate| {
        planned.iter().map(|(version, log, costs)| {
            let need = need(*rate, *log, costs);
            let cells = [
                number(*rate),
                (*version).to_owned(),
                measured(need.node_processors),
                count(Some(need.nodes)),
                shown(need.log_processors),
                count(need.log_machines),
                count(need.lanes),
                shown(need.store_processors),
                count(need.writers),
                count(need.shards),
            ];
            cells.to_vec()
        })
    });
    let notes = format!(
        "Processors are busy ones; machines have the idle time that is assumed above. A database shard is a PostgreSQL of its own on \
         a machine of its own. Writers are batchers of v1, readers of v2 and partitions of v3. {} orders/s are {} billion rows a day: \
         where they are kept is not planned here.",
        number(RATES[2]),
        measured(RATES[2] * SECONDS_IN_A_DAY / BILLION)
    );
    format!("{}\n{}", table(&head, &rows.collect::<Vec<_>>()), paragraph(&notes))
}

fn obstacles(planned: &[Planned]) -> Vec<String> {
    let [.., most] = RATES;
    let of = |wanted: Log| planned.iter().find(|(_, log, _)| *log == wanted);
    let shards = of(Log::None).and_then(|(_, log, costs)| need(most, *log, costs).shards);
    let stream = of(Log::Redis).and_then(|(_, _, costs)| costs.log);
    let told = [
        shards.filter(|shards| *shards > 1).map(|shards| {
            format!(
                "v1 at {} orders/s needs {shards} databases. No node writes to more than one, so customers must be divided among \
                 them by hand, each part with nodes of its own.",
                number(most)
            )
        }),
        stream.map(|cost| {
            format!(
                "v2 has one stream in one Redis with one thread: {} orders/s if it never rests, {} as planned. More streams are more \
                 Redis and more parts, by hand as well.",
                measured(STREAM_PROCESSORS / cost),
                measured(stream_limit(cost))
            )
        }),
        of(Log::Kafka).map(|_| {
            "v3 spreads a topic over brokers and nodes by its partitions. But a database belongs to one topic, so several databases \
             are several topics, and a partition that was added moves keys."
                .to_owned()
        }),
    ];
    let always = "Rollup rows are by writer and by database. A dashboard of all orders reads the rows of all, and every node counts \
                  the deltas of all others: that grows with nodes times writers.";
    told.into_iter().flatten().chain([always.to_owned()]).collect()
}

fn unmeasured() -> Vec<String> {
    [
        "Nodes, brokers and databases on machines of their own, with a network between them: what an order costs there, and what the \
         network takes.",
        "A node on eight processors: whether it uses them as well as it uses these.",
        "Ten nodes at once: what their deltas cost each other, and how long a rebalance takes.",
        "PostgreSQL with many writers, on its own disks, for a day: its log, checkpoints, vacuum and a table of billions of rows.",
        "Kafka with three copies of its log on three machines, and Redis with its file on a disk that is not idle.",
    ]
    .map(str::to_owned)
    .to_vec()
}
