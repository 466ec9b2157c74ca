//! Stories that drive the real binary over HTTP, on SQLite and on PostgreSQL: one file each.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod crash;
mod faults;
mod lost_reply;
mod meltdown;
mod outage;
mod overload;
mod support;
mod two_nodes;
