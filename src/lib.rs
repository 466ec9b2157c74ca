//! The Coffee-RT node and the commands around it: takes coffee orders, stores each exactly once, shows live metrics.

pub mod adapters;
pub mod cli;
pub mod client;
pub mod config;
mod exchange;
mod fast_lane;
pub mod http;
pub mod load;
pub mod logs;
pub mod node;
pub mod scenario;
pub mod stores;
pub mod traces;
pub mod tree;
