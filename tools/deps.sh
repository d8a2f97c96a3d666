#!/bin/sh
# Installs the Debian packages that osprey needs and this machine lacks, after saying which.
#   sh tools/deps.sh build    to build, run and test        (make deps)
#   sh tools/deps.sh clang    to build and test with clang too
#   sh tools/deps.sh fuzz     for make fuzz
# What a backend can do without is installed where the package manager offers it: libdnnl-dev (oneDNN), for --backend onednn.
# Nothing here installs cuDNN and cuBLAS, for --backend cudnn: they come with NVIDIA's own licence (kernels/cudnn/README.md).
# DEPS=0: only says what is missing. Exit 0: nothing is missing (any more); 1: something is.
set -eu

packages="g++ binutils pkg-config libjpeg62-turbo-dev libpng-dev libexif-dev libcairo2-dev libjansson-dev libcmocka-dev fonts-dejavu-core"
case "${1:-build}:${CC:-gcc}" in
clang:* | fuzz:* | build:*clang*) packages="$packages clang libomp-dev libclang-rt-dev" ;;
esac

optional="libdnnl-dev"

absent() { # those of its arguments that are not installed
    for package in "$@"; do
        case "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)" in
        *"ok installed") ;;
        *) printf ' %s' "$package" ;;
        esac
    done
}

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    missing=$(absent $packages)
else
    for library in libjpeg libpng libexif cairo jansson cmocka; do
        pkg-config --exists "$library" 2>/dev/null || missing="$missing $library"
    done
    [ -z "$missing" ] || echo "osprey needs$missing: install them with your system's package manager, then run make again" >&2
    [ -z "$missing" ] && exit 0 || exit 1
fi

if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1; then
    sudo="sudo "
else
    sudo="none"
fi
if [ "${DEPS:-1}" = 0 ] || [ "$sudo" = none ]; then
    [ -n "$missing" ] || exit 0
    echo "osprey needs these packages; run, as root:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
fi
if [ -n "$missing" ]; then
    echo "installing:$missing"
    # A machine that never fetched the package lists, or has old ones, gets them once.
    ${sudo}apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 ||
        { ${sudo}apt-get update >/dev/null && ${sudo}apt-get install -y --no-install-recommends $missing >/dev/null; }
fi
# Nobody is asked for a password for these.
for package in $(absent $optional); do
    [ -n "$(apt-cache show "$package" 2>/dev/null)" ] || continue
    [ -z "$sudo" ] || sudo -n true 2>/dev/null || continue
    echo "installing: $package (optional)"
    ${sudo}apt-get install -y --no-install-recommends "$package" >/dev/null 2>&1 ||
        echo "$package could not be installed; osprey does without" >&2
done
