//! Scenarios: load, faults and checks in one file, run against a node, and judged.
//!
//! ```text
//! file.toml ──▶ Scenario ──▶ run ──┬─ customers (one load driver each) ─┐
//!                                  ├─ faults, at their times ───────────┼─▶ node ──▶ store
//!                                  └─ checks: books, audit, thresholds ─┴─▶ Outcome (reports, exit code)
//! ```
//! A run proves something only where orders were acknowledged and every fault was injected: otherwise it is vacuous.

pub mod books;
mod breakpoint;
mod database;
mod expression;
mod fault;
mod file;
mod host;
mod judge;
mod links;
mod machine;
mod outcome;
mod processes;
pub mod report;
mod run;
mod services;
mod span;
mod steady;
mod stored;
mod threshold;
mod viewers;
mod world;

pub use breakpoint::{Breakpoint, Trial};
pub use file::{FileError, Load, MAX_FAULTS, MAX_LOADS, MAX_NODES, MAX_ROLLBACKS, Scenario};
pub use outcome::{
    Check, FaultOutcome, LoadMoment, LoadOutcome, Machine, Outcome, ProcessMoment, ProcessOutcome, Verdict, ViewMoment,
    ViewerOutcome,
};
pub use run::Run;
pub use services::Service;
pub use span::parse_span;
pub use world::Environment;
