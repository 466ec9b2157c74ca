//! Scenarios: load, faults and checks in one file, run against a node, and judged.
//!
//! ```text
//!                         World: nodes, services, links to them
//! file.toml ──▶ Scenario ──▶ Run ──┬─ loads (one driver each) ───────▶ nodes ──▶ store
//!                                  ├─ faults, at their times ───────▶ actors, nodes, services, links, tables
//!                                  ├─ viewers (sockets, readers) ◀── nodes
//!                                  ├─ Patrol (audit, shown), again and again ◀── store, nodes
//!                                  ├─ processes (time, memory) ◀──── nodes, services
//!                                  └─ Stored (books, audit, shown) ◀─ store, nodes, when all is at rest
//!                                         └──▶ judge ──▶ Outcome ──▶ report (JSON, JUnit, HTML), exit code
//! ```
//! A run proves something only where orders were acknowledged and every fault was injected: otherwise it is vacuous.

mod accounts;
mod backlog;
pub mod books;
mod breakpoint;
mod database;
mod disk;
mod experiment;
mod expression;
mod fault;
mod file;
mod fill;
mod fingerprint;
mod host;
mod judge;
mod links;
mod loads;
mod machine;
mod outcome;
mod partitions;
mod patrol;
pub mod processes;
mod readiness;
mod records;
pub mod report;
mod run;
pub mod scale;
mod script;
mod services;
mod span;
mod steady;
mod stored;
mod threshold;
mod turns;
mod viewers;
mod world;

pub use backlog::{BacklogOutcome, stored_orders};
pub use breakpoint::{Breakpoint, Trial};
pub use experiment::{Chart, Experiment};
pub use file::{
    Choice, FileError, Load, MAX_FAULTS, MAX_LOADS, MAX_NODES, MAX_ROLLBACKS, MAX_STORED_ORDERS, Planned, Scenario,
};
pub use fill::fill;
pub use fingerprint::fingerprint;
pub use outcome::{
    Check, FaultOutcome, LoadMoment, LoadOutcome, Machine, Outcome, ProcessMoment, ProcessOutcome, Verdict, ViewMoment,
    ViewerOutcome,
};
pub use records::{Mixture, Placed, Records};
pub use run::Run;
pub use services::Service;
pub use span::parse_span;
pub use world::Environment;
