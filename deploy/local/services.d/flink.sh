# shellcheck shell=bash disable=SC2034,SC2154
# Apache Flink for tests and trials: a session cluster of flink-jobmanager and flink-taskmanager, and flink-gateway, which
# takes SQL over REST. Reachable from loopback only, no password there.
# Its programs come from the Python package of Flink, its connectors from Maven.
# The functions that start with service_ are what ../instance.sh calls; members is for ../services.

readonly FLINK_VERSION=2.1.1

service_program=java
service_stop_signal=TERM
# On the home's own loopback address.
jobmanager_rpc_port=17401
files=$script_dir/flink
# shellcheck source=deploy/local/java.sh
. "$script_dir/java.sh"

# Prints the instances that the name flink stands for, in the order that they need each other.
members() { printf 'flink-%s\n' jobmanager taskmanager gateway; }

service_install() {
    # Another pom.xml or version, another folder.
    libs=$repo_dir/.local/flink-$(cat "$files/pom.xml" - <<<"$FLINK_VERSION" | sha256sum | cut -c 1-12)
    install_java_service flink curl fetch_all
}

fetch_all() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || install_debian python3-venv
    say "flink: fetching Apache Flink, 320 MB, once"
    fetch_flink "$1" || die "pip could not fetch Apache Flink"
    fetch_jars "$1/libs" -DexcludeTransitive=true || die "Maven could not fetch Flink's connectors"
}

# The package is there as source only, whose build does no more than copy. So its archive is all that is needed of it, but
# pip wants to ask it for its name, with tools that it must not fetch itself: those that the package names are old.
fetch_flink() {
    local pip=$1/python/bin/pip
    python3 -m venv "$1/python" &&
        "$pip" --quiet install setuptools wheel >&2 &&
        "$pip" --quiet download --no-deps --no-build-isolation --no-binary :all: --dest "$1" \
            "apache-flink-libraries==$FLINK_VERSION" >&2 &&
        tar --extract --file "$1/apache_flink_libraries-$FLINK_VERSION.tar.gz" --directory "$1/libs" \
            --strip-components 3 --no-same-owner --wildcards '*/deps/lib/*.jar'
}

service_prepare() {
    make_data_dir
    if ! (cd / && as_account test -r "$libs/."); then
        cp -r "$libs" "$(data_dir)/libs"
        say "$service: account $(account) cannot reach $libs, so it has a copy"
    fi
    as_account mkdir "$(data_dir)/conf" "$(data_dir)/tmp"
    if [ "$service" = flink-jobmanager ]; then as_account mkdir "$(data_dir)/checkpoints" "$(data_dir)/savepoints"; fi
}

configure() {
    as_account tee "$(data_dir)/conf/log4j2.properties" <"$files/log4j2.properties" >/dev/null
    settings | as_account tee "$(data_dir)/conf/config.yaml" >/dev/null
}

# The same for all three. Jobs get the gateway's.
settings() {
    cat <<END
jobmanager.rpc.address: $(own_address)
jobmanager.rpc.port: $jobmanager_rpc_port
jobmanager.bind-host: $(own_address)
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: $(jobmanager_port)
web.submit.enable: false
io.tmp.dirs: $(data_dir)/tmp

# State is kept in RocksDB: a checkpoint each second writes what is new, where the heap would write all of it.
state.backend.type: rocksdb
execution.checkpointing.incremental: true
execution.checkpointing.interval: 1s
execution.checkpointing.dir: file://$(jobmanager_data)/checkpoints
execution.checkpointing.savepoint-dir: file://$(jobmanager_data)/savepoints
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.num-retained: 2

# A job goes on as soon as it can, however often it fails.
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 500 ms
restart-strategy.exponential-delay.max-backoff: 5 s

# A taskmanager that is killed or hangs is noticed within five seconds.
heartbeat.interval: 1000
heartbeat.timeout: 5000
END
    case $service in
        flink-taskmanager) worker_settings ;;
        flink-gateway) printf 'sql-gateway.endpoint.rest.%s\n' "address: 127.0.0.1" "port: ${port:-0}" ;;
    esac
}

# Altogether 1 GiB. Flink computes nothing here: all parts must be given, and java_options must fit them.
worker_settings() {
    cat <<END

taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.rpc.port: ${port:-0}
taskmanager.numberOfTaskSlots: 2
taskmanager.cpu.cores: 2
taskmanager.memory.framework.heap.size: 96m
taskmanager.memory.task.heap.size: 288m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.task.off-heap.size: 32m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.managed.size: 192m
taskmanager.memory.jvm-metaspace.size: 160m
taskmanager.memory.jvm-overhead.min: 128m
taskmanager.memory.jvm-overhead.max: 128m
END
}

java_options() {
    case $service in
        flink-jobmanager) printf '%s\0' -Xmx256m -XX:MaxDirectMemorySize=128m -XX:MaxMetaspaceSize=160m ;;
        flink-taskmanager) printf '%s\0' -Xmx384m -XX:MaxDirectMemorySize=160m -XX:MaxMetaspaceSize=160m ;;
        flink-gateway) printf '%s\0' -Xmx192m -XX:MaxDirectMemorySize=64m -XX:MaxMetaspaceSize=256m ;;
    esac
    printf -- '--add-opens=java.base/%s=ALL-UNNAMED\0' java.lang java.lang.reflect java.io java.net java.nio sun.nio.ch \
        java.text java.time java.util java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks
}

jobmanager_port() { cat "$home/flink-jobmanager/port" 2>/dev/null || echo "${port:-0}"; }

# Checkpoints are the jobmanager's: they are gone when it is taken down.
jobmanager_data() { readlink -f "$home/flink-jobmanager/data"; }

service_command() {
    local drop words reachable=$libs data
    configure
    drop_root
    data=$(data_dir)
    if [ -d "$data/libs" ]; then reachable=$data/libs; fi
    mapfile -t -d '' words < <(java_options)
    printf '%s\0' "${drop[@]}" env "FLINK_CONF_DIR=$data/conf" "$java" "${words[@]}" -XX:+UseSerialGC -XX:-UsePerfData \
        -XX:+ExitOnOutOfMemoryError "-Djava.io.tmpdir=$data/tmp" "-Dlog4j.configurationFile=$data/conf/log4j2.properties" \
        -cp "$data/conf:$reachable/*"
    case $service in
        flink-jobmanager)
            printf '%s\0' org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint \
                --configDir "$data/conf" --executionMode cluster
            ;;
        flink-taskmanager)
            printf '%s\0' org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$data/conf"
            ;;
        flink-gateway)
            printf '%s\0' org.apache.flink.table.gateway.SqlGateway
            ;;
    esac
}

service_ready() {
    case $service in
        flink-jobmanager) answers "$port/overview" ;;
        flink-taskmanager) ! port_is_free "$port" && is_registered ;;
        flink-gateway) answers "$port/v1/info" ;;
    esac
}

answers() { curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$1"; }

# Without a jobmanager there is nothing to wait for.
is_registered() {
    local known
    known=$(curl --silent --fail --max-time 5 "http://127.0.0.1:$(jobmanager_port)/taskmanagers") || return 0
    [[ $known == *"@127.0.0.1:$port/"* ]]
}

service_after_start() { :; }

service_env() {
    local name
    case $service in
        flink-jobmanager) name=URL ;;
        flink-gateway) name=GATEWAY_URL ;;
        *) return ;;
    esac
    echo "export COFFEE_RT_FLINK__$name=http://127.0.0.1:$port"
}
