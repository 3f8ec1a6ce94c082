# A schema registry with Confluent's interface: Apicurio Registry. Schemas outlive a crash.

registry_version=3.3.3
registry_daemons() { echo registry; }
registry_url() { echo "http://$address:$((first + 10))/apis/ccompat/v7"; }
registry_env() { echo "export RHEOS_REGISTRY=$(registry_url)"; }

registry_install() {
    java_install
    needs curl curl
    installed apicurio $registry_version registry_fetch
}

registry_fetch() {
    needs maven mvn
    (cd "$1" && mvn -B -q -ntp -C -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
        -Dartifact=io.apicurio:apicurio-registry-app:$registry_version:tar.gz:all -DoutputDirectory="$1" >&2)
    tar xzf "$1/apicurio-registry-app-$registry_version-all.tar.gz" -C "$1"
    rm "$1/apicurio-registry-app-$registry_version-all.tar.gz"
}

registry_start() {
    local options
    mapfile -t options < <(java_options registry)
    free registry $((first + 10)) $((first + 11))
    mkdir -p "$run/registry"
    # Its jar is found by its own folder's libraries, so the log alone is kept in the run's folder.
    daemon registry "$(java_find)" -Xms64m -Xmx256m -XX:TieredStopAtLevel=1 "${options[@]}" \
        -Dquarkus.http.host="$address" -Dquarkus.http.port=$((first + 10)) \
        -Dquarkus.management.host="$address" -Dquarkus.management.port=$((first + 11)) \
        -Dquarkus.http.access-log.enabled=false \
        -Dapicurio.datasource.jdbc.initial-size=2 -Dapicurio.datasource.jdbc.min-size=2 -Dapicurio.datasource.jdbc.max-size=10 \
        "-Dapicurio.datasource.url=jdbc:h2:file:$run/registry/h2;WRITE_DELAY=0" \
        -jar "$home/apicurio-$registry_version/quarkus-run.jar"
    wait_for registry 120 curl -fsS -m 2 "$(registry_url)/subjects"
    # Apicurio's own default is NONE; Confluent's is BACKWARD.
    curl -fsS -o /dev/null -X PUT -H 'Content-Type: application/vnd.schemaregistry.v1+json' \
        -d '{"compatibility":"BACKWARD"}' "$(registry_url)/config"
}
