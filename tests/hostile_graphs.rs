//! Graphs that ask for endless memory, endless work or nonsense: one sentence each, in time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod made;

use made::*;
use poisdetc::model::onnx::messages::*;
use poisdetc::model::{ModelError, open};

/// `count` nodes in a row between the convolution and its activation.
fn chained(g: &mut GraphProto, count: usize, step: impl Fn(&str, &str) -> NodeProto) {
    let mut before = "c".to_owned();
    for i in 0..count {
        let after = format!("step {i}");
        g.node.push(step(&before, &after));
        before = after;
    }
    g.node[1].input[0] = before;
}

#[test]
fn graphs_that_ask_for_endless_memory_or_work_are_refused_in_time() {
    let started = std::time::Instant::now();
    let attribute = |name: &str, ints: &[i64]| AttributeProto {
        name: Some(name.into()),
        ints: ints.to_vec(),
        ..Default::default()
    };
    // Each value is within bounds, all together are not: every one is read again at the end.
    let hoard = changed(|g| {
        g.initializer.push(integers("times", &[1, 1024, 32, 32]));
        let names: Vec<String> = (0..40).map(|i| format!("copy {i}")).collect();
        g.node.extend(names.iter().map(|n| node("Expand", n, &["p", "times"], n)));
        let mut all = vec!["p"];
        all.extend(names.iter().map(String::as_str));
        g.initializer.push(integers("big", &[64, 4, 512, 512]));
        for n in &names {
            let n = format!("{n} grown");
            g.node.push(node("Expand", &n, &["p", "big"], &n));
        }
        let grown: Vec<String> = names.iter().map(|n| format!("{n} grown")).collect();
        let parts: Vec<&str> = grown.iter().map(String::as_str).collect();
        g.node.push(node("Max", "together", &parts, "m"));
        g.node[3].input[0] = "m".into();
    });
    says(&error(&hoard), &["more", "than"]);
    // Constants that would be computed before anything runs.
    let folded = changed(|g| {
        g.initializer.push(integers("shape", &[1024, 1024]));
        for i in 0..2000 {
            let name = format!("zeros {i}");
            g.node.push(node("ConstantOfShape", &name, &["shape"], &name));
        }
        let names: Vec<String> = (0..2000).map(|i| format!("zeros {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        g.node.push(node("Max", "together", &names, "z"));
        g.node.push(node("ReduceMax", "one", &["z"], "one"));
        g.node.push(node("Add", "added", &["c", "one"], "c1"));
        g.node[1].input[0] = "c1".into();
    });
    // More memory than two seconds can fill is never taken; whether it opens does not matter.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, &folded).unwrap();
    let _ = open(&path).map_err(|e| assert!(!e.to_string().contains('\n'), "{e}"));
    // Windows that look at a picture of millions of cells from each of them.
    let windows = changed(|g| {
        let mut grow = node("Expand", "grow", &["c", "wide"], "w1");
        grow.attribute.clear();
        g.initializer.push(integers("wide", &[1, 4, 6, 6]));
        g.initializer.push(integers("scale", &[1, 4, 2048, 2048]));
        let mut resize = node("Resize", "zoom", &["w1", "", "", "scale"], "z");
        resize.attribute.push(AttributeProto {
            name: Some("mode".into()),
            s: Some(b"nearest".to_vec().into()),
            ..Default::default()
        });
        let mut pool = node("AveragePool", "look", &["z"], "q");
        pool.attribute.push(attribute("kernel_shape", &[4001, 4001]));
        pool.attribute.push(attribute("pads", &[2000, 2000, 2000, 2000]));
        g.node.extend([grow, resize, pool]);
        g.node[1].input[0] = "q".into();
    });
    says(&error(&windows), &["\"look\"", "more work"]);
    // A thousand doublings.
    let doubled = changed(|g| {
        g.initializer.push(integers("twice", &[1, 2, 1, 1]));
        chained(g, 1000, |before, after| node("Tile", after, &[before, "twice"], after));
    });
    says(&error(&doubled), &["more memory"]);
    assert!(started.elapsed().as_secs() < 600, "{:?}", started.elapsed());
}

#[test]
fn absurd_attributes_are_refused_with_the_node() {
    let ints = |name: &str, ints: &[i64]| AttributeProto {
        name: Some(name.into()),
        ints: ints.to_vec(),
        ..Default::default()
    };
    let int = |name: &str, i: i64| AttributeProto { name: Some(name.into()), i: Some(i), ..Default::default() };
    for setting in [
        ints("strides", &[0, 0]),
        ints("strides", &[-1, 1]),
        ints("strides", &[i64::MAX, 1]),
        ints("pads", &[-1, 0, 0, 0]),
        ints("pads", &[1, 2, 3, 4, 5]),
        ints("dilations", &[0, 1]),
        ints("dilations", &[65535, 65535]),
        int("group", 0),
        int("group", -3),
        int("group", i64::MIN),
    ] {
        let bytes = changed(|g| g.node[0].attribute.push(setting.clone()));
        says(&error(&bytes), &["\"first\" (Conv)"]);
    }
    for (op, setting) in [
        ("Softmax", int("axis", i64::MIN)),
        ("Flatten", int("axis", i64::MAX)),
        ("Transpose", ints("perm", &[0, 0, 1, 2])),
        ("Transpose", ints("perm", &[-1])),
        ("DepthToSpace", int("blocksize", i64::MAX)),
        ("SpaceToDepth", int("blocksize", -2)),
        ("MaxPool", ints("kernel_shape", &[0, 3])),
        ("MaxPool", ints("kernel_shape", &[65535, 65535])),
        ("ReduceMean", ints("axes", &[17])),
        ("Squeeze", ints("axes", &[i64::MIN])),
        ("LRN", int("size", i64::MAX)),
        ("Concat", int("axis", i64::MIN)),
    ] {
        let bytes = changed(|g| {
            g.node[1] = node(op, "odd", &["c"], "r");
            g.node[1].attribute.push(setting.clone());
        });
        // Some of them mean something, if nothing useful: then a later node or the answer does not fit.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, bytes).unwrap();
        let _ = open(&path).map_err(|e| assert!(!e.to_string().contains('\n') && e.to_string().len() < 600, "{e}"));
    }
}

#[test]
fn deep_and_odd_messages_are_refused_before_they_cost_anything() {
    // Graphs in attributes of nodes of graphs, far deeper than any stack: skipped unread.
    let mut deep = vec![0x0a, 0];
    for _ in 0..20_000 {
        let mut outer = vec![0x0a];
        let mut length = deep.len();
        while length >= 0x80 {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(deep);
        deep = outer;
    }
    let mut file = vec![0x08, 8, 0x3a];
    let mut length = deep.len();
    while length >= 0x80 {
        file.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    file.push(length as u8);
    file.extend(deep);
    assert!(matches!(error(&file), ModelError::Damaged { .. } | ModelError::NotAModel { .. }));
    // Groups, which the format has never used.
    assert!(matches!(error(&[0x08, 8, 0x3b, 0x3b, 0x3b]), ModelError::Damaged { .. } | ModelError::NotAModel { .. }));
}

#[cfg(unix)]
#[test]
fn data_in_a_pipe_or_a_folder_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: mkfifo is not there");
        return;
    }
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for place in ["pipe", "folder"] {
        let bytes = changed(|g| {
            let entry = StringStringEntryProto { key: Some("location".into()), value: Some(place.into()) };
            g.initializer[1].raw_data = None;
            g.initializer[1].data_location = Some(1);
            g.initializer[1].external_data = vec![entry];
        });
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, bytes).unwrap();
        says(&open(&path).unwrap_err(), &["\"b\"", place, "no ordinary file"]);
    }
}
