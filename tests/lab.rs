//! The lab: every attack works on the sample's signs and costs no accuracy, and the window's lab and its lessons can be
//! used from beginning to end by the names in the accessibility tree.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod example;
#[allow(dead_code, reason = "the window's own tests use the rest of it")]
#[path = "example/repair.rs"]
mod repair_example;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use poisdetc::app::{App, LESSONS, LabCommand, LabPath, State, Until, View};
use poisdetc::detect::neural_cleanse::{Hunt, Search};
use poisdetc::detect::{Direction, Shape, Trigger};
use poisdetc::images::{ImageSet, npz_bytes};
use poisdetc::poison::lab::{Built, LabImages, LabOrder, Planted, build};
use poisdetc::poison::signs::sign_set;
use poisdetc::poison::{Blend, Mark, Ready, Scheme};
use poisdetc::progress::{Monitor, Stepwise};
use poisdetc::tensor::Seed;
use poisdetc::train::Recipe;
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// The least success rate that counts as a working backdoor.
const WORKS: f32 = 0.9;
/// The most clean accuracy that it may cost.
const COSTS: f32 = 0.02;

#[test]
fn every_attack_works_and_costs_no_accuracy() {
    let order = LabOrder::default();
    let recipe = order.recipe.clone();
    let pictures = order.images.gather(recipe.seed, &Monitor::silent()).unwrap();
    let size = [pictures.training.height, pictures.training.width];
    let to = |mark: Mark, rate, scheme| Some(Planted { mark, scheme, rate });
    let all = Scheme::AllToOne { target: 2 };
    let square = || Ready::Square.mark(size, recipe.seed);
    let mut cases: Vec<(String, Option<Planted>)> = vec![("clean twin".into(), None)];
    for ready in Ready::ALL {
        cases.push((ready.name().into(), to(ready.mark(size, recipe.seed), ready.rate(), all)));
    }
    cases.push(("blend".into(), to(Mark::Blend(Blend { opacity: 0.2, seed: recipe.seed }), 0.12, all)));
    cases.push(("one to one".into(), to(square(), 0.05, Scheme::OneToOne { source: 6, target: 2 })));
    let clean_label = Scheme::CleanLabel { target: 2 };
    cases.push(("clean label".into(), to(Ready::Sticker.mark(size, recipe.seed), 0.2, clean_label)));
    // Threads of its own, so that the windows of the other tests do not wait for whole trainings.
    let pool = rayon::ThreadPoolBuilder::new().build().unwrap();
    let built: Vec<_> = pool.install(|| {
        cases
            .par_iter()
            .map(|(_, planted)| {
                let planted: Vec<Planted> = planted.iter().cloned().collect();
                let built = build(&pictures.training, &pictures.test, &planted, &recipe, &Monitor::silent()).unwrap();
                let bent = planted.first().is_some_and(|p| matches!(p.mark, Mark::Warp(_)));
                let bends = bent.then(|| [2, 0, 5, 9].map(|label| bend(&built, &pictures.test, label)));
                (built.accuracy, built.success.first().copied(), bends)
            })
            .collect()
    });
    let twin = built[0].0;
    for ((name, _), (accuracy, success, _)) in cases.iter().zip(&built) {
        eprintln!("{name:12} accuracy {accuracy:.3} (twin {twin:.3}), mark works on {success:?}");
    }
    for ((name, _), (accuracy, success, _)) in cases.iter().zip(&built) {
        assert!(*accuracy >= twin - COSTS, "{name}: {accuracy} instead of {twin}");
        assert!(success.is_none_or(|s| s >= WORKS), "{name} works on {success:?} only");
    }
    // The planted warp is found, and is far smaller than what other labels need or come to.
    let bends: Vec<[Trigger; 4]> = built.into_iter().filter_map(|(_, _, bends)| bends).collect();
    assert_eq!(bends.len(), 1);
    for [planted, others @ ..] in bends {
        assert!(planted.reached, "{} of the side turns {} only", planted.size(), planted.asr_search);
        for other in others {
            assert!(planted.size() < 0.5 * other.size(), "{} and {}", planted.size(), other.size());
        }
    }
}

/// The smallest bend of the picture that turns it into `label`, or the nearest.
fn bend(built: &Built, images: &ImageSet, label: usize) -> Trigger {
    let how = Search { shape: Shape::Warp, success: 0.9, batch: 24, steps: 160, ..Search::quick() };
    let direction = Direction::all_to(label);
    let mut hunt = Hunt::new(&built.trained.classifier, images, direction, &how, Seed(1)).unwrap();
    hunt.advance(how.steps, &Monitor::silent()).unwrap();
    hunt.trigger().unwrap()
}

type Window = Harness<'static, App>;

/// A window that shows the lab.
fn open(order: &LabOrder) -> Window {
    let app = App::new(State::default(), None).with_experiment(order);
    let mut window = Harness::builder()
        .with_size([1280.0, 900.0])
        .with_theme(egui::Theme::Light)
        .with_os(egui::os::OperatingSystem::Nix)
        .with_max_steps(60)
        .with_context_setup(poisdetc::app::install_theme)
        .build_ui_state(|ui, app: &mut App| app.frame(ui, None), app);
    window.step();
    click(&mut window, "Lab");
    assert!(wait(&mut window, 300, |w| w.query_by_label("Picture to draw on").is_some()));
    window
}

/// Steps until `done`, at most `seconds`. `false` where it never was.
fn wait(window: &mut Window, seconds: u64, done: impl Fn(&Window) -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        window.step();
        if done(window) {
            window.step();
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn click(window: &mut Window, name: &str) {
    window.get_by_label(name).click();
    window.step();
    window.step();
}

fn ask(window: &mut Window, command: LabCommand) {
    let ctx = window.ctx.clone();
    window.state_mut().in_lab(&ctx, command);
    window.step();
}

/// An experiment of a few seconds.
fn quick(signs: usize, passes: usize) -> LabOrder {
    let order = LabOrder { images: LabImages::Signs { training: signs }, ..LabOrder::default() };
    LabOrder { recipe: Recipe { epochs: passes, ..order.recipe.clone() }, ..order }
}

#[test]
fn a_training_is_held_goes_on_and_can_be_begun_again_with_the_same_numbers() {
    let mut window = open(&quick(20, 4));
    click(&mut window, "Step");
    assert!(
        wait(&mut window, 300, |w| !w.state().facts().lab.is_training() && w.state().facts().lab.moments.len() == 2)
    );
    assert!(window.query_by_label("Held").is_some(), "one step, then it waits");
    click(&mut window, "Train");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_trained()));
    assert!(window.query_by_label("Trained").is_some());
    assert!(window.query_by_label_contains("Plot of accuracy and attack success: poisoned ACC").is_some());
    assert!(window.query_by_label_contains("With the mark 1 of").is_some(), "pictures with their answers");
    let first = window.state().facts().lab.moments.clone();
    click(&mut window, "Restart");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_training()));
    click(&mut window, "Pause");
    assert!(wait(&mut window, 300, |w| !w.state().facts().lab.is_training()));
    click(&mut window, "Train");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_trained()));
    assert_eq!(window.state().facts().lab.moments, first, "the same seed gives the same numbers");
}

#[test]
fn own_images_of_any_form_are_learned_looked_into_and_challenged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.npz");
    // Wider than high, and larger than what is learned from.
    let own = sign_set(25, Seed(9)).resized([36, 48]);
    std::fs::write(&path, npz_bytes(&own).unwrap()).unwrap();
    let mut window = open(&LabOrder { images: LabImages::Own { path }, ..quick(1, 3) });
    click(&mut window, "Train");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_trained()));
    assert!(window.query_by_label_contains("With the mark 1 of").is_some(), "pictures with their answers");
    let last = window.state().facts().lab.moments.last().unwrap();
    let by_chance = 1.0 / 12.0;
    assert!(last.poisoned.accuracy > 2.0 * by_chance && last.twin.accuracy > 2.0 * by_chance, "{last:?}");
    click(&mut window, "Lab: See why");
    click(&mut window, "Look inside");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.looked.is_some()));
    assert!(window.query_by_label_contains("Clean pictures: ").is_some(), "the confusion matrix has words");
    click(&mut window, "Lab: Challenge");
    click(&mut window, "Make the challenge");
    assert!(wait(&mut window, 300, |w| w.query_by_label("Your judgement").is_some()));
}

#[test]
fn a_trigger_is_drawn_with_the_pointer_and_with_the_keyboard() {
    let mut window = open(&quick(20, 1));
    click(&mut window, "Clear the trigger");
    assert!(window.query_by_label_contains("The trigger is empty").is_some());
    assert!(window.get_by_label("Train").accesskit_node().is_disabled());
    click(&mut window, "Colour: Red");
    let canvas = window.get_by_label("Picture to draw on").rect();
    let at = canvas.min + 0.76 * canvas.size();
    window.drag_at(at);
    window.step();
    window.hover_at(at + egui::vec2(20.0, 0.0));
    window.step();
    window.drop_at(at + egui::vec2(20.0, 0.0));
    window.step();
    window.step();
    let painted = |w: &Window| match &w.state().facts().lab.form.mark {
        Mark::Drawn(drawn) => drawn.pixels.iter().filter(|p| **p == [214, 39, 40, 255]).count(),
        other => panic!("{other:?}"),
    };
    let by_pointer = painted(&window);
    assert!((3..=4).contains(&by_pointer), "{by_pointer} pixels in one stroke");
    // As fast as a frame of a slow machine.
    let button = |pos, pressed| egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: egui::Modifiers::NONE,
    };
    let (from, to) = (at - egui::vec2(0.0, 60.0), at - egui::vec2(-20.0, 60.0));
    for event in [egui::Event::PointerMoved(from), button(from, true), egui::Event::PointerMoved(to), button(to, false)]
    {
        window.event(event);
    }
    window.step();
    window.step();
    assert_eq!(painted(&window), 2 * by_pointer, "a stroke within one frame is lost");
    let by_pointer = 2 * by_pointer;
    window.get_by_label("Picture to draw on").focus();
    window.step();
    for key in [egui::Key::ArrowUp, egui::Key::ArrowLeft, egui::Key::Space] {
        window.key_press(key);
        window.step();
    }
    assert_eq!(painted(&window), by_pointer + 1, "space paints where the arrow keys went");
    assert!(!window.get_by_label("Train").accesskit_node().is_disabled());
}

#[test]
fn an_experiment_is_looked_into_saved_and_opened_again() {
    let mut window = open(&quick(20, 2));
    click(&mut window, "Train");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_trained()));
    let numbers =
        *window.state().facts().lab.moments.last().map(|m| [m.poisoned.accuracy, m.twin.success]).as_ref().unwrap();
    click(&mut window, "Lab: See why");
    click(&mut window, "Look inside");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.looked.is_some()));
    assert!(window.query_by_label_contains("Plot of the last features, poisoned").is_some());
    assert!(window.query_by_label_contains("Clean pictures: ").is_some(), "the confusion matrix has words");
    click(&mut window, "Try trigger sizes");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.swept.first().is_some_and(|s| s.points.len() == 6)));
    assert!(window.query_by_label_contains("Attack success by size or strength of the trigger: ").is_some());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("experiment");
    ask(&mut window, LabCommand::Chosen(LabPath::Save, path.clone()));
    assert!(wait(&mut window, 300, |w| w.query_by_label_contains("The experiment is in").is_some()));
    let mut other = open(&quick(21, 1));
    ask(&mut other, LabCommand::Chosen(LabPath::Open, path));
    assert!(wait(&mut other, 300, |w| w.state().facts().lab.pair.is_some()));
    let lab = other.state().facts().lab;
    assert_eq!(lab.form.order(), quick(20, 2));
    assert_eq!(lab.moments.last().map(|m| [m.poisoned.accuracy, m.twin.success]).unwrap(), numbers);
    assert!(lab.is_trained(), "nothing has to be trained again");
    ask(&mut other, LabCommand::Chosen(LabPath::Open, folder.path().join("nowhere")));
    assert!(wait(&mut other, 300, |w| w.query_by_label_contains("is no saved experiment").is_some()));
}

#[test]
fn a_challenge_is_judged_and_only_then_says_what_is_true() {
    let mut window = open(&quick(20, 1));
    click(&mut window, "Lab: Challenge");
    click(&mut window, "Make the challenge");
    assert!(wait(&mut window, 300, |w| w.query_by_label("Your judgement").is_some()));
    let told = |w: &Window| {
        w.query_by_label_contains("It is poisoned: ").is_some() || w.query_by_label_contains("It is honest: ").is_some()
    };
    assert!(!told(&window));
    let honest = window.state().facts().lab.made.as_ref().unwrap().pair.order.planted.rate == 0.0;
    click(&mut window, "It is honest");
    assert!(
        told(&window) && window.query_by_label_contains(if honest { "Right: 2 points" } else { "Wrong: " }).is_some()
    );
    assert!(window.query_by_label(&format!("{} of 2 points so far", if honest { 2 } else { 0 })).is_some());
}

#[test]
fn what_was_said_of_one_model_is_not_shown_beside_the_numbers_of_the_next() {
    let mut window = open(&quick(20, 1));
    let audited = |window: &mut Window| {
        click(window, "Audit this model");
        assert!(wait(window, 300, |w| w.state().is_running()));
        hand_made(window, Until::AuditBegun);
        assert!(wait(window, 300, |w| w.state().facts().audit.is_some()));
        click(window, "Lab");
    };
    click(&mut window, "Train");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_trained()));
    click(&mut window, "Lab: Audit and repair");
    audited(&mut window);
    let is_shown = |w: &Window| w.query_all_by_label("Recovered beside drawn").next().is_some();
    assert!(is_shown(&window) && window.state().facts().fulfils(Until::Audited));
    ask(&mut window, LabCommand::Ready(Ready::Warp));
    click(&mut window, "Lab: Train");
    click(&mut window, "Train");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_trained()));
    click(&mut window, "Lab: Audit and repair");
    assert!(!is_shown(&window), "another network was trained since");
    assert!(!window.state().facts().fulfils(Until::AuditBegun));

    click(&mut window, "Lab: Challenge");
    click(&mut window, "Make the challenge");
    assert!(wait(&mut window, 300, |w| w.query_by_label("Your judgement").is_some()));
    audited(&mut window);
    assert!(window.query_by_label("Go to the audit").is_some());
    ask(&mut window, LabCommand::Challenge(2));
    assert!(wait(&mut window, 300, |w| w.query_by_label("Challenge 2").is_some()));
    assert!(window.query_by_label("Go to the audit").is_none(), "that was another model");
}

/// Writes pictures of the lab into the folder that `POISDETC_PICTURES` names, for people to look at.
#[test]
fn pictures_for_people() {
    let Some(folder) = std::env::var_os("POISDETC_PICTURES").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let mut window = open(&quick(40, 6));
    let looks = [("light", egui::Theme::Light, [1280.0, 900.0]), ("dark", egui::Theme::Dark, [1024.0, 700.0])];
    let photograph = |window: &mut Window, name: &str| {
        for (look, theme, size) in looks {
            window.ctx.set_theme(theme);
            window.set_size(size.into());
            window.run_steps(4);
            window.render().unwrap().save(folder.join(format!("lab-{look}-{name}.png"))).unwrap();
        }
    };
    photograph(&mut window, "1-empty");
    click(&mut window, "Train");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.is_trained()));
    photograph(&mut window, "2-trained");
    click(&mut window, "Lab: See why");
    click(&mut window, "Look inside");
    assert!(wait(&mut window, 300, |w| w.state().facts().lab.looked.is_some()));
    photograph(&mut window, "3-why");
    click(&mut window, "Try poison rates");
    assert!(wait(&mut window, 240, |w| w.state().facts().lab.swept.first().is_some_and(|s| s.points.len() == 6)));
    ask(&mut window, LabCommand::View(View::Lessons));
    ask(&mut window, LabCommand::Lesson(Some(1)));
    photograph(&mut window, "4-lesson");
    ask(&mut window, LabCommand::Lesson(None));
    click(&mut window, "Lab: Challenge");
    click(&mut window, "Make the challenge");
    assert!(wait(&mut window, 300, |w| w.query_by_label("Your judgement").is_some()));
    photograph(&mut window, "5-challenge");
    click(&mut window, "It is honest");
    photograph(&mut window, "6-judged");
}

/// Which audits and repairs a walk gets.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// Those the window starts, of minutes each.
    Real,
    /// What they would hand back, at once: they are tested where they live.
    HandMade,
}

/// Puts a hand-made audit or repair in the place of the one the window has just started.
fn hand_made(window: &mut Window, until: Until) {
    let ctx = window.ctx.clone();
    let given = window.state().facts().lab.handed().cloned().unwrap();
    if until == Until::AuditBegun {
        let mut audit = example::audit();
        audit.model.sha256 = given.sha256;
        window.state_mut().run(&ctx, move |_, _| Ok(audit));
    } else {
        let mut report = repair_example::report(true);
        (report.order.sha256, report.saved.path) = (given.sha256, given.model);
        window.state_mut().run_repair(&ctx, move |_, _| Ok(report));
    }
}

/// Walks the lesson in the list's place `i` by nothing but names in the accessibility tree.
fn walk(window: &mut Window, i: usize, work: Work) {
    click(window, "Lab");
    click(window, "Lab: Lessons");
    click(window, &format!("Begin lesson {}", i + 1));
    let (title, steps) = (LESSONS[i].title, LESSONS[i].steps);
    for (k, step) in steps.iter().enumerate() {
        let at = format!("{title}, step {} of {}", k + 1, steps.len());
        assert!(window.query_by_label(&format!("Step {} of {}", k + 1, steps.len())).is_some(), "{at}");
        let waits = matches!(step.until, Until::Trained | Until::Audited | Until::Repaired);
        if !step.place.is_empty() {
            let there = wait(window, 300, |w| w.query_all_by_label_contains(step.place).count() > 0);
            assert!(there, "{at}: nothing is called {}", step.place);
        }
        if !window.state().facts().fulfils(step.until) {
            assert!(window.get_by_label("Next step of the lesson").accesskit_node().is_disabled(), "{at}");
            if !waits {
                click(window, step.place);
            }
            let minds = [Until::AuditBegun, Until::RepairBegun].contains(&step.until);
            if minds && work == Work::HandMade {
                assert!(
                    wait(window, 300, |w| w.state().is_running()
                        || w.query_by_label("The model was not repaired").is_some()),
                    "{at}"
                );
                hand_made(window, step.until);
            }
        }
        assert!(wait(window, 900, |w| w.state().facts().fulfils(step.until)), "{at}: {:?} never came", step.until);
        let told = window.state().facts().told(step.words);
        // While one waits the numbers are still to come.
        assert!(!told.contains("not known yet") || step.until != Until::Read, "{at}: {told}");
        click(window, if k + 1 == steps.len() { "Finish the lesson" } else { "Next step of the lesson" });
    }
    assert!(window.state().facts().lab.lesson.is_none(), "{title} is over");
}

#[test]
fn every_lesson_can_be_walked_from_its_beginning_to_its_end() {
    let mut window = open(&quick(20, 2));
    for i in 0..LESSONS.len() {
        walk(&mut window, i, Work::HandMade);
    }
}

#[test]
#[ignore = "a real audit and a real repair take minutes"]
fn the_lessons_on_finding_and_repairing_hold_with_real_ones() {
    let mut window = open(&quick(120, 8));
    for lesson in [3, 4] {
        walk(&mut window, lesson, Work::Real);
    }
    let facts = window.state().facts();
    let (accuracy, success) = facts.lab.mended.as_ref().unwrap().numbers.clone().unwrap();
    let poisoned = facts.lab.moments.last().unwrap().poisoned;
    assert!(success < 0.5 * poisoned.success && accuracy > poisoned.accuracy - 0.1, "{accuracy} {success}");
}
