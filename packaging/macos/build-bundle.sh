#!/usr/bin/env bash
# PoisDetc.app in a disk image out of the built program, in target/packages. On a Mac:
#
#   cargo build --release --locked && packaging/macos/build-bundle.sh
#
# Signed where POISDETC_SIGN_IDENTITY names an identity ("Developer ID Application: …"), and notarised where
# POISDETC_NOTARY_PROFILE names a profile kept by "xcrun notarytool store-credentials", too. Without them the bundle is signed
# ad hoc, and people have to open it by its context menu the first time.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/target/packages
binary=${POISDETC_BINARY:-$root/target/release/poisdetc}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
app=$out/PoisDetc.app
image=$out/poisdetc-$version-macos-$(uname -m).dmg

rm -rf "$app"
mkdir -p "$app/Contents/MacOS" "$app/Contents/Resources"
sed "s/@VERSION@/$version/" "$root/packaging/macos/Info.plist" >"$app/Contents/Info.plist"
cp "$binary" "$app/Contents/MacOS/poisdetc"
cp "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$root/assets/fonts/OFL.txt" "$app/Contents/Resources/"

icons=$(mktemp -d)/poisdetc.iconset
mkdir -p "$icons"
for size in 16 32 128 256; do
    cp "$root/assets/icon/icon-$size.png" "$icons/icon_${size}x$size.png"
    cp "$root/assets/icon/icon-$((2 * size)).png" "$icons/icon_${size}x$size@2x.png"
done
cp "$root/assets/icon/icon-512.png" "$icons/icon_512x512.png"
iconutil --convert icns --output "$app/Contents/Resources/poisdetc.icns" "$icons"
rm -rf "$(dirname "$icons")"

codesign --force --options runtime --timestamp"$([ -n "${POISDETC_SIGN_IDENTITY:-}" ] || echo =none)" \
    --sign "${POISDETC_SIGN_IDENTITY:--}" "$app"
rm -f "$image"
hdiutil create -quiet -fs HFS+ -volname PoisDetc -srcfolder "$app" "$image"
if [ -n "${POISDETC_NOTARY_PROFILE:-}" ]; then
    xcrun notarytool submit "$image" --keychain-profile "$POISDETC_NOTARY_PROFILE" --wait
    xcrun stapler staple "$image"
fi
echo "$image"
