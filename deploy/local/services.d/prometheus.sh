# shellcheck shell=bash disable=SC2034,SC2154
# Prometheus with our alerts, scraping every second. It watches the nodes that its targets file names: one on the usual port,
# until somebody writes others into it.
# The functions that start with service_ are what ../instance.sh calls.

service_program=prometheus
service_stop_signal=TERM

service_install() {
    if ! command -v prometheus >/dev/null; then install_debian prometheus; fi
    server=$(command -v prometheus) || die "no prometheus in PATH"
}

service_prepare() {
    make_data_dir
    as_account mkdir "$(data_dir)/targets"
    as_account tee "$(data_dir)/rules.yml" <"$repo_dir/deploy/prometheus/rules/coffee-rt.yml" >/dev/null
    settings | as_account tee "$(data_dir)/prometheus.yml" >/dev/null
    echo '[{"targets": ["127.0.0.1:8005"]}]' | as_account tee "$(targets)" >/dev/null
}

targets() { printf '%s\n' "$(data_dir)/targets/nodes.json"; }

settings() {
    cat <<END
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [rules.yml]
scrape_configs:
  - job_name: coffee-rt
    file_sd_configs: [{files: [targets/*.json], refresh_interval: 1s}]
END
}

service_command() {
    local drop
    drop_root
    printf '%s\0' "${drop[@]}" "$server" --config.file "$(data_dir)/prometheus.yml" \
        --storage.tsdb.path "$(data_dir)/series" --web.listen-address "127.0.0.1:$port"
}

service_ready() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /-/ready HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 '
    ) 2>/dev/null
}

service_after_start() { :; }

service_env() {
    echo "export PROMETHEUS_URL=http://127.0.0.1:$port"
    echo "export PROMETHEUS_TARGETS=$(targets)"
}
