//! The heart of Coffee-RT without its surroundings: domain, actors, supervision, and the ports that the root package
//! implements with real databases and brokers. Nothing in here opens a socket or a file.

#[cfg(all(feature = "fault-drills", not(debug_assertions)))]
compile_error!("fault-drills are deliberate faults for tests: release builds have none of them");

pub mod domain;
pub mod ports;
pub mod supervision;
