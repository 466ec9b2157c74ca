//! The `coffee-rt` command.

fn main() {}
