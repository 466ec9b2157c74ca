//! Parts of the node by themselves, against the real thing that each works with: stores, buses, commands, the load driver.
//! One program for all of them, as each links the whole crate.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod commands;
mod load_driver;
mod node_double;
#[path = "../stories/support/own_service.rs"]
#[allow(dead_code, reason = "shared with the stories")]
mod own_service;
mod redis_bus;
mod redis_cache;
mod redis_stream;
mod store_contract;
mod store_positions;
mod store_postgres;
mod store_sqlite;
mod store_support;
