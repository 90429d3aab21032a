//! How verdicts and numbers are said, the same on screen, in the terminal and in reports.

use crate::audit::repairing::RepairReport;
use crate::audit::{Audit, Verdict};
use crate::detect::{Shape, TriggerEvidence};
use crate::model::{ChannelOrder, Format, InputLayout, InputSpec, Preprocessing};
use crate::one_line::is_obeyed;
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
    let examined = report.scanned_again.as_ref().is_some_and(Audit::is_complete);
    outcome(report.meets_aim, examined.then(|| report.scan_finds_nothing()))
}

/// The same from what matters: whether the aim is met, and whether a second audit found nothing, where one came to its
/// end.
pub fn outcome(meets_aim: bool, finds_nothing: Option<bool>) -> &'static str {
    match (meets_aim, finds_nothing) {
        (true, Some(true)) => "Repaired: the aim is met, and the second audit finds nothing",
        (true, Some(false)) => "Better, but not clean: the aim is met, but the second audit still finds something",
        (false, Some(true)) => "Better, but not clean: the second audit finds nothing, but the aim is not met",
        (false, Some(false)) => "Not clean: the aim is not met, and the second audit still finds something",
        (true, None) => "Written, but not examined: the aim is met, but there was no second audit to its end",
        (false, None) => "Written, but not examined: the aim is not met, and there was no second audit to its end",
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

/// A loss or another positive number over many sizes: three digits that count.
pub fn number(value: f32) -> String {
    match value.abs() {
        _ if !value.is_finite() => "not known".into(),
        0.0 => "0".into(),
        x if x < 0.0001 => "< 0.0001".into(),
        x if x < 0.001 => format!("{value:.4}"),
        x if x < 1.0 => format!("{value:.3}"),
        x if x < 10.0 => format!("{value:.2}"),
        x if x < 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// An anomaly index: "3.5"; what rounds to nothing has no sign.
pub fn index(value: f32) -> String {
    // Adding 0 takes the sign of -0 away.
    format!("{:.1}", (10.0 * value).round() / 10.0 + 0.0)
}

/// What a trigger works on: "98.1 %" of all pictures it is meant for, or "98.1 % of 4" where these are of one label.
pub fn works_on(trigger: &TriggerEvidence) -> String {
    let share = percent(trigger.asr);
    trigger.source.map_or(share.clone(), |source| format!("{share} of {source}"))
}

/// How large a trigger is: "0.9 %" of the picture, "5.7 % strong" where it is a faint pattern over all of it,
/// "2.4 % bent" where it is a warp, "12.0 % tinted" where it is a filter.
pub fn size(trigger: &TriggerEvidence) -> String {
    let share = percent(trigger.size);
    match trigger.shape {
        Shape::Patch => share,
        Shape::Blend => format!("{share} strong"),
        Shape::Warp => format!("{share} bent"),
        Shape::Filter => format!("{share} tinted"),
    }
}

/// What the pictures of a trigger are called and what they show, in this order: its mask, its pattern, both together, and where it
/// changes pictures; `None` where there is nothing to be seen in one.
pub fn parts(shape: Shape) -> [Option<(&'static str, &'static str)>; 4] {
    let heat = Some(("Heat map", "how much pictures change: black not, white most"));
    match shape {
        Shape::Patch => [
            Some(("Mask", "white covers, black does not")),
            Some(("Pattern", "what it covers the picture with")),
            Some(("Trigger", "the pattern through the mask")),
            heat,
        ],
        Shape::Blend => [
            Some(("Mask", "white: added strongly, black: not")),
            Some(("Pattern", "what is added; mid gray is nothing")),
            Some(("Trigger", "the pattern as strong as the mask")),
            heat,
        ],
        Shape::Filter => [
            None,
            Some((
                "Colours",
                "bands: what of red, of green, of blue and of white is added to a colour; mid gray is nothing",
            )),
            None,
            heat,
        ],
        Shape::Warp => [None, Some(("Shifts", "gray: none, red: from below, green: from the right")), None, heat],
    }
}

/// "14 stop": index and name of a label; the index alone where it is the name.
pub fn label(index: usize, name: &str) -> String {
    let number = index.to_string();
    if name.is_empty() || name == number { number } else { format!("{number} {name}") }
}

/// "2026-11-25 20:17 UTC", of seconds since 1970.
pub fn time(seconds: u64) -> String {
    // Civil from days, after Howard Hinnant: years begin in March, so that the leap day is the last.
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest % 3600 / 60)
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

/// `text` with nothing in it that a terminal or a page would obey or that changes the order of what is read:
/// control characters and the marks that turn the direction of writing become "\u{fffd}".
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_obeyed(c) { '\u{fffd}' } else { c }).collect()
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
    fn an_index_of_nothing_has_no_sign() {
        assert_eq!([-0.04, 0.0, 3.456, -1.26].map(index), ["0.0", "0.0", "3.5", "-1.3"]);
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
    fn dates_are_those_of_the_calendar() {
        let said: Vec<_> = [0, 951_782_400, 951_868_800, 1_795_637_864, 4_102_444_799].map(time).into();
        assert_eq!(
            said,
            [
                "1970-01-01 00:00 UTC",
                "2000-02-29 00:00 UTC",
                "2000-03-01 00:00 UTC",
                "2026-11-25 20:17 UTC",
                "2099-12-31 23:59 UTC"
            ]
        );
    }

    #[test]
    fn a_label_is_called_by_index_and_name() {
        assert_eq!([label(14, "stop"), label(14, "14"), label(14, "")], ["14 stop", "14", "14"]);
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
