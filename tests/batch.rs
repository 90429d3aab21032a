//! `poisdetc batch`: one line a model, nothing lost when it is killed, parts put together, strange names harmless.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod program;

use program::{Ended, command, ended, sample};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn batch(folder: &Path, more: &[&str]) -> Command {
    let mut batch = command(folder, ["batch", "--quiet"]);
    batch.arg(folder.join("models.csv")).arg("--out").arg(folder.join("out")).args(more);
    batch
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_batch_that_was_killed_goes_on_and_loses_only_the_model_in_hand() {
    let folder = tempfile::tempdir().unwrap();
    let suspect = sample("signs-suspect.onnx");
    for name in ["first.onnx", "second.onnx"] {
        fs::copy(&suspect, folder.path().join(name)).unwrap();
    }
    let (images, reference) = (sample("signs.npz"), sample("signs-honest.onnx"));
    let line = |model: &str| format!("{model},{},{}\n", images.display(), reference.display());
    let table = format!("model,images,reference\n{}{}{}", line("first.onnx"), line("lost.onnx"), line("second.onnx"));
    fs::write(folder.path().join("models.csv"), table).unwrap();
    let out = folder.path().join("out");
    let kept = out.join("first.row.json");

    let mut killed = batch(folder.path(), &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !kept.exists() {
        assert!(start.elapsed() < Duration::from_secs(550), "the first model is never done");
        std::thread::sleep(Duration::from_millis(50));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = (fs::read(&kept).unwrap(), fs::metadata(&kept).unwrap().modified().unwrap());
    assert!(!out.join("second.row.json").exists(), "it was killed too late to show anything");

    let Ended { status, out: said, err } = ended(batch(folder.path(), &[]));
    assert_eq!(status, 1, "one model is not there: {err}");
    assert_eq!(said, "2 infected, 0 suspicious, 0 without evidence, 1 not audited\n");
    assert_eq!((fs::read(&kept).unwrap(), fs::metadata(&kept).unwrap().modified().unwrap()), before);
    let results = lines(&out.join("results.jsonl"));
    let verdicts: Vec<Option<&str>> = results.iter().map(|line| line["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("infected"), None, Some("infected")]);
    assert_eq!(results[0]["named"], results[2]["named"], "the same file and seed give the same verdict");
    assert!(results[1]["error"].as_str().unwrap().contains("lost.onnx"));
    let page = fs::read_to_string(out.join("overview.html")).unwrap();
    assert!(page.contains("./first.html") && page.contains("./second.html") && !page.contains("./lost.html"));
    assert!(fs::read_to_string(out.join("first.html")).unwrap().contains("Infected"));
    assert_eq!(fs::read_to_string(out.join("summary.csv")).unwrap().lines().count(), 4);
}

#[test]
fn parts_of_a_batch_are_put_together_and_strange_names_obey_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let strange = "<script>alert(1)</script>\u{1b}[31m.onnx".replace('/', "\u{2215}");
    let table = format!("model,images\na.onnx,i\n{strange},i\nb.onnx,i\n");
    fs::write(folder.path().join("models.csv"), table).unwrap();
    let out = folder.path().join("out");
    for (part, names) in [("1/2", vec!["a", "b"]), ("2/2", vec![strange.trim_end_matches(".onnx")])] {
        assert_eq!(ended(batch(folder.path(), &["--shard", part])).status, 1);
        let lines = lines(&out.join(format!("results-{}.jsonl", part.replace('/', "-of-"))));
        let found: Vec<&str> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
        assert_eq!(found, names);
    }
    assert!(!out.join("overview.html").exists(), "a part does not speak for all");
    let whole = ended(batch(folder.path(), &["--jobs", "2"]));
    assert_eq!(lines(&out.join("results.jsonl")).len(), 3);
    let page = fs::read_to_string(out.join("overview.html")).unwrap();
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && page.contains("&lt;script&gt;"), "{page}");
    assert!(!whole.out.contains('\u{1b}') && !whole.err.contains('\u{1b}'));
}

#[test]
fn what_is_no_list_and_what_is_no_part_are_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |more: &[&str]| ended(batch(folder.path(), more));
    assert!(refused(&[]).err.contains("models.csv"));
    fs::write(folder.path().join("models.csv"), "file\na.onnx\n").unwrap();
    let Ended { status, err, .. } = refused(&[]);
    assert!(status == 1 && err.contains("no column \"model\""), "{err}");
    let Ended { status, err, .. } = refused(&["--shard", "3/2"]);
    assert!(status == 2 && err.contains("written 2/8"), "{err}");
}
