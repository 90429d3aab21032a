//! The program speaks to nobody: it opens no internet socket, whatever it does in the terminal. Watched with strace.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod program;

use program::sample;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Calls of the program that begin a conversation, one a line; `None` where it cannot be watched.
fn watched(home: &Path, arguments: &[&Path]) -> Option<String> {
    let log = home.join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=socket,socketpair,connect,bind,execve", "-o"]).arg(&log);
    strace.arg(env!("CARGO_BIN_EXE_poisdetc")).args(arguments).stdin(Stdio::null());
    for display in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        strace.env_remove(display);
    }
    strace.env("HOME", home).env("XDG_CACHE_HOME", home.join("cache")).env("XDG_DATA_HOME", home.join("data"));
    let Ok(output) = strace.output() else {
        eprintln!("skipped: strace is not installed");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("ptrace") && said.contains("Operation not permitted") {
        eprintln!("skipped: strace may not watch here");
        return None;
    }
    assert!(output.status.success(), "{said}");
    let calls = fs::read_to_string(log).unwrap();
    assert!(calls.contains("execve("), "the watch saw nothing: {calls}");
    Some(calls)
}

#[test]
fn nothing_that_is_done_in_the_terminal_opens_an_internet_socket() {
    let home = tempfile::tempdir().unwrap();
    let (model, images, signs) = (sample("signs-suspect.onnx"), sample("signs.npz"), home.path().join("signs"));
    let jobs: [Vec<&Path>; 2] = [
        vec![Path::new("inspect"), &model, &images],
        vec![Path::new("lab"), Path::new("signs"), Path::new("--count"), Path::new("12"), Path::new("--out"), &signs],
    ];
    for job in jobs {
        let Some(calls) = watched(home.path(), &job) else { return };
        let opened: Vec<&str> =
            calls.lines().filter(|call| call.contains("AF_INET") || call.contains("connect(")).collect();
        assert!(opened.is_empty(), "{job:?}: {opened:#?}");
    }
}
