//! How verdicts and numbers are said, the same on screen, in the terminal and in reports.

use crate::audit::Verdict;
use crate::audit::repairing::RepairReport;
use crate::detect::{Shape, TriggerEvidence};
use crate::model::{ChannelOrder, Format, InputLayout, InputSpec, Preprocessing};
use crate::repair::{Measured, Stamp};

/// The verdict for a person. Never "clean": nothing found is no proof that there is nothing.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Infected => "Infected (confirmed)",
        Verdict::Suspicious => "Suspicious",
        Verdict::NoEvidence => "No evidence found",
    }
}

/// What came of a repair.
pub fn repaired(report: &RepairReport) -> &'static str {
    match (report.meets_aim, report.scan_finds_nothing(), &report.scanned_again) {
        (true, true, _) => "Repaired: the aim is met, and the second audit finds nothing",
        (true, false, Some(again)) if !again.stopped => {
            "Better, but not clean: the aim is met, but the second audit still finds something"
        }
        (false, true, _) => "Better, but not clean: the second audit finds nothing, but the aim is not met",
        (false, false, Some(again)) if !again.stopped => {
            "Not clean: the aim is not met, and the second audit still finds something"
        }
        (true, ..) => "Written, but not examined: the aim is met, but there was no second audit to its end",
        (false, ..) => "Written, but not examined: the aim is not met, and there was no second audit to its end",
    }
}

/// What [`works_best`] is of.
pub const WORKS_BEST: &str = "Counted with what works best";

/// What the successes of a trigger were counted with: the recovered mark or the block in its place, whichever works better.
pub fn works_best(measured: &Measured) -> Option<String> {
    let best = measured.worst()?;
    let what = match best.stamp {
        Stamp::Mark => "the recovered mark",
        Stamp::Block => "a block painted in the mark's place",
    };
    let several = measured.asr.iter().any(|success| success.label != best.label);
    Some(if several { format!("{what}, label {}", best.label) } else { what.to_owned() })
}

/// The kind of a model file.
pub fn format(format: Format) -> &'static str {
    match format {
        Format::Onnx => "ONNX",
        Format::Keras => "Keras HDF5",
    }
}

/// A share in `[0, 1]` as "98.1 %"; "unknown" where it is not a number.
pub fn percent(share: f32) -> String {
    if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { "unknown".into() }
}

/// What a trigger works on: "98.1 %" of all pictures it is meant for, or "98.1 % of 4" where these are of one label.
pub fn works_on(trigger: &TriggerEvidence) -> String {
    let share = percent(trigger.asr);
    trigger.source.map_or(share.clone(), |source| format!("{share} of {source}"))
}

/// How large a trigger is: "0.9 %" of the picture, or "5.7 % strong" where it is a faint pattern over all of it.
pub fn size(trigger: &TriggerEvidence) -> String {
    let share = percent(trigger.size);
    match trigger.shape {
        Shape::Patch => share,
        Shape::Blend => format!("{share} strong"),
    }
}

/// "2,150".
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 image", "2,150 images".
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// "0.4 s", "12 s", "1 min 20 s", "2 h 5 min".
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".into();
    }
    if seconds < 9.95 { format!("{seconds:.1} s") } else { whole_seconds(seconds.round()) }
}

/// How long something will still take, never "0 s": "1 s", "12 s", "1 min 20 s".
pub fn time_left(seconds: f32) -> String {
    if seconds.is_finite() { whole_seconds(f64::from(seconds.ceil().max(1.0))) } else { "unknown".into() }
}

fn whole_seconds(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// "0 to 1, RGB, 32 x 32".
pub fn preprocessing(preprocessing: &Preprocessing) -> String {
    let [height, width] = preprocessing.size;
    let colours = match (preprocessing.channels, preprocessing.order) {
        (1, _) => "gray",
        (_, ChannelOrder::Rgb) => "RGB",
        (_, ChannelOrder::Bgr) => "BGR",
    };
    format!("{}, {colours}, {width} x {height}", preprocessing.name)
}

/// "32 x 32, 3 channels, NCHW".
pub fn input(input: &InputSpec) -> String {
    let size = input.size.map_or("any size".into(), |[height, width]| format!("{width} x {height}"));
    let layout = match input.layout {
        InputLayout::Nchw => "NCHW",
        InputLayout::Nhwc => "NHWC",
    };
    let batch =
        input.fixed_batch.map_or(String::new(), |n| format!(", exactly {} at a time", counted(n, "image", "images")));
    format!("{size}, {}, {layout}{batch}", counted(input.channels, "channel", "channels"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repair::Success;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said: Vec<_> = [0.42, 9.96, 59.4, 80.0, 7510.0, f64::NAN, -1.0].map(duration).into();
        assert_eq!(said, ["0.4 s", "10 s", "59 s", "1 min 20 s", "2 h 5 min", "unknown", "unknown"]);
    }

    #[test]
    fn the_time_left_is_whole_seconds() {
        assert_eq!([0.0, 3.2, 79.5, f32::INFINITY].map(time_left), ["1 s", "4 s", "1 min 20 s", "unknown"]);
    }

    #[test]
    fn a_trigger_says_whom_it_works_on_and_how_large_or_strong_it_is() {
        let audit = crate::report::example::audit();
        let patch = audit.labels[1].trigger.clone().unwrap();
        assert_eq!((works_on(&patch), size(&patch)), ("98.0 %".into(), "5.0 %".into()));
        let pair = TriggerEvidence { source: Some(4), ..patch.clone() };
        assert_eq!(works_on(&pair), "98.0 % of 4");
        assert_eq!(size(&TriggerEvidence { shape: Shape::Blend, ..patch }), "5.0 % strong");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "image", "images"), "1 image");
    }

    #[test]
    fn shares_have_one_digit_and_survive_what_is_no_number() {
        assert_eq!([0.9869, 1.0, f32::NAN].map(percent), ["98.7 %", "100.0 %", "unknown"]);
    }

    #[test]
    fn what_successes_were_counted_with_is_said_and_of_which_label_where_there_are_several() {
        let measured = |asr: &[(usize, Stamp, f32)]| Measured {
            images: 10,
            accuracy: 0.9,
            by_label: Vec::new(),
            asr: asr.iter().map(|&(label, stamp, share)| Success { label, stamp, share }).collect(),
        };
        let said = |asr: &[_]| works_best(&measured(asr)).unwrap_or_default();
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[(3, Stamp::Mark, 0.5), (3, Stamp::Block, 0.5)]), "the recovered mark");
        assert_eq!(said(&[(3, Stamp::Mark, 0.1), (3, Stamp::Block, 0.5)]), "a block painted in the mark's place");
        assert_eq!(said(&[(3, Stamp::Mark, 0.1), (4, Stamp::Mark, 0.5)]), "the recovered mark, label 4");
    }

    #[test]
    fn no_verdict_says_clean() {
        for v in [Verdict::NoEvidence, Verdict::Suspicious, Verdict::Infected] {
            assert!(!verdict(v).to_lowercase().contains("clean"));
        }
    }

    #[test]
    fn a_preprocessing_is_named_with_its_colours_and_size() {
        assert_eq!(preprocessing(&Preprocessing::unit([30, 32], 3)), "0 to 1, RGB, 32 x 30");
        assert_eq!(preprocessing(&Preprocessing::unit([28, 28], 1)), "0 to 1, gray, 28 x 28");
    }
}
