#!/usr/bin/env bash
# Builds the program of the container's image natively, by the command in its Dockerfile, from nothing but what git has or
# would take. Prints its path. As in the image's build, what was compiled before is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/local/lib.sh
. deploy/local/lib.sh

dockerfile=deploy/docker/Dockerfile
folder=$PWD/.local/image
build=$(sed -nE 's/^ *(cargo build [^\\]*[^\\ ]) *\\$/\1/p' "$dockerfile")
[ "$(grep -c . <<<"$build")" -eq 1 ] || die "$dockerfile should have one line with cargo build"
need_npm
need_perl

say "== image: $build"
mkdir -p "$folder"
exec 8>"$folder/lock"
flock 8
rm -rf "$folder/source"
mkdir "$folder/source"
# A file that was deleted is still listed until that is committed.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --create --null --no-recursion --files-from=- | tar --extract --directory "$folder/source"
(
    cd "$folder/source"
    unset COFFEE_RT_UI
    # Whether it can be built and run is asked here, not how fast it is: optimizing takes minutes more.
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    export CARGO_PROFILE_RELEASE_DEBUG=none
    CARGO_TARGET_DIR=$folder/target bash -euc "$build" >&2
)
if grep -rqs "the node will have no web page" "$folder"/target/release/build/coffee-rt-ui-*/output; then
    die "the image would have no web page"
fi
strip --strip-debug -o "$folder/coffee-rt" "$folder/target/release/coffee-rt"
printf '%s\n' "$folder/coffee-rt"
