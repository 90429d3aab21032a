#!/usr/bin/env bash
# The program as an archive that needs no installation, in the folder given (target/packages where none is). Unpack it anywhere
# and start bin/poisdetc; share/ holds what "stage.sh" would install.
#
#   cargo build --release --locked && packaging/linux/build-tarball.sh [FOLDER]
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/target/packages}
binary=${POISDETC_BINARY:-$root/target/release/poisdetc}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
name=poisdetc-$version-linux-$(uname -m)
when=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
"$root/packaging/linux/stage.sh" "$tree/$name" "$binary"
mkdir -p "$out"
tar --create --directory "$tree" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" "$name" |
    gzip --no-name --best >"$out/$name.tar.gz"
echo "$out/$name.tar.gz"
