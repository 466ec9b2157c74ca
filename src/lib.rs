//! Coffee-RT: takes coffee orders, stores each exactly once, and shows live metrics.

pub mod adapters;
