# A Redis cluster of three masters, on first+40 to first+42, and their replicas, if asked for, on
# first+43 to first+45. With RHEOS_REDIS_CLUSTER_TLS=1 they speak TLS among themselves, and with clients
# on first+80 to first+85; these are told of one another's plain or TLS ports as they came themselves.

# A cluster that was made with replicas keeps them, whatever is asked for later.
redis_cluster_replicas() { if [ -d "$run/redis-cluster-$((first + 43))" ]; then echo 1; else echo "${RHEOS_REDIS_REPLICAS:-0}"; fi; }
redis_cluster_ports() { seq $((first + 40)) $((first + 42 + 3 * $(redis_cluster_replicas))); }
redis_cluster_daemons() { for port in $(redis_cluster_ports); do echo "redis-cluster-$port"; done; }
redis_cluster_install() { redis_install; }

redis_cluster_env() {
    local list=
    for port in $(redis_cluster_ports); do list+=,$address:$port; done
    echo "export RHEOS_REDIS_CLUSTER=redis-cluster://${list:1}"
    echo "export RHEOS_REDIS_CLUSTER_CA=$run/redis-cluster/tls/ca.pem"
}

redis_cluster_settled() {
    local port replicas=0
    for port in $(redis_cluster_ports); do
        redis-cli -h "$address" -p "$port" cluster info | grep -q cluster_state:ok || return 1
        replicas=$((replicas + $(redis-cli -h "$address" -p "$port" info replication | grep -c master_link_status:up || true)))
    done
    [ $replicas -ge $((3 * $(redis_cluster_replicas))) ]
}

redis_cluster_start() {
    local port nodes=() ports replicas ask=(redis-cli) offset=0 secure=()
    if [ "${RHEOS_REDIS_CLUSTER_TLS:-}" = 1 ]; then
        ask=(redis-cli --tls --cacert "$run/redis-cluster/tls/ca.pem") offset=40 secure=(--tls-cluster yes --tls-replication yes)
    fi
    # As they are before folders are made.
    ports=$(redis_cluster_ports) replicas=$(redis_cluster_replicas)
    certificates "$run/redis-cluster/tls"
    for port in $ports; do
        nodes+=("$address:$((port + offset))")
        # A replica that has not yet synchronised can't be promoted: no delay before it does.
        redis_node "redis-cluster-$port" "$port" $((port + 40)) "$run/redis-cluster/tls" "${secure[@]}" \
            --cluster-enabled yes --cluster-config-file nodes.conf --cluster-node-timeout 2000 --repl-diskless-sync-delay 0
    done
    if redis-cli -h "$address" -p $((first + 40)) cluster info | grep -q cluster_slots_assigned:0; then
        "${ask[@]}" --cluster create "${nodes[@]}" --cluster-replicas "$replicas" --cluster-yes >/dev/null
    fi
    wait_for "redis-cluster-$((first + 40))" 30 redis_cluster_settled
}
