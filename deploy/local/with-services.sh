#!/usr/bin/env bash
# with-services.sh NAME… -- COMMAND…: runs the command with private test services up, and takes them down whatever happens.
set -euo pipefail
repo_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly services=$repo_dir/deploy/local/services
# Tests share the services: one test for each core of a large machine would be more than these can serve.
readonly MAX_TEST_THREADS=4

names=()
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do names+=("$1"); shift; done
[ "$#" -ge 2 ] || { echo "usage: with-services.sh NAME… -- COMMAND…" >&2; exit 2; }
shift

# A home of its own for each run: runs in parallel must not take each other's services down.
mkdir -p "$repo_dir/.local"
home=$(mktemp -d "$repo_dir/.local/test-services.XXXXXX")
chmod 755 "$home"
clean_up() {
    local status=$?
    trap '' INT TERM HUP
    "$services" down --home "$home" || status=1
    if [ "$status" -eq 0 ]; then rm -rf "$home"; else echo "service logs: $home/*/log" >&2; fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

"$services" up "${names[@]}" --home "$home"
eval "$("$services" env --home "$home")"
export COFFEE_RT_TEST_SERVICES_HOME=$home
# Tests choose their own servers; a node that one of them starts must not find ours by accident.
unset DATABASE_URL REDIS_URL KAFKA_BOOTSTRAP_SERVERS
cores=$(nproc)
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((cores < MAX_TEST_THREADS ? cores : MAX_TEST_THREADS))}
"$@"
