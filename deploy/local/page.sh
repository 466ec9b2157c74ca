#!/usr/bin/env bash
# The web page: types and formatting, its own tests, then stories in a real Chromium against real nodes. To be run inside
# with-services.sh. A node that is there already is named by COFFEE_RT_BIN; otherwise it is built. Arguments choose stories.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

need_npm
install_tools chromium
# It comes with PostgreSQL, unless that is another machine's.
command -v psql >/dev/null || install_debian postgresql-client

say "== the page's types and formatting"
(
    cd ui
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    npm run --silent check
)
say "== the page's tests"
(cd ui && npm test --silent)
if [ -z "${COFFEE_RT_BIN:-}" ]; then
    say "== the node with its page"
    need_perl
    cargo build --workspace --features "$TEST_FEATURES"
    COFFEE_RT_BIN=$(target_dir)/debug/coffee-rt
fi
export COFFEE_RT_BIN
say "== stories in Chromium, with $COFFEE_RT_BIN"
(cd ui && npm run --silent e2e -- "$@")
