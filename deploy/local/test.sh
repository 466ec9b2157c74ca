#!/usr/bin/env bash
# Everything that must hold before a commit: lints, then every test against a private PostgreSQL, Redis and Kafka; the web
# page's last, in a Chromium.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

# Stories mostly wait: for services to come back, for deadlines to pass.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-3}
# Before the first build: without it the node has no page.
need_npm
deploy/local/lint.sh
deploy/local/with-services.sh postgres redis kafka -- \
    bash -euc "cargo test --workspace --features '$TEST_FEATURES'; deploy/local/page.sh"
