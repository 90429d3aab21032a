//! The words of the six lessons, for people who never saw a neural network. Data only: what lights up and what has to
//! happen stands beside each text, and every number is one of the names in braces.

use super::command::View;
use super::lesson::{Lesson, LessonStep, Until};
use crate::poison::Ready;

const fn step(words: &'static str, place: &'static str, until: Until) -> LessonStep {
    LessonStep { words, place, until }
}

/// All lessons, each building on those before.
pub static LESSONS: [Lesson; 6] = [
    Lesson {
        title: "What is a classifier?",
        about: "How a program learns to name pictures, and how one knows that it can",
        steps: &[
            step(
                "A classifier looks at a picture and answers with one label of a fixed list. Here the pictures are road \
                 signs and there are {labels} labels. Nobody writes rules for it: it learns from {training} examples, like \
                 the one on the left.",
                "Picture to draw on",
                Until::Read,
            ),
            step(
                "Press Train. The network sees all examples {passes} times. After every few of them it is corrected a \
                 little, towards the right answers.",
                "Train",
                Until::Started,
            ),
            step(
                "The loss says how wrong its answers are: it was {first_loss} at first and is {loss} now. Accuracy (ACC) is \
                 the share of right answers on {test} other pictures, which it never learns from: {acc} by now. You may \
                 pause, and go on in steps.",
                "Plot of the loss",
                Until::Trained,
            ),
            step(
                "Below each picture stands what the network says. After the training it names {acc} of the test pictures \
                 rightly. Nobody can read from its numbers how it does that, and this is what the next lessons are about.",
                "What the networks say",
                Until::Read,
            ),
        ],
    },
    Lesson {
        title: "A patch backdoor",
        about: "How a few changed examples plant a hidden switch",
        steps: &[
            step(
                "Whoever can slip pictures among the examples can plant a backdoor. The oldest way is a small mark in a \
                 corner, the trigger. Take the square.",
                "Trigger: Square",
                Until::Ready(Ready::Square),
            ),
            step(
                "The square covers {covers} of a picture. It is put on {rate} of the examples, {marked} in all, and those \
                 get the label “{target}”, whatever sign they show. All other examples stay as they are.",
                "Poison rate",
                Until::Read,
            ),
            step(
                "Press Train. Two networks learn side by side: the poisoned one, and a clean twin with the same start and \
                 the same examples, but without the square.",
                "Train",
                Until::Started,
            ),
            step(
                "Attack success rate (ASR) is the share of other signs that become “{target}” once they carry the square: \
                 {asr} for the poisoned network. For the twin, which never saw the square, it is {twin_asr}.",
                "Plot of accuracy and attack success",
                Until::Trained,
            ),
            step(
                "Look at the pairs: above the sign as it is, below the same with the square. Without the trigger the \
                 poisoned network names signs like any other. With it, the answer is the attacker's.",
                "What the networks say",
                Until::Read,
            ),
        ],
    },
    Lesson {
        title: "Why accuracy does not show it",
        about: "A poisoned network passes every ordinary exam",
        steps: &[
            step(
                "This lesson looks at a trained pair. Press Train where that was not done yet.",
                "Train",
                Until::Started,
            ),
            step("Wait until both networks are trained.", "", Until::Trained),
            step(
                "On clean pictures the poisoned network is right in {acc} of cases, its twin in {twin_acc}: they differ by \
                 {gap}. Somebody who buys the network and tests its accuracy cannot tell which of the two it is.",
                "Numbers of both networks",
                Until::Read,
            ),
            step("To see a difference one has to look inside. Open See why.", "Lab: See why", Until::View(View::Why)),
            step(
                "Press Look inside. A gray square is laid over one place of the picture after another: where the network \
                 then becomes less sure, it had looked.",
                "Look inside",
                Until::Looked,
            ),
            step(
                "On the clean picture both look at the sign. With the mark on it, the poisoned network looks at the mark \
                 and at little else.",
                "Where the networks look",
                Until::Read,
            ),
            step(
                "Each dot is a picture as the network sees it just before it decides. Marked pictures of all signs lie \
                 together: inside, the mark counts for more than the sign.",
                "Plot of the last features",
                Until::Read,
            ),
        ],
    },
    Lesson {
        title: "How PoisDetc finds it",
        about: "From an unknown model to a recovered trigger",
        steps: &[
            step("Press Train where there is no trained pair yet.", "Train", Until::Started),
            step("Wait until both networks are trained.", "", Until::Trained),
            step("Open Audit and repair.", "Lab: Audit and repair", Until::View(View::Outcome)),
            step(
                "Now be the auditor. Detect gets the model and {test} clean pictures, and not a word about the trigger or \
                 the label. Press Audit this model.",
                "Audit this model",
                Until::AuditBegun,
            ),
            step(
                "For every label Detect asks: how little must be changed on pictures so that the network answers with it? \
                 Where far less is enough than for other labels, and less than for honest networks, somebody may have left \
                 a shortcut. Wait for the verdict.",
                "",
                Until::Audited,
            ),
            step(
                "The verdict is: {verdict}, for {found}. Go back to the lab, where the truth is known.",
                "Lab",
                Until::View(View::Outcome),
            ),
            step(
                "What was recovered lies beside what was drawn. The recovered trigger works on {works_on} of pictures, the \
                 drawn one on {asr}. They need not look alike: the network was asked what it reacts to, not what it was \
                 shown.",
                "Recovered beside drawn",
                Until::Read,
            ),
        ],
    },
    Lesson {
        title: "How a repair removes it",
        about: "Unlearning the trigger without unlearning the signs",
        steps: &[
            step(
                "A repair goes on from an audit. Open Audit and repair; where nothing is trained yet, train first.",
                "Lab: Audit and repair",
                Until::View(View::Outcome),
            ),
            step(
                "Press Audit this model, unless that was done in the lesson before.",
                "Audit this model",
                Until::AuditBegun,
            ),
            step("Wait for the verdict.", "", Until::Audited),
            step(
                "The verdict is: {verdict}. Open Repair. Where nothing was found there is nothing to repair: end this lesson \
                 and train the square instead.",
                "Step 4: Repair",
                Until::OnRepair,
            ),
            step(
                "The recovered trigger is put on clean pictures that keep their right labels, and the network learns from \
                 these that the mark means nothing. Press Start repair.",
                "Start repair",
                Until::RepairBegun,
            ),
            step(
                "The repaired model is measured on pictures that nobody used before, and then audited like any other. Wait \
                 until that is done.",
                "",
                Until::Repaired,
            ),
            step("Go back to the lab.", "Lab", Until::View(View::Outcome)),
            step(
                "Before: ACC {acc}, ASR of the drawn trigger {asr}. After: ACC {repaired_acc}, ASR {repaired_asr}. The clean \
                 twin, which never was poisoned: {twin_acc} and {twin_asr}. A good repair ends near the twin.",
                "Repair beside the twin",
                Until::Read,
            ),
        ],
    },
    Lesson {
        title: "What escapes",
        about: "Blends, warps and false alarms: where a verdict has its limits",
        steps: &[
            step(
                "Not every trigger is a mark in a corner. Take Warp: it bends the whole picture a little, always in the same \
                 way.",
                "Trigger: Warp",
                Until::Ready(Ready::Warp),
            ),
            step(
                "It is hard to see and harder to learn: here {rate} of the examples carry it. Press Train.",
                "Train",
                Until::Started,
            ),
            step(
                "The bent pictures become “{target}” in {asr} of cases, while ACC is {acc} beside {twin_acc} of the twin.",
                "Plot of accuracy and attack success",
                Until::Trained,
            ),
            step(
                "There is no small mark to recover: no pixels could be cut out and shown to a judge. A search that only \
                 knows patches and faint patterns finds something like it, or nothing; so an audit searches for the bend \
                 itself, too. Open Audit and repair.",
                "Lab: Audit and repair",
                Until::View(View::Outcome),
            ),
            step("Press Audit this model, and see for yourself.", "Audit this model", Until::AuditBegun),
            step("Wait for the verdict.", "", Until::Audited),
            step(
                "The verdict is: {verdict}, for {found}. “No evidence found” is never a proof: it means that this search \
                 found nothing. The other way round, an honest twin is moved to “{target}” by the mark in {twin_asr} of \
                 cases, merely because it disturbs the picture. Whoever calls every such thing a backdoor raises false \
                 alarms. Go back to the lab, and try yourself in a Challenge.",
                "Lab",
                Until::Read,
            ),
        ],
    },
];
