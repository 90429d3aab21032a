//! Runs the built program as a person or a script would, and says what came of it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What the program said and how it ended.
pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// The program with these arguments, not yet started. It sees no display and keeps its files in `home`.
pub fn command<A: AsRef<OsStr>>(home: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poisdetc"));
    command.args(arguments).stdin(Stdio::null());
    for display in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "RUST_BACKTRACE"] {
        command.env_remove(display);
    }
    command.env("HOME", home).env("XDG_CACHE_HOME", home.join("cache")).env("XDG_DATA_HOME", home.join("data"));
    command
}

/// Runs it to its end.
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    let home = tempfile::tempdir().unwrap();
    ended(command(home.path(), arguments))
}

/// Runs a prepared command to its end.
pub fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status.code().expect("the program was killed by a signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file of the bundled sample.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sample").join(name)
}

/// The shared models and images, or `None` with a line that says so.
pub fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("POISDETC_SHARED").map_or(beside, PathBuf::from);
    if folder.join("zoo/manifest.json").exists() {
        return Some(folder);
    }
    eprintln!("skipped: the shared zoo is not at {}", folder.display());
    None
}

/// A small disk of its own, where one may be mounted.
pub struct Disk {
    pub folder: TempDir,
}

impl Disk {
    /// With options of tmpfs; `None` with a line that says so where that is not allowed.
    pub fn mounted(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(folder.path()).output();
        if !mount.is_ok_and(|end| end.status.success()) {
            eprintln!("skipped: a small disk cannot be mounted here");
            return None;
        }
        Some(Self { folder })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}
