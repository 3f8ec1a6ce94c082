# Sourced, not run. Gives toolchain_find, which puts a Rust toolchain that is new enough for the
# workspace on PATH, or returns 1 if there is none: the one on PATH, rustup's in its own folder (a
# shell started before rustup was installed does not have it on PATH), the system's, and last
# rustup's `stable` where rustup's default is another, older one.

rheos_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rust_needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$rheos_root/Cargo.toml")
cargo_home_bin=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin

# at_least WANTED VERSION
at_least() {
    printf '%s\n%s\n' "$1" "$2" | sort -V -C
}

# The version of rustc if both it and cargo are there and start, else nothing.
toolchain_version() {
    local rustc
    cargo --version >/dev/null 2>&1 || return 1
    rustc=$(rustc --version 2>/dev/null) || return 1
    rustc=${rustc#rustc }
    rustc=${rustc%% *}
    printf '%s\n' "${rustc%%-*}"
}

toolchain_fits() {
    local version
    version=$(toolchain_version) && at_least "$rust_needed" "$version"
}

toolchain_find() {
    local path=$PATH dir
    for dir in '' "$cargo_home_bin:" /usr/bin:; do
        PATH=$dir$path
        toolchain_fits && return 0
    done
    PATH=$cargo_home_bin:$path
    if command -v rustup >/dev/null; then
        export RUSTUP_TOOLCHAIN=stable
        RUSTUP_AUTO_INSTALL=0 toolchain_fits && return 0
        unset RUSTUP_TOOLCHAIN
    fi
    PATH=$path
    return 1
}
