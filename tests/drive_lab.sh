#!/usr/bin/env bash
# Drives the lab of the real program with a real pointer: a trigger is drawn, two networks are trained and looked into, a
# challenge is judged, lessons are walked to their end. Leaves a picture of every view and of every step of a lesson.
#
#   tests/drive_lab.sh FOLDER [BINARY] [LESSON...]
#
# Without numbers of lessons it walks the first three; the others wait for audits and repairs of minutes.
set -euo pipefail

folder=${1:?"usage: $0 FOLDER [BINARY] [LESSON...]"}
binary=${2:-target/release/poisdetc}
shift $(($# < 2 ? $# : 2))
lessons=${*:-1 2 3}
# shellcheck source=tests/pointer.sh
source "$(dirname "$0")/pointer.sh"

# What is to be clicked at each step of each lesson, `-` where one only reads or waits.
asked=(
    "-;Train;-;-"
    "Trigger: Square;-;Train;-;-"
    "Train;-;-;Lab: See why;Look inside;-;-"
    "Train;-;Lab: Audit and repair;Audit this model;-;Lab;-"
    "Lab: Audit and repair;Audit this model;-;Step 4: Repair;Start repair;-;Lab;-"
    "Trigger: Warp;Train;-;Lab: Audit and repair;Audit this model;-;Lab"
)
may_go_on() {
    local button
    button=$(find_widget "Next step of the lesson")
    button=${button:-$(find_widget "Finish the lesson")}
    [[ -n $button && $button != *:disabled* ]]
}

# Walks lesson $1, looking at every step once what it asks for is done.
walk() {
    local lesson=$1 number=0 places place
    click "Lab"
    click "Lab: Lessons"
    click "Begin lesson $lesson"
    IFS=';' read -ra places <<<"${asked[$((lesson - 1))]}"
    for place in "${places[@]}"; do
        number=$((number + 1))
        wait_for "Step $number of ${#places[@]}" 20
        sleep 0.5
        # What was done before needs not be done again.
        if [ "$place" = Lab ] || { [ "$place" != - ] && ! may_go_on; }; then
            click "$place"
        fi
        for _ in $(seq "${POISDETC_DRIVE_SECONDS:-900}"); do
            ! may_go_on || break
            kill -0 "$program" 2>/dev/null || fail "the program ended in lesson $lesson, step $number"
            sleep 1
        done
        may_go_on || fail "lesson $lesson, step $number: \"$place\" did not do what it asks for"
        picture "lesson-$lesson-step-$number"
        if [ "$number" -lt ${#places[@]} ]; then click "Next step of the lesson"; else click "Finish the lesson"; fi
    done
    sleep 0.5
    [ -z "$(find_widget "Finish the lesson")" ] || fail "lesson $lesson did not end"
}

wait_for "Try the sample" 30
xdotool key --window "$window" ctrl+6
wait_for "Picture to draw on" 60
stroke "Picture to draw on" 60 40
picture lab-1-drawn
click "Train"
wait_for "Trained" 300
picture lab-2-trained
click "Lab: See why"
click "Look inside"
wait_for "Plot of the last features" 120
picture lab-3-inside
xdotool mousemove --window "$window" 800 600 click --repeat 30 5
picture lab-4-inside-below
xdotool mousemove --window "$window" 800 600 click --repeat 60 4
click "Try trigger sizes"
wait_for "6 of 6 models trained" 300
xdotool mousemove --window "$window" 800 600 click --repeat 60 5
picture lab-5-sizes
click "Lab: Challenge"
click "Make the challenge"
wait_for "Your judgement" 300
picture lab-6-challenge
click "It is honest"
wait_for "You said it is honest" 20
picture lab-7-judged
for lesson in $lessons; do walk "$lesson"; done
quit
