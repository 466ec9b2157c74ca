//! The heart of Coffee-RT without its surroundings: domain, actors, supervision, and the ports that the root package
//! implements with real databases and brokers. Nothing in here opens a socket or a file.

#[cfg(all(feature = "fault-drills", not(debug_assertions)))]
compile_error!("fault-drills are deliberate faults for tests: release builds have none of them");

pub mod domain;
pub mod ports;
pub mod supervision;

pub mod aggregator;
pub mod appender;
pub mod auditor;
pub mod backoff;
pub mod batcher;
pub mod board;
pub mod bus;
pub mod cache;
pub mod credit;
pub mod deltas;
pub mod drill;
pub mod fan_out;
pub mod follower;
pub mod ingest;
pub mod log_ticket;
pub mod log_watch;
pub mod order_desk;
pub mod partition_reader;
pub mod partition_ticket;
pub mod reader;
pub mod sales;
pub mod spans;
pub mod store_watch;
pub mod telemetry;
pub mod ticket;
pub mod view;
