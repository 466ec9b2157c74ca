#!/usr/bin/env bash
# Everything that must hold before a commit: lints, then every test against a private PostgreSQL, Redis and Kafka; the web
# page's last, in a Chromium.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

# Before the first build: without it the node has no page.
need_npm
deploy/local/lint.sh
deploy/local/deployment.sh
# The node that the stories ran is the page's too: built alone it would be another one, with features of its own.
node=$(target_dir)/debug/coffee-rt
COFFEE_RT_TEST_IMAGE_BIN=$(deploy/local/image.sh)
export COFFEE_RT_TEST_IMAGE_BIN
deploy/local/with-services.sh postgres redis kafka -- \
    bash -euc "cargo test --workspace --features '$TEST_FEATURES'; COFFEE_RT_BIN='$node' deploy/local/page.sh"
