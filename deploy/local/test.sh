#!/usr/bin/env bash
# Everything that must hold before a commit: lints, then every test against a private PostgreSQL, Redis and Kafka.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

deploy/local/lint.sh
deploy/local/with-services.sh postgres redis kafka -- cargo test --workspace --features fault-drills
