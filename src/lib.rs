//! PoisDetc: finds out whether an image classifier was poisoned, shows the trigger, explains the verdict.
//!
//! The map of the house. Each floor uses only the floors below it, and data flows one way:
//! **file → graph + images → evidence → verdict → file, report**.
//!
//! ```text
//! app      cli        the two faces: the window, the command line (no mathematics, no file formats)
//! zoo                 many models with a known truth, and how many were judged rightly
//! shelf               audits the program keeps by itself, and goes on with after a crash
//! report   job        an audit as JSON and pictures; work off the calling thread
//! audit               the document: what was opened, settings, evidence, findings, verdict; a repair
//! repair              one file a repair: a change of the model, and what it does
//! detect              one file a detector: numbers and pictures per label, never a verdict
//! poison   train      known-bad models; the training loop for reference, lab and sample models
//! images              clean image sets of every source; finding the preprocessing
//! model               a classifier as a differentiable graph; one reader a file format
//! tensor   progress   operations candle lacks or gets wrong, seeds; how far, how long, stop
//! ```
//!
//! A whole audit is [`audit::run`]. The floors below can be used by themselves; this opens the bundled sample, finds out how pictures
//! have to be scaled for it, and searches the smallest mark that turns pictures into label 2:
//!
//! ```
//! use candle_core::Device;
//! use poisdetc::detect::Direction;
//! use poisdetc::detect::neural_cleanse::{Hunt, Search, attack_success};
//! use poisdetc::images::{self, Wanted};
//! use poisdetc::model::{self, Classifier};
//! use poisdetc::progress::{Monitor, Stepwise};
//! use poisdetc::tensor::Seed;
//! use std::path::Path;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (sample, monitor) = (Path::new("assets/sample"), Monitor::silent());
//! let suspect = model::open(&sample.join("signs-suspect.onnx"))?;
//! let wanted = Wanted { channels: Some(suspect.input.channels), size: suspect.input.size, label_names: None };
//! let signs = images::open(&sample.join("signs.npz"), &wanted, &monitor)?;
//! let found = images::discover(&suspect, &signs, &Device::Cpu, &monitor)?;
//! let suspect = Classifier::new(&suspect, found.candidates[0].preprocessing.clone(), &Device::Cpu)?;
//!
//! let parts = signs.split(0.4, Seed(1));
//! let how = Search::quick();
//! let mut hunt = Hunt::new(&suspect, &parts.search, Direction::all_to(2), &how, Seed(1))?;
//! hunt.advance(how.steps, &monitor)?;
//! let trigger = hunt.trigger().ok_or("no picture was tried")?;
//! let (works, pictures) = attack_success(&suspect, &parts.held_out, &trigger, 64, &monitor)?;
//! println!("covers {:.1} % and turns {:.0} % of {pictures}", 100.0 * trigger.size(), 100.0 * works);
//! assert!(trigger.size() < 0.05 && works > 0.85);
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
extern crate self as poisdetc; // tests inside and outside share their hand-made audit

pub mod app;
pub mod audit;
pub mod cli;
pub mod detect;
mod disk;
pub mod images;
pub mod job;
pub mod model;
mod one_line;
pub mod poison;
pub mod progress;
pub mod repair;
pub mod report;
pub mod shelf;
pub mod tensor;
pub mod train;
pub mod zoo;
