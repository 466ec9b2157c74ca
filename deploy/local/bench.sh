#!/usr/bin/env bash
# Benchmarks of a release build against private services. Arguments go to the benchmark: deploy/local/bench.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo build --release --workspace
deploy/local/services install wrk
exec deploy/local/with-services.sh postgres redis kafka -- target/release/coffee-rt-bench "$@"
