//! Supervision on top of ractor: a tree in which any actor can die and comes back.
//!
//! - A [`Worker`] is an actor of the application. It is hosted so that every worker can be killed, panicked and stalled,
//!   and so that its load is counted without asking it.
//! - A supervisor starts its children in order and restarts them by its [`Strategy`] within its [`RestartPolicy`]. Past
//!   the policy it stops its children and fails, which its own supervisor counts as a failure of its child.
//! - A [`Slot`] is where the address of a worker is found. The supervisor refills it, so callers hold slots, not addresses,
//!   and wait for the next generation instead of failing.
//! - The [`Tree`] is the picture of what runs, written by supervisors and read by anyone without a message to any actor.
//! - The [`guardian`](run_guarded) stands outside the tree and brings back a killed root.

mod address;
mod child;
mod ended;
mod fault;
mod guardian;
mod journal;
mod mail;
mod policy;
mod supervisor;
mod tree;
mod worker;

pub use address::{Address, Slot};
pub use child::{ChildSpec, CrewSpec, SupervisorSpec};
pub use fault::{DEFAULT_STALL_MS, Fault, FaultError, MAX_STALL_MS};
pub use guardian::{DRAIN_LIMIT_MS, run_guarded};
pub use journal::{EventKind, KEPT_EVENTS, TreeEvent};
pub use policy::{Meltdown, RestartPolicy, Strategy};
pub use tree::{ActorStatus, Load, LoadProbe, NodeKind, NodeState, Tree};
pub use worker::{Failure, Worker};
