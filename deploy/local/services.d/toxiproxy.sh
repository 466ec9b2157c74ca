# shellcheck shell=bash disable=SC2034,SC2154
# Toxiproxy, in the way of a link that a scenario makes slow or cuts. Built from source at a pinned version; its links are
# made over its own interface, and gone with it.
# The functions that start with service_ are what ../instance.sh calls.

readonly TOXIPROXY_VERSION=v2.12.0
readonly toxiproxy=$repo_dir/.local/bin/toxiproxy-server-$TOXIPROXY_VERSION

service_program="toxiproxy-server"
service_stop_signal=TERM

service_install() {
    if [ ! -x "$toxiproxy" ]; then
        mkdir -p "$repo_dir/.local/bin"
        # Homes are many, and the program is one.
        (flock 8; [ -x "$toxiproxy" ] || build) 8>"$repo_dir/.local/toxiproxy.lock"
    fi
}

build() {
    command -v go >/dev/null || die "toxiproxy needs Go 1.23 or later to be built; install it from https://go.dev/dl"
    say "building toxiproxy $TOXIPROXY_VERSION; this takes a minute, once"
    build_dir=$(mktemp -d "$repo_dir/.local/bin/build.XXXXXX")
    trap 'rm -rf "$build_dir"' EXIT
    GOBIN=$build_dir go install "github.com/Shopify/toxiproxy/v2/cmd/server@$TOXIPROXY_VERSION"
    mv "$build_dir/server" "$toxiproxy"
}

service_prepare() {
    make_data_dir
    # The account that it runs under may not reach this repository.
    install -m 755 "$toxiproxy" "$(data_dir)/$service_program"
}

service_command() {
    local drop
    drop_root
    printf '%s\0' "${drop[@]}" "$(data_dir)/$service_program" -host 127.0.0.1 -port "$port"
}

service_ready() { ! port_is_free "$port"; }

service_after_start() { :; }

service_env() { echo "export TOXIPROXY_URL=http://127.0.0.1:$port"; }
