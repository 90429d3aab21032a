//! An audit that was cut off goes on from what was finished, and says what it would have said in one go.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod program;

use poisdetc::audit::{Audit, Event, Journal, Order, Settings, run, run_kept};
use poisdetc::detect::Shape;
use poisdetc::progress::Monitor;
use poisdetc::report::json;
use program::sample;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A short audit of the sample: one reference is given, one must be trained.
fn order() -> Order {
    Order {
        model: sample("signs-suspect.onnx"),
        images: sample("signs.npz"),
        reference: Some(sample("signs-honest.onnx")),
        label_names: Some(sample("labels.txt")),
        settings: Settings { shots: 2, ..Settings::default() },
        ..Order::default()
    }
}

/// All that is said, without the times.
fn said(audit: &Audit) -> String {
    json::whole(&Audit { seconds: 0.0, finished_at: None, ..audit.clone() })
}

/// Names of the pieces: those before the preprocessing was known lie in a folder of their own.
fn pieces(folder: &Path) -> Vec<String> {
    let inside = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap());
    inside.flatten().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_audit_that_was_cut_off_goes_on_and_says_the_same() {
    let order = order();
    let whole = run(&order, &Monitor::silent(), &|_| ()).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::at(folder.path().into());
    // Cut off in the middle of a training, then in the middle of the shots. Not every pass is told: a machine with nothing else to do
    // takes several between two reports.
    let begins = "Training, pass 1 ";
    for (stage, unfinished) in [("Training, pass ", "reference-1"), ("Shots at every label", "shots-0-")] {
        let monitor = Monitor::silent();
        let cut = run_kept(&order, &journal, &monitor, &|event| {
            if matches!(event, Event::Progress { stage: now, .. } if now.starts_with(stage) && !now.starts_with(begins))
            {
                monitor.stop();
            }
        });
        assert!(cut.is_err() || cut.is_ok_and(|audit| audit.stopped), "{stage}");
        let kept = pieces(folder.path());
        let is_half = |name: &String| name.starts_with(unfinished) && name.ends_with(".unfinished.json");
        assert!(kept.iter().any(is_half), "{stage}: {kept:?}");
    }

    // Cut off after some patches: the pieces are all that is left of it.
    let (monitor, triggers) = (Monitor::silent(), AtomicUsize::new(0));
    let half = run_kept(&order, &journal, &monitor, &|event| {
        if matches!(event, Event::Trigger(t) if t.shape == Shape::Patch)
            && triggers.fetch_add(1, Ordering::Relaxed) == 4
        {
            monitor.stop();
        }
    })
    .unwrap();
    assert!(half.stopped);
    let kept = pieces(folder.path());
    let count = |begins: &str| kept.iter().filter(|name| name.starts_with(begins)).count();
    assert_eq!(count("reference-1"), 1, "{kept:?}");
    assert!(
        count("shots-0-") == 3 && count("patch-") >= 4 && kept.iter().all(|name| name.ends_with(".json")),
        "{kept:?}"
    );

    assert!(kept.iter().any(|name| name.ends_with(".unfinished.json")), "the searches in hand are not kept: {kept:?}");

    let stages = Mutex::new(Vec::new());
    let resumed = run_kept(&order, &journal, &Monitor::silent(), &|event| {
        if let Event::Progress { stage, .. } = event {
            stages.lock().unwrap().push(stage);
        }
    })
    .unwrap();
    assert!(said(&resumed) == said(&whole), "the resumed audit says something else");
    let left: Vec<String> = pieces(folder.path()).into_iter().filter(|name| name.contains("unfinished")).collect();
    assert!(left.is_empty(), "{left:?}");
    let stages = stages.into_inner().unwrap();
    assert!(!stages.iter().any(|stage| stage.starts_with("Training")), "the reference was trained again");

    // Of another seed nothing is taken.
    let other = Order { settings: Settings { seed: poisdetc::tensor::Seed(2), ..order.settings.clone() }, ..order };
    let monitor = Monitor::silent();
    let stopped = run_kept(&other, &journal, &monitor, &|event| {
        if matches!(event, Event::Reference(_)) {
            monitor.stop();
        }
    });
    assert!(stopped.unwrap().labels.iter().all(|label| label.trigger.is_none()));
}
