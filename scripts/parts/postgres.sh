# PostgreSQL of the system, with logical replication and prepared transactions. User postgres, no
# password on loopback; or user rheos with that password (SCRAM), over TLS alone. It refuses to run as
# root, so as root it runs as the account postgres.

postgres_daemons() { echo postgres; }
postgres_env() {
    echo "export RHEOS_POSTGRES=postgres://postgres@$address:$((first + 20))/postgres"
    echo "export RHEOS_POSTGRES_TLS=postgres://rheos:rheos@$address:$((first + 20))/postgres?sslmode=require"
    echo "export RHEOS_POSTGRES_CA=$run/postgres/tls/ca.pem"
}

postgres_program() {
    local program
    program=$(command -v "$1") || program=$(find /usr/lib/postgresql -path "*/bin/$1" 2>/dev/null | sort -V | tail -n 1)
    [ -n "$program" ] && echo "$program"
}

postgres_install() {
    needs openssl openssl
    postgres_program initdb >/dev/null && command -v psql >/dev/null && return
    # The package would make and start a server of its own.
    if [ ! -e /etc/postgresql-common/createcluster.conf ] && [ "$(id -u)" = 0 ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    apt_install postgresql
}

postgres_as() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }

postgres_start() {
    local folder=$run/postgres options ask=(psql -h "$address" -p $((first + 20)) -U postgres -qAt -c)
    free postgres $((first + 20))
    mkdir -p "$folder"
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$folder"
        runuser -u postgres -- test -x "$folder" ||
            { say "postgres: the account postgres can't enter $folder: set RHEOS_SERVICES_HOME to a folder that it can"; return 1; }
    fi
    if [ ! -f "$folder/data/PG_VERSION" ]; then
        rm -rf "$folder/data"
        postgres_as "$(postgres_program initdb)" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
        postgres_as tee -a "$folder/data/postgresql.conf" >/dev/null <<END
port=$((first + 20))
listen_addresses='$address'
unix_socket_directories='$folder'
wal_level=logical
max_prepared_transactions=100
max_replication_slots=20
max_wal_senders=20
shared_buffers=64MB
log_min_messages=warning
END
    fi
    certificates "$folder/tls"
    cat >"$folder/hba.conf" <<END
hostssl all rheos samenet scram-sha-256
host all rheos samenet reject
local all all trust
host all all samenet trust
host replication all samenet trust
END
    # A server that was killed keeps its number until it is reaped; meanwhile another refuses to start.
    local old tries=100
    if read -r old 2>/dev/null <"$folder/data/postmaster.pid"; then
        while [ -e "/proc/$old" ] && ! lives "$old" && [ $tries -gt 0 ]; do
            tries=$((tries - 1))
            sleep 0.1
        done
    fi
    # With what a run has that was made before these were.
    options=(-D "$folder/data" -c ssl=on -c "ssl_cert_file=$folder/tls/server.crt" -c "ssl_key_file=$folder/tls/server.key"
        -c "hba_file=$folder/hba.conf" -c max_connections="${RHEOS_POSTGRES_CONNECTIONS:-200}")
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$folder/tls/server.key"
        # setpriv becomes the server itself, so that the pid is the server's.
        daemon postgres setpriv --reuid=postgres --regid=postgres --init-groups \
            "$(postgres_program postgres)" "${options[@]}"
    else
        daemon postgres "$(postgres_program postgres)" "${options[@]}"
    fi
    wait_for postgres 60 "${ask[@]}" 'select 1'
    "${ask[@]}" "DO \$\$ BEGIN
        IF to_regrole('rheos') IS NULL THEN
            CREATE ROLE rheos LOGIN PASSWORD 'rheos';
            GRANT ALL ON SCHEMA public TO rheos;
        END IF;
    END \$\$"
}
