//! `--preprocessing FILE`: the preprocessing a person insists on, as `inspect --json` writes its candidates.

use crate::disk;
use crate::model::Preprocessing;
use anyhow::{Result, anyhow};
use std::path::Path;

/// Larger files are no preprocessing.
const MAX_BYTES: u64 = 64 << 10;

/// Reads and checks it.
///
/// # Errors
/// One sentence that says what does not hold.
pub fn read(path: &Path) -> Result<Preprocessing> {
    let name = path.display();
    let failed = |why: std::io::Error| anyhow!("cannot read {name}: {why}");
    let text = disk::read_text(path, MAX_BYTES).map_err(failed)?;
    let preprocessing: Preprocessing = serde_json::from_str(&text)
        .map_err(|why| anyhow!("{name} is not a preprocessing as \"poisdetc inspect --json\" writes them: {why}"))?;
    match preprocessing.nonsense() {
        Some(why) => Err(anyhow!("the preprocessing in {name} makes no sense: {why}")),
        None => Ok(preprocessing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Preprocessing> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chosen.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_candidate_of_inspect_is_taken_as_it_is() {
        let text = r#"{"size":[32,30],"channels":3,"order":"bgr","scale":1.0,"mean":[0.5,0.5,0.5],
            "std":[0.5,0.5,0.5],"name":"-1 to 1","accuracy":0.97,"loss":0.1}"#;
        let chosen = read_text(text).unwrap();
        assert_eq!((chosen.size, chosen.channels, chosen.mean), ([32, 30], 3, vec![0.5; 3]));
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_a_sentence() {
        let good = serde_json::to_value(Preprocessing::unit([32, 32], 3)).unwrap();
        for (field, value, said) in [
            ("size", serde_json::json!([0, 32]), "size"),
            ("channels", serde_json::json!(4), "channels"),
            ("mean", serde_json::json!([0.0]), "each channel"),
            ("std", serde_json::json!([1.0, 0.0, 1.0]), "std must be positive"),
            ("scale", serde_json::json!(-1.0), "scale"),
            ("order", serde_json::json!("xyz"), "not a preprocessing"),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            let sentence = read_text(&bad.to_string()).unwrap_err().to_string();
            assert!(sentence.contains(said) && sentence.lines().count() == 1, "{sentence}");
        }
    }
}
