#!/usr/bin/env bash
# Draws assets/icon/icon.svg in all sizes that desktops ask for; run it when the drawing changes and commit what it makes.
# Wants rsvg-convert (Debian: librsvg2-bin).
set -euo pipefail
cd "$(dirname "$0")/../assets/icon"
for size in 16 22 24 32 48 64 128 256 512; do
    rsvg-convert --width "$size" --height "$size" --output "icon-$size.png" icon.svg
done
