//! What Redis does in one step. Scripts are loaded by their hash, and again where Redis has lost them.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($($part:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!($part)),+)))
    };
}

/// Appends orders, unless the stream is full.
pub(super) static APPEND: LazyLock<Script> = script!("lua/backlog.lua", "lua/append.lua");
/// Acknowledges entries and trims the stream.
pub(super) static ACKNOWLEDGE: LazyLock<Script> = script!(
    "lua/backlog.lua",
    "lua/trim.lua",
    "lua/settle.lua",
    "lua/acknowledge.lua"
);
/// Copies orders to the dead letters.
pub(super) static BURY: LazyLock<Script> = script!("lua/backlog.lua", "lua/trim.lua", "lua/settle.lua", "lua/bury.lua");
/// Reads a page of the dead letters.
pub(super) static LETTERS: LazyLock<Script> = script!("lua/letters.lua");
/// Puts a dead letter's order back into the stream.
pub(super) static RESUBMIT: LazyLock<Script> = script!("lua/backlog.lua", "lua/resubmit.lua");
/// A node's round.
pub(super) static KEEP: LazyLock<Script> = script!("lua/backlog.lua", "lua/keep.lua");
/// Writes metrics, unless newer ones are there.
pub(super) static CACHE: LazyLock<Script> = script!("lua/cache.lua");
/// A node's goodbye.
pub(super) static LEAVE: LazyLock<Script> = script!("lua/leave.lua");
