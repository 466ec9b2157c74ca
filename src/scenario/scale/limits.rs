//! What the document's figures do not say.

use super::markdown::list;
use crate::scenario::Outcome;
use crate::scenario::report::measured;

/// The scenario that goes on for longer than others.
const SOAK: &str = "soak";
const SECONDS_IN_A_MINUTE: f64 = 60.0;

const LIMITS: [&str; 6] = [
    "**One machine.** Nodes, services and the load driver took processor time from each other. On machines of their own each has \
     more, and the order of the versions may be another one.",
    "**Loopback.** No network lay between them, but for faults that slowed a link down. Each hop of v2 and v3 costs more over a \
     network than here, as does v1's to its database.",
    "**One broker, one Redis, one PostgreSQL.** Replication, failover and what they cost were not tested.",
    "**Power loss.** Processes were killed, the machine never was. What a disk claims to have written was believed.",
    "**One menu, small orders.** What customers order is made up. Skewed keys, larger orders and other menus were not tried, \
     but for what an experiment names.",
    "**One run each.** Nothing is said of how figures scatter. Differences below a tenth are within the breakpoint's own precision.",
];

/// The section.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let soaks = outcomes.iter().filter(|outcome| outcome.scenario == SOAK);
    let longest = soaks.map(|outcome| outcome.elapsed_seconds).reduce(f64::max);
    let soak = match longest {
        Some(seconds) => format!(
            "**A short soak.** The longest took {} minutes. What grows by the day is not seen in it.",
            measured(seconds / SECONDS_IN_A_MINUTE)
        ),
        None => "**No soak.** What grows by the hour or by the day is not seen here.".to_owned(),
    };
    let entries: Vec<_> = LIMITS.map(str::to_owned).into_iter().chain([soak]).collect();
    format!("## What these figures do not say\n\n{}", list(&entries))
}
