//! Numbers and names in words for the screen: units always, sensible digits.

use crate::audit::Phase;
use crate::model::{Format, InputSpec, Preprocessing, colours};
use crate::repair::Aim;
use crate::tensor::device;
use std::path::Path;

pub use crate::report::words::{
    WORKS_BEST, count, counted, index, label, number, parts, repaired, size, time, verdict, works_best, works_on,
};

/// What a stage of an audit does.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Open => "Opening",
        Phase::Preprocessing => "Finding the preprocessing",
        Phase::Margins => "Testing what needs no pictures",
        Phase::References => "Preparing reference models",
        Phase::Opinions => "Asking other methods",
        Phase::Shots => "Detecting",
        Phase::Triggers => "Recovering triggers",
        Phase::AllToAll => "Looking at all labels together",
        Phase::Warps => "Looking for warps",
        Phase::Filters => "Looking for colour filters",
        Phase::Blends => "Looking for faint patterns",
        Phase::Pairs => "Looking at pairs of labels",
        Phase::Verdict => "Weighing the evidence",
    }
}

/// A share in `[0, 1]`: "98.7 %".
pub fn percent(share: f32) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "not known".into() }
}

/// A time: "8 s", "1 min 20 s", "2 h 5 min".
pub fn duration(seconds: f64) -> String {
    let s = if seconds.is_finite() { seconds.max(0.0).round() as u64 } else { 0 };
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// A method of repair by the name people know: "Unlearning", "FT-SAM".
pub fn method(name: &str) -> String {
    match name {
        "ft-sam" | "sau" | "anp" | "clp" => name.to_uppercase(),
        _ => {
            let mut letters = name.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

/// An aim in a sentence.
pub fn aim(aim: Aim, has_trigger: bool) -> String {
    let accuracy = format!("At most {} of clean accuracy lost", percent(aim.accuracy_loss));
    if has_trigger {
        format!("{accuracy}; the recovered trigger works on at most {} of pictures", percent(aim.asr))
    } else {
        accuracy
    }
}

/// The last part of a path, or the whole where it has none.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A device by its name.
pub fn device(name: &str) -> &str {
    match name {
        device::CPU => "Processor",
        "cuda" => "NVIDIA graphics card",
        "metal" => "Apple graphics",
        other => other,
    }
}

/// The kind of a model file.
pub fn format(format: Format) -> &'static str {
    match format {
        Format::Onnx => "ONNX",
        Format::Keras => "Keras",
    }
}

/// What a model takes: "32×32 colour".
pub fn input(input: &InputSpec) -> String {
    let size = input.size.map_or_else(|| "any size".into(), |[h, w]| format!("{w}×{h}"));
    format!("{size} {}", colours(input.channels))
}

/// A preprocessing by name, with what its name does not tell.
pub fn preprocessing(p: &Preprocessing) -> String {
    let order = match p.order {
        crate::model::ChannelOrder::Bgr => ", blue first",
        crate::model::ChannelOrder::Rgb => "",
    };
    format!("{}{order}", p.name)
}

/// The formula of a preprocessing, for a tooltip.
pub fn formula(p: &Preprocessing) -> String {
    let list = |values: &[f32]| values.iter().map(|&v| number(v)).collect::<Vec<_>>().join(", ");
    let [height, width] = p.size;
    format!(
        "(pixel × {} − mean) / std, pixels from 0 to 1\nmean {}\nstd {}\nsize {width}×{height}, {}",
        p.scale,
        list(&p.mean),
        list(&p.std),
        colours(p.channels)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0.9874), "98.7 %");
        assert_eq!(count(2150), "2,150");
        assert_eq!(count(12), "12");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "image", "images"), "1 image");
        assert_eq!(["unlearning", "ft-sam", ""].map(method), ["Unlearning", "FT-SAM", ""]);
        assert_eq!(duration(80.2), "1 min 20 s");
        assert_eq!(duration(7500.0), "2 h 5 min");
        assert_eq!(duration(f64::NAN), "0 s");
        assert_eq!(
            [0.0, 0.000_01, 0.000_12, 0.0213, 3.216, 42.58, 1234.5].map(number),
            ["0", "< 0.0001", "0.0001", "0.021", "3.22", "42.6", "1234"]
        );
    }
}
