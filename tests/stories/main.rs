//! Stories that drive the real binary over HTTP, on SQLite and on PostgreSQL, through Redis and through Kafka: one file each.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod access;
mod all_versions;
mod bad_input;
mod crash;
mod dead_letters;
mod documents;
mod drain;
mod drills;
mod faults;
mod flink;
mod full_log;
mod image;
mod keys;
mod log_outage;
mod logs;
mod lost_positions;
mod lost_reply;
mod meltdown;
mod monitoring;
mod outage;
mod overload;
mod pages;
mod partitions;
mod redelivery;
mod replay;
mod scale;
mod scenario_drills;
mod scenarios;
mod secure_kafka;
mod shared_entries;
mod shared_redis;
mod slow_clients;
mod support;
mod three_brokers;
mod three_nodes;
mod traces;
mod two_nodes;
