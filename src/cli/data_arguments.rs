//! What can be typed after `poisdetc data`.

use crate::audit::data::DataOrder;
use crate::tensor::Seed;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
IMAGES is a folder with one sub-folder a label, a folder with a CSV of path and label, an .npz \
with x and y, MNIST IDX files (also .gz) or CIFAR binary files. Nothing is changed or deleted.

Examples:
  poisdetc data images/                             which pictures of a training set look poisoned
  poisdetc data images/ --out suspects.csv          with a list of them
  poisdetc data images.npz --model trained-on-them.onnx

Exit status: 0 no picture suspected, 10 pictures suspected, 1 failed, 2 wrong use, 130 stopped.";

/// `poisdetc data`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DataArguments {
    /// The images that may be poisoned, with their labels
    pub images: PathBuf,
    /// A model that was trained on them [default: a small one is trained]
    #[arg(long, value_name = "MODEL")]
    pub model: Option<PathBuf>,
    /// A text file with one label name a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Write the suspected pictures as a list
    #[arg(long, value_name = "LIST.csv")]
    pub out: Option<PathBuf>,
    /// Write everything as JSON; "-" is standard output and takes the table's place
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Every random number comes from this
    #[arg(long, value_name = "N", default_value_t = Seed::default().0)]
    pub seed: u64,
    /// No progress, and of the result only the summary
    #[arg(long, short)]
    pub quiet: bool,
}

impl DataArguments {
    /// What is asked for.
    pub fn order(&self) -> DataOrder {
        DataOrder {
            images: self.images.clone(),
            model: self.model.clone(),
            label_names: self.labels.clone(),
            seed: Seed(self.seed),
        }
    }
}
