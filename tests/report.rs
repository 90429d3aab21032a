//! `poisdetc report`: from an audit's JSON to a document, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod example;
mod program;
#[path = "example/repair.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod repair_example;

use poisdetc::report::{json, repair_json};
use program::{Ended, command, ended};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Runs `poisdetc report AUDIT --out OUT …`.
fn report(audit: &Path, out: &Path, more: &[&OsStr]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut report = command(home.path(), ["report"]);
    report.arg(audit).arg("--out").arg(out).args(more);
    ended(report)
}

#[test]
fn a_saved_audit_becomes_html_and_pdf_and_always_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.json");
    fs::write(&audit, json::text(&example::audit())).unwrap();
    for name in ["report.html", "report.pdf"] {
        let (first, second) = (folder.path().join(name), folder.path().join(format!("second-{name}")));
        for out in [&first, &second] {
            let end = report(&audit, out, &[]);
            assert_eq!((end.status, end.out.as_str(), end.err.as_str()), (0, "", ""));
        }
        assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap(), "{name} differs");
    }
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    for part in ["Infected (confirmed)", "alt=\"Mask of label 3 no entry\"", "9f2c4b7d0a6e5c13", "data:image/png"] {
        assert!(html.contains(part), "no {part}");
    }
    assert!(fs::read(folder.path().join("report.pdf")).unwrap().starts_with(b"%PDF-"));
}

#[test]
fn a_repair_of_the_same_model_is_told_and_of_another_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("audit.json"), json::text(&example::audit())).unwrap();
    let repair = repair_example::report(false);
    fs::write(path("repair.json"), repair_json::text(&repair)).unwrap();
    let with: [&OsStr; 2] = ["--repair".as_ref(), &path("repair.json").into_os_string()];
    let end = report(&path("audit.json"), &path("report.html"), &with);
    assert_eq!((end.status, end.err.as_str()), (0, ""));
    let html = fs::read_to_string(path("report.html")).unwrap();
    for part in ["Better, but not clean", "Second audit, of the repaired model", &repair.saved.sha256] {
        assert!(html.contains(part), "no {part}");
    }
    let other = repair_json::text(&repair).replace(&repair.order.sha256, &"0".repeat(64));
    fs::write(path("repair.json"), other).unwrap();
    let end = report(&path("audit.json"), &path("other.html"), &with);
    assert_eq!(end.status, 1);
    assert!(end.err.contains("repair of another model"), "{}", end.err);
    fs::write(path("repair.json"), "{}").unwrap();
    let end = report(&path("audit.json"), &path("other.html"), &with);
    assert!(end.err.contains("is not a repair"), "{}", end.err);
    assert!(!path("other.html").exists());
}

#[test]
fn what_cannot_be_is_one_sentence_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("audit.json"), json::text(&example::audit())).unwrap();
    fs::write(path("broken.json"), "{\"schema\": 1, \"verdict\": \"infected\"").unwrap();
    fs::write(path("there.pdf"), "mine").unwrap();
    for (audit, out, said) in [
        ("audit.json", "report.docx", "a report ends in .html or .pdf"),
        ("audit.json", "there.pdf", "is there already"),
        ("audit.json", "missing/report.pdf", "cannot write"),
        ("broken.json", "report.pdf", "is not an audit"),
        ("nowhere.json", "report.pdf", "cannot read"),
    ] {
        let end = report(&path(audit), &path(out), &[]);
        assert_eq!(end.status, 1, "{out}: {}", end.err);
        assert!(end.err.starts_with("error: ") && end.err.contains(said), "{out}: {}", end.err);
        assert_eq!(end.err.lines().count(), 1, "{}", end.err);
    }
    assert_eq!(fs::read(path("there.pdf")).unwrap(), b"mine");
    assert!(!path("report.pdf").exists());
    assert_eq!(report(&path("audit.json"), &path("there.pdf"), &["--force".as_ref()]).status, 0);
    assert!(fs::read(path("there.pdf")).unwrap().starts_with(b"%PDF-"));
}
