# Redis of the system, append-only: what it has acknowledged survives a crash.

redis_daemons() { echo redis; }
redis_env() { echo "export RHEOS_REDIS=redis://127.0.0.1:$((first + 30))"; }

redis_install() {
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null && return
    apt_install redis-server redis-tools
}

redis_node() {
    local name=$1 port=$2
    shift 2
    daemon_pid "$name" >/dev/null && return
    free "$name" "$port"
    mkdir -p "$run/$name"
    daemon "$name" redis-server --bind 127.0.0.1 --port "$port" --dir "$run/$name" --daemonize no \
        --appendonly yes --save '' "$@"
    wait_for "$name" 30 sh -c "redis-cli -h 127.0.0.1 -p $port ping | grep -q PONG"
}

redis_start() { redis_node redis $((first + 30)); }
