# shellcheck shell=bash
# Shared by the scripts in this folder: messages, root rights, Debian packages. Source it; it runs nothing.

# The build of every check, so that all use the same built dependencies.
# shellcheck disable=SC2034
readonly TEST_FEATURES=fault-drills,kafka-tls
readonly APT_LOCK_TIMEOUT_SECONDS=300

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

may_become_root() { is_root || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }

as_root() {
    if is_root; then "$@"; else sudo -n "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o "DPkg::Lock::Timeout=$APT_LOCK_TIMEOUT_SECONDS" "$@" >&2
}

# Installs Debian packages while forbidding them to start daemons of their own.
install_debian() {
    command -v apt-get >/dev/null || die "this system has no apt-get; install these yourself: $*"
    may_become_root || die "needs root to install packages; run: sudo apt-get install --no-install-recommends $*"
    (
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap 'as_root rm -f "$policy"' EXIT
            trap 'exit 130' INT TERM
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
            as_root chmod 755 "$policy"
        fi
        apt_get update || say "apt-get update failed; trying with the package lists that are here"
        apt_get install -y --no-install-recommends "$@"
    ) || die "apt-get could not install: $*"
}

# OpenSSL, which those features compile, wants more of Perl than every system has.
need_perl() { perl -MFindBin -MIPC::Cmd -MFile::Compare -e 1 2>/dev/null || install_debian perl; }

# install_tools TOOL…: commands whose Debian package has the same name.
install_tools() {
    local tool missing=()
    for tool in "$@"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    if [ "${#missing[@]}" -gt 0 ]; then install_debian "${missing[@]}"; fi
}

# The page is built and tested by Node.js; what Debian has may be too old.
need_npm() {
    if ! { command -v node && command -v npm; } >/dev/null; then install_debian nodejs npm; fi
    local found major minor
    found=$(node --version)
    IFS=. read -r major minor _ <<<"${found#v}"
    if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
        die "the page needs Node.js 20.19 or newer, and this is $found; install a newer one from https://nodejs.org/en/download"
    fi
}

# Where cargo builds.
target_dir() {
    cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
