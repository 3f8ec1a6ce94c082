# Search servers with Elasticsearch's interface, one node each, from their libraries: `search` is
# Elasticsearch, `opensearch` is OpenSearch. There is no security, no scripting and, in Elasticsearch,
# no `GET /` in them.

search_version=9.5.3
search_daemons() { echo search; }
search_env() { echo "export RHEOS_SEARCH=http://$address:$((first + 50))"; }
search_start() { search_node search elasticsearch-$search_version $((first + 50)); }

opensearch_version=3.8.0
opensearch_daemons() { echo opensearch; }
opensearch_env() { echo "export RHEOS_OPENSEARCH=http://$address:$((first + 54))"; }
opensearch_start() { search_node opensearch opensearch-$opensearch_version $((first + 54)); }

search_needs() {
    java_install
    command -v javac >/dev/null || apt_install default-jdk-headless
    needs curl curl
    search_launcher
}

search_install() {
    search_needs
    installed elasticsearch $search_version search_fetch
}

opensearch_install() {
    search_needs
    installed opensearch $opensearch_version opensearch_fetch
}

search_fetch() {
    local module=$1/home/modules/transport-netty4
    maven_jars "$1" org.elasticsearch:elasticsearch:$search_version \
        org.elasticsearch.plugin:transport-netty4:$search_version
    mkdir -p "$module"
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
}

opensearch_fetch() {
    maven_jars "$1" org.opensearch:opensearch:$opensearch_version \
        org.opensearch.plugin:transport-netty4-client:$opensearch_version \
        org.apache.logging.log4j:log4j-core:2.25.4
}

# What starts a node; made again where it is older than its source. Parts are installed one after
# another but start side by side, so it is made here, once, and not where a node starts.
search_launcher() {
    local classes=$home/search-server jar=$home/search-server.jar
    if [ "$jar" -nt "$here/parts/SearchServer.java" ]; then return; fi
    mkdir -p "$classes"
    # It names no class of a server at compile time: a compiler older than the servers' classes will do.
    javac -nowarn --release 17 -d "$classes" "$here/parts/SearchServer.java"
    (cd "$classes" && "$(dirname "$(readlink -f "$(command -v javac)")")/jar" cf "$jar.new" ./*.class)
    mv "$jar.new" "$jar"
}

# search_node DAEMON INSTALLED PORT; the next port is the transport's.
search_node() {
    local name=$1 folder=$run/$1 installed=$home/$2 port=$3 options setting settings=()
    mapfile -t options < <(java_options "$name")
    free "$name" "$port" $((port + 1))
    mkdir -p "$folder/config" "$folder/plugins"
    if [ -d "$installed/home/modules" ]; then ln -sfn "$installed/home/modules" "$folder/modules"; fi
    for setting in node.name=n1 cluster.name=rheos discovery.type=single-node network.host="$address" \
        http.port="$port" transport.port=$((port + 1)) cluster.routing.allocation.disk.threshold_enabled=false \
        ${RHEOS_SEARCH_SETTINGS:-}; do settings+=("$setting"); done
    daemon "$name" "$(java_find)" -Xms512m -Xmx512m -XX:TieredStopAtLevel=1 "${options[@]}" \
        --enable-native-access=ALL-UNNAMED -cp "$home/search-server.jar:$installed/lib/*" SearchServer \
        "${2%-*}" "$folder" "${settings[@]}"
    wait_for "$name" 120 curl -fsS -m 2 "http://$address:$port/_cluster/health?wait_for_status=yellow&timeout=1s"
}
