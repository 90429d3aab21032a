//! `poisdetc repair`: from the JSON of an audit to a file that opens and answers, and every way it can go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod program;

use candle_core::{Device, Tensor};
use poisdetc::images::{self, Wanted};
use poisdetc::model::graph::{Binary, Op};
use poisdetc::model::{self, Change, Classifier, Overwrite, Preprocessing};
use poisdetc::progress::Monitor;
use program::{Disk, Ended, command, ended, sample};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SUSPECT: &str = "signs-suspect.onnx";

/// The JSON of one audit of the poisoned sample, done once for all tests.
fn audit() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        let mut audit = command(home.path(), ["audit", "--quiet", "--json", "-"]);
        audit.args([sample(SUSPECT), sample("signs.npz"), "--labels".into(), sample("labels.txt")]);
        audit.arg("--reference").arg(sample("signs-honest.onnx"));
        let Ended { status, out, err } = ended(audit);
        assert_eq!(status, 20, "{err}");
        out
    })
}

/// A folder with the audit in it, and the repair of the sample into it.
struct Bench {
    folder: TempDir,
    audit: PathBuf,
    out: PathBuf,
}

impl Bench {
    fn new() -> Self {
        Self::with(audit())
    }

    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (audit, out) = (folder.path().join("audit.json"), folder.path().join("repaired.onnx"));
        fs::write(&audit, text).unwrap();
        Self { folder, audit, out }
    }

    fn repair(&self, model: &Path, images: &Path, out: &Path) -> Command {
        let mut repair = command(self.folder.path(), ["repair"]);
        repair.args([model, images]).arg("--audit").arg(&self.audit).arg("--out").arg(out);
        repair
    }

    fn usual(&self) -> Command {
        self.repair(&sample(SUSPECT), &sample("signs.npz"), &self.out)
    }

    /// Files in the folder beside the audit.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "audit.json").collect()
    }
}

/// The one sentence with which a repair is refused.
fn refused(repair: Command) -> String {
    let Ended { status, out, err } = ended(repair);
    assert_eq!(status, 1, "{out}\n{err}");
    let told: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(told.len(), 1, "{err}");
    assert!(out.is_empty() && err.lines().last() == Some(told[0]), "{err}");
    for word in ["panicked", "Error {", "src/"] {
        assert!(!told[0].contains(word), "{}", told[0]);
    }
    told[0].to_owned()
}

fn contains(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "no \"{part}\" in: {sentence}");
    }
}

fn sha256(path: &Path) -> String {
    model::open(path).unwrap().sha256
}

#[test]
fn the_sample_is_repaired_measured_written_and_scanned_again() {
    let bench = Bench::new();
    let report = bench.folder.path().join("repair.json");
    let suspect = sha256(&sample(SUSPECT));
    let mut repair = bench.usual();
    repair.arg("--json").arg(&report).arg("--labels").arg(sample("labels.txt"));
    let Ended { status, out, err } = ended(repair);
    let json: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();

    let rescan = json["rescan"]["verdict"].as_str().unwrap();
    let clean = json["meets_aim"] == true && rescan == "no-evidence";
    assert_eq!((json["clean"].as_bool(), status), (Some(clean), if clean { 0 } else { 11 }), "{out}\n{err}");
    assert_eq!(out.starts_with("Repaired: "), clean, "{out}");
    let said = [
        "Clean accuracy",
        "Recovered trigger works on",
        "Counted with what works best: before ",
        "speed limit 80",
        "attacker's own trigger is unknown",
    ];
    for part in said {
        assert!(out.contains(part), "no {part} in\n{out}");
    }
    let number = |path: &str| json.pointer(path).and_then(Value::as_f64).unwrap();
    assert!(number("/asr/before") > 0.9, "{}", json["asr"]);
    assert!(number("/asr/after") < 0.2, "{}", json["asr"]);
    assert!(number("/accuracy/before") > 0.95 && number("/accuracy/after") > 0.9, "{}", json["accuracy"]);
    for (when, asr) in [("before", &json["asr"]["before"]), ("after", &json["asr"]["after"])] {
        let best = &json["works_best"][when];
        assert_eq!(&best["share"], asr);
        assert!(["mark", "block"].contains(&best["stamp"].as_str().unwrap()), "{best}");
        assert!(json[when]["asr"].as_array().unwrap().contains(best), "{best}");
    }
    assert_eq!(json["after"]["by_label"].as_array().unwrap().len(), 12);
    assert_ne!(json["rescan"]["seed"], json["seed"]);
    assert!(number("/seconds") > 0.0);
    assert!(json["attempts"].as_array().unwrap().iter().any(|a| a["method"] == json["method"]));
    assert_eq!(json["suspect"]["sha256"].as_str().unwrap(), suspect);
    assert_eq!(sha256(&sample(SUSPECT)), suspect, "the suspect is left alone");
    assert_eq!(json["repaired"]["sha256"].as_str().unwrap(), sha256(&bench.out));

    // The trigger that was found again is the audit's: nobody complained of another size.
    assert!(!json["limits"].to_string().contains("found again"), "{}", json["limits"]);

    // The file opens and answers as was said.
    let audit: Value = serde_json::from_str(audit()).unwrap();
    let preprocessing: Preprocessing = serde_json::from_value(audit["preprocessing"].clone()).unwrap();
    let wanted = Wanted { channels: Some(3), size: Some([32, 32]), label_names: None };
    let images = images::open(&sample("signs.npz"), &wanted, &Monitor::silent()).unwrap();
    let repaired = Classifier::new(&model::open(&bench.out).unwrap(), preprocessing, &Device::Cpu).unwrap();
    let (accuracy, _) = images::accuracy(&repaired, &images, &Monitor::silent()).unwrap();
    assert!((f64::from(accuracy) - number("/accuracy/after")).abs() < 0.06, "{accuracy}");
}

#[test]
fn without_a_confirmed_trigger_it_is_repaired_and_said_what_that_does_not_prove() {
    let bench = Bench::with(&audit().replace("\"infected\"", "\"suspicious\""));
    let mut repair = bench.usual();
    repair.args(["--method", "clp", "--json", "-", "--quiet"]);
    let Ended { status, out, err } = ended(repair);
    assert!([0, 11].contains(&status), "{err}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert!(json["asr"]["after"].is_null());
    contains(json["limits"][0].as_str().unwrap(), &["confirmed no trigger", "second audit is all the evidence"]);
    assert!(bench.out.exists());
}

#[test]
fn another_setting_is_taken_by_its_place_in_the_list() {
    let bench = Bench::new();
    let repaired = |setting: Option<&str>| {
        let mut repair = bench.usual();
        repair.args(["--method", "clp", "--json", "-", "--quiet", "--force"]);
        if let Some(setting) = setting {
            repair.args(["--setting", setting]);
        }
        let Ended { status, out, err } = ended(repair);
        assert!([0, 11].contains(&status), "{err}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let own = repaired(None);
    let settings = own["settings"]["measured"].as_array().unwrap();
    let last = settings.len() - 1;
    assert!(last >= 1 && settings[0]["setting"] == "nothing changed", "{settings:?}");
    let harshest = repaired(Some(&last.to_string()));
    assert_eq!(harshest["settings"]["chosen"], last);
    assert_eq!(harshest["settings"]["measured"], own["settings"]["measured"]);
    let written = sha256(&bench.out);
    assert_eq!(harshest["repaired"]["sha256"], written.as_str());
    if own["settings"]["chosen"] != harshest["settings"]["chosen"] {
        assert_ne!(own["repaired"]["sha256"], written.as_str());
    }
    let mut beyond = bench.usual();
    beyond.args(["--method", "clp", "--setting", "99", "--force"]);
    contains(&refused(beyond), &["clp measured", "settings", "there is no 99"]);
    assert_eq!(sha256(&bench.out), written, "what stood there still stands");
}

#[test]
fn a_clamp_changes_no_number_and_adds_its_steps_to_the_file() {
    let bench = Bench::new();
    let mut repair = bench.usual();
    repair.args(["--method", "clamp", "--quiet"]);
    let Ended { status, err, .. } = ended(repair);
    assert!([0, 11].contains(&status), "{err}");
    let [suspect, repaired] = [sample(SUSPECT), bench.out.clone()].map(|file| model::open(&file).unwrap());
    let limits = |model: &model::Model| {
        let least = |op: &Op| matches!(op, Op::Binary(Binary::Min));
        model.graph.nodes.iter().filter(|node| least(&node.op)).count()
    };
    assert_eq!((limits(&suspect), limits(&repaired)), (0, 4), "one behind every activation");
    for (name, before) in &suspect.parameters {
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(flat(before), flat(&repaired.parameters[name]), "{name}");
    }
}

/// The sample's suspect with the first channel of one convolution 50 times as strong, and that parameter's name.
fn with_a_loud_channel(folder: &Path) -> (PathBuf, String) {
    let suspect = model::open(&sample(SUSPECT)).unwrap();
    let kernels = |p: &(&String, &Tensor)| p.1.dims().len() == 4 && p.1.dims()[1] > 3;
    let (name, weight) = suspect.parameters.iter().find(kernels).unwrap();
    let (first, rest) = (weight.narrow(0, 0, 1).unwrap(), weight.narrow(0, 1, weight.dims()[0] - 1).unwrap());
    let loud = Tensor::cat(&[(first * 50.0).unwrap(), rest], 0).unwrap();
    let change = Change { parameters: [(name.clone(), loud)].into(), clamps: Vec::new() };
    let preprocessing = Preprocessing::unit(suspect.input.size.unwrap(), suspect.input.channels);
    let path = folder.join("loud.onnx");
    model::save(&suspect, &change, &preprocessing, &path, Overwrite::Never, None).unwrap();
    (path, name.clone())
}

#[test]
fn without_images_a_channel_that_stands_out_is_switched_off_and_nothing_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let (loud, name) = with_a_loud_channel(folder.path());
    let out = folder.path().join("repaired.onnx");
    let mut repair = command(folder.path(), ["repair", "--json", "-"]);
    repair.arg(&loud).arg("--out").arg(&out);
    let Ended { status, out: json, err } = ended(repair);
    assert_eq!(status, 11, "{err}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["method"].as_str(), json["clean"].as_bool()), (Some("clp"), Some(false)));
    assert_eq!(json["repaired"]["sha256"].as_str().unwrap(), sha256(&out));
    contains(json["limits"][0].as_str().unwrap(), &["no images", "nothing was measured"]);
    let channel = |path: &Path, i| {
        let channel = model::open(path).unwrap().parameters[&name].narrow(0, i, 1).unwrap();
        channel.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert!(channel(&out, 0).iter().all(|v| *v == 0.0));
    assert_eq!(channel(&out, 1), channel(&loud, 1));
}

#[test]
fn without_images_nothing_is_written_where_no_channel_stands_out_or_the_method_needs_images() {
    for (method, parts) in [("auto", ["no channel", "images"]), ("sau", ["needs clean images", "--method clp"])] {
        let folder = tempfile::tempdir().unwrap();
        let mut repair = command(folder.path(), ["repair", "--method", method, "--out"]);
        repair.arg(folder.path().join("repaired.onnx")).arg(sample(SUSPECT));
        contains(&refused(repair), &parts);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_method_that_needs_a_trigger_says_so() {
    let bench = Bench::with(&audit().replace("\"infected\"", "\"suspicious\""));
    let mut repair = bench.usual();
    repair.args(["--method", "unlearning"]);
    contains(&refused(repair), &["unlearning needs a recovered trigger", "ft-sam"]);
    assert!(bench.left().is_empty());
}

#[test]
fn an_audit_of_another_model_is_refused() {
    let bench = Bench::new();
    let repair = bench.repair(&sample("signs-honest.onnx"), &sample("signs.npz"), &bench.out);
    contains(&refused(repair), &["the audit is of another file than", "signs-honest.onnx", "SHA-256"]);
    assert!(bench.left().is_empty());
}

#[test]
fn other_images_are_refused() {
    let bench = Bench::new();
    let images = tempfile::tempdir().unwrap();
    for label in 0..12 {
        let sub = images.path().join(format!("{label:02}"));
        fs::create_dir(&sub).unwrap();
        image::RgbImage::from_pixel(32, 32, image::Rgb([20 * label; 3])).save(sub.join("0.png")).unwrap();
    }
    let repair = bench.repair(&sample(SUSPECT), images.path(), &bench.out);
    contains(&refused(repair), &["with other images than", "here are 12 of 12", "give the same images"]);
    assert!(bench.left().is_empty());
}

#[test]
fn other_images_with_as_many_of_each_label_are_refused() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let wanted = Wanted { channels: Some(3), size: Some([32, 32]), label_names: None };
    let images = images::open(&sample("signs.npz"), &wanted, &Monitor::silent()).unwrap();
    for (label, indices) in images.by_label().iter().enumerate() {
        let sub = folder.path().join(format!("{label:02}"));
        fs::create_dir(&sub).unwrap();
        for (k, &i) in indices.iter().enumerate() {
            let pixel = |x: u32, y: u32| {
                let at = |c: usize| images.image(i)[c * 1024 + (32 * y + x) as usize];
                // One pixel of one picture is another.
                image::Rgb([at(0) ^ u8::from((label, k, x, y) == (5, 3, 7, 7)), at(1), at(2)])
            };
            image::RgbImage::from_fn(32, 32, pixel).save(sub.join(format!("{k:03}.png"))).unwrap();
        }
    }
    let repair = bench.repair(&sample(SUSPECT), folder.path(), &bench.out);
    contains(&refused(repair), &["as many of each label", "not the same pictures", "give the same images"]);
    assert!(bench.left().is_empty());
}

#[test]
fn an_audit_of_an_earlier_version_that_does_not_tell_its_images_is_gone_on_from() {
    let mut old: Value = serde_json::from_str(audit()).unwrap();
    let told = old["images"].as_object_mut().unwrap().remove("sha256").unwrap();
    assert_eq!(told.as_str().unwrap().len(), 64);
    let bench = Bench::with(&old.to_string());
    let mut repair = bench.usual();
    repair.args(["--method", "clp", "--quiet"]);
    let Ended { status, err, .. } = ended(repair);
    assert!([0, 11].contains(&status), "{err}");
    assert!(bench.out.exists());
}

#[test]
fn a_broken_audit_is_refused() {
    for text in ["", "{\"schema\": 1, \"verdict\": \"infected\"}", "[1, 2]"] {
        let bench = Bench::with(text);
        contains(&refused(bench.usual()), &["audit.json is not an audit"]);
        assert!(bench.left().is_empty());
    }
    let bench = Bench::with("");
    fs::remove_file(&bench.audit).unwrap();
    contains(&refused(bench.usual()), &["cannot read", "audit.json"]);
}

#[test]
fn an_unknown_method_is_wrong_use() {
    let bench = Bench::with("");
    let mut repair = bench.usual();
    repair.args(["--method", "magic"]);
    let Ended { status, err, .. } = ended(repair);
    assert_eq!(status, 2, "{err}");
    let mut seeded = bench.usual();
    seeded.args(["--seed", "3"]);
    assert_eq!(ended(seeded).status, 2, "the seed is the audit's");
    contains(&err, &["magic", "--method", "auto", "unlearning", "ft-sam", "clp"]);
}

#[test]
fn the_suspect_and_other_files_are_never_replaced_unasked() {
    let bench = Bench::new();
    let model = bench.folder.path().join("model.onnx");
    fs::copy(sample(SUSPECT), &model).unwrap();
    let images = sample("signs.npz");
    let sentence = refused(bench.repair(&model, &images, &model));
    contains(&sentence, &["model.onnx is the model that was examined", "another name"]);
    let mut forced = bench.repair(&model, &images, &model);
    forced.arg("--force");
    contains(&refused(forced), &["is the model that was examined"]);
    fs::write(&bench.out, "mine").unwrap();
    contains(&refused(bench.usual()), &["repaired.onnx exists already"]);
    assert_eq!(fs::read(&bench.out).unwrap(), b"mine");
    assert_eq!(sha256(&model), sha256(&sample(SUSPECT)));
}

#[test]
fn a_folder_that_is_not_there_or_cannot_be_written_to_is_said_before_the_work() {
    let bench = Bench::new();
    let (model, images) = (sample(SUSPECT), sample("signs.npz"));
    let missing = bench.folder.path().join("missing/repaired.onnx");
    contains(&refused(bench.repair(&model, &images, &missing)), &["missing does not exist"]);
    let Some(disk) = Disk::mounted("ro,size=64k") else { return };
    let sentence = refused(bench.repair(&model, &images, &disk.folder.path().join("repaired.onnx")));
    contains(&sentence, &["nothing can be written to the folder"]);
}

#[test]
fn a_full_disk_leaves_nothing_there() {
    let Some(disk) = Disk::mounted("size=64k") else { return };
    let bench = Bench::new();
    let mut repair = bench.repair(&sample(SUSPECT), &sample("signs.npz"), &disk.folder.path().join("repaired.onnx"));
    repair.args(["--method", "clp"]);
    contains(&refused(repair), &["is full", "108577 bytes are needed"]);
    assert_eq!(fs::read_dir(disk.folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_stop_in_the_middle_leaves_nothing() {
    let bench = Bench::new();
    let mut repair = bench.usual();
    let child = repair.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    interrupt(child.id());
    let end = child.wait_with_output().unwrap();
    let err = String::from_utf8(end.stderr).unwrap();
    assert_eq!(end.status.code(), Some(130), "{err}");
    contains(&err, &["Stopped; no repaired model was written"]);
    assert!(end.stdout.is_empty() && bench.left().is_empty(), "{:?}", bench.left());
}

#[cfg(unix)]
#[test]
fn a_stop_in_the_second_audit_keeps_the_file_and_says_that_it_was_not_examined() {
    let bench = Bench::new();
    let mut repair = bench.usual();
    repair.args(["--method", "clp", "--json", "-", "--quiet"]);
    let child = repair.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !bench.out.exists() {
        assert!(start.elapsed() < Duration::from_secs(120), "never written");
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt(child.id());
    let end = child.wait_with_output().unwrap();
    assert_eq!(end.status.code(), Some(130), "{}", String::from_utf8_lossy(&end.stderr));
    let json: Value = serde_json::from_slice(&end.stdout).unwrap();
    assert_eq!((json["stopped"].as_bool(), json["clean"].as_bool()), (Some(true), Some(false)));
    contains(&json["limits"].to_string(), &["examined"]);
    assert_eq!(json["repaired"]["sha256"].as_str().unwrap(), sha256(&bench.out));
}

#[cfg(unix)]
fn interrupt(id: u32) {
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().unwrap().success());
}
