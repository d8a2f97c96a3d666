#!/bin/sh
# Installs the Debian packages that osprey needs and this machine lacks, after saying which.
#   sh tools/deps.sh build    to build, run and test        (make deps)
#   sh tools/deps.sh clang    to build and test with clang too
#   sh tools/deps.sh fuzz     for make fuzz
# DEPS=0: only says what is missing. Exit 0: nothing is missing (any more); 1: something is.
set -eu

packages="g++ binutils pkg-config libjpeg62-turbo-dev libpng-dev libexif-dev libcairo2-dev libjansson-dev libcmocka-dev fonts-dejavu-core"
case "${1:-build}:${CC:-gcc}" in
clang:* | fuzz:* | build:*clang*) packages="$packages clang libomp-dev libclang-rt-dev" ;;
esac

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $packages; do
        case "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)" in
        *"ok installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
else
    for library in libjpeg libpng libexif cairo jansson cmocka; do
        pkg-config --exists "$library" 2>/dev/null || missing="$missing $library"
    done
    [ -z "$missing" ] || echo "osprey needs$missing: install them with your system's package manager, then run make again" >&2
    [ -z "$missing" ] && exit 0 || exit 1
fi

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1; then
    sudo="sudo "
else
    sudo="none"
fi
if [ "${DEPS:-1}" = 0 ] || [ "$sudo" = none ]; then
    echo "osprey needs these packages; run, as root:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
fi
echo "installing:$missing"
# A machine that never fetched the package lists, or has old ones, gets them once.
${sudo}apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 ||
    { ${sudo}apt-get update >/dev/null && ${sudo}apt-get install -y --no-install-recommends $missing >/dev/null; }
