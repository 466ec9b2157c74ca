#!/usr/bin/env bash
# Holds chart, Compose file and workflows to what Helm, Kubernetes, Compose and GitHub make of them: deploy/checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../deploy/checks"
# shellcheck source=deploy/local/lib.sh
. ../local/lib.sh

readonly GO_NEEDED=1.26
# A module of its own: it needs an older reader of YAML than Compose does.
readonly ACTIONLINT=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

say "== chart, Compose file, workflows"
command -v go >/dev/null || die "the deployment's checks need Go $GO_NEEDED or later; install it from https://go.dev/dl"
install_tools shellcheck
if [ -n "$(gofmt -l .)" ]; then die "format these: $(gofmt -l . | paste -sd ' ')"; fi
go vet ./...
# Go would take an earlier result for files that are outside of its module.
go test -count=1 ./...
go run "$ACTIONLINT" ../../.github/workflows/*.yml
