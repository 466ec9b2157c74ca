#!/usr/bin/env bash
# Benchmarks of a release build against private services. Arguments go to the benchmark: deploy/local/bench.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

services=(postgres redis kafka)
if [ "${1:-}" = engines ]; then services+=(flink); fi
cargo build --release --workspace
deploy/local/services install wrk
exec deploy/local/with-services.sh "${services[@]}" -- target/release/coffee-rt-bench "$@"
