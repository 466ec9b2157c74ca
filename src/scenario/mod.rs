//! Scenarios: load, faults and checks in one file, run against a node, and judged.
//!
//! ```text
//! file.toml ──▶ Scenario ──▶ run ──┬─ customers (one load driver each) ─┐
//!                                  ├─ faults, at their times ───────────┼─▶ node ──▶ store
//!                                  └─ checks: books, audit, thresholds ─┴─▶ Outcome (report.json, exit code)
//! ```
//! A run proves something only where orders were acknowledged and every fault was injected: otherwise it is vacuous.

pub mod books;
mod fault;
mod file;
mod host;
mod outcome;
mod run;
mod span;
mod stored;
mod threshold;

pub use file::{FileError, Load, MAX_FAULTS, MAX_LOADS, Scenario};
pub use outcome::{Check, Outcome, Verdict};
pub use run::{Environment, Run};
pub use span::parse_span;
