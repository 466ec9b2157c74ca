# shellcheck shell=bash disable=SC2034,SC2154
# PostgreSQL for tests and trials: durable like production (fsync on), reachable from loopback only, no password there.
# The functions that start with service_ are what ../instance.sh calls.

service_program=postgres
service_stop_signal=INT # "fast" shutdown: ends sessions, then writes a checkpoint
superuser=postgres
database=coffee_rt

# Finds the newest PostgreSQL; prints its bin folder.
find_bin() {
    local candidate
    candidate=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -Vr | head -n 1)
    [ -x "$candidate" ] || candidate=$(command -v postgres || true)
    [ -n "$candidate" ] || return 1
    candidate=$(dirname "$(readlink -f "$candidate")")
    [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_isready" ] && printf '%s\n' "$candidate"
}

service_install() {
    if ! find_bin >/dev/null; then
        install_without_cluster
        find_bin >/dev/null || die "the package postgresql is installed, yet no usable postgres, initdb and pg_isready"
    fi
    bin=$(find_bin)
}

# Debian creates and starts a cluster "main" on port 5432 unless told otherwise.
install_without_cluster() {
    local policy=/etc/postgresql-common/createcluster.d/coffee-rt.conf
    say "PostgreSQL is not here: installing the Debian package"
    (
        if may_become_root; then
            trap 'as_root rm -f "$policy"' EXIT
            trap 'exit 130' INT TERM
            as_root mkdir -p "$(dirname "$policy")"
            echo 'create_main_cluster = false' | as_root tee "$policy" >/dev/null
        fi
        install_debian postgresql
    )
}

service_prepare() {
    make_data_dir
    say "postgres: creating a database cluster in $(data_dir)"
    in_data_dir initdb --username="$superuser" --auth=trust --encoding=UTF8 --locale=C --no-instructions \
        >>"$service_dir/log" 2>&1 || failed_start "initdb failed"
    settings | as_account tee -a "$(data_dir)/postgresql.conf" >/dev/null
}

# in_data_dir PROGRAM ARGUMENT…: a PostgreSQL program on our cluster, from a folder that every account can enter.
in_data_dir() { (cd / && as_account "$bin/$1" -D "$(data_dir)" "${@:2}"); }

settings() {
    cat <<EOF

# Coffee-RT: local instance
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 256MB
max_wal_size = 2GB
wal_compression = $(wal_compression)
fsync = on
synchronous_commit = on
log_line_prefix = '%m [%p] %q%u@%d '
EOF
}

# lz4 costs less processor time, but not every build has it.
wal_compression() {
    if in_data_dir postgres -c wal_compression=lz4 -C wal_compression >/dev/null 2>&1; then
        echo lz4
    else
        echo on
    fi
}

service_command() {
    forget_zombie_lock
    local drop
    drop_root
    printf '%s\0' "${drop[@]}" "$bin/postgres" -D "$(data_dir)" -p "$port"
}

# A killed server that nobody has reaped still answers to signals, and PostgreSQL takes that for a running one.
forget_zombie_lock() {
    local lock pid
    lock=$(data_dir)/postmaster.pid
    [ -e "$lock" ] || return 0
    pid=$(head -n 1 "$lock")
    if [ "$(process_state "$pid")" = Z ]; then rm -f "$lock"; fi
}

service_ready() { "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -t 1; }

# Runs once the server accepts connections; must be safe to repeat.
service_after_start() {
    local psql=("$bin/psql" -X -q -h 127.0.0.1 -p "$port" -U "$superuser" -d postgres -v ON_ERROR_STOP=1)
    if [ -z "$("${psql[@]}" -Atc "SELECT 1 FROM pg_database WHERE datname = '$database'")" ]; then
        "${psql[@]}" -c "CREATE DATABASE $database" >>"$service_dir/log" 2>&1
    fi
}

service_env() {
    echo "export DATABASE_URL=postgres://$superuser@127.0.0.1:$port/$database"
    echo "export COFFEE_RT_TEST_POSTGRES_URL=postgres://$superuser@127.0.0.1:$port/postgres"
}
