//! The Coffee-RT node and the commands around it: takes coffee orders, stores each exactly once, shows live metrics.

pub mod adapters;
pub mod cli;
pub mod client;
pub mod load;
