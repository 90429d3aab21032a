#!/usr/bin/env bash
# Lays a built program out as it is installed under a prefix: the binary, desktop file, metainfo, icons, manual pages,
# completions and licences. The recipes for packages beside this file begin with it; "make install" by another name:
#
#   packaging/linux/stage.sh FOLDER [BINARY]
set -euo pipefail

folder=${1:?"usage: $0 FOLDER [BINARY]"}
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=${2:-$root/target/release/poisdetc}
id=io.github.poisdetc.PoisDetc

install -Dm755 "$binary" "$folder/bin/poisdetc"
install -Dm644 "$root/packaging/linux/$id.desktop" "$folder/share/applications/$id.desktop"
install -Dm644 "$root/packaging/linux/$id.metainfo.xml" "$folder/share/metainfo/$id.metainfo.xml"
install -Dm644 "$root/assets/icon/icon.svg" "$folder/share/icons/hicolor/scalable/apps/$id.svg"
for icon in "$root"/assets/icon/icon-*.png; do
    size=${icon##*-}
    size=${size%.png}
    install -Dm644 "$icon" "$folder/share/icons/hicolor/${size}x$size/apps/$id.png"
done
man=$(mktemp -d)
trap 'rm -rf "$man"' EXIT
"$binary" manual --out "$man"
for page in "$man"/*.1; do
    gzip --no-name --best "$page"
    install -Dm644 "$page.gz" "$folder/share/man/man1/$(basename "$page").gz"
done
complete() { install -d "$folder/share/$2" && "$binary" completions "$1" >"$folder/share/$2/$3"; }
complete bash bash-completion/completions poisdetc
complete fish fish/vendor_completions.d poisdetc.fish
complete zsh zsh/vendor-completions _poisdetc
for text in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
    install -Dm644 "$root/$text" "$folder/share/doc/poisdetc/$text"
done
install -Dm644 "$root/assets/fonts/OFL.txt" "$folder/share/doc/poisdetc/Inter-OFL.txt"
