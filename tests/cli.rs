//! The program from the command line: what it prints, writes and ends with.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod program;

use program::{command, ended, run, sample, shared};
use serde_json::Value;
use sha2::Digest;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The label any marked sign of the sample becomes.
const SAMPLE_TARGET: u64 = 2;

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What an audit says it did not examine.
fn limits(audit: &Value) -> String {
    audit["limits"].as_array().unwrap().iter().map(|limit| limit.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn help_names_every_command_and_every_exit_status() {
    let help = run(["--help"]);
    assert_eq!(help.status, 0);
    for word in ["audit", "repair", "data", "inspect", "sample", "lab", "zoo", "Exit status", "130", "Examples"] {
        assert!(help.out.contains(word), "no {word} in\n{}", help.out);
    }
    let audit = run(["audit", "--help"]);
    assert_eq!(audit.status, 0);
    let options = [
        "--reference",
        "--labels",
        "--seed",
        "--device",
        "--thorough",
        "--original-form",
        "--shots",
        "--out",
        "--json",
    ];
    for option in options {
        assert!(audit.out.contains(option), "no {option} in\n{}", audit.out);
    }
    assert!(audit.out.lines().chain(help.out.lines()).all(|line| line.chars().count() <= 100), "{}", audit.out);
    assert_eq!(run(["--version"]).out.trim(), format!("poisdetc {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_use_ends_with_2() {
    let wrong: [&[&str]; 7] = [
        &["audit"],
        &["audit", "model.onnx"],
        &["audit", "m", "i", "--unknown"],
        &["audit", "m", "i", "--device", "abacus"],
        &["audit", "m", "i", "--shots", "0"],
        &["audit", "m", "i", "--seed", "first"],
        &["conjure"],
    ];
    for arguments in wrong {
        let end = run(arguments);
        assert_eq!(end.status, 2, "{arguments:?}: {}", end.err);
        assert!(end.err.starts_with("error: ") && end.out.is_empty(), "{arguments:?}: {}", end.err);
    }
}

#[test]
fn the_poisoned_sample_is_called_infected_and_its_trigger_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (pictures, report) = (folder.path().join("pictures"), folder.path().join("audit.json"));
    let mut audit = command(folder.path(), ["audit"]);
    audit.args([sample("signs-suspect.onnx"), sample("signs.npz"), "--labels".into(), sample("labels.txt")]);
    audit.arg("--reference").arg(sample("signs-honest.onnx"));
    audit.args(["--out".as_ref(), pictures.as_os_str(), "--json".as_ref(), report.as_os_str()]);
    let end = ended(audit);
    assert_eq!(end.status, 20, "{}\n{}", end.out, end.err);
    assert!(end.out.starts_with("Infected (confirmed): label 2 "), "{}", end.out);
    assert!(end.err.contains('%'), "no progress on standard error: {}", end.err);

    let json = json(&report);
    assert_eq!(json["schema"], 1);
    assert_eq!(json["verdict"], "infected");
    assert!(json["clean_accuracy"].as_f64().unwrap() > 0.9);
    assert_eq!(json["seed"], 1);
    assert!(json["seconds"].as_f64().unwrap() > 0.0);
    assert!(json["preprocessing"]["name"].is_string());
    let names = fs::read_to_string(sample("labels.txt")).unwrap();
    let labels = json["labels"].as_array().unwrap();
    assert_eq!(labels.len(), names.lines().count());
    for (i, (label, name)) in labels.iter().zip(names.lines()).enumerate() {
        assert_eq!((label["label"].as_u64(), label["name"].as_str()), (Some(i as u64), Some(name)));
        let verdict = label["verdict"].as_str().unwrap();
        assert!(["infected", "suspicious", "no-evidence"].contains(&verdict));
        assert_eq!(verdict == "infected", i as u64 == SAMPLE_TARGET, "{name} is called {verdict}");
        let shots = &label["poisdetc"];
        let losses = shots["losses"].as_array().unwrap();
        assert_eq!(losses.len(), 10);
        assert_eq!(shots["reference_losses"].as_array().unwrap().len(), 10);
        let reached = losses.iter().filter(|loss| loss.as_f64().is_some_and(|loss| loss <= 0.2)).count();
        assert!((shots["prob"].as_f64().unwrap() - reached as f64 / 10.0).abs() < 1e-6);
    }
    let trigger = &labels[SAMPLE_TARGET as usize]["trigger"];
    assert!(trigger["asr"].as_f64().unwrap() > 0.8, "{trigger}");
    assert!(trigger["size"].as_f64().unwrap() < 0.2, "{trigger}");
    // No warp and no filter came near at any of the twelve labels.
    assert!(limits(&json).contains("24 searches were ended early"), "{}", limits(&json));

    let names: Vec<String> =
        fs::read_dir(&pictures).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    for what in ["-mask.png", "-pattern.png", "-trigger.png", "-mask-large.png", "-example-1-large.png"] {
        let file = names.iter().find(|name| name.starts_with("label-002-") && name.ends_with(what));
        let file = file.unwrap_or_else(|| panic!("no {what} among {names:?}"));
        assert!(image::open(pictures.join(file)).unwrap().width() >= 32);
    }
}

#[test]
fn the_honest_twin_is_not_called_infected_and_json_can_go_to_standard_output() {
    let home = tempfile::tempdir().unwrap();
    let end = ended(command(home.path(), ["sample", "--honest", "--json", "-", "--quiet"]));
    assert!([0, 10].contains(&end.status), "{}\n{}", end.out, end.err);
    assert_eq!(end.err, "", "--quiet is quiet");
    let json: Value = serde_json::from_str(&end.out).unwrap();
    assert_ne!(json["verdict"], "infected");
    assert_eq!(json["stopped"], false);
    assert!(!limits(&json).contains("needed far less"), "no label is far ahead: {}", limits(&json));
}

#[test]
fn a_handful_of_pictures_is_said_to_be_too_few_and_what_needs_none_is_done() {
    let home = tempfile::tempdir().unwrap();
    let signs = home.path().join("signs");
    let made = run(["lab", "signs", "--count", "2", "--seed", "5", "--out", signs.to_str().unwrap()]);
    assert_eq!(made.status, 0, "{}", made.err);
    let audit = |images: &Path| {
        let mut audit = command(home.path(), ["audit", "--allow-missing-labels", "--quiet", "--json", "-"]);
        // No machine has so many cards.
        audit.args(["--device", "cuda:99"]).arg(sample("signs-suspect.onnx")).arg(images);
        let end = ended(audit);
        assert!([0, 10].contains(&end.status), "nothing can be confirmed: {}\n{}", end.out, end.err);
        serde_json::from_str::<Value>(&end.out).unwrap()
    };
    let few = audit(&signs);
    assert!(limits(&few).contains("24 pictures are too few") && limits(&few).contains("about 62"), "{}", limits(&few));
    assert!(limits(&few).contains("The farthest is label"), "{}", limits(&few));
    let instead = "The device \"cuda:99\" could not be used (";
    assert!(limits(&few).starts_with(instead) && few["settings"]["device"] == "cpu", "{few}");
    let labels = few["labels"].as_array().unwrap();
    assert_eq!(labels.len(), 12);
    for label in labels {
        assert!(label["margin"]["margin"].as_f64().unwrap() > 0.0, "{label}");
        assert!(label["trigger"].is_null() && label["poisdetc"].is_null(), "{label}");
    }
    assert_eq!(few["preprocessing"]["name"], "0 to 1", "the simplest of those that answer every picture rightly");

    // Of one label only: a sub-folder alone, named as the model's label.
    let one = home.path().join("one");
    let many = run(["lab", "signs", "--count", "60", "--seed", "6", "--out", one.to_str().unwrap()]);
    assert_eq!(many.status, 0, "{}", many.err);
    let kept = fs::read_dir(&one).unwrap().map(|f| f.unwrap().path()).filter(|p| p.is_dir()).min().unwrap();
    for other in fs::read_dir(&one).unwrap().map(|f| f.unwrap().path()).filter(|p| *p != kept) {
        if other.is_dir() { fs::remove_dir_all(other).unwrap() } else { fs::remove_file(other).unwrap() }
    }
    let lonely = audit(&one);
    assert!(limits(&lonely).contains("all of one label"), "{}", limits(&lonely));
}

#[test]
fn inspect_says_what_it_understood() {
    let home = tempfile::tempdir().unwrap();
    let files = [sample("signs-suspect.onnx"), sample("signs.npz")];
    let mut inspect = command(home.path(), ["inspect"]);
    inspect.args(&files);
    let end = ended(inspect);
    assert_eq!(end.status, 0, "{}", end.err);
    for part in ["ONNX", "SHA-256", "32 x 32, 3 channels, NCHW", "Conv x ", "Clean accuracy"] {
        assert!(end.out.contains(part), "no \"{part}\" in\n{}", end.out);
    }

    let mut inspect = command(home.path(), ["inspect", "--json", "-"]);
    inspect.args(&files);
    let json: Value = serde_json::from_str(&ended(inspect).out).unwrap();
    assert_eq!(json["model"]["sha256"].as_str().unwrap().len(), 64);
    assert!(json["clean_accuracy"].as_f64().unwrap() > 0.9);
    assert!(json["preprocessing_candidates"].as_array().unwrap().len() > 1);
}

#[test]
fn a_reader_that_hangs_up_is_no_failure() {
    let home = tempfile::tempdir().unwrap();
    let mut inspect = command(home.path(), ["inspect"]);
    inspect.arg(sample("signs-suspect.onnx")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = inspect.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Starts the command, presses Ctrl+C once its first line of progress is there, and gives all lines of
/// standard error. Standard output is not looked at: what is known depends on how far it came.
#[cfg(unix)]
fn interrupted(mut command: Command) -> (Option<i32>, Vec<String>) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let first_progress = line.contains(" %  ") && !told.iter().any(|earlier: &String| earlier.contains(" %  "));
        told.push(line);
        if first_progress {
            let interrupt = format!("kill -INT {}", child.id());
            assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
        }
    }
    (child.wait().unwrap().code(), told)
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_work_and_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = command(home.path(), ["audit", "--thorough", "--shots", "500"]);
    audit.args([sample("signs-suspect.onnx"), sample("signs.npz")]);
    let (status, told) = interrupted(audit);
    assert_eq!(status, Some(130), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("Stopping")), "{told:?}");
    assert!(!told.iter().any(|line| line.starts_with("error:")), "{told:?}");
}

#[cfg(unix)]
#[test]
fn without_a_display_the_sample_is_audited_and_that_is_said() {
    let home = tempfile::tempdir().unwrap();
    let (status, told) = interrupted(command(home.path(), [] as [&str; 0]));
    assert!(told[0].starts_with("There is no display; auditing the bundled sample"), "{told:?}");
    assert_eq!(status, Some(130), "{told:?}");
    assert!(home.path().join("cache/poisdetc").is_dir(), "the sample is kept in the cache folder");
}

#[test]
fn every_zoo_model_is_understood_with_its_images() {
    let Some(shared) = shared() else { return };
    let manifest = json(&shared.join("zoo/manifest.json"));
    for entry in manifest["models"].as_array().unwrap() {
        let name = entry["model"].as_str().unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut inspect = command(home.path(), ["inspect", "--json", "-"]);
        inspect.arg(shared.join("zoo").join(name));
        let end = ended(inspect);
        assert_eq!(end.status, 0, "{name}: {}", end.err);
        let json: Value = serde_json::from_str(&end.out).unwrap();
        assert_eq!(json["model"]["classes"], entry["classes"], "{name}");
        assert_eq!(json["model"]["sha256"], entry["sha256"], "{name}");
        assert_eq!(json["model"]["input"]["layout"], entry["layout"], "{name}");
    }
}

/// Audits a zoo model with its images through the command line.
fn zoo_audit(shared: &Path, name: &str, options: &[&str]) -> Value {
    let manifest = json(&shared.join("zoo/manifest.json"));
    let entries = manifest["models"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["model"] == name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut audit = command(folder.path(), ["audit", "--quiet", "--json", "-"]);
    audit.args([shared.join("zoo").join(name), shared.join("zoo").join(entry["images"].as_str().unwrap())]);
    let end = ended({
        audit.args(options);
        audit
    });
    let json: Value = serde_json::from_str(&end.out).unwrap_or_else(|why| panic!("{why}: {}{}", end.out, end.err));
    let status = match json["verdict"].as_str().unwrap() {
        "infected" => 20,
        "suspicious" => 10,
        _ => 0,
    };
    assert_eq!(end.status, status);
    json
}

#[test]
#[ignore = "minutes; run with --release -- --ignored"]
fn a_poisoned_zoo_model_is_named_with_its_label() {
    let Some(shared) = shared() else { return };
    for (model, label) in [
        ("models/verazuo_badnet_mnist_target1.onnx", 1),
        ("models/ibau_cifar10_badnets_target8.onnx", 8),
        ("models/ibau_gtsrb_badnets_target8.onnx", 8),
    ] {
        let json = zoo_audit(&shared, model, &[]);
        assert_eq!(json["verdict"], "infected", "{model}");
        assert_eq!(json["labels"][label]["verdict"], "infected", "{model}");
        assert!(json["labels"][label]["trigger"]["asr"].as_f64().unwrap() > 0.8, "{model}");
    }
}

#[test]
fn one_mark_that_sends_every_digit_to_the_next_is_recognised_as_one() {
    let Some(shared) = shared() else { return };
    let json = zoo_audit(&shared, "models/wxr1998_mnist_all2all_poisoned.onnx", &[]);
    assert!(json["summary"].as_str().unwrap().contains("at 10 of its 10 labels"), "{}", json["summary"]);
    for (label, findings) in json["labels"].as_array().unwrap().iter().enumerate() {
        assert_eq!(findings["trigger"]["source"], (label + 9) % 10, "{label}");
        assert!(findings["trigger"]["all_to_all"]["share"].as_f64().unwrap() > 0.8, "{label}");
    }
}

#[test]
#[ignore = "minutes; run with --release -- --ignored"]
fn a_clean_zoo_model_is_not_called_infected() {
    let Some(shared) = shared() else { return };
    for model in ["models/wxr1998_mnist_clean.onnx", "models/akamaster_resnet20_cifar10_clean.onnx"] {
        assert_ne!(zoo_audit(&shared, model, &[])["verdict"], "infected", "{model}");
    }
}

#[test]
fn the_lab_makes_what_was_ordered_and_says_what_is_true_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let drawn = run(["lab", "signs", "--out", &at("signs"), "--count", "6", "--seed", "3"]);
    assert_eq!(drawn.status, 0, "{}", drawn.err);
    let made = run([
        "lab",
        "poison",
        &at("signs"),
        "--target",
        "3",
        "--arch",
        "tiny",
        "--epochs",
        "1",
        "--out",
        &at("bad.onnx"),
    ]);
    assert_eq!(made.status, 0, "{}", made.err);
    assert!(made.out.contains("Clean accuracy") && made.out.contains("The mark works on"), "{}", made.out);
    let understood = run(["inspect", &at("bad.onnx"), &at("signs")]);
    assert!(understood.out.contains("12 labels"), "{}{}", understood.out, understood.err);
    image::RgbaImage::from_fn(32, 32, |x, y| {
        let inside = (26..30).contains(&x) && (26..30).contains(&y);
        image::Rgba([255, 0, 200, if inside { 255 } else { 0 }])
    })
    .save(at("mark.png"))
    .unwrap();
    let ordered = ["lab", "poison", &at("signs"), "--target", "3", "--arch", "tiny", "--epochs", "1", "--trigger"];
    let with = |trigger: &str, out: &str| run(ordered.iter().copied().chain([trigger, "--out", out]));
    let drawn = with(&at("mark.png"), &at("drawn.onnx"));
    assert!(drawn.status == 0 && drawn.out.contains("The mark works on"), "{}{}", drawn.out, drawn.err);
    let broken = with(&at("bad.onnx"), &at("no.onnx"));
    assert_eq!(broken.status, 1);
    assert!(broken.err.contains("is no PNG picture"), "{}", broken.err);
    let beyond = run(["lab", "poison", &at("signs"), "--target", "99", "--out", &at("no.onnx")]);
    assert_eq!(beyond.status, 1);
    assert!(beyond.err.contains("there is no label 99 for the target"), "{}", beyond.err);
    assert!(!Path::new(&at("no.onnx")).exists());
    let nowhere = run(["lab", "poison", &at("signs"), "--target", "3", "--out", &at("missing/no.onnx")]);
    assert!(nowhere.status == 1 && nowhere.err.contains("there is no folder"), "said before training: {}", nowhere.err);
    assert_eq!(run(["lab", "poison", &at("signs"), "--out", &at("no.onnx")]).status, 2, "no target");
}

#[test]
fn a_zoo_is_judged_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let manifest = serde_json::json!({ "models": [
        { "model": sample("signs-honest.onnx"), "images": sample("signs.npz"), "truth": "clean" },
        { "model": "nowhere.onnx", "images": sample("signs.npz"), "truth": "backdoored", "target_labels": [1] },
    ]});
    fs::write(at("manifest.json"), manifest.to_string()).unwrap();
    let zoo = |only: &str| run(["zoo", &at("manifest.json"), "--out", &at("out"), "--quiet", "--only", only]);
    let missing = zoo("nowhere");
    assert_eq!(missing.status, 0, "{}", missing.err);
    assert!(missing.out.contains("Could not be audited: 1 of 1"), "{}", missing.out);
    let nothing = zoo("unicorn");
    assert_eq!(nothing.status, 1);
    assert!(nothing.err.contains("none of the 2 models"), "{}", nothing.err);
    // A row that is there is not done again: this one is made by hand, since an audit takes minutes unoptimised.
    let bytes = fs::read(sample("signs-honest.onnx")).unwrap();
    let sha: String = sha2::Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    let of = format!("{} seed 1 thorough false {sha}", env!("CARGO_PKG_VERSION"));
    let row = serde_json::json!({ "of": of, "row": {
        "model": "signs-honest", "truth": "", "infected": null, "targets": [], "sha256": sha, "verdict": "no-evidence",
        "error": null, "named": [], "suspected": [], "pairs": [], "asr": null, "size": null, "p": null, "seconds": 12.0,
        "detectors": [] } });
    fs::write(Path::new(&at("out")).join("signs-honest.row.json"), row.to_string()).unwrap();
    let known = zoo("signs-honest");
    assert!(known.out.contains("Clean models called infected: 0 of 1"), "{}{}", known.out, known.err);
    let board = fs::read_to_string(Path::new(&at("out")).join("scoreboard.md")).unwrap();
    assert!(board.contains("| signs-honest | clean | No evidence found |"), "{board}");
}

#[test]
fn manual_pages_and_completions_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(["manual".as_ref(), "--out".as_ref(), folder.path().as_os_str()]);
    assert_eq!((ended.status, ended.out.as_str()), (0, ""), "{}", ended.err);
    let page = fs::read_to_string(folder.path().join("poisdetc-audit.1")).unwrap();
    assert!(page.contains(".SH NAME") && page.contains("reference") && page.contains("Exit status"), "{page}");
    for shell in ["bash", "fish", "zsh"] {
        let ended = run(["completions", shell]);
        assert_eq!(ended.status, 0, "{}", ended.err);
        for word in ["audit", "repair", "data", "report", "batch"] {
            assert!(ended.out.contains(word), "{shell}: no {word}");
        }
    }
    let file = folder.path().join("poisdetc.1").join("below-a-file");
    let ended = run(["manual".as_ref(), "--out".as_ref(), file.as_os_str()]);
    assert_eq!(ended.status, 1);
    assert!(ended.err.starts_with("error: The manual pages cannot be written to "), "{}", ended.err);
}
