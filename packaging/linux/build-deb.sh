#!/usr/bin/env bash
# A Debian package out of the built program, in the folder given (target/packages where none is):
#
#   cargo build --release --locked && packaging/linux/build-deb.sh [FOLDER]
#
# The same program gives the same bytes where SOURCE_DATE_EPOCH is set; without it, it is the time of the last commit.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/target/packages}
binary=${POISDETC_BINARY:-$root/target/release/poisdetc}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
"$root/packaging/linux/stage.sh" "$tree/usr" "$binary"

# What Debian wants under names of its own.
doc=$tree/usr/share/doc/poisdetc
rm "$doc/LICENSE-MIT" "$doc/LICENSE-APACHE" "$doc/Inter-OFL.txt"
{
    echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    echo "Upstream-Name: PoisDetc"
    echo
    echo "Files: *"
    echo "Copyright: The PoisDetc developers"
    echo "License: Expat or Apache-2.0"
    echo
    echo "License: Expat"
    sed -e 's/^$/./' -e 's/^/ /' "$root/LICENSE-MIT"
    echo
    echo "License: Apache-2.0"
    echo " On Debian systems the text is in /usr/share/common-licenses/Apache-2.0."
    echo
    echo "Files: assets/fonts/*"
    echo "Copyright: The Inter Project Authors"
    echo "License: OFL-1.1"
    echo
    echo "License: OFL-1.1"
    sed -e 's/^$/./' -e 's/^/ /' "$root/assets/fonts/OFL.txt"
} >"$doc/copyright"
mv "$doc/CHANGELOG.md" "$doc/changelog"
gzip --no-name --best "$doc/changelog"

mkdir "$tree/DEBIAN"
# The window opens these when it starts, so nothing that looks at the linked libraries knows of them.
cat >"$tree/DEBIAN/control" <<CONTROL
Package: poisdetc
Version: $version
Architecture: $architecture
Maintainer: The PoisDetc developers <maintainers@users.noreply.github.com>
Installed-Size: $(du -sk --apparent-size "$tree/usr" | cut -f1)
Depends: libc6 (>= 2.34), libgcc-s1
Recommends: libx11-6, libx11-xcb1, libxcb1, libxcursor1, libxi6, libxkbcommon0, libxkbcommon-x11-0, libgl1, libegl1, libwayland-client0, libdbus-1-3
Suggests: xdg-desktop-portal | zenity
Section: science
Priority: optional
Description: audits image classifiers for backdoors
 An image classifier can be poisoned: it answers well until a picture carries
 a certain mark, a trigger, and then says what an attacker wants. PoisDetc
 searches a model for such backdoors, shows the trigger it found, explains how
 sure it is and why, repairs the model and gives back a file that works where
 the original did. ONNX and Keras models; a window and a command line.
CONTROL
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
package=$out/poisdetc_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"
