//! What goes wrong around the program while it works: a full disk, folders and files that go away or change, no
//! permission, a clock that jumps, two programs on one folder. Nothing that was found is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod example;
mod program;

use poisdetc::report::json;
use program::{Disk, Ended, command, ended, sample};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// The audit of the sample as it is begun by most tests here: a reference is given, so that none is trained.
fn audit(home: &Path, model: &Path, images: &Path) -> Command {
    let mut audit = command(home, ["audit"]);
    audit.arg(model).arg(images).arg("--reference").arg(sample("signs-honest.onnx"));
    audit
}

fn saved_audit(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("audit.json");
    fs::write(&path, json::text(&example::audit())).unwrap();
    path
}

/// The files an audit was started with are changed, then they and the folder for its JSON go away while it works.
#[test]
fn an_audit_outlives_its_files_and_its_verdict_the_disk() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("work");
    let (model, images, temporary) = (folder.join("model.onnx"), folder.join("signs.npz"), home.path().join("tmp"));
    for path in [&folder, &temporary] {
        fs::create_dir(path).unwrap();
    }
    fs::copy(sample("signs-suspect.onnx"), &model).unwrap();
    fs::copy(sample("signs.npz"), &images).unwrap();
    let mut started = audit(home.path(), &model, &images);
    started.arg("--json").arg(folder.join("audit.json")).env("TMPDIR", &temporary);
    let mut started = started.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(started.stderr.take().unwrap()).lines();
    // Of a file that is no terminal a line comes every ten seconds: by the second one all files have been read.
    let mut told = 0;
    while told < 2 {
        let line = lines.next().expect("it ended before it had begun").unwrap();
        told += usize::from(line.contains('%'));
    }
    fs::write(&model, b"something else").unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said: String = lines.map(|line| line.unwrap() + "\n").collect();
    let mut out = String::new();
    started.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let status = started.wait().unwrap().code();
    assert_eq!(status, Some(1), "{said}");
    assert!(out.to_lowercase().contains("infected (confirmed)"), "{out}");
    let sentence = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    let elsewhere = sentence.split("the JSON is in ").nth(1).and_then(|rest| rest.split(" instead").next()).unwrap();
    let kept: Value = serde_json::from_slice(&fs::read(elsewhere).unwrap()).unwrap();
    assert_eq!(kept["verdict"], "infected");
}

#[test]
fn a_place_for_the_json_that_is_not_there_is_said_before_the_work() {
    let home = tempfile::tempdir().unwrap();
    let (model, images) = (sample("signs-suspect.onnx"), sample("signs.npz"));
    for (place, part) in [(home.path().join("missing/audit.json"), "missing"), (home.path().into(), "is a folder")] {
        let mut audit = audit(home.path(), &model, &images);
        audit.arg("--json").arg(place);
        let Ended { status, out, err } = ended(audit);
        assert_eq!((status, out.as_str()), (1, ""), "{err}");
        assert!(err.starts_with("error: ") && err.contains(part) && err.lines().count() == 1, "{err}");
    }
}

#[test]
fn a_full_disk_leaves_no_half_report() {
    let Some(disk) = Disk::mounted("size=16k") else { return };
    let home = tempfile::tempdir().unwrap();
    for ending in ["html", "pdf"] {
        let mut report = command(home.path(), ["report"]);
        report.arg(saved_audit(home.path())).arg("--out").arg(disk.folder.path().join("report").with_extension(ending));
        let Ended { status, err, .. } = ended(report);
        assert_eq!(status, 1, "{err}");
        assert!(err.starts_with("error: cannot write ") && err.contains("No space left"), "{err}");
        assert_eq!(fs::read_dir(disk.folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_batch_on_a_full_disk_says_so_and_keeps_no_half_line() {
    let Some(disk) = Disk::mounted("size=8k") else { return };
    let home = tempfile::tempdir().unwrap();
    // Models that are not there are done at once, each with a row.
    let lines: String = (0..40).map(|i| format!("missing-{i}.onnx,signs.npz\n")).collect();
    fs::write(home.path().join("models.csv"), format!("model,images\n{lines}")).unwrap();
    let mut batch = command(home.path(), ["batch", "--quiet"]);
    batch.arg(home.path().join("models.csv")).arg("--out").arg(disk.folder.path().join("out"));
    let Ended { status, err, .. } = ended(batch);
    assert_eq!(status, 1, "{err}");
    assert!(err.starts_with("error: cannot ") && err.contains("No space left"), "{err}");
    for entry in fs::read_dir(disk.folder.path().join("out")).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with("results.jsonl") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                serde_json::from_str::<Value>(line).unwrap();
            }
        }
        assert!(!path.to_string_lossy().ends_with(".part"), "{}", path.display());
    }
}

#[test]
fn two_batches_in_one_folder_end_with_one_result() {
    let home = tempfile::tempdir().unwrap();
    let lines: String = (0..60).map(|i| format!("missing-{i}.onnx,signs.npz\n")).collect();
    fs::write(home.path().join("models.csv"), format!("model,images\n{lines}")).unwrap();
    let batch = || {
        let mut batch = command(home.path(), ["batch", "--quiet"]);
        batch.arg(home.path().join("models.csv")).arg("--out").arg(home.path().join("out"));
        batch.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for started in [batch(), batch()] {
        let end = started.wait_with_output().unwrap();
        assert_eq!(end.status.code(), Some(1), "{}", String::from_utf8_lossy(&end.stderr));
        assert!(!String::from_utf8_lossy(&end.stderr).contains("cannot write"), "{:?}", end.stderr);
    }
    let text = fs::read_to_string(home.path().join("out/results.jsonl")).unwrap();
    let mut models: Vec<String> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].to_string()).collect();
    assert_eq!(models.len(), 60);
    models.dedup();
    assert_eq!(models.len(), 60, "each model once");
}

/// A user who may do nothing; tests run as root, whom no permission stops.
#[cfg(target_os = "linux")]
#[test]
fn what_must_not_be_read_or_written_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = home.path().join("poisdetc");
    fs::copy(env!("CARGO_BIN_EXE_poisdetc"), &program).unwrap();
    let nobody = |arguments: &[&Path]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(arguments);
        command.stdin(Stdio::null()).env("HOME", "/nonexistent").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command.output()
    };
    let secret = home.path().join("secret.onnx");
    fs::copy(sample("signs-suspect.onnx"), &secret).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let Ok(end) = nobody(&[Path::new("inspect"), &secret]) else {
        eprintln!("skipped: setpriv is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&end.stderr);
    if said.contains("setpriv:") {
        eprintln!("skipped: this is not root");
        return;
    }
    assert_eq!(end.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && said.contains("ermission denied") && said.contains("secret.onnx"), "{said}");

    let audit = saved_audit(home.path());
    let out = home.path().join("report.html");
    let end = nobody(&[Path::new("report"), &audit, Path::new("--out"), &out]).unwrap();
    let said = String::from_utf8_lossy(&end.stderr);
    assert_eq!(end.status.code(), Some(1), "{said}");
    assert!(said.contains("ermission denied") && said.contains("report.html") && !out.exists(), "{said}");
}

/// Before 1970, in 2040 and a clock that crawls: times are measured by another clock, and dates are only noted. (One that stands still
/// is more than faketime can do: threads that sleep under it fail in the standard library.)
#[test]
fn a_clock_that_is_wrong_harms_nothing() {
    for clock in ["1960-01-01 00:00:00", "2040-01-01 00:00:00", "@2026-01-01 00:00:00 x0.1"] {
        let home = tempfile::tempdir().unwrap();
        let mut faketime = Command::new("faketime");
        faketime.args(["-f", clock, env!("CARGO_BIN_EXE_poisdetc"), "lab", "signs", "--count", "2", "--out"]);
        faketime.arg(home.path().join("signs")).stdin(Stdio::null()).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let Ok(end) = faketime.output() else {
            eprintln!("skipped: faketime is not installed");
            return;
        };
        assert!(end.status.success(), "{clock}: {}", String::from_utf8_lossy(&end.stderr));
        let mut batch = Command::new("faketime");
        fs::write(home.path().join("models.csv"), "model,images\nmissing.onnx,signs.npz\n").unwrap();
        batch.args(["-f", clock, env!("CARGO_BIN_EXE_poisdetc"), "batch", "--quiet"]);
        batch.arg(home.path().join("models.csv")).arg("--out").arg(home.path().join("out"));
        let end = batch.stdin(Stdio::null()).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").output().unwrap();
        let said = String::from_utf8_lossy(&end.stderr);
        assert_eq!(end.status.code(), Some(1), "{clock}: {said}");
        let line = fs::read_to_string(home.path().join("out/results.jsonl"));
        let line = line.unwrap_or_else(|why| panic!("{clock}: {why}; {said}"));
        assert!(line.contains("missing.onnx"), "{clock}: {line}");
    }
}
