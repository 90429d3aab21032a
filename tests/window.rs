//! The window as people meet it: found by name in the accessibility tree, clicked, typed into.
//!
//! Only the picture tests need a renderer; where there is none they are skipped with a line saying so.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod example;
#[path = "example/repair.rs"]
mod repair_example;

use egui::{Key, Modifiers, Theme, ViewportCommand, ViewportId};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, HarnessBuilder, SnapshotOptions};
use poisdetc::app::{App, Command, Output, PlotKind, Recent, State, Step};
use poisdetc::audit::repairing::{Pictures, RepairEvent, RepairReport, RepairingError};
use poisdetc::audit::{Audit, AuditError, Event, Order, Phase, Verdict};
use poisdetc::progress::Monitor;
use poisdetc::report::page::Kind;
use poisdetc::shelf::Shelf;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Window = Harness<'static, App>;

fn builder() -> HarnessBuilder<App> {
    Harness::builder()
        .with_size([1280.0, 900.0])
        .with_theme(Theme::Light)
        .with_os(egui::os::OperatingSystem::Nix)
        .with_max_steps(60)
        .with_context_setup(poisdetc::app::install_theme)
}

fn open(app: App) -> Window {
    let mut window = builder().build_ui_state(|ui, app: &mut App| app.frame(ui, None), app);
    window.run();
    window
}

fn empty() -> Window {
    open(App::new(State::default(), None))
}

fn finished() -> Window {
    open(App::with_audit(example::audit()))
}

/// Steps until `done`, at most `seconds`: jobs work on their own threads. `false` where it never was.
fn wait(window: &mut Window, seconds: u64, done: impl Fn(&Window) -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        window.step();
        if done(window) {
            window.step();
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn an_empty_window_offers_the_sample_and_an_audit_needs_files() {
    let window = empty();
    assert!(window.query_by_label("Try the sample").is_some());
    assert!(window.query_by_label("Was this image classifier poisoned?").is_some());
    assert!(window.get_by_label("Start audit").accesskit_node().is_disabled());
    assert!(window.query_by_label("Repair").is_none(), "no dead steps");
}

#[test]
fn a_finished_audit_shows_its_verdict_and_every_label() {
    let window = finished();
    assert!(window.query_all_by_label("Infected (confirmed)").count() >= 2, "banner and table");
    assert!(window.query_by_label("Suspicious").is_some());
    assert!(window.query_by_label_contains("turns 98.9 % of the 176 held-back pictures").is_some());
    for label in ["3 no entry", "7 no overtaking", "0 stop"] {
        assert!(window.query_by_label(label).is_some(), "no row for {label}");
    }
    assert!(window.query_by_label_contains("Plot of losses for 12 labels").is_some(), "the plot has words");
    assert!(window.query_by_label("Trigger of label 3 no entry").is_some(), "the trigger has words");
}

#[test]
fn why_shows_the_reasons_in_words() {
    let mut window = finished();
    assert!(window.query_by_label_contains("no entry: A recovered trigger").is_none());
    window.get_by_label("Why?").click();
    window.run();
    assert!(window.query_by_label_contains("no entry: A recovered trigger").is_some());
}

#[test]
fn the_table_sorts_by_any_column() {
    let mut window = finished();
    let order = |window: &Window| {
        let mut rows: Vec<(f32, String)> = ["3 no entry", "7 no overtaking", "0 stop", "9 turn right"]
            .into_iter()
            .filter_map(|label| Some((window.query_by_label(label)?.rect().top(), label.to_owned())))
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows.into_iter().map(|row| row.1).collect::<Vec<_>>()
    };
    assert_eq!(order(&window)[0], "3 no entry", "the strongest verdict first");
    window.get_by_label("Sort by label").click();
    window.run();
    assert_eq!(order(&window)[0], "0 stop");
    for by in ["verdict", "shots that reached it", "p-value", "works on", "size", "anomaly"] {
        window.get_by_label(&format!("Sort by {by}")).click();
        window.run();
        assert_eq!(order(&window)[0], "3 no entry", "by {by}");
    }
}

#[test]
fn a_click_on_a_label_opens_it_with_reasons_trigger_and_answers() {
    let mut window = finished();
    window.get_by_label("3 no entry").click();
    window.run();
    assert_eq!(window.state().step(), Step::Inspect);
    assert!(window.query_by_label("Label 3 no entry").is_some());
    assert!(window.query_by_label_contains("A recovered trigger of 0.9 %").is_some());
    for picture in ["Mask of label 3 no entry", "Pattern of label 3 no entry"] {
        assert!(window.query_by_label(picture).is_some(), "no {picture}");
    }
    assert!(window.query_by_label_contains("With the trigger 1 of speed limit 30: the model says no entry").is_some());
    assert!(window.query_by_label_contains("What is “Anomaly index”?").is_some());
    assert!(window.query_by_label("Honest limits").is_some());
    window.get_by_label("Next label").click();
    window.run();
    assert!(window.query_by_label("Label 4 speed limit 30").is_some());
}

#[test]
fn a_wrong_path_is_answered_with_a_sentence_at_its_field() {
    let mut window = empty();
    for (field, path, what) in [
        ("Suspect model", "/nowhere/model.onnx", "The suspect model cannot be used"),
        ("Clean images", "/nowhere/signs", "The clean images cannot be used"),
    ] {
        window.get_by_label(field).focus();
        window.step();
        window.get_by_label(field).type_text(path);
        window.step();
        window.key_press(Key::Tab);
        assert!(wait(&mut window, 20, |w| w.query_by_label(what).is_some()), "{field}");
        assert!(window.query_all_by_label("Copy text").count() >= 2, "at the field and on the screen");
    }
    assert!(window.query_all_by_label_contains("/nowhere/signs").count() >= 2, "the sentence names the folder");
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("never read".into())
    }
}

#[test]
fn dropped_files_go_to_the_fields_they_fit() {
    let mut window = empty();
    for path in ["/nowhere/suspect.onnx", "/nowhere/signs", "/nowhere/names.txt"] {
        window.input_mut().dropped_files.push(Arc::new(Dropped(path.into())));
    }
    window.step();
    window.step();
    for (field, path) in [
        ("Suspect model", "/nowhere/suspect.onnx"),
        ("Clean images", "/nowhere/signs"),
        ("Label names (optional)", "/nowhere/names.txt"),
    ] {
        assert_eq!(window.get_by_label(field).value().as_deref(), Some(path));
    }
}

#[test]
fn the_keyboard_starts_and_stops_an_audit_and_a_stop_shows_at_once() {
    let mut window = empty();
    let ctx = window.ctx.clone();
    window.state_mut().run(&ctx, halfway);
    assert!(wait(&mut window, 20, |w| w.query_by_label("1 min 20 s left").is_some()));
    assert!(window.query_by_label("Detecting").is_some() && window.query_by_label("label 5 of 12").is_some());
    window.key_press(Key::Escape);
    window.run_steps(2);
    assert!(window.state().is_running(), "the work has not noticed yet");
    assert!(window.query_by_label("Stopping…").is_some(), "but the window has");
    assert!(wait(&mut window, 20, |w| !w.state().is_running()));
    assert!(window.query_by_label_contains("It was stopped before anything was known").is_some());
    // Nothing is chosen: Ctrl+R complains at the field instead of starting.
    window.key_press_modifiers(Modifiers::COMMAND, Key::R);
    window.run_steps(3);
    assert!(!window.state().is_running());
    assert!(window.query_by_label_contains("Choose the suspect model first").is_some());
}

#[test]
fn losses_appear_while_the_audit_runs_and_the_document_replaces_them() {
    let mut window = empty();
    let ctx = window.ctx.clone();
    let audit = example::audit();
    window.state_mut().run(&ctx, move |monitor, events| {
        events(Event::Images(audit.images.clone()));
        events(Event::Shots(audit.labels[3].shots.clone().unwrap()));
        while !monitor.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(audit)
    });
    assert!(wait(&mut window, 20, |w| w.query_by_label("3 no entry").is_some()));
    assert!(window.query_by_label_contains("Plot of losses for 1 label").is_some());
    assert!(window.query_by_label("being examined").is_some());
    window.get_by_label("Stop").click();
    assert!(wait(&mut window, 20, |w| w.state().document().is_some()));
    assert!(window.query_by_label("being examined").is_none());
    assert!(window.query_by_label_contains("Plot of losses for 12 labels").is_some());
}

/// Whether the frame just drawn asks the system for something of which `wanted` holds.
fn asks(window: &Window, wanted: impl Fn(&ViewportCommand) -> bool) -> bool {
    window.output().viewport_output.values().any(|viewport| viewport.commands.iter().any(&wanted))
}

#[test]
fn the_window_is_called_by_its_work_and_asks_for_attention_where_it_ends_unseen() {
    let mut window = empty();
    let ctx = window.ctx.clone();
    window.state_mut().run(&ctx, halfway);
    let called =
        |w: &Window, what: &str| asks(w, |c| matches!(c, ViewportCommand::Title(title) if title.contains(what)));
    assert!(wait(&mut window, 20, |w| called(w, "35 % Detecting")));
    window.input_mut().viewports.entry(ViewportId::ROOT).or_default().focused = Some(false);
    let attention = std::cell::Cell::new(false);
    window.key_press(Key::Escape);
    assert!(wait(&mut window, 20, |w| {
        attention.set(attention.get() || asks(w, |c| matches!(c, ViewportCommand::RequestUserAttention(_))));
        called(w, "Detecting: ended")
    }));
    assert!(attention.get());
}

#[test]
fn where_it_computes_stands_among_the_expert_settings() {
    let mut window = finished();
    window.get_by_label("Expert settings").click();
    window.run();
    // A choice in a build for graphics cards.
    if cfg!(not(any(feature = "cuda", feature = "metal"))) {
        assert!(window.query_by_label("Processor").is_some());
    }
    assert!(window.query_by_label("Computed on").is_some());
}

#[test]
fn a_changed_setting_is_taken_back_and_done_again_by_keys() {
    let mut window = finished();
    window.get_by_label("Expert settings").click();
    window.run();
    let thorough = |w: &Window| w.get_by_label("Thorough").accesskit_node().toggled();
    let before = thorough(&window);
    window.get_by_label("Thorough").click();
    window.run();
    let after = thorough(&window);
    assert_ne!(before, after);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run_steps(3);
    assert_eq!(thorough(&window), before);
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    window.run_steps(3);
    assert_eq!(thorough(&window), after);
}

#[test]
fn a_panic_in_the_audit_becomes_a_sentence() {
    let mut window = empty();
    let ctx = window.ctx.clone();
    window.state_mut().run(&ctx, |_, _| panic!("index out of bounds"));
    assert!(wait(&mut window, 20, |w| !w.state().is_running()));
    assert!(window.query_by_label("The audit could not be done").is_some());
    assert!(window.query_by_label_contains("The program itself failed: index out of bounds").is_some());
}

#[test]
fn the_log_is_one_click_away_and_can_be_copied() {
    let mut window = empty();
    window.get_by_label("Show the log").click();
    window.run();
    assert!(window.query_by_label("Copy all").is_some());
    window.key_press_modifiers(Modifiers::COMMAND, Key::L);
    window.run();
    assert!(window.query_by_label("Copy all").is_some(), "the keys show it too");
    window.get_by_label("Show the log").click();
    window.run();
    assert!(window.query_by_label("Copy all").is_none(), "the same button closes it");
}

#[test]
fn escape_closes_what_lies_over_the_screen_before_it_stops_an_audit() {
    let mut window = empty();
    let ctx = window.ctx.clone();
    window.state_mut().run(&ctx, halfway);
    assert!(wait(&mut window, 20, |w| w.query_by_label("Detecting").is_some()));
    window.key_press_modifiers(Modifiers::COMMAND, Key::L);
    window.run_steps(2);
    window.key_press(Key::F1);
    window.run_steps(2);
    let shown = |w: &Window| ["Find a term", "Copy all"].map(|label| w.query_by_label(label).is_some());
    assert_eq!(shown(&window), [true, true]);
    for left in [[false, true], [false, false]] {
        window.key_press(Key::Escape);
        window.run_steps(2);
        assert_eq!(shown(&window), left);
        assert!(window.query_by_label("Stopping…").is_none());
    }
    window.key_press(Key::Escape);
    window.run_steps(2);
    assert!(window.query_by_label("Stopping…").is_some());
    assert!(wait(&mut window, 20, |w| !w.state().is_running()));
}

#[test]
fn every_question_mark_opens_its_entry_of_the_glossary() {
    let mut window = finished();
    window.get_by_label("3 no entry").click();
    window.run();
    let asked: Vec<(String, bool)> = window
        .query_all_by_label_contains("What is “")
        .map(|node| {
            let node = node.accesskit_node();
            (node.label().unwrap_or_default(), node.role() == egui::accesskit::Role::Button)
        })
        .collect();
    assert!(asked.len() >= 12, "{asked:?}");
    assert!(asked.iter().all(|(_, is_button)| *is_button), "no entry: {asked:?}");
    window.get_by_label_contains("What is “Anomaly index”?").click();
    window.run();
    assert!(window.query_by_label("Find a term").is_some());
    assert!(window.query_by_label_contains("counted in deviations").is_some());
    window.get_by_label("Find a term").focus();
    window.run();
    window.get_by_label("Find a term").type_text("wanet");
    window.run();
    assert!(window.query_by_label_contains("bends the whole picture").is_some());
    assert!(window.query_by_label_contains("counted in deviations").is_none());
    window.get_by_label("Close window").click();
    window.run();
    assert!(window.query_by_label("Find a term").is_none());
    window.key_press(Key::F1);
    window.run();
    assert!(window.query_by_label("Find a term").is_some(), "the key opens it too");
}

#[test]
fn an_idle_window_rests() {
    let mut window = finished();
    // `run` panics where frames are asked for without end; one more must ask for none.
    assert!(window.run() <= 2);
}

#[test]
fn recent_audits_are_one_click_away() {
    let recent = vec![Recent { model: "/nowhere/old.onnx".into(), images: "/nowhere/old".into() }];
    let mut window = open(App::new(State { recent, ..State::default() }, None));
    window.get_by_label("old.onnx with old").click();
    window.run_steps(3);
    assert_eq!(window.get_by_label("Suspect model").value().as_deref(), Some("/nowhere/old.onnx"));
    assert_eq!(window.get_by_label("Clean images").value().as_deref(), Some("/nowhere/old"));
}

/// A window that keeps its audits in `folder`.
fn keeping(folder: &Path) -> Window {
    open(App::new(State::default(), None).keeping(Shelf::at(folder.into())))
}

#[test]
fn kept_audits_are_listed_opened_compared_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::at(folder.path().into());
    let mut other = example::audit();
    other.verdict = Verdict::NoEvidence;
    other.model.path = "signs/honest.onnx".into();
    other.order.model = "signs/honest.onnx".into();
    other.finished_at = Some(1_795_000_000);
    shelf.keep(&other);
    shelf.keep(&example::audit());
    let mut window = keeping(folder.path());
    let open_suspect = "Open: signs-suspect.onnx 2026-11-25 20:17 UTC";
    assert!(wait(&mut window, 20, |w| w.query_by_label(open_suspect).is_some()), "the list never came");
    assert!(window.query_by_label_contains("Compare: ").is_none(), "there is nothing to compare with yet");
    window.get_by_label(open_suspect).click();
    assert!(wait(&mut window, 20, |w| w.state().document().is_some()));
    assert_eq!(window.state().step(), Step::Detect);
    assert!(window.query_by_label_contains("turns 98.9 % of the 176 held-back pictures").is_some());
    assert!(window.query_by_label("Trigger of label 3 no entry").is_some(), "with its pictures");

    window.get_by_label("Step 1: Open").click();
    window.run_steps(4);
    window.get_by_label_contains("Compare: honest.onnx").click();
    assert!(wait(&mut window, 20, |w| w.state().step() == Step::Compare));
    window.run();
    for words in ["A  signs-suspect.onnx", "B  honest.onnx", "Verdict A", "Verdict B", "3 no entry"] {
        assert!(window.query_by_label(words).is_some(), "no {words}");
    }
    assert!(window.query_by_label_contains("different images, or it is not known").is_some());
    window.get_by_label("End comparison").click();
    window.run();
    assert_eq!(window.state().step(), Step::Detect);

    window.get_by_label("Step 1: Open").click();
    window.run_steps(4);
    window.get_by_label_contains("Remove: honest.onnx").click();
    assert!(wait(&mut window, 20, |w| w.query_by_label_contains("Remove: honest.onnx").is_none()));
    assert_eq!(shelf.list().len(), 1);
}

#[test]
fn an_interrupted_audit_is_offered_to_go_on_and_one_that_ends_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("audit-1-0");
    std::fs::create_dir(&place).unwrap();
    let order =
        serde_json::json!({ "model": "/nowhere/big.onnx", "images": "/nowhere/signs", "settings": { "seed": 7 } });
    let about = serde_json::json!({
        "order": order, "when": 1_795_637_864, "fraction": 0.45, "verdict": null, "stopped": false
    });
    std::fs::write(place.join("about.json"), about.to_string()).unwrap();
    let mut window = keeping(folder.path());
    assert!(wait(&mut window, 20, |w| w.query_by_label("Interrupted at 45 %").is_some()));
    window.get_by_label_contains("Go on: big.onnx").click();
    assert!(wait(&mut window, 20, |w| w.query_by_label("The audit could not be done").is_some()), "its model is gone");
    assert_eq!(window.get_by_label("Suspect model").value().as_deref(), Some("/nowhere/big.onnx"));
    assert!(place.is_dir(), "what was kept is not lost");
}

#[test]
fn a_saved_audit_is_opened_by_dropping_it_and_another_file_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.json");
    std::fs::write(&path, poisdetc::report::json::text(&example::audit())).unwrap();
    let mut window = empty();
    window.input_mut().dropped_files.push(Arc::new(Dropped(path.clone())));
    assert!(wait(&mut window, 20, |w| w.state().document().is_some()));
    assert!(window.query_by_label("3 no entry").is_some());
    std::fs::write(&path, "{\"name\": \"package\"}").unwrap();
    window.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    assert!(wait(&mut window, 20, |w| w.query_by_label("The audit could not be opened").is_some()));
    assert!(window.query_by_label_contains("audit.json is not an audit").is_some());
}

#[test]
fn a_repair_offers_to_compare_both_audits() {
    let mut window = repaired(repair_example::report(true));
    window.get_by_label("Compare both audits").scroll_to_me();
    window.run_steps(12);
    window.get_by_label("Compare both audits").click();
    window.run();
    assert_eq!(window.state().step(), Step::Compare);
    assert!(window.query_by_label("Two audits side by side").is_some());
}

#[test]
fn the_theme_is_chosen_by_words() {
    let mut window = empty();
    window.get_by_label("Theme").click();
    window.run();
    window.get_by_label("Dark").click();
    window.run();
    assert_eq!(window.ctx.theme(), Theme::Dark);
    assert_eq!(window.state().state().theme, poisdetc::app::ThemeChoice::Dark);
}

#[test]
fn every_command_has_words_and_the_menu_shows_its_keys() {
    let mut window = empty();
    window.get_by_label("File").click();
    window.run();
    for command in Command::MENU {
        assert!(!command.tooltip().is_empty());
        assert!(window.query_by_label(&format!("Menu: {}", command.text())).is_some(), "{}", command.text());
    }
}

#[test]
fn the_sample_is_opened_audited_and_explained_by_three_clicks() {
    let mut window = empty();
    window.get_by_label("Try the sample").click();
    assert!(wait(&mut window, 60, |w| w.state().is_running()), "the audit never started");
    assert!(wait(&mut window, 900, |w| !w.state().is_running()), "the audit never ended");
    let audit = window.state().document().expect("no document").clone();
    assert_eq!(audit.verdict, Verdict::Infected, "{}", audit.summary);
    window.run();
    assert!(window.query_by_label(&audit.summary).is_some(), "the verdict is not on the screen");
    let infected = audit.labels.iter().find(|l| l.verdict == Verdict::Infected).expect("no infected label");
    let title = format!("{} {}", infected.label, infected.name);
    window.get_by_label(&title).click();
    window.run();
    assert_eq!(window.state().step(), Step::Inspect);
    assert!(window.query_by_label(&infected.findings[0].because).is_some(), "the reason is not on the screen");
    let asr = infected.trigger.as_ref().expect("no trigger").asr;
    assert!(asr > 0.8, "the trigger works on {asr} only");
    assert!(window.query_by_label(&format!("Mask of label {title}")).is_some());
    assert!(window.query_all_by_label_contains("With the trigger 1 of").count() >= 1);
    sample_is_tried_at_other_strengths(&mut window);
    sample_is_repaired_exported_and_opened(&mut window);
}

/// Goes on from the Inspect screen of the infected label.
fn sample_is_tried_at_other_strengths(window: &mut Window) {
    window.get_by_label("Try other strengths").click();
    let there = |w: &Window| w.query_by_label_contains("At 100 % of its strength it works on").is_some();
    assert!(wait(window, 120, there), "the strengths were never measured");
    window.get_by_label("Strength of the trigger").focus();
    window.run_steps(3);
    for _ in 0..6 {
        window.key_press(Key::ArrowLeft);
        window.run_steps(2);
    }
    assert!(window.query_by_label_contains("At 0 % of its strength it works on 0.").is_some(), "nothing turns nothing");
}

/// Goes on from the finished audit of the sample.
fn sample_is_repaired_exported_and_opened(window: &mut Window) {
    window.get_by_label("Step 4: Repair").click();
    window.run();
    window.get_by_label("Method: Unlearning").click();
    window.run();
    window.get_by_label("Start repair").click();
    assert!(wait(window, 20, |w| w.state().is_running()), "the repair never started");
    assert!(wait(window, 900, |w| !w.state().is_running()), "the repair never ended");
    let report = window.state().repaired().expect("no repaired model").clone();
    assert!(report.after.worst_asr().unwrap() < 0.2, "{:?}", report.after);
    window.run();
    assert!(window.query_all_by_label_contains(&report.limits[0]).count() == 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.onnx");
    let ctx = window.ctx.clone();
    window.state_mut().export(&ctx, file.clone());
    assert!(wait(window, 60, |w| w.query_by_label_contains("The repaired model is in").is_some()));
    assert_eq!(poisdetc::model::open(&file).unwrap().sha256, report.saved.sha256);
    window.get_by_label("Scan again").click();
    assert!(wait(window, 20, |w| w.state().is_running() && w.state().step() == Step::Detect));
    assert_eq!(window.get_by_label("Suspect model").value(), Some(file.display().to_string()));
    window.key_press(Key::Escape);
    assert!(wait(window, 60, |w| !w.state().is_running()));
    assert!(window.state().repaired().is_some(), "the result of the repair is kept");
}

/// The finished audit, on the Repair screen.
fn at_repair() -> Window {
    let mut window = finished();
    window.get_by_label("Step 4: Repair").click();
    window.run();
    window
}

/// A window in which a repair has ended with `report`.
fn repaired(report: RepairReport) -> Window {
    let mut window = at_repair();
    let ctx = window.ctx.clone();
    window.state_mut().run_repair(&ctx, move |_, events| {
        curve(events);
        Ok(report)
    });
    assert!(wait(&mut window, 20, |w| w.state().repaired().is_some()));
    window.run();
    window
}

fn curve(events: &(dyn Fn(RepairEvent) + Sync)) {
    for point in repair_example::curve() {
        events(RepairEvent::Point("unlearning".into(), point));
    }
}

/// A repair that stays in the middle until it is stopped.
fn half_repaired(monitor: &Monitor, events: &(dyn Fn(RepairEvent) + Sync)) -> Result<RepairReport, RepairingError> {
    curve(events);
    let stage = "Repair by unlearning, pass 2 of 3".into();
    events(RepairEvent::Progress { fraction: 0.4, stage, seconds_left: Some(80.0) });
    while !monitor.is_stopped() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(AuditError::Stopped(monitor.check().unwrap_err()).into())
}

#[test]
fn the_repair_offers_methods_with_their_price_and_the_recommended_ones_first() {
    let mut window = at_repair();
    assert_eq!(window.state().step(), Step::Repair);
    for words in [
        "At most 2.0 % of clean accuracy lost; the recovered trigger works on at most 5.0 %",
        "Needs a recovered trigger",
    ] {
        assert!(window.query_all_by_label_contains(words).count() >= 1, "no {words}");
    }
    let chosen = |window: &Window, method: &str| {
        window.get_by_label(&format!("Method: {method}")).accesskit_node().toggled()
            == Some(egui::accesskit::Toggled::True)
    };
    assert!(chosen(&window, "Recommended") && !chosen(&window, "FT-SAM"));
    window.get_by_label("Method: FT-SAM").click();
    window.run();
    assert!(chosen(&window, "FT-SAM") && !chosen(&window, "Recommended"));
}

#[test]
fn nothing_is_offered_for_repair_where_nothing_was_found() {
    let mut audit = example::audit();
    audit.verdict = Verdict::NoEvidence;
    assert!(open(App::with_audit(audit)).query_by_label("Step 4: Repair").is_none());
    assert!(empty().query_by_label("Step 4: Repair").is_none());
}

#[test]
fn a_repair_shows_its_curves_and_stops() {
    let mut window = at_repair();
    let ctx = window.ctx.clone();
    window.state_mut().run_repair(&ctx, half_repaired);
    assert!(wait(&mut window, 20, |w| w.query_by_label("1 min 20 s left").is_some()));
    assert!(window.query_by_label("Repair by unlearning, pass 2 of 3").is_some());
    let curves = "Curves of the repair: with unlearning clean accuracy is 97.1 %, the trigger works on 2.0 %";
    assert!(window.query_by_label(curves).is_some());
    assert!(window.query_by_label("Start audit").is_none(), "one job at a time");
    window.get_by_label("Stop").click();
    assert!(wait(&mut window, 20, |w| !w.state().is_running()));
    assert!(window.query_by_label_contains("stopped before the repaired model was written").is_some());
    assert!(window.query_by_label("Start repair").is_some(), "another try");
}

#[test]
fn a_finished_repair_is_shown_before_and_after() {
    let mut window = repaired(repair_example::report(true));
    assert!(window.query_by_label("Repaired: the aim is met, and the second audit finds nothing").is_some());
    for number in ["98.3 %", "97.1 %", "98.9 %", "2.1 %"] {
        assert!(window.query_all_by_label(number).count() >= 1, "no {number}");
    }
    let picture = "With the trigger 1 of speed limit 30: the suspect says no entry, the repaired model speed limit 30";
    assert!(window.query_by_label(picture).is_some());
    assert!(window.query_by_label_contains("The attacker's own trigger is unknown").is_some());
    assert!(window.query_by_label("Export…").is_some() && window.query_by_label("Scan again").is_some());
    window.get_by_label("Other method").click();
    window.run();
    assert!(window.query_by_label("Start repair").is_some());
}

#[test]
fn a_repair_that_is_not_clean_says_so() {
    let window = repaired(repair_example::report(false));
    assert!(window.query_by_label_contains("Better, but not clean").is_some());
    assert!(window.query_by_label("Infected (confirmed)").is_some());
}

/// Moves the slider of the trade-off by some settings, with the keyboard.
fn slide(window: &mut Window, key: Key, settings: usize) {
    window.get_by_label("Setting of the repair").focus();
    // The slider claims the arrow keys in the frame after the one it got the focus in.
    window.run_steps(3);
    for _ in 0..settings {
        window.key_press(key);
        // One frame for the press, one for the release.
        window.run_steps(2);
    }
}

/// The report of a setting, once it was measured.
fn proved(window: &mut Window, setting: usize) -> RepairReport {
    let there = |w: &Window| {
        let report = w.state().repaired().unwrap();
        report.choices.as_ref().unwrap().chosen == setting
    };
    assert!(wait(window, 60, there), "setting {setting} was never measured");
    window.run();
    window.state().repaired().unwrap().clone()
}

#[test]
fn a_finished_repair_shows_pictures_with_the_mark_of_every_infected_label() {
    let mut report = repair_example::report(true);
    assert!(repaired(report.clone()).query_by_label_contains("Trigger of label").is_none(), "one needs no title");
    let other = Pictures { label: example::SUSPICIOUS, ..report.pictures[0].clone() };
    report.pictures.push(other);
    let window = repaired(report);
    for title in ["Trigger of label 3 no entry", "Trigger of label 7 no overtaking"] {
        assert!(window.query_by_label(title).is_some(), "no {title}");
    }
    for picture in ["With the trigger 1 of", "With the trigger 12 of"] {
        assert!(window.query_by_label_contains(picture).is_some(), "no {picture}");
    }
}

#[test]
fn the_slider_takes_another_setting_which_is_measured_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = repaired(repair_example::with_settings(folder.path()));
    assert!(window.query_by_label("1 of 3, 4 channels off").is_some());
    assert!(window.query_by_label("Clean accuracy 97.3 %, recovered trigger works on 65.3 %").is_some());
    assert!(window.query_by_label("Repaired: the aim is met, and the second audit finds nothing").is_some());

    slide(&mut window, Key::ArrowRight, 2);
    assert!(window.query_by_label("3 of 3, 12 channels off").is_some(), "numbers known beforehand are there at once");
    assert!(window.query_by_label("Clean accuracy 95.3 %, recovered trigger works on 0.0 %").is_some());
    let harsh = proved(&mut window, 3);
    assert!(!harsh.meets_aim && harsh.scanned_again.is_none() && harsh.after.images == 48);
    assert!(harsh.after.accuracy < 0.5, "{}", harsh.after.accuracy);
    assert!(window.query_by_label_contains("Written, but not examined: the aim is not met").is_some());
    assert!(window.query_by_label_contains("was not examined again: it is another setting").is_some());

    let file = folder.path().join("mine.onnx");
    let ctx = window.ctx.clone();
    window.state_mut().export(&ctx, file.clone());
    assert!(wait(&mut window, 60, |w| w.query_by_label_contains("The repaired model is in").is_some()));
    let bias = |file: &Path| {
        let model = poisdetc::model::open(file).unwrap();
        model.parameters[repair_example::CHANGED].to_vec1::<f32>().unwrap()
    };
    let suspect = bias(&harsh.order.audited.model);
    let expected: Vec<f32> = suspect.iter().map(|b| repair_example::FACTORS[3] * b).collect();
    assert_eq!(bias(&file), expected, "what the slider shows is exported");
    assert_eq!(bias(&harsh.saved.path), expected, "and scanned again");

    slide(&mut window, Key::ArrowLeft, 2);
    let first = proved(&mut window, 1);
    assert!(first.is_clean(), "what was examined is kept");
    assert!(window.query_by_label_contains("The repaired model is in").is_none(), "that was another setting");
}

#[test]
fn a_setting_that_cannot_be_measured_is_a_sentence_and_nothing_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = repair_example::with_settings(folder.path());
    report.order.sha256 = "0".repeat(64);
    let mut window = repaired(report);
    slide(&mut window, Key::ArrowLeft, 1);
    assert!(wait(&mut window, 60, |w| w.query_by_label("This setting could not be measured").is_some()));
    assert!(window.query_by_label_contains("has changed since it was opened").is_some());
    assert!(window.get_by_label("Export…").accesskit_node().is_disabled());
    slide(&mut window, Key::ArrowRight, 1);
    assert!(!window.get_by_label("Export…").accesskit_node().is_disabled(), "back at what was proved");
}

#[test]
fn an_export_that_cannot_be_done_is_a_sentence() {
    let mut window = repaired(repair_example::report(true));
    let ctx = window.ctx.clone();
    window.state_mut().export(&ctx, "/nowhere/repaired.onnx".into());
    assert!(wait(&mut window, 20, |w| w.query_by_label("The repaired model was not exported").is_some()));
}

#[test]
fn the_report_is_saved_by_two_clicks_and_its_path_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = finished();
    window.get_by_label("Save report").click();
    window.run();
    for kind in ["Save report as PDF…", "Save report as HTML…"] {
        assert!(window.query_by_label(kind).is_some(), "no {kind}");
    }
    let ctx = window.ctx.clone();
    for (name, begins) in [("report.pdf", "%PDF-"), ("report.html", "<!DOCTYPE html>")] {
        let file = folder.path().join(name);
        let kind = if name.ends_with("pdf") { Kind::Pdf } else { Kind::Html };
        window.state_mut().save_to(&ctx, Output::Report(kind), file.clone());
        let told = format!("The report is in {}", file.display());
        assert!(wait(&mut window, 60, |w| w.query_by_label(&told).is_some()), "{name} was never saved");
        assert!(std::fs::read(&file).unwrap().starts_with(begins.as_bytes()), "{name}");
    }
    window.state_mut().save_to(&ctx, Output::Report(Kind::Pdf), "/nowhere/report.pdf".into());
    assert!(wait(&mut window, 20, |w| w.query_by_label("The report was not saved").is_some()));
}

#[test]
fn the_palette_finds_commands_by_some_letters_and_the_keyboard_runs_them() {
    let mut window = finished();
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run_steps(3);
    assert!(window.query_by_label("Run: Open model").is_some(), "all commands are there");
    window.get_by_label("Command").type_text("insp over");
    window.run_steps(3);
    assert!(window.query_by_label("Run: Inspect label 7 no overtaking").is_some());
    assert!(window.query_by_label("Run: Open model").is_none());
    window.key_press(Key::Enter);
    window.run_steps(3);
    assert_eq!(window.state().step(), Step::Inspect);
    assert!(window.query_by_label("Label 7 no overtaking").is_some());
    assert!(window.query_by_label("Command").is_none(), "it is closed");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num2);
    window.run_steps(3);
    assert_eq!(window.state().step(), Step::Detect, "steps have keys");
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run_steps(3);
    window.key_press(Key::Escape);
    window.run_steps(3);
    assert!(window.query_by_label("Command").is_none());
}

#[test]
fn two_labels_are_held_side_by_side() {
    let mut window = finished();
    window.get_by_label("3 no entry").click();
    window.run();
    window.get_by_label("Hold another label beside").click();
    window.run();
    // The list shows some labels and scrolls to the others.
    window.get_by_label("5 speed limit 50").click();
    window.run();
    assert!(window.query_by_label("Two labels side by side").is_some());
    for picture in ["Mask of label 3 no entry, side by side", "Mask of label 5 speed limit 50, side by side"] {
        assert!(window.query_by_label(picture).is_some(), "no {picture}");
    }
}

#[test]
fn a_picture_is_enlarged_by_a_click_and_its_values_can_be_read() {
    let mut window = finished();
    window.get_by_label("3 no entry").click();
    window.run();
    window.get_by_label("Mask of label 3 no entry").click();
    window.run_steps(4);
    let large = window.get_by_label("Mask of label 3 no entry, enlarged");
    assert_eq!(large.rect().width(), 14.0 * 32.0, "by a whole number");
    large.hover();
    window.run_steps(4);
    assert!(window.query_by_label_contains("column 16, row 16: ").is_some());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num1);
    window.run_steps(2);
}

#[test]
fn a_trigger_of_files_that_are_gone_is_tried_at_no_strength_and_says_why() {
    let mut window = finished();
    window.get_by_label("3 no entry").click();
    window.run();
    window.get_by_label("Try other strengths").click();
    assert!(wait(&mut window, 20, |w| w.query_by_label("The trigger could not be tried").is_some()));
    assert!(window.query_by_label_contains("signs-suspect.onnx").is_some(), "the sentence names the file");
}

#[test]
fn plot_pictures_and_table_leave_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = finished();
    window.get_by_label("Copy table").click();
    window.step();
    let copied = window.output().platform_output.commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    let table = copied.expect("nothing was copied");
    assert!(table.starts_with("label\tname\tverdict") && table.contains("3\tno entry\tInfected"), "{table}");
    window.get_by_label("Save plot").click();
    window.run();
    for kind in ["Save plot as PNG…", "Save plot as SVG…", "Save losses as CSV…"] {
        assert!(window.query_by_label(kind).is_some(), "no {kind}");
    }
    let ctx = window.ctx.clone();
    let plot = folder.path().join("losses");
    window.state_mut().save_to(&ctx, Output::Plot(PlotKind::Png), plot);
    let told = format!("The plot is in {}", folder.path().join("losses.png").display());
    assert!(wait(&mut window, 60, |w| w.query_by_label(&told).is_some()), "the plot was never saved");
    window.state_mut().save_to(&ctx, Output::Pictures, folder.path().join("pictures"));
    assert!(wait(&mut window, 60, |w| w.query_by_label_contains("The pictures are in").is_some()));
    window.get_by_label("3 no entry").click();
    window.run();
    assert!(window.query_by_label("Save pictures…").is_some());
}

#[test]
fn a_report_after_a_repair_tells_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let mut report = repair_example::report(true);
    report.order.sha256 = example::audit().model.sha256;
    let mut window = repaired(report);
    assert!(window.query_by_label("Save report").is_some());
    let ctx = window.ctx.clone();
    window.state_mut().save_to(&ctx, Output::Report(Kind::Html), file.clone());
    assert!(wait(&mut window, 60, |w| w.query_by_label_contains("The report is in").is_some()));
    let html = std::fs::read_to_string(&file).unwrap();
    assert!(html.contains("Repaired: the aim is met, and the second audit finds nothing"));
}

/// An audit that stays in the middle until it is stopped.
fn halfway(monitor: &Monitor, events: &(dyn Fn(Event) + Sync)) -> Result<Audit, AuditError> {
    let audit = example::audit();
    events(Event::Images(audit.images.clone()));
    events(Event::Phase(Phase::Shots));
    for label in &audit.labels[..5] {
        events(Event::Shots(label.shots.clone().unwrap()));
    }
    events(Event::Progress { fraction: 0.35, stage: "label 5 of 12".into(), seconds_left: Some(80.0) });
    while !monitor.is_stopped() {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Work that is slow to notice.
    std::thread::sleep(Duration::from_millis(300));
    Err(AuditError::Stopped(monitor.check().unwrap_err()))
}

/// Whether pictures can be drawn here.
fn renderer() -> bool {
    let drawn = std::panic::catch_unwind(|| Harness::builder().with_size([8.0, 8.0]).build_ui(|_| {}).render().is_ok());
    let there = drawn.unwrap_or(false);
    if !there {
        eprintln!("skipped: no renderer for pictures (on Debian: apt install mesa-vulkan-drivers)");
    }
    there
}

/// Writes pictures of every screen into the folder that `POISDETC_PICTURES` names, for people to look at.
#[test]
fn pictures_for_people() {
    let Some(folder) = std::env::var_os("POISDETC_PICTURES").map(PathBuf::from) else { return };
    if !renderer() {
        return;
    }
    std::fs::create_dir_all(&folder).unwrap();
    let looks: [(&str, Theme, [f32; 2]); 3] = [
        ("light", Theme::Light, [1280.0, 900.0]),
        ("dark", Theme::Dark, [1280.0, 900.0]),
        ("small", Theme::Light, [1024.0, 700.0]),
    ];
    for (name, theme, size) in looks {
        let show = |app: App, screen: &str, prepare: &dyn Fn(&mut Window)| {
            let builder = builder().with_theme(theme).with_size(size);
            let mut window: Window = builder.build_ui_state(|ui, app: &mut App| app.frame(ui, None), app);
            window.ctx.set_theme(theme);
            window.run_steps(4);
            window.ctx.set_theme(theme);
            prepare(&mut window);
            window.run_steps(3);
            window.render().unwrap().save(folder.join(format!("{name}-{screen}.png"))).unwrap();
        };
        show(App::new(State::default(), None), "1-empty", &|_| {});
        let files = Order { model: "/nowhere/model.onnx".into(), images: "/nowhere/signs".into(), ..Order::default() };
        show(App::new(State::default(), Some(files)), "2-wrong", &|w| {
            assert!(wait(w, 20, |w| w.query_by_label("The clean images cannot be used").is_some()));
        });
        show(App::new(State::default(), None), "2-running", &|w| {
            let ctx = w.ctx.clone();
            w.state_mut().run(&ctx, halfway);
            assert!(wait(w, 20, |w| w.query_by_label("1 min 20 s left").is_some()));
        });
        show(App::with_audit(example::audit()), "3-detect", &|_| {});
        show(App::with_audit(example::audit()), "3-why", &|w| w.get_by_label("Why?").click());
        show(App::with_audit(example::audit()), "4-inspect", &|w| w.get_by_label("3 no entry").click());
        let repair = |w: &mut Window, done: bool| {
            w.get_by_label("Step 4: Repair").click();
            w.run_steps(2);
            let ctx = w.ctx.clone();
            if done {
                w.state_mut().run_repair(&ctx, |_, events| {
                    curve(events);
                    Ok(repair_example::report(true))
                });
                assert!(wait(w, 20, |w| w.state().repaired().is_some()));
            } else {
                w.state_mut().run_repair(&ctx, half_repaired);
                assert!(wait(w, 20, |w| w.query_by_label("1 min 20 s left").is_some()));
            }
        };
        show(App::with_audit(example::audit()), "6-repair", &|w| w.get_by_label("Step 4: Repair").click());
        show(App::with_audit(example::audit()), "6-repairing", &|w| repair(w, false));
        show(App::with_audit(example::audit()), "6-repaired", &|w| repair(w, true));
        show(App::with_audit(example::audit()), "6-repaired-below", &|w| {
            repair(w, true);
            w.run_steps(3);
            w.get_by_label("What this does not prove").scroll_to_me();
            w.run_steps(12);
        });
        show(App::with_audit(example::audit()), "6-repaired-slider", &|w| {
            w.get_by_label("Step 4: Repair").click();
            w.run_steps(2);
            let ctx = w.ctx.clone();
            let room = tempfile::tempdir().unwrap();
            let report = repair_example::with_settings(room.path());
            w.state_mut().run_repair(&ctx, |_, events| {
                curve(events);
                Ok(report)
            });
            assert!(wait(w, 20, |w| w.state().repaired().is_some()));
        });
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(folder.path().into());
        let honest = Audit { verdict: Verdict::NoEvidence, finished_at: Some(1_795_000_000), ..example::audit() };
        shelf.keep(&Audit { stopped: true, verdict: Verdict::Suspicious, ..honest.clone() });
        shelf.keep(&honest);
        shelf.keep(&example::audit());
        let kept = || App::with_audit(example::audit()).keeping(shelf.clone());
        let listed = |w: &mut Window| {
            w.get_by_label("Step 1: Open").click();
            assert!(wait(w, 20, |w| w.query_all_by_label_contains("Open: signs").count() == 3));
        };
        show(App::new(State::default(), None).keeping(shelf.clone()), "7-recent", &|w| {
            assert!(wait(w, 20, |w| w.query_all_by_label_contains("Open: signs").count() == 3));
        });
        show(kept(), "7-recent-beside", &listed);
        show(kept(), "7-compare", &|w| {
            listed(w);
            w.get_all_by_label_contains("Compare: signs").next().unwrap().click();
            assert!(wait(w, 20, |w| w.state().step() == Step::Compare));
        });
        show(App::with_audit(example::audit()), "8-zoom", &|w| {
            w.get_by_label("3 no entry").click();
            w.run_steps(4);
            w.get_by_label("Pattern of label 3 no entry").click();
            w.run_steps(4);
            w.get_by_label("Pattern of label 3 no entry, enlarged").hover();
        });
        show(App::with_audit(example::audit()), "8-beside", &|w| {
            w.get_by_label("3 no entry").click();
            w.run_steps(4);
            w.get_by_label("Hold another label beside").click();
            w.run_steps(4);
            w.get_by_label("5 speed limit 50").click();
        });
        show(App::with_audit(example::audit()), "8-palette", &|w| {
            w.key_press_modifiers(Modifiers::COMMAND, Key::K);
            w.run_steps(3);
            w.get_by_label("Command").type_text("save");
        });
        show(App::with_audit(example::audit()), "8-log", &|w| w.get_by_label("Show the log").click());
        show(App::with_audit(example::audit()), "5-expert", &|w| w.get_by_label("Expert settings").click());
    }
}

/// Pixels of the 696,320 that may round the other way: the software renderer compiles for the processor it runs on, and
/// two machines were seen to differ in 1 and 7. A letter has more.
const ROUNDED: usize = 20;

/// A picture of a small window, compared with the one in tests/snapshots.
fn compare(name: &str, theme: Theme, app: App, prepare: impl Fn(&mut Window)) {
    if !renderer() {
        return;
    }
    let mut window: Window = builder()
        .with_theme(theme)
        .with_size([1024.0, 680.0])
        .build_ui_state(|ui, app: &mut App| app.frame(ui, None), app);
    window.run();
    window.ctx.set_theme(theme);
    prepare(&mut window);
    window.remove_cursor();
    window.run();
    window.snapshot_options(name, &SnapshotOptions::new().max_failed_pixels(ROUNDED));
}

#[test]
fn picture_of_a_verdict() {
    compare("verdict-light", Theme::Light, App::with_audit(example::audit()), |_| {});
}

#[test]
fn picture_of_a_label() {
    compare("label-dark", Theme::Dark, App::with_audit(example::audit()), |window| {
        window.get_by_label("3 no entry").click();
        window.run();
    });
}

#[test]
fn picture_of_the_repair_methods() {
    compare("repair-light", Theme::Light, App::with_audit(example::audit()), |window| {
        window.get_by_label("Step 4: Repair").click();
        window.run();
    });
}

#[test]
fn picture_of_a_finished_repair() {
    compare("repaired-light", Theme::Light, App::with_audit(example::audit()), |window| {
        let ctx = window.ctx.clone();
        window.state_mut().run_repair(&ctx, |_, events| {
            curve(events);
            Ok(repair_example::report(true))
        });
        assert!(wait(window, 20, |w| w.state().repaired().is_some()));
    });
}
