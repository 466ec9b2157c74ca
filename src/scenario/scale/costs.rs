//! What an order costs each version, as far as it was measured.

use super::capacity::{Costs, Log};
use super::markdown::{paragraph, table};
use super::runs::{BREAKPOINT, MIXED, NODE, Runs, STORE, Side, V1, V2, V3, cpu_of, cpu_sustained};
use crate::scenario::Outcome;
use crate::scenario::report::shown;

/// Costs are measured for so many orders.
const ORDERS_IN_A_MEASURE: f64 = 1_000.0;
const MICROSECONDS: f64 = 1e6;

const HEAD: [&str; 5] = [
    "version",
    "process",
    "at the rate of `mixed`, µs",
    "at 4/5 of the breakpoint, µs",
    "the plan uses",
];
const WHY: &str = "Processor time of an acknowledged order. At a high rate batches are larger, so the plan uses what was measured \
there, where it was.";

/// A version, and what an order costs it at the moderate rate and near its breakpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Priced {
    pub(super) version: &'static str,
    pub(super) log: Log,
    low: Option<Costs>,
    high: Option<Costs>,
}

impl Priced {
    /// All versions on PostgreSQL.
    pub(super) fn all(runs: &Runs<'_>) -> [Self; 3] {
        [(V1, Log::None), (V2, Log::Redis), (V3, Log::Kafka)].map(|(side, log)| Self {
            version: side.version,
            log,
            low: costs(runs, side, log, MIXED, cpu_of),
            high: costs(runs, side, log, BREAKPOINT, cpu_sustained),
        })
    }

    /// What is planned with.
    pub(super) fn costs(&self) -> Option<Costs> {
        self.high.or(self.low)
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let used = match (self.high, self.low) {
            (Some(_), _) => "4/5 of the breakpoint",
            (None, Some(_)) => "`mixed`",
            (None, None) => "–",
        };
        let row = |name: &str, cost: fn(&Costs) -> Option<f64>| {
            let micros = |costs: Option<Costs>| Some(cost(&costs?)? * MICROSECONDS);
            let [low, high] = [self.low, self.high].map(|costs| shown(micros(costs)));
            vec![self.version.to_owned(), name.to_owned(), low, high, used.to_owned()]
        };
        let processes = [row(NODE, |costs| Some(costs.node)), row(STORE, |costs| costs.store)];
        let log = self.log.service().map(|name| row(name, |costs| costs.log));
        processes.into_iter().chain(log).collect()
    }
}

/// The table of all costs.
pub(super) fn text(priced: &[Priced]) -> String {
    let rows: Vec<_> = priced.iter().flat_map(Priced::rows).collect();
    format!("{}\n{}", table(&HEAD, &rows), paragraph(WHY))
}

fn costs(
    runs: &Runs<'_>,
    side: Side,
    log: Log,
    scenarios: &[&str],
    cpu: fn(&Outcome, &str) -> Option<f64>,
) -> Option<Costs> {
    let run = runs.of(side, scenarios)?;
    let cost = |name: &str| cpu(run, name).map(|seconds| seconds / ORDERS_IN_A_MEASURE);
    Some(Costs {
        node: cost(NODE)?,
        store: cost(STORE),
        log: log.service().and_then(cost),
    })
}
