# shellcheck shell=bash disable=SC2034,SC2154
# Apache Kafka for tests and trials, without ZooKeeper: one broker, kafka, or a cluster of kafka-1, kafka-2 and kafka-3.
# Each is broker and controller, reachable from loopback only, no password there. With --secure a single broker listens for
# those who log in, too: ../kafka/secure.sh.
# The functions that start with service_ are what ../instance.sh calls; members and set_size are for ../services.

service_program=java
service_stop_signal=TERM # moves leadership away, then writes what it needs to start without recovery
controller_port=17390 # and its broker's number
files=$script_dir/kafka
# How many brokers this home has; lives as long as their data.
size=$home/kafka.size
# shellcheck source=deploy/local/java.sh
. "$script_dir/java.sh"
# shellcheck source=deploy/local/kafka/secure.sh
. "$files/secure.sh"

broker_count() { cat "$size" 2>/dev/null || echo 1; }

# Prints the instances that the name kafka stands for.
members() {
    if [ "$(broker_count)" -eq 1 ]; then echo kafka; else printf 'kafka-%s\n' $(seq "$(broker_count)"); fi
}

# Takes $brokers, the number of them that is wanted, or nothing, and $secure.
set_size() {
    local file count
    if compgen -G "$home/kafka*/initialised" >/dev/null; then
        count=$(broker_count)
        [ "${brokers:-$count}" -eq "$count" ] || die "kafka has data here, of $count broker(s); take it down first"
        [ -z "$secure" ] || is_secure || die "kafka has data here, of a broker without --secure; take it down first"
        return
    fi
    echo "${brokers:-1}" >"$size"
    for file in "$home"/kafka*/port; do
        if ! members | grep -Fqx "$(basename "$(dirname "$file")")"; then rm -f "$file"; fi
    done
}

service_install() {
    # Another pom.xml, another folder.
    libs=$repo_dir/.local/kafka-$(sha256sum "$files/pom.xml" | cut -c 1-12)
    install_java_service kafka kcat fetch_kafka
}

fetch_kafka() {
    say "kafka: fetching Apache Kafka, 54 MB, once"
    fetch_jars "$1/libs" || die "Maven could not fetch Apache Kafka"
}

service_prepare() {
    make_data_dir
    if ! (cd / && as_account test -r "$libs/."); then
        cp -r "$libs" "$(data_dir)/libs"
        say "$service: account $(account) cannot reach $libs, so it has a copy"
    fi
    local words users=()
    if [ -n "$secure" ]; then
        make_certificate
        mapfile -t users < <(scram_user)
    fi
    configure
    mapfile -t -d '' words < <(java_command -XX:TieredStopAtLevel=1)
    (cd / && "${words[@]}" kafka.tools.StorageTool format --config "$(data_dir)/server.properties" \
        --cluster-id "$(cluster_id)" "${users[@]}") >>"$service_dir/log" 2>&1 || failed_start "its storage could not be formatted"
}

configure() {
    as_account tee "$(data_dir)/log4j2.properties" <"$files/log4j2.properties" >/dev/null
    settings | as_account tee "$(data_dir)/server.properties" >/dev/null
}

# The heap is small, and so are the buffers: three brokers share two processors with whatever is tested.
settings() {
    local id replicas=1 in_sync=1 more=
    id=$(broker_id "$service")
    if [ "$(broker_count)" -gt 1 ]; then
        replicas=3
        in_sync=2
    fi
    if is_secure; then more=$(secure_listeners); fi
    cat <<EOF
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$(voters)
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${port:-0},CONTROLLER://$(controller "$id")$more
log.dirs=$(data_dir)/logs

unclean.leader.election.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync

# A broker that is killed or hangs is noticed within three seconds, a controller within two.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
controller.quorum.election.timeout.ms=1000
controller.quorum.fetch.timeout.ms=2000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

num.network.threads=2
num.io.threads=4
background.threads=2
group.coordinator.threads=1
log.cleaner.dedupe.buffer.size=8388608
EOF
    if is_secure; then secure_settings; fi
}

broker_id() {
    local id=${1#kafka}
    id=${id#-}
    printf '%s\n' "${id:-1}"
}

# All brokers must know all controllers before the first one starts.
controller() { printf '%s:%d\n' "$(own_address)" $((controller_port + $1)); }

voters() {
    local member id
    for member in $(members); do
        id=$(broker_id "$member")
        printf '%s@%s\n' "$id" "$(controller "$id")"
    done | paste -sd ,
}

cluster_id() { printf 'coffee-rt-%.12s\n' "$(home_hash)"; }

# java_command OPTION…: prints the words before the name of the main class, NUL-terminated.
java_command() {
    local drop reachable=$libs
    drop_root
    if [ -d "$(data_dir)/libs" ]; then reachable=$(data_dir)/libs; fi
    # A killed Java leaves its temporary files, so they go where the data goes.
    printf '%s\0' "${drop[@]}" "$java" -Xms64m -Xmx512m -XX:+UseSerialGC -XX:-UsePerfData "$@" \
        "-Djava.io.tmpdir=$(data_dir)" "-Dlog4j2.configurationFile=$(data_dir)/log4j2.properties" -cp "$reachable/*"
}

# A cluster is for drills: it starts in less of the processors' time without the optimising compiler.
service_command() {
    local options=(-XX:+ExitOnOutOfMemoryError)
    if [ "$(broker_count)" -gt 1 ]; then options+=("-XX:TieredStopAtLevel=1"); fi
    configure
    java_command "${options[@]}"
    printf '%s\0' kafka.Kafka "$(data_dir)/server.properties"
}

# It accepts connections before it knows the cluster, and is listed once the controller has let it serve.
service_ready() {
    ! port_is_free "$port" &&
        kcat -L -m 1 -b "127.0.0.1:$port" 2>/dev/null | grep -E " at 127\.0\.0\.1:$port( |$)" >/dev/null
}

service_after_start() { :; }

# The same for every broker, whichever of them are up.
service_env() {
    local member servers=()
    for member in $(members); do
        if [ -e "$home/$member/port" ]; then servers+=("127.0.0.1:$(cat "$home/$member/port")"); fi
    done
    (
        IFS=,
        echo "export KAFKA_BOOTSTRAP_SERVERS=${servers[*]}"
        echo "export COFFEE_RT_TEST_KAFKA_SERVERS=${servers[*]}"
    )
    if is_secure; then secure_env; fi
}
