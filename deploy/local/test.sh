#!/usr/bin/env bash
# Everything that must hold before a commit: lints, then every test against a private PostgreSQL, Redis and Kafka.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

deploy/local/lint.sh
deploy/local/with-services.sh postgres redis kafka -- cargo test --workspace --features "$TEST_FEATURES"
