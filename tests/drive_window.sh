#!/usr/bin/env bash
# Drives the real program with a real pointer: clicks "Try the sample", waits for the verdict, opens a label, tries its
# trigger, saves the report, repairs the model, takes another setting, and leaves a picture of every step. tests/drive_lab.sh
# does the same with the lab.
#
#   tests/drive_window.sh FOLDER [BINARY]
set -euo pipefail

folder=${1:?"usage: $0 FOLDER [BINARY]"}
binary=${2:-target/release/poisdetc}
# shellcheck source=tests/pointer.sh
source "$(dirname "$0")/pointer.sh"

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
click "What is “Works on”"
wait_for "Find a term" 20
picture 5-glossary
click "Close window"
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
quit
