#!/usr/bin/env bash
# Makes the pictures of docs/guide.md and README.md anew from the real window, as tests/drive_window.sh and tests/drive_lab.sh
# drive it. Wants what those want, and pngquant where the pictures should be small.
#
#   cargo build --release --locked && docs/make_pictures.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
pictures=$(mktemp -d)
trap 'rm -rf "$pictures"' EXIT
binary=${1:-$root/target/release/poisdetc}
"$root/tests/drive_window.sh" "$pictures" "$binary"
"$root/tests/drive_lab.sh" "$pictures" "$binary" 1
keep() {
    cp "$pictures/$1.png" "$root/docs/images/$2.png"
    if command -v pngquant >/dev/null; then
        pngquant --force --skip-if-larger --ext .png 128 "$root/docs/images/$2.png" || true
    fi
}
keep 1-empty open
keep 2-running running
keep 3-verdict window
keep 4-why why
keep 5-inspect inspect
keep 5-strengths strengths
keep 7-repair repair
keep 9-repaired repaired
keep lab-2-trained lab
