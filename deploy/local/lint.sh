#!/usr/bin/env bash
# Formatting, clippy and shellcheck; any finding fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

say "== formatting"
cargo fmt --all --check
say "== shell scripts"
install_tools shellcheck
shellcheck --external-sources .ci/run deploy/local/services deploy/local/small-disk deploy/local/*.sh deploy/local/*/*.sh
say "== alerts"
command -v promtool >/dev/null || install_debian prometheus
promtool check config --syntax-only deploy/prometheus/prometheus.yml
promtool check rules deploy/prometheus/rules/coffee-rt.yml
promtool test rules deploy/prometheus/rules/coffee-rt_test.yml
say "== clippy"
need_perl
cargo clippy --workspace --all-targets --features "$TEST_FEATURES" -- -D warnings
