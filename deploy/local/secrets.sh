#!/usr/bin/env bash
# Scans every commit for credentials with gitleaks, built from source at a pinned version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

readonly GITLEAKS_VERSION=v8.30.1
readonly GITLEAKS=$PWD/.local/bin/gitleaks-$GITLEAKS_VERSION

if [ ! -x "$GITLEAKS" ]; then
    command -v go >/dev/null || die "the secret scan needs Go 1.24 or later to build gitleaks; install it from https://go.dev/dl"
    say "building gitleaks $GITLEAKS_VERSION; this takes a few minutes, once"
    mkdir -p .local/bin
    build_dir=$(mktemp -d "$PWD/.local/bin/build.XXXXXX")
    trap 'rm -rf "$build_dir"' EXIT
    trap 'exit 130' INT TERM
    GOBIN=$build_dir go install "github.com/zricethezav/gitleaks/v8@$GITLEAKS_VERSION"
    mv "$build_dir/gitleaks" "$GITLEAKS"
fi
[ "$(git rev-parse --is-shallow-repository)" = false ] || die "this clone is shallow; fetch all commits: git fetch --unshallow"
"$GITLEAKS" git --no-banner --no-color --verbose --redact --log-opts=--all .
