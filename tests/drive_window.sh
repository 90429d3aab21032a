#!/usr/bin/env bash
# Drives the real program with a real pointer: starts it under Xvfb, clicks "Try the sample", waits for
# the verdict, opens a label, tries its trigger, saves the report, repairs the model, takes another setting, draws a trigger in the lab and trains
# with it, and leaves a picture of every step.
#
#   tests/drive_window.sh FOLDER [BINARY]
#
# Wants xvfb, xdotool, imagemagick. The program says itself where its widgets are (POISDETC_WIDGET_MAP:
# the accessibility tree as text), so nothing here knows a pixel position.
set -euo pipefail

folder=${1:?"usage: $0 FOLDER [BINARY]"}
binary=${2:-target/release/poisdetc}
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
# Line of the first widget whose name is, or begins with, $1.
find_widget() {
    awk -v name="$1" '{
        rest = $6
        for (i = 7; i <= NF; i++) rest = rest " " $i
        if (index(rest, name) == 1) { print; exit }
    }' "$work/widgets" 2>/dev/null
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
# Whether the window asks for a path ($1 is the name of its field), or a dialog of the system opens instead.
wait_for_or_dialog() {
    for _ in $(seq 100); do
        [ -z "$(find_widget "$1")" ] || return 0
        if xdotool search --onlyvisible --name "Save the report" 2>/dev/null | grep -q .; then
            sleep 1
            return 1
        fi
        sleep 0.2
    done
    fail "neither \"$1\" nor a dialog appeared"
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
picture() {
    xdotool mousemove --window "$window" 640 895
    sleep 0.7
    import -window "$window" "$folder/$1.png"
    echo "$folder/$1.png"
}

wait_for "Try the sample" 30
picture 1-empty
click "Try the sample"
wait_for "Stop" 30
sleep 2
picture 2-running
wait_for "Why?" "${POISDETC_DRIVE_SECONDS:-600}"
picture 3-verdict
click "Why?"
picture 4-why
click "${POISDETC_DRIVE_LABEL:-Trigger of label}"
wait_for "Recovered trigger" 20
picture 5-inspect
click "Try other strengths"
wait_for "Strength of the trigger" 120
picture 5-strengths
# No portal answers here, so the window lets the path be typed.
click "Step 2: Detect"
click "Save report"
click "Save report as PDF"
if wait_for_or_dialog "Save to"; then
    # The field to the right of its name.
    read -r left top right bottom _ <<<"$(find_widget "Save to")"
    xdotool mousemove --window "$window" $((right + 60)) $(((top + bottom) / 2)) click 1
    sleep 0.5
    xdotool key --window "$window" ctrl+a
    xdotool type --window "$window" "$work/report.pdf"
    click "Save here"
else
    # zenity: the name field has the focus.
    xdotool type --delay 30 "$work/report.pdf"
    xdotool key Return
fi
wait_for "The report is in" 60
[ "$(head -c 5 "$work/report.pdf")" = "%PDF-" ] || fail "the report is no PDF"
cp "$work/report.pdf" "$folder/report.pdf"
picture 5-reported
click "Theme"
click "Dark"
picture 6-dark
click "Theme"
click "Light"
click "Step 4: Repair"
wait_for "Start repair" 20
picture 7-repair
# A quick method with many settings; most of the time goes into the second audit.
click "Method: ${POISDETC_DRIVE_METHOD:-Clamp}"
click "Start repair"
wait_for "Stop" 30
sleep 2
picture 8-repairing
wait_for "Before and after" "${POISDETC_DRIVE_SECONDS:-600}"
picture 9-repaired
hold "Setting of the repair"
wait_for "Written, but not examined" 120
picture 10-setting
# Not by its name: those of labels begin alike.
xdotool key --window "$window" ctrl+6
wait_for "Picture to draw on" 60
point_at "Picture to draw on"
xdotool mousedown 1 mousemove_relative -- 30 20 mouseup 1
picture 11-lab
click "Train"
wait_for "Trained" 300
picture 12-lab-trained
xdotool key --window "$window" ctrl+q
for _ in $(seq 50); do
    kill -0 "$program" 2>/dev/null || { program=; echo "driven to the end"; exit 0; }
    sleep 0.1
done
fail "the window did not close on Ctrl+Q"
