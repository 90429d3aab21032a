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

#[cfg(test)]
extern crate self as poisdetc; // tests inside and outside share their hand-made audit

pub mod app;
pub mod audit;
pub mod cli;
pub mod detect;
pub mod images;
pub mod job;
pub mod model;
pub mod poison;
pub mod progress;
pub mod repair;
pub mod report;
pub mod shelf;
pub mod tensor;
pub mod train;
pub mod zoo;
