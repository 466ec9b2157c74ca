//! What Redis does for nodes that share it: the stream that keeps orders between their acknowledgement and the store, the
//! bus between nodes, and the cache of metrics for other readers.

mod bus;
mod cache;
mod dead_letters;
mod entry;
mod link;
mod log;
mod reader;
mod scripts;

pub use bus::{DELTA_CHANNEL, MAX_MESSAGE_BYTES, RedisBus};
pub use cache::{HOURLY, RECENT, RedisCache, STORED_TOTAL, STORED_TOTAL_MS, TOP_DRINKS};
pub use dead_letters::RedisDeadLetters;
pub use link::UrlError;
pub use log::RedisStream;

/// The stream of orders.
pub const STREAM: &str = "orders:stream";
/// How many orders it holds beyond the first of each entry that is not acknowledged.
pub const SURPLUS: &str = "orders:surplus";
/// The consumer group of all nodes.
pub const GROUP: &str = "order-workers";
/// Where entries go that cannot be stored.
pub const DEAD_LETTERS: &str = "orders:dead-letter";
/// The nodes, with the time of their last sign of life.
pub const NODES: &str = "orders:nodes";
/// The most dead letters. When there are as many, further ones wait in the stream, which then fills up.
pub const MAX_DEAD_LETTERS: u64 = super::dead_letter::MAX_DEAD_LETTERS;
