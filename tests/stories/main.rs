//! Stories that drive the real binary over HTTP, on SQLite and on PostgreSQL: one file each.

mod crash;
mod faults;
mod support;
