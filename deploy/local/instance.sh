# shellcheck shell=bash disable=SC2154
# One instance of a service: its files, its process, its port. Sourced by services after lib.sh; expects $service,
# $service_dir, $port, and from the service's file:
#   service_program, service_stop_signal   name of the running program, signal of an orderly stop
#   service_install, service_prepare       find or install the program; create its data, once
#   service_command                        print the server's argument list, NUL-terminated
#   service_ready, service_after_start     true once it accepts connections; finish the set-up, repeatable
#   service_env                            print export lines
#   members                                print the instances that its name stands for: where there are several
# and $disk_mb: the size of a disk of its own for new data, or nothing.

readonly START_DEADLINE_SECONDS=60
readonly STOP_DEADLINE_SECONDS=60
readonly KILL_DEADLINE_SECONDS=10
readonly POLL_INTERVAL_SECONDS=0.1
readonly LOG_LINES_SHOWN=15
readonly PORT_ATTEMPTS=5
# Below the range that the kernel takes outgoing ports from.
readonly LOWEST_PORT=20000
readonly PORT_COUNT=12000

members() { printf '%s\n' "$service"; }

process_state() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 1; }

# Data lives in the home, or where make_data_dir had to put it.
data_dir() { readlink -f "$service_dir/data"; }

# Prints the pid if it is still our server: the same program, given this very data folder or a file in it.
running_pid() {
    local pid arguments
    pid=$(cat "$service_dir/pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] || return 1
    mapfile -t -d '' arguments <"/proc/$pid/cmdline" 2>/dev/null || return 1
    [ "$(basename -- "${arguments[0]:-}")" = "$service_program" ] || return 1
    [[ " ${arguments[*]} " == *" $(data_dir)"[\ /]* ]] || return 1
    printf '%s\n' "$pid"
}

# Servers do not run as root, and PostgreSQL refuses to: root lends them the account of their package, else nobody.
account() {
    if ! is_root; then
        id -un
    elif id "$service" >/dev/null 2>&1; then
        echo "$service"
    else
        echo nobody
    fi
}

# Sets $drop to the words that put a command under that account.
drop_root() {
    drop=()
    if is_root; then drop=(setpriv --reuid="$(account)" --regid="$(id -g "$(account)")" --init-groups --); fi
}

as_account() {
    local drop
    drop_root
    "${drop[@]}" "$@"
}

# Makes an empty data folder that the account owns and can reach.
make_data_dir() {
    local owner folder=$service_dir/data
    owner=$(account)
    remove_data
    mkdir -p "$folder"
    if is_root; then
        chown "$owner" "$folder"
        if ! (cd / && as_account test -w "$folder"); then
            rmdir "$folder"
            folder=$(mktemp -d "/tmp/coffee-rt-$service.XXXXXXXX")
            chown "$owner" "$folder"
            ln -s "$folder" "$service_dir/data"
            say "$service: account $owner cannot reach $service_dir, so its data is in $folder"
        fi
    fi
    chmod 700 "$folder"
    if [ -n "$disk_mb" ]; then mount_disk "$folder" "$disk_mb" "$owner"; fi
}

remove_data() {
    local folder
    if [ -e "$service_dir/data" ]; then unmount_disk "$(data_dir)"; fi
    if [ -L "$service_dir/data" ]; then
        folder=$(readlink "$service_dir/data")
        if [[ $folder == "/tmp/coffee-rt-$service."* ]]; then rm -rf "$folder"; fi
    fi
    rm -rf "$service_dir/data" "$service_dir/initialised"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

need_free_port() {
    port_is_free "$1" || die "$service: port $1 is taken; give another with: deploy/local/services up $service --port $service=PORT"
}

choose_port() {
    local candidate
    while :; do
        candidate=$((LOWEST_PORT + (RANDOM * 32768 + RANDOM) % PORT_COUNT))
        if port_is_free "$candidate"; then break; fi
    done
    printf '%s\n' "$candidate"
}

# Each home has a loopback address of its own for what is behind no service's port, so that those ports need no choice.
own_address() {
    local hash
    hash=$(home_hash)
    printf '127.%d.%d.%d\n' $((16#${hash:0:2} % 254 + 1)) $((16#${hash:2:2})) $((16#${hash:4:2}))
}

home_hash() { printf '%s' "$home" | sha256sum; }

instance_up() {
    local attempt wanted=${wanted_port[$service]:-}
    mkdir -p "$service_dir"
    service_install
    if running_pid >/dev/null; then
        [ -z "$wanted" ] || [ "$wanted" = "$port" ] || die "$service already runs on port $port; stop it first"
        instance_start
        return
    fi
    if [ ! -e "$service_dir/initialised" ]; then
        service_prepare
        touch "$service_dir/initialised"
    fi
    if [ -n "$wanted" ] || [ -n "$port" ]; then
        need_free_port "${wanted:-$port}"
        port=${wanted:-$port}
        echo "$port" >"$service_dir/port"
        instance_start
        return
    fi
    # Another process may take the port between the choice and the start.
    for ((attempt = 1; attempt <= PORT_ATTEMPTS; attempt++)); do
        port=$(choose_port)
        echo "$port" >"$service_dir/port"
        if launch; then break; fi
        if port_is_free "$port"; then failed_start "see its log"; fi
    done
    instance_start
}

instance_start() {
    [ -e "$service_dir/initialised" ] || die "$service has no data here; run: deploy/local/services up $service"
    service_install
    if ! running_pid >/dev/null; then
        need_free_port "$port"
        launch || failed_start "it did not become ready within $START_DEADLINE_SECONDS s"
    else
        wait_ready || failed_start "it runs but does not answer on port $port"
    fi
    service_after_start || failed_start "it runs, but its set-up failed"
    say "$service: ready on 127.0.0.1:$port"
}

# Starts the server in a session of its own, so that Ctrl-C in a terminal does not reach it.
launch() {
    local words
    mapfile -t -d '' words < <(service_command)
    (
        cd /
        exec setsid -- "${words[@]}" </dev/null >>"$service_dir/log" 2>&1 9>&-
    ) &
    echo "$!" >"$service_dir/pid"
    wait_ready
}

wait_ready() {
    local deadline=$((SECONDS + START_DEADLINE_SECONDS)) pid
    pid=$(cat "$service_dir/pid")
    until service_ready && running_pid >/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
        case $(process_state "$pid") in Z | '') return 1 ;; esac
        sleep "$POLL_INTERVAL_SECONDS"
    done
}

failed_start() {
    say "error: $service did not start: $1"
    say "last lines of $service_dir/log:"
    tail -n "$LOG_LINES_SHOWN" "$service_dir/log" 2>/dev/null | sed 's/^/  | /' >&2
    say "to begin again with empty data: deploy/local/services down --home $home, then up $service"
    exit 4
}

instance_stop() {
    local pid
    if ! pid=$(running_pid); then
        rm -f "$service_dir/pid"
        return
    fi
    kill "-$service_stop_signal" "$pid" 2>/dev/null || true
    if ! wait_until "$STOP_DEADLINE_SECONDS" is_gone; then
        say "$service: did not stop within $STOP_DEADLINE_SECONDS s; killing it"
        instance_kill
    fi
    rm -f "$service_dir/pid"
}

instance_kill() {
    local pid children child
    if ! pid=$(running_pid); then
        say "$service: not running"
        return
    fi
    # Stopped first: it has no more children then than are listed.
    kill -STOP "$pid" 2>/dev/null || true
    children=$(cat "/proc/$pid/task/"*/children 2>/dev/null || true)
    kill -KILL "$pid" 2>/dev/null || true
    for child in $children; do kill -KILL "$child" 2>/dev/null || true; done
    for child in "$pid" $children; do
        wait_until "$KILL_DEADLINE_SECONDS" is_dead "$child" ||
            die "$service: process $child outlived SIGKILL by $KILL_DEADLINE_SECONDS s"
    done
    wait_until "$KILL_DEADLINE_SECONDS" is_gone || die "$service: port $port is still taken $KILL_DEADLINE_SECONDS s after SIGKILL"
}

# The kernel closes a socket a while after a process has no command line any more.
is_gone() { ! running_pid >/dev/null && port_is_free "$port"; }

is_dead() { case $(process_state "$1") in Z | '') ;; *) false ;; esac }

# wait_until SECONDS COMMAND...
wait_until() {
    local deadline=$((SECONDS + $1))
    until "${@:2}"; do
        if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
        sleep "$POLL_INTERVAL_SECONDS"
    done
}

instance_down() {
    instance_stop
    remove_data
}

instance_fill() { fill_disk "$(data_dir)"; }

instance_free() { free_disk "$(data_dir)"; }

instance_env() {
    if running_pid >/dev/null; then service_env; fi
}

instance_status() {
    local state=stopped pid=-
    if pid=$(running_pid); then
        service_install
        if service_ready; then state=ready; else state=unready; fi
    else
        pid=-
        if [ -e "$service_dir/pid" ]; then state=crashed; elif [ ! -e "$service_dir/initialised" ]; then state=down; fi
    fi
    printf '%-12s %-8s pid %-8s port %s\n' "$service" "$state" "$pid" "$port"
}
