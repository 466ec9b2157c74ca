#!/usr/bin/env bash
# Checks the dependency tree against deny.toml. Fetches the advisory database, so it needs the network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

readonly CARGO_DENY_VERSION=0.20.2

export PATH=$PWD/.local/bin:$PATH
if ! command -v cargo-deny >/dev/null; then
    say "building cargo-deny $CARGO_DENY_VERSION; this takes several minutes, once"
    cargo install cargo-deny --locked --version "$CARGO_DENY_VERSION" --root .local
fi
cargo deny check "$@"
