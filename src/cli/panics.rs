//! A fault of the program becomes a sentence, not a stack trace. Who wants the stack sets RUST_BACKTRACE.

use anyhow::anyhow;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Mutex;

/// Where the last panic happened, "src/model/open.rs:12", for the sentence.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Stops panics from printing; they are told where they are caught.
pub fn keep_quiet() {
    let loud = std::panic::take_hook();
    let wanted = std::env::var_os("RUST_BACKTRACE").is_some_and(|v| !v.is_empty() && v != "0");
    std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        if let (Some(place), Ok(mut last)) = (panic.location(), PLACE.lock()) {
            let place = format!("{}:{}", place.file(), place.line());
            // Where the window keeps a log, it holds every panic, also those that a job turned into a sentence.
            log::error!("the program made a mistake at {place}: {}", said(panic));
            *last = Some(place);
        }
        if wanted {
            loud(panic);
        }
    }));
}

fn said(panic: &PanicHookInfo<'_>) -> String {
    panic.payload_as_str().unwrap_or("unknown panic").lines().next().unwrap_or_default().to_owned()
}

/// The result of `work`, its panic turned into an error.
pub fn contained<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(fault(&text.unwrap_or_else(|| "unknown panic".into())))
    })
}

/// The sentence for a panic that said `text`.
pub fn fault(text: &str) -> anyhow::Error {
    let place = PLACE.lock().ok().and_then(|mut last| last.take());
    let place = place.map_or(String::new(), |place| format!(" at {place}"));
    let text = text.lines().next().unwrap_or_default();
    anyhow!(
        "the program made a mistake{place} ({text}); please report this with the files or the command that led to it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_one_sentence() {
        let why = contained::<()>(|| panic!("index 7\nout of bounds")).unwrap_err().to_string();
        assert!(why.starts_with("the program made a mistake") && why.contains("(index 7)"), "{why}");
        assert_eq!(why.lines().count(), 1);
    }
}
