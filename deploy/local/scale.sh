#!/usr/bin/env bash
# Runs every experiment on each version that it is for, with a release build, and writes SCALE.md: about an hour, best on a
# machine that does nothing else. Run it again to go on where it was cut off; delete scenario-runs/scale to begin anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo build --release
# What a panic prints of its way takes memory that is not the node's own.
export RUST_BACKTRACE=0
exec target/release/coffee-rt scenario scale scenarios/*.toml "$@"
