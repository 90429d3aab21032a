# To be sourced by scripts that drive the real program with a real pointer: starts it under Xvfb in a home of its own,
# and gives them `wait_for`, `click`, `picture`, `quit`. Wants $folder (pictures go there) and $binary.
#
# Wants xvfb, xdotool, imagemagick. The program says itself where its widgets are (POISDETC_WIDGET_MAP:
# the accessibility tree as text), so nothing here knows a pixel position.

for tool in Xvfb xdotool import; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 0; }
done
[ -x "$binary" ] || { echo "no program at $binary; build it first: cargo build --release"; exit 1; }

mkdir -p "$folder"
work=$(mktemp -d)
chmod 700 "$work"
export XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work XDG_CACHE_HOME=$work XDG_RUNTIME_DIR=$work POISDETC_WIDGET_MAP=$work/widgets
unset WAYLAND_DISPLAY WAYLAND_SOCKET

exec 3<>"$work/display"
Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp >/dev/null 2>&1 &
server=$!
program=
finish() {
    [ -z "$program" ] || kill "$program" 2>/dev/null || true
    kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
for _ in $(seq 600); do
    [ -s "$work/display" ] && break
    sleep 0.1
done
[ -s "$work/display" ] || { echo "Xvfb did not start"; exit 1; }
DISPLAY=:$(head -n 1 "$work/display")
export DISPLAY

"$binary" >"$work/log" 2>&1 &
program=$!
window=$(timeout 60 xdotool search --sync --onlyvisible --pid "$program" --name PoisDetc | head -n 1)
xdotool windowsize --sync "$window" 1280 900 2>/dev/null || true
xdotool windowfocus --sync "$window"

fail() {
    echo "failed: $1"
    import -window "$window" "$folder/failed.png" || true
    cat "$work/log" "$work/widgets" 2>/dev/null || true
    exit 1
}
# Line of the widget whose name is $1, or else of the first whose name begins so.
find_widget() {
    awk -v name="$1" '{
        rest = $6
        for (i = 7; i <= NF; i++) rest = rest " " $i
        if (rest == name) { same = $0; exit }
        if (!begins && index(rest, name) == 1) begins = $0
    } END { if (same) print same; else if (begins) print begins }' "$work/widgets" 2>/dev/null
}
# wait_for NAME SECONDS
wait_for() {
    for _ in $(seq $(($2 * 5))); do
        [ -z "$(find_widget "$1")" ] || return 0
        kill -0 "$program" 2>/dev/null || fail "the program ended while waiting for \"$1\""
        sleep 0.2
    done
    fail "\"$1\" did not appear within $2 s"
}
point_at() {
    wait_for "$1" 20
    read -r left top right bottom _ <<<"$(find_widget "$1")"
    xdotool mousemove --window "$window" $(((left + right) / 2)) $(((top + bottom) / 2))
    sleep 0.3
}
click() {
    point_at "$1"
    xdotool click 1
}
# Holds the button for as long as a finger does: a slider follows it only while it is down.
hold() {
    point_at "$1"
    xdotool mousedown 1
    sleep 0.5
    xdotool mouseup 1
}
# Draws a stroke from the middle of a widget, so many pixels to the right and down, as fast as a hand does.
stroke() {
    point_at "$1"
    xdotool mousedown 1
    for _ in 1 2 3 4 5; do
        sleep 0.05
        xdotool mousemove_relative -- $(($2 / 5)) $(($3 / 5))
    done
    xdotool mouseup 1
}
picture() {
    xdotool mousemove --window "$window" 640 895
    sleep 0.7
    import -window "$window" "$folder/$1.png"
    echo "$folder/$1.png"
}
# Ends the program as a person would, and the script with it.
quit() {
    xdotool key --window "$window" ctrl+q
    for _ in $(seq 50); do
        kill -0 "$program" 2>/dev/null || { program=; echo "driven to the end"; exit 0; }
        sleep 0.1
    done
    fail "the window did not close on Ctrl+Q"
}
