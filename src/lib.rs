//! The Coffee-RT node and the commands around it.

pub mod cli;
pub mod client;
pub mod load;
