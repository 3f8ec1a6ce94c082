# Apache Kafka (KRaft). Node i has the ports first+2(i-1) for clients and the next one for the
# controllers; the first node also takes clients with SASL (PLAIN and SCRAM; user and password
# "rheos") on first+6, and with TLS and SASL on first+7.

kafka_version=4.3.1
kafka_nodes() { seq 1 "${RHEOS_KAFKA_NODES:-1}"; }
kafka_port() { echo $((first + 2 * ($1 - 1))); }
kafka_daemons() { for node in $(kafka_nodes); do echo "kafka-$node"; done; }

kafka_env() {
    local list=
    for node in $(kafka_nodes); do list+=,$address:$(kafka_port "$node"); done
    echo "export RHEOS_KAFKA=${list:1}"
    echo "export RHEOS_KAFKA_SASL=$address:$((first + 6))"
    echo "export RHEOS_KAFKA_TLS=$address:$((first + 7))"
    echo "export RHEOS_KAFKA_CA=$run/kafka-1/tls/ca.pem"
}

kafka_install() {
    java_install
    needs openssl openssl
    installed kafka $kafka_version kafka_fetch
}

kafka_fetch() {
    maven_jars "$1" org.apache.kafka:kafka_2.13:$kafka_version org.apache.kafka:kafka-tools:$kafka_version \
        org.apache.logging.log4j:log4j-slf4j-impl:2.25.4
    cat >"$1/log4j2.properties" <<'END'
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
END
}

kafka_configure() {
    local node=$1 folder=$run/kafka-$1 nodes=${RHEOS_KAFKA_NODES:-1} copies=1 in_sync=1 voters=
    local listeners names='PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT' advertised
    [ -f "$folder/data/meta.properties" ] && return
    if [ "$nodes" -ge 3 ]; then copies=3 in_sync=2; fi
    for other in $(kafka_nodes); do voters+=,$other@$address:$(($(kafka_port "$other") + 1)); done
    advertised=PLAINTEXT://$address:$(kafka_port "$node")
    if [ "$node" = 1 ]; then
        advertised+=,SASL://$address:$((first + 6)),TLS://$address:$((first + 7))
        names+=,SASL:SASL_PLAINTEXT,TLS:SASL_SSL
    fi
    listeners=$advertised,CONTROLLER://$address:$(($(kafka_port "$node") + 1))
    rm -rf "$folder"
    mkdir -p "$folder/data"
    cat >"$folder/server.properties" <<END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=${voters:1}
listeners=$listeners
advertised.listeners=$advertised
controller.listener.names=CONTROLLER
listener.security.protocol.map=$names
log.dirs=$folder/data
num.partitions=1
default.replication.factor=$copies
min.insync.replicas=$in_sync
auto.create.topics.enable=false
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
END
    if [ "$node" = 1 ]; then
        certificates "$folder/tls"
        cat >>"$folder/server.properties" <<END
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location=$folder/tls/server.pem
END
        for listener in sasl tls; do
            cat >>"$folder/server.properties" <<END
listener.name.$listener.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_rheos="rheos";
listener.name.$listener.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.$listener.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
END
        done
    fi
    "$(java_find)" -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
        -Dlog4j2.configurationFile="$home/kafka-$kafka_version/log4j2.properties" -cp "$home/kafka-$kafka_version/lib/*" \
        kafka.tools.StorageTool format -t cmhlb3MtdGVzdC1wYXJ0cw -c "$folder/server.properties" \
        --add-scram 'SCRAM-SHA-256=[name=rheos,password=rheos]' --add-scram 'SCRAM-SHA-512=[name=rheos,password=rheos]' \
        >"$folder/format.log" 2>&1 || { tail -n 15 "$folder/format.log" >&2; return 1; }
}

kafka_start() {
    local options node
    mapfile -t options < <(java_options kafka)
    for node in $(kafka_nodes); do
        daemon_pid "kafka-$node" >/dev/null && continue
        free kafka "$(kafka_port "$node")" $(($(kafka_port "$node") + 1))
        kafka_configure "$node"
        # Its log is this start's alone: readiness is a line of it.
        if [ -f "$run/kafka-$node/log" ]; then mv "$run/kafka-$node/log" "$run/kafka-$node/log.before"; fi
        daemon "kafka-$node" "$(java_find)" -Xms128m -Xmx512m "${options[@]}" \
            -Dlog4j2.configurationFile="$home/kafka-$kafka_version/log4j2.properties" \
            -cp "$home/kafka-$kafka_version/lib/*" kafka.Kafka "$run/kafka-$node/server.properties"
    done
    for node in $(kafka_nodes); do
        wait_for "kafka-$node" 120 grep -aq 'Kafka Server started' "$run/kafka-$node/log"
    done
}

# kafka_tool CLASS ARGUMENT…: one of Kafka's own, against whichever node answers.
kafka_tool() {
    local class=$1 log=$run/kafka-1/tools.properties nodes= node
    shift
    for node in $(kafka_nodes); do nodes+=,$address:$(kafka_port "$node"); done
    # What they print is on stdout: their log must not be.
    printf '%s\n' status=error appender.err.type=Console appender.err.name=err appender.err.target=SYSTEM_ERR \
        appender.err.layout.type=PatternLayout rootLogger.level=WARN rootLogger.appenderRef.err.ref=err >"$log"
    "$(java_find)" -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.configurationFile="$log" \
        -cp "$home/kafka-$kafka_version/lib/*" "org.apache.kafka.tools.$class" \
        --bootstrap-server "${nodes:1}" "$@"
}

kafka_topic() {
    local keep=(--config retention.ms=-1 --config message.timestamp.after.max.ms=9223372036854775807)
    kafka_tool TopicCommand --delete --if-exists --topic "$1" >&2
    local tries=100
    # A topic that goes keeps its name for a moment.
    until kafka_tool TopicCommand --create --topic "$1" --partitions "$2" "${keep[@]}" >&2; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.2
    done
}

# Every committed record of a topic: headers (name:value, with 0x1c between), 0x1d, key, 0x1d, value,
# each record ended by 0x1e 0x1f 0x1e 0x1f. Ends when nothing has come for five seconds.
kafka_consume() {
    kafka_tool consumer.ConsoleConsumer --topic "$1" --from-beginning --timeout-ms 5000 \
        --isolation-level read_committed \
        --formatter-property print.key=true --formatter-property print.headers=true \
        --formatter-property headers.separator=$'\x1c' --formatter-property key.separator=$'\x1d' \
        --formatter-property line.separator=$'\x1e\x1f\x1e\x1f' 2>/dev/null || true
}
