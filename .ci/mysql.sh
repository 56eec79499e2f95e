#!/usr/bin/env bash
# A real MySQL for the tests, without installing anything: `bash .ci/mysql.sh DIR`.
#
# Debian stable has MariaDB only. This takes MySQL's server and the libraries it
# needs out of the packages of Debian unstable, from the mirror that apt is
# configured with, into DIR. What is in DIR already is not fetched again. The last
# line printed is the program; the tests find it in EDS_TEST_MYSQLD.
set -euo pipefail

[ $# = 1 ] || { echo "usage: bash .ci/mysql.sh DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
here=$PWD
program=$here/mysqld

# The first Debian mirror of apt's own configuration, in either of its formats.
mirror() {
    local files
    files=$(find /etc/apt -name '*.sources' -o -name '*.list')
    # One word each.
    # shellcheck disable=SC2086
    sed -n -e 's/^URIs: *\([^ ]*\/debian\)\/* *$/\1/p' \
        -e 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\/debian\)\/*  *.*/\2/p' $files
}

configure() {
    mkdir -p apt/lists/partial apt/cache/archives/partial
    local from key=/usr/share/keyrings/debian-archive-keyring.gpg
    from=$(mirror | sed -n 1p)
    [ -n "$from" ] || { echo "apt knows no Debian mirror" >&2; exit 1; }
    echo "deb [signed-by=$key] $from sid main" > apt/sources.list
    cat > apt/apt.conf <<CONF
Dir::Etc::sourcelist "$here/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$here/apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$here/apt/cache";
APT::Sandbox::User "root";
CONF
    export APT_CONFIG=$here/apt/apt.conf
}

# Libraries only: the server's scripts in Perl are not used.
packages() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances mysql-server-core |
        grep -E '^(lib|zlib1g|mysql-server-core|gcc-)' | grep -v perl | sort -u
}

# It brings its own libraries and their loader: this system's may be older.
write_program() {
    local loader lib
    loader=$(find "$here/unpacked" -name 'ld-linux-*.so.*' | sed -n 1p)
    lib=$(dirname "$(find "$here/unpacked" -name 'libssl.so.*' | sed -n 1p)")
    cat > "$program.new" <<PROGRAM
#!/bin/sh
exec "$loader" --library-path "$lib" "$here/unpacked/usr/sbin/mysqld" "\$@" \\
    --basedir="$here/unpacked/usr" --lc-messages-dir="$here/unpacked/usr/share/mysql" \\
    --plugin-dir="$here/unpacked/usr/lib/mysql/plugin"
PROGRAM
    chmod 755 "$program.new"
    mv "$program.new" "$program"
}

if [ ! -x "$program" ]; then
    configure
    apt-get update -qq >&2
    mkdir -p debs unpacked
    (cd debs && packages | xargs apt-get download -qq >&2)
    for package in debs/*.deb; do dpkg-deb -x "$package" unpacked; done
    write_program
    rm -rf apt debs
fi
"$program" --no-defaults --version >&2
echo "export EDS_TEST_MYSQLD=$program" >&2
echo "$program"
