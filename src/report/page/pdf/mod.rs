//! The report as PDF, on A4, by a layout of our own: paragraphs, tables that go on over pages, pictures in rows.
//!
//! In: the same blocks as the HTML. Out: bytes with the bundled font in them, cut down to the letters used. A letter that
//! the font lacks (it has Latin, Greek and Cyrillic) is shown as a box; the HTML shows it.

mod layout;
mod marks;
mod table;
mod write;

use super::content::{blocks, title};
use super::repair::Repair;
use crate::audit::Audit;
use crate::report::face::Faces;
use crate::report::words::harmless;
use crate::report::write::ReportError;
use layout::Layout;

/// The file.
///
/// # Errors
/// [`ReportError::Pdf`] where the bundled fonts cannot be used.
pub fn bytes(audit: &Audit, repair: Option<&Repair>) -> Result<Vec<u8>, ReportError> {
    let faces = Faces::bundled()?;
    let mut layout = Layout::new(&faces);
    for block in blocks(audit, repair) {
        layout.put(&block);
    }
    let sha256: String = audit.model.sha256.chars().take(16).collect();
    let foot =
        harmless(&format!("PoisDetc {} · model SHA-256 {sha256}… · seed {}", audit.program, audit.order.settings.seed));
    let (pages, pictures) = layout.finish(&foot);
    write::bytes(&faces, &pages, &pictures, &harmless(&title(audit)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::example;
    use std::process::Command;

    /// The text of a PDF; `None` where no reader is installed, with a line that says so.
    fn read(bytes: &[u8]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.pdf");
        std::fs::write(&path, bytes).unwrap();
        let Ok(read) = Command::new("pdftotext").args(["-layout".as_ref(), path.as_os_str(), "-".as_ref()]).output()
        else {
            eprintln!("skipped: pdftotext is not installed (on Debian: apt install poppler-utils)");
            return None;
        };
        assert!(read.status.success() && read.stderr.is_empty(), "{}", String::from_utf8_lossy(&read.stderr));
        Some(String::from_utf8(read.stdout).unwrap())
    }

    #[test]
    fn the_same_audit_gives_the_same_bytes_and_they_are_a_pdf() {
        let pdf = bytes(&example::audit(), None).unwrap();
        assert!(pdf.starts_with(b"%PDF-1.") && pdf.ends_with(b"%%EOF"));
        assert_eq!(pdf, bytes(&example::audit(), None).unwrap());
        let text = String::from_utf8_lossy(&pdf);
        // The first of the cross references is that of the first object.
        let at: usize = text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        assert!(pdf[at..].starts_with(b"xref"));
        assert!(text.contains("/Type /Page\n") && text.contains("/FontFile3"), "pages, and the font in it");
    }

    #[test]
    fn every_part_can_be_read_as_text() {
        let Some(text) = read(&bytes(&example::audit(), None).unwrap()) else { return };
        for part in [
            "Audit of signs.onnx for backdoors",
            "Infected (confirmed)",
            "One small mark turns pictures into",
            "1 stop",
            "2026-11-25 20:17 UTC",
            "Neural Cleanse",
            "Signature",
            "page 1 of",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }

    #[test]
    fn names_of_any_length_and_script_stay_on_the_page() {
        let mut audit = example::audit();
        for (label, name) in [(0, "x".repeat(5000)), (1, "ü 停 \u{1b}[2J 🛑".into()), (2, "a b ".repeat(3000))] {
            audit.labels[label].name.clone_from(&name);
            audit.images.names[label] = name;
        }
        audit.labels[1].findings[0].because = "y".repeat(20_000);
        let pdf = bytes(&audit, None).unwrap();
        let Some(text) = read(&pdf) else { return };
        assert!(text.contains("1 ü") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("Signature"), "the end is reached");
    }
}
