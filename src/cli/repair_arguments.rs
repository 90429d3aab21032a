//! What can be typed after `poisdetc repair`.

use super::overrule;
use crate::audit::repairing::UnseenOrder;
use crate::audit::{Order, Settings};
use crate::model::Overwrite;
use crate::repair;
use crate::tensor::Seed;
use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};

/// Tries the recommended methods in order.
const AUTO: &str = "auto";

const EXAMPLES: &str = "\
Goes on from an audit of the same files, or audits first. Tries the recommended methods until clean \
accuracy and the recovered trigger meet the aim on images held back, writes the repaired file, and audits it again with \
another seed. The suspect's file stays as it is.

Examples:
  poisdetc audit model.onnx images/ --json audit.json
  poisdetc repair model.onnx images/ --audit audit.json --out repaired.onnx
  poisdetc repair model.onnx images/ --out repaired.onnx --method ft-sam --json -
  poisdetc repair model.onnx --out repaired.onnx                  without images

Exit status: 0 repaired and the second audit finds nothing, 11 better but not clean, or changed and \
not measured, 1 failed, 2 wrong use, 130 stopped.";

/// `poisdetc repair`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct RepairArguments {
    /// The suspect model that was audited
    pub model: PathBuf,
    /// The clean images it was audited with; without any, only what the weights tell can be taken out, and nothing is
    /// measured
    pub images: Option<PathBuf>,
    /// What "audit --json" wrote of these files [default: they are audited first]
    #[arg(long, value_name = "AUDIT.json", requires = "images")]
    pub audit: Option<PathBuf>,
    /// How to repair; auto tries the recommended methods in order
    #[arg(long, value_name = "NAME", default_value = AUTO, value_parser = methods())]
    pub method: String,
    /// Take this setting of the method's trade-off, by its place in the list that --json shows, from 0 [default: the
    /// one the method chose]
    #[arg(long, value_name = "N", requires = "images")]
    pub setting: Option<usize>,
    /// The file of the repaired model
    #[arg(long, value_name = "REPAIRED")]
    pub out: PathBuf,
    /// Write everything as JSON; "-" is standard output and takes the table's place
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A model for the same labels that is known clean, for the audits [default: one is trained on the images]
    #[arg(long, value_name = "MODEL")]
    pub reference: Option<PathBuf>,
    /// A text file with one label name a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Preprocess as this file says, instead of finding out
    #[arg(long, value_name = "FILE", conflicts_with = "audit")]
    pub preprocessing: Option<PathBuf>,
    /// Every random number comes from this; with --audit the audit's seed is used
    #[arg(long, value_name = "N", default_value_t = Seed::default().0, conflicts_with = "audit")]
    pub seed: u64,
    /// Search a trigger for every label, with every step, when it audits first
    #[arg(long, conflicts_with = "audit")]
    pub thorough: bool,
    /// Go on where labels of the model have no clean image
    #[arg(long)]
    pub allow_missing_labels: bool,
    /// Replace the file at --out; never the suspect
    #[arg(long)]
    pub force: bool,
    /// Replace even the suspect model; there is no way back
    #[arg(long)]
    pub overwrite_suspect: bool,
    /// No progress, and of the result only the first line
    #[arg(long, short)]
    pub quiet: bool,
}

fn methods() -> PossibleValuesParser {
    PossibleValuesParser::new(std::iter::once(AUTO).chain(repair::methods().iter().map(|method| method.name())))
}

impl RepairArguments {
    /// The order of a repair without images.
    pub fn unseen(&self) -> UnseenOrder {
        UnseenOrder {
            model: self.model.clone(),
            method: self.method(),
            destination: self.out.clone(),
            overwrite: self.overwrite(),
        }
    }

    /// The order of the audit that comes first where none was given.
    ///
    /// # Errors
    /// A sentence where the file with the preprocessing cannot be used.
    pub fn order(&self, images: &Path) -> Result<Order> {
        Ok(Order {
            model: self.model.clone(),
            images: images.to_owned(),
            reference: self.reference.clone(),
            label_names: self.labels.clone(),
            preprocessing: self.preprocessing.as_deref().map(overrule::read).transpose()?,
            settings: Settings {
                seed: Seed(self.seed),
                thorough: self.thorough,
                allow_missing_labels: self.allow_missing_labels,
                ..Settings::default()
            },
        })
    }

    /// The method that was named; `None` for the recommended ones.
    pub fn method(&self) -> Option<String> {
        (self.method != AUTO).then(|| self.method.clone())
    }

    /// What may be replaced.
    pub fn overwrite(&self) -> Overwrite {
        match (self.overwrite_suspect, self.force) {
            (true, _) => Overwrite::SuspectConfirmed,
            (false, true) => Overwrite::Others,
            (false, false) => Overwrite::Never,
        }
    }
}
