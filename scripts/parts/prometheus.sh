# Prometheus of the system, scraping what it is told to once a second.

prometheus_daemons() { echo prometheus; }
prometheus_env() { echo "export RHEOS_PROMETHEUS=http://$address:$((first + 70))"; }
prometheus_install() {
    command -v prometheus >/dev/null || apt_install prometheus
    needs curl curl
}

prometheus_start() {
    local target targets=
    free prometheus $((first + 70))
    mkdir -p "$run/prometheus"
    # What to scrape is read anew, without a restart, when targets.json is replaced.
    for target in ${RHEOS_PROMETHEUS_TARGETS:-}; do targets+=",\"$target\""; done
    echo "[{\"targets\": [${targets:1}]}]" >"$run/prometheus/targets.json"
    cat >"$run/prometheus/prometheus.yml" <<'END'
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: rheos
    honor_labels: true
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
END
    daemon prometheus prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.enable-lifecycle \
        --web.listen-address="$address:$((first + 70))" --log.level=warn
    wait_for prometheus 30 curl -fsS -m 2 "http://$address:$((first + 70))/-/ready"
}
