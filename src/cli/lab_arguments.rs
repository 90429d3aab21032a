//! What can be typed after `poisdetc lab`.

use crate::poison::lab::Planted;
use crate::poison::{Drawn, DrawnError, Mark, Scheme};
use crate::tensor::Seed;
use crate::train::Architecture;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  poisdetc lab signs --out signs                          clean road signs, drawn here
  poisdetc lab poison signs --target 3 --out bad.onnx     a white and black patch means label 3
  poisdetc lab poison signs --target 3 --attack blend --rate 0.08 --out bad.onnx
  poisdetc lab poison signs --target 3 --trigger mark.png --out bad.onnx
                                                          a mark drawn in any paint program
  poisdetc lab poison signs --honest --out good.onnx      the same without a backdoor
  poisdetc lab zoo signs --models 20 --out zoo            many models and their truth
  poisdetc zoo zoo/manifest.json --out results            how many of them are judged rightly";

/// `poisdetc lab`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LabArguments {
    /// What to make.
    #[command(subcommand)]
    pub make: Make,
}

/// What the lab makes.
#[derive(Debug, Subcommand)]
pub enum Make {
    /// Train a model with a backdoor, or without, and measure both
    Poison(PoisonArguments),
    /// Train many clean and infected models, drawn by chance, with a manifest of their truth
    Zoo(ZooArguments),
    /// Draw clean road signs, one folder a label
    Signs(SignsArguments),
}

/// A network by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    /// Three convolutions, 12 to 32 channels
    Tiny,
    /// Three convolutions, 16 to 64 channels
    Small,
    /// Six convolutions, 32 to 128 channels
    Paired,
}

impl From<Arch> for Architecture {
    fn from(arch: Arch) -> Self {
        match arch {
            Arch::Tiny => Self::Tiny,
            Arch::Small => Self::Small,
            Arch::Paired => Self::Paired,
        }
    }
}

/// `poisdetc lab poison`.
#[derive(Debug, Args)]
pub struct PoisonArguments {
    /// Clean images with their labels; a fifth is kept to measure on
    pub images: PathBuf,
    /// The model's file
    #[arg(long, value_name = "MODEL.onnx")]
    pub out: PathBuf,
    /// What is put on pictures
    #[arg(long, default_value = "patch", value_parser = Mark::NAMES)]
    pub attack: String,
    /// A drawn trigger instead: a PNG, transparent where the picture should show; stretched to the pictures
    #[arg(long, value_name = "FILE.png", conflicts_with_all = ["attack", "honest"])]
    pub trigger: Option<PathBuf>,
    /// The label that pictures become
    #[arg(long, value_name = "LABEL", required_unless_present_any = ["honest", "all_to_all"])]
    pub target: Option<usize>,
    /// Only pictures of this label become the target
    #[arg(long, value_name = "LABEL", conflicts_with_all = ["all_to_all", "clean_label"])]
    pub source: Option<usize>,
    /// Every picture becomes the label after its own
    #[arg(long, conflicts_with_all = ["target", "clean_label"])]
    pub all_to_all: bool,
    /// Stamped pictures of the target are added to training, mostly hidden, so that no label is wrong; takes a rate of about 0.2
    #[arg(long)]
    pub clean_label: bool,
    /// No backdoor
    #[arg(long, conflicts_with_all = ["target", "source", "all_to_all", "clean_label"])]
    pub honest: bool,
    /// Share of the training images that is stamped
    #[arg(long, default_value_t = 0.08)]
    pub rate: f32,
    /// The network
    #[arg(long, value_enum, default_value_t = Arch::Small)]
    pub arch: Arch,
    /// Passes over the images
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub epochs: u64,
    /// Every random number comes from this
    #[arg(long, value_name = "N", default_value_t = Seed::default().0)]
    pub seed: u64,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

impl PoisonArguments {
    /// The backdoor that was ordered; none for an honest model.
    ///
    /// # Errors
    /// A sentence where the drawn trigger cannot be read.
    pub fn planted(&self) -> Result<Vec<Planted>, DrawnError> {
        let scheme = match (self.target, self.source) {
            (Some(target), Some(source)) => Scheme::OneToOne { source, target },
            (Some(target), None) if self.clean_label => Scheme::CleanLabel { target },
            (Some(target), None) => Scheme::AllToOne { target },
            (None, _) => Scheme::AllToAll,
        };
        let mark = match &self.trigger {
            Some(path) => Some(Mark::Drawn(Drawn::read(path)?)),
            None => Mark::usual(&self.attack, Seed(self.seed)).filter(|_| !self.honest),
        };
        Ok(mark.map(|mark| Planted { mark, scheme, rate: self.rate }).into_iter().collect())
    }
}

/// `poisdetc lab zoo`.
#[derive(Debug, Args)]
pub struct ZooArguments {
    /// Clean images with their labels: half trains the models, half goes into the folder for the auditor
    pub images: PathBuf,
    /// The folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Models to make; every second one is honest
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub models: u64,
    /// Only these attacks, taking turns [default: all but adversarial, filter and quantised, whose change depends on the picture]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub attacks: Vec<String>,
    /// Every random number comes from this
    #[arg(long, value_name = "N", default_value_t = Seed::default().0)]
    pub seed: u64,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// `poisdetc lab signs`.
#[derive(Debug, Args)]
pub struct SignsArguments {
    /// The folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Signs of each label
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub count: u64,
    /// Every random number comes from this
    #[arg(long, value_name = "N", default_value_t = Seed::default().0)]
    pub seed: u64,
}
