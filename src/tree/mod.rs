//! The supervision trees: which actors there are, in which order they start, what restarts with what. Wiring only.

mod log_branch;
mod root;
mod shared;
mod v1_direct;
mod v2_redis_streams;
mod v3_kafka;

pub use root::{Branches, root};
pub use shared::{Shared, shared};
pub use v1_direct::{DEFAULT_CREDIT_ORDERS, V1Direct, v1_direct};
pub use v2_redis_streams::{DEFAULT_BACKLOG_ORDERS, V2RedisStreams, v2_redis_streams};
pub use v3_kafka::{DEFAULT_TOPIC_BACKLOG_ORDERS, SOURCE as V3_SOURCE, V3Kafka, V3Storing, v3_kafka, v3_replay};
