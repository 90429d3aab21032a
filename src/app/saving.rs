//! Everything of a finished audit that can be saved to a file: the report, the plot, the pictures. Where it is written, and
//! what came of it.

use crate::audit::Audit;
use crate::job::{Job, Outcome};
use crate::progress::Monitor;
use crate::report::page::{self, Kind, Repair};
use crate::report::{ReportError, figure, pictures, raster, sheet, svg, write_whole};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Width and height of a plot in a file, in points.
const PLOT: (f32, f32) = (720.0, 300.0);

/// How the plot of all losses is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlotKind {
    /// Pixels.
    Png,
    /// Shapes.
    Svg,
    /// The numbers behind it.
    Csv,
}

/// What is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The document that is signed.
    Report(Kind),
    /// The losses of all shots.
    Plot(PlotKind),
    /// Masks, patterns and examples of every trigger, into a folder.
    Pictures,
}

impl Output {
    /// "The report".
    pub fn name(self) -> &'static str {
        match self {
            Self::Report(_) => "The report",
            Self::Plot(PlotKind::Csv) => "The table of losses",
            Self::Plot(_) => "The plot",
            Self::Pictures => "The pictures",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Report(kind) => kind.ending(),
            Self::Plot(PlotKind::Png) => "png",
            Self::Plot(PlotKind::Svg) => "svg",
            Self::Plot(PlotKind::Csv) => "csv",
            Self::Pictures => "",
        }
    }

    /// The file that is proposed: beside the model, "signs-suspect-report.pdf".
    pub fn file(self, model: &Path) -> PathBuf {
        let stem = model.file_stem().map_or_else(|| "audit".into(), |stem| stem.to_string_lossy().into_owned());
        let what = match self {
            Self::Report(_) => "report",
            Self::Plot(_) => "losses",
            Self::Pictures => return model.with_file_name(format!("{stem}-pictures")),
        };
        model.with_file_name(format!("{stem}-{what}.{}", self.ending()))
    }

    /// `path` with the ending of such a file, where the person typed another or none.
    pub fn with_ending(self, path: PathBuf) -> PathBuf {
        let has = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let fits = match self {
            Self::Report(_) => Kind::of(&path).is_some(),
            Self::Plot(_) => has.as_deref() == Some(self.ending()),
            Self::Pictures => true,
        };
        if fits {
            return path;
        }
        let mut name = path.into_os_string();
        name.push(".");
        name.push(self.ending());
        name.into()
    }

    fn write(self, audit: &Audit, repair: Option<&Repair>, path: &Path) -> Result<(), ReportError> {
        let plot = || figure::losses(&audit.labels, PLOT.0, PLOT.1).ok_or(ReportError::Nothing);
        match self {
            Self::Report(_) => page::write(audit, repair, path),
            Self::Plot(PlotKind::Png) => write_whole(path, &raster::png(&plot()?)?),
            Self::Plot(PlotKind::Svg) => write_whole(path, svg::file(&plot()?).as_bytes()),
            Self::Plot(PlotKind::Csv) => write_whole(path, sheet::losses(audit).as_bytes()),
            Self::Pictures => pictures::write(audit, path).map(|_| ()),
        }
    }
}

/// What came of saving one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// What was saved.
    pub output: Output,
    /// Where, or why not.
    pub end: Result<PathBuf, String>,
}

/// Everything the screens draw of it.
#[derive(Default)]
pub struct Saving {
    job: Option<Job<(), Saved>>,
    /// What came of the last one.
    pub saved: Option<Saved>,
    /// A path to save to, typed where no dialog can be opened.
    pub typed: Option<(Output, String)>,
}

impl Saving {
    /// Writes to `path` on a thread of its own.
    pub fn save(
        &mut self,
        output: Output,
        (audit, repair): (Arc<Audit>, Option<Repair>),
        path: PathBuf,
        replace: bool,
        wake: impl Fn() + Send + Sync + 'static,
    ) {
        if self.job.is_some() {
            return;
        }
        self.saved = None;
        let path = output.with_ending(path);
        self.job = Some(Job::start(Monitor::silent(), wake, move |_, _| {
            let end = if !replace && path.exists() {
                Err(format!("{} is there already; take another name", path.display()))
            } else {
                output.write(&audit, repair.as_ref(), &path).map(|()| path).map_err(|why| why.to_string())
            };
            Saved { output, end }
        }));
    }

    /// Takes in what happened. Never blocks.
    pub fn poll(&mut self) {
        let Some(end) = self.job.as_ref().and_then(Job::outcome) else { return };
        self.job = None;
        let saved = match end {
            Outcome::Done(saved) => saved,
            Outcome::Panicked(why) => Saved {
                output: self.typed.as_ref().map_or(Output::Pictures, |typed| typed.0),
                end: Err(format!("The program itself failed: {why}. Please report this")),
            },
        };
        if saved.end.is_ok() {
            self.typed = None;
        }
        self.saved = Some(saved);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app::example;

    const ALL: [Output; 6] = [
        Output::Report(Kind::Pdf),
        Output::Report(Kind::Html),
        Output::Plot(PlotKind::Png),
        Output::Plot(PlotKind::Svg),
        Output::Plot(PlotKind::Csv),
        Output::Pictures,
    ];

    #[test]
    fn files_lie_beside_the_model_and_always_have_an_ending() {
        let report = Output::Report(Kind::Pdf);
        assert_eq!(report.file(Path::new("signs/m.v2.onnx")), Path::new("signs/m.v2-report.pdf"));
        assert_eq!(Output::Pictures.file(Path::new("signs/m.onnx")), Path::new("signs/m-pictures"));
        assert_eq!(report.with_ending("a/report.v2".into()), Path::new("a/report.v2.pdf"));
        assert_eq!(report.with_ending("a/report.HTML".into()), Path::new("a/report.HTML"));
        let plot = Output::Plot(PlotKind::Svg);
        assert_eq!(plot.with_ending("a/plot.png".into()), Path::new("a/plot.png.svg"));
        assert_eq!(plot.with_ending("a/plot.svg".into()), Path::new("a/plot.svg"));
    }

    #[test]
    fn everything_is_written_as_what_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let audit = example::audit();
        for output in ALL {
            let path = output.file(&folder.path().join("m.onnx"));
            output.write(&audit, None, &path).unwrap();
            if output == Output::Pictures {
                assert!(std::fs::read_dir(&path).unwrap().count() >= 6);
                continue;
            }
            let begins: &[u8] = match output.ending() {
                "pdf" => b"%PDF-",
                "html" => b"<!DOCTYPE",
                "png" => b"\x89PNG",
                "svg" => b"<?xml",
                _ => b"label,name,model,shot,loss",
            };
            assert!(std::fs::read(&path).unwrap().starts_with(begins), "{output:?}");
        }
    }
}
