# A search server with Elasticsearch's interface: one node of Elasticsearch, from its libraries. There
# is no security, no scripting and no `GET /` in them.

search_version=9.5.3
search_daemons() { echo search; }
search_env() { echo "export RHEOS_SEARCH=http://127.0.0.1:$((first + 50))"; }

search_install() {
    java_install
    command -v javac >/dev/null || apt_install default-jdk-headless
    needs curl curl
    installed elasticsearch $search_version search_fetch
}

search_fetch() {
    local module=$1/home/modules/transport-netty4
    maven_jars "$1" org.elasticsearch:elasticsearch:$search_version \
        org.elasticsearch.plugin:transport-netty4:$search_version
    mkdir -p "$module" "$1/classes"
    mv "$1"/lib/netty-*.jar "$1"/lib/transport-netty4-*.jar "$module/"
    cat >"$module/plugin-descriptor.properties" <<END
description=transport-netty4
version=$search_version
name=transport-netty4
classname=org.elasticsearch.transport.netty4.Netty4Plugin
java.version=21
elasticsearch.version=$search_version
extended.plugins=
has.native.controller=false
END
    # It names no class of the server at compile time: a compiler older than the server's classes will do.
    javac -nowarn --release 17 -d "$1/classes" "$here/parts/SearchNode.java"
    (cd "$1/classes" && "$(dirname "$(readlink -f "$(command -v javac)")")/jar" cf "$1/lib/zz-search-node.jar" ./*.class)
}

search_start() {
    local options setting settings=() folder=$run/search
    mapfile -t options < <(java_options search)
    free search $((first + 50)) $((first + 51))
    mkdir -p "$folder/config" "$folder/plugins"
    ln -sfn "$home/elasticsearch-$search_version/home/modules" "$folder/modules"
    for setting in node.name=n1 cluster.name=rheos discovery.type=single-node network.host=127.0.0.1 \
        http.port=$((first + 50)) transport.port=$((first + 51)) cluster.routing.allocation.disk.threshold_enabled=false \
        ${RHEOS_SEARCH_SETTINGS:-}; do settings+=("$setting"); done
    daemon search "$(java_find)" -Xms512m -Xmx512m -XX:TieredStopAtLevel=1 "${options[@]}" \
        --enable-native-access=ALL-UNNAMED -cp "$home/elasticsearch-$search_version/lib/*" SearchNode "$folder" "${settings[@]}"
    wait_for search 120 curl -fsS -m 2 "http://127.0.0.1:$((first + 50))/_cluster/health?wait_for_status=yellow&timeout=1s"
}
