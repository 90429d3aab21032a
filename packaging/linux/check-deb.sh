#!/usr/bin/env bash
# Installs a Debian package, starts the program from its desktop entry under Xvfb, and removes it. As root, on a machine
# where that does no harm; a copy of it runs in CI.
#
#   packaging/linux/check-deb.sh PACKAGE.deb
set -euo pipefail

package=$(realpath "${1:?"usage: $0 PACKAGE.deb"}")
id=io.github.poisdetc.PoisDetc
fail() { echo "failed: $1" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "dpkg wants root"
for tool in dpkg Xvfb xdotool desktop-file-validate appstreamcli; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done

before=$(mktemp) work=$(mktemp -d)
find /usr /etc -xdev -not -type d 2>/dev/null | sort >"$before"
dpkg --install "$package" >/dev/null
server='' program=''
finish() {
    [ -z "$program" ] || kill "$program" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    dpkg --purge poisdetc >/dev/null 2>&1 || true
    rm -rf "$work" "$before"
}
trap finish EXIT

desktop-file-validate "/usr/share/applications/$id.desktop"
appstreamcli validate --no-net "/usr/share/metainfo/$id.metainfo.xml" >/dev/null
for page in poisdetc poisdetc-audit poisdetc-repair; do
    zcat "/usr/share/man/man1/$page.1.gz" | grep -q '^\.SH NAME' || fail "the manual page $page is missing"
done
bash -c 'source /usr/share/bash-completion/completions/poisdetc && complete -p poisdetc' >/dev/null
(cd / && dpkg --verify poisdetc)

# What a desktop does with the entry: its Exec line, without field codes.
command=$(sed -n 's/^Exec=//p' "/usr/share/applications/$id.desktop" | sed 's/ *%[a-zA-Z]//g')
export XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work XDG_CACHE_HOME=$work XDG_RUNTIME_DIR=$work
unset WAYLAND_DISPLAY WAYLAND_SOCKET
exec 3<>"$work/display"
Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp >/dev/null 2>&1 &
server=$!
for _ in $(seq 300); do [ -s "$work/display" ] && break; sleep 0.1; done
DISPLAY=:$(head -n 1 "$work/display")
export DISPLAY
cd /
started=$(date +%s%N)
$command >"$work/log" 2>&1 &
program=$!
window=$(timeout 30 xdotool search --sync --onlyvisible --pid "$program" --name PoisDetc | head -n 1) ||
    { cat "$work/log"; fail "no window was opened"; }
echo "a window after $((($(date +%s%N) - started) / 1000000)) ms"
class=$(xdotool getwindowclassname "$window" 2>/dev/null || true)
[ -z "$class" ] || [ "$class" = "$id" ] || fail "the window is of class $class, not of the desktop entry $id"
kill "$program"
wait "$program" 2>/dev/null || true
program=

dpkg --purge poisdetc >/dev/null
find /usr /etc -xdev -not -type d 2>/dev/null | sort >"$work/after"
left=$(comm -13 "$before" "$work/after" | grep -v -e '/mandb' -e icon-theme.cache -e mimeinfo.cache || true)
[ -z "$left" ] || fail "left behind: $left"
echo "installed, started, removed"
