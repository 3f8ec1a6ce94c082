# Redis of the system, append-only: what it has acknowledged survives a crash. It takes connections on
# first+30, and with TLS on first+31; everybody may do all, and so may the user rheos with that password.

redis_daemons() { echo redis; }
redis_env() {
    echo "export RHEOS_REDIS=redis://$address:$((first + 30))"
    echo "export RHEOS_REDIS_TLS=rediss://rheos:rheos@$address:$((first + 31))"
    echo "export RHEOS_REDIS_CA=$run/redis/tls/ca.pem"
}

redis_install() {
    needs openssl openssl
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null && return
    apt_install redis-server redis-tools
}

# redis_node DAEMON PORT TLS-PORT CERTIFICATES OPTION…
redis_node() {
    local name=$1 port=$2 tls_port=$3 tls=$4
    shift 4
    daemon_pid "$name" >/dev/null && return
    free "$name" "$port" "$tls_port"
    mkdir -p "$run/$name"
    daemon "$name" redis-server --bind "$address" --protected-mode no --port "$port" --dir "$run/$name" --daemonize no \
        --appendonly yes --save '' --tls-port "$tls_port" --tls-cert-file "$tls/server.crt" \
        --tls-key-file "$tls/server.key" --tls-ca-cert-file "$tls/ca.pem" --tls-auth-clients no \
        --user rheos on '>rheos' '~*' '&*' +@all "$@"
    wait_for "$name" 30 sh -c "redis-cli -h $address -p $port ping | grep -q PONG"
}

redis_start() {
    certificates "$run/redis/tls"
    redis_node redis $((first + 30)) $((first + 31)) "$run/redis/tls"
}
