# shellcheck shell=bash disable=SC2034,SC2154
# Redis for tests and trials: every write is on disk before its answer, reachable from loopback only, no password there.
# The functions that start with service_ are what ../instance.sh calls.

service_program=redis-server
service_stop_signal=TERM # writes the rest of its append-only file
oldest_version=7

service_install() {
    if ! command -v redis-server >/dev/null || ! command -v redis-cli >/dev/null; then install_without_daemon; fi
    server=$(find_server) || die "no redis-server of version $oldest_version or later, with redis-cli, in PATH"
}

# Prints where a Redis is that is new enough and has its client. A link stays one: the program goes by its name.
find_server() {
    local server version
    server=$(command -v redis-server) && command -v redis-cli >/dev/null || return 1
    version=$("$server" --version | sed -nE 's/^.* v=([0-9]+)\..*/\1/p')
    [ "${version:-0}" -ge "$oldest_version" ] && printf '%s\n' "$server"
}

# Debian would start a Redis of its own on port 6379: install_debian forbids it now, the second line at every boot.
install_without_daemon() {
    say "Redis is not here: installing the Debian package"
    install_debian redis-server
    as_root update-rc.d redis-server disable >&2
}

service_prepare() {
    make_data_dir
    settings | as_account tee "$(config)" >/dev/null
}

config() { printf '%s\n' "$(data_dir)/redis.conf"; }

settings() {
    cat <<EOF
bind 127.0.0.1
daemonize no
# Its process is known by its arguments.
set-proc-title no
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
EOF
}

service_command() {
    local drop
    drop_root
    printf '%s\0' "${drop[@]}" "$server" "$(config)" --dir "$(data_dir)" --port "$port"
}

# While it reads its file it answers, but with an error. One that hangs would keep redis-cli waiting.
service_ready() { [ "$(timeout 1 redis-cli -h 127.0.0.1 -p "$port" ping 2>/dev/null)" = PONG ]; }

service_after_start() { :; }

service_env() {
    echo "export REDIS_URL=redis://127.0.0.1:$port/"
    echo "export COFFEE_RT_TEST_REDIS_URL=redis://127.0.0.1:$port/"
}
