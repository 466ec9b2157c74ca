//! Orders through Kafka: a topic whose partitions are shared out among the nodes of one consumer group.
//!
//! Where a partition's reader goes on is kept in the store and moves with the orders. The group only says which node
//! reads which partition, and its committed offsets only follow, for those who watch the topic.

mod client;
mod dead_letters;
mod growth;
mod headers;
mod job;
mod lag;
mod letter;
mod letter_reader;
mod log;
mod membership;
mod partition;
mod producer;
mod reading;
mod reason;
mod record;
mod recorded;
mod replay;
mod topics;
mod unresolved;

pub use client::{ClientSettings, Names, SettingsError};
pub use dead_letters::KafkaDeadLetters;
pub use job::{begin_job_at, make_job_topics, stored_by_job};
pub use log::{KafkaLog, KafkaLogSettings};
pub use membership::SESSION_TIMEOUT_MS;
pub use recorded::write_records;
pub use replay::{ReplayFrom, ReplayRange, group_members, replay_ranges};
