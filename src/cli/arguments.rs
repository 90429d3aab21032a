//! What can be typed, with the help texts.

use super::data_arguments::DataArguments;
use super::lab_arguments::LabArguments;
use super::overrule;
use super::repair_arguments::RepairArguments;
use crate::audit::{Order, Settings};
use crate::tensor::Seed;
use crate::tensor::device::{self, UnknownDevice};
use crate::zoo::Shard;
use anyhow::Result;
use clap::builder::styling::Styles;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  poisdetc                                        open the window
  poisdetc sample                                 try it on the bundled road signs
  poisdetc inspect model.onnx images/             what is understood of the files
  poisdetc audit model.onnx images/               look for a backdoor
  poisdetc audit model.h5 images.npz --json - --quiet | jq .verdict
  poisdetc audit model.onnx images/ --json audit.json && poisdetc report audit.json --out report.pdf
  poisdetc repair model.onnx images/ --out repaired.onnx
  poisdetc data images/ --out suspects.csv        look for poisoned pictures in a training set

Exit status:
   0  finished, no evidence found; repaired
  10  finished, suspicious
  11  repaired, but not all is well
  20  finished, infected (confirmed by a recovered trigger)
   1  could not be done; one sentence on standard error says why
   2  wrong use
 130  stopped by Ctrl+C; what was known by then is printed";

const AUDIT_EXAMPLES: &str = "\
IMAGES is a folder with one sub-folder a label, a folder with a CSV of path and label, an .npz \
with x and y, MNIST IDX files (also .gz) or CIFAR binary files. The images must be ones you trust.

Examples:
  poisdetc audit model.onnx images/
  poisdetc audit model.onnx images/ --reference honest.onnx --out pictures
  poisdetc audit model.h5 t10k-images-idx3-ubyte.gz --thorough --seed 7

Exit status: 0 no evidence found, 10 suspicious, 20 infected, 1 failed, 2 wrong use, 130 stopped.";

const REPORT_EXAMPLES: &str = "\
The report says what the saved audit says and nothing else: the same audit gives the same bytes.

Examples:
  poisdetc audit model.onnx images/ --json audit.json
  poisdetc report audit.json --out report.pdf
  poisdetc report audit.json --repair repair.json --out report.html";

const ZOO_EXAMPLES: &str = "\
A model's truth is infected where it begins with \"backdoored\", clean where it begins with \"clean\" or \
\"repaired\"; of others only the verdict is told. Images are named from the manifest's folder. Stopped or \
killed, the same command goes on where it was.

Examples:
  poisdetc zoo ../shared/zoo/manifest.json --out results
  poisdetc lab zoo images.npz --models 20 --out zoo
  poisdetc zoo zoo/manifest.json --out results";

const BATCH_EXAMPLES: &str = "\
The list is JSON, {\"models\": [{\"model\": FILE, \"images\": FILE, \"reference\": FILE}, ...]}, or CSV with the columns \
model, images and, where there is one, reference; files are named from its folder. Stopped or killed, the \
same command goes on where it was. Parts may run on several machines that share the folder; the command \
without --shard then puts their results together.

Examples:
  poisdetc batch models.csv --out results
  poisdetc batch models.json --out results --shard 2/8
  jq -r 'select(.verdict == \"infected\") | .path' results/results.jsonl

Exit status: 0 all were audited, whatever was found, 1 some could not be, 2 wrong use, 130 stopped.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  poisdetc completions bash > ~/.local/share/bash-completion/completions/poisdetc
  poisdetc completions fish > ~/.config/fish/completions/poisdetc.fish";

/// Finds out whether an image classifier was poisoned (backdoored), and shows the trigger.
///
/// Without a command the window is opened; where there is no display, the bundled sample is audited in the
/// terminal.
#[derive(Debug, Parser)]
#[command(name = "poisdetc", version, after_help = EXAMPLES, styles = Styles::plain(), max_term_width = 96)]
#[command(disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do; none opens the window.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// One job.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look for a backdoor in a model, with clean images it should classify
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(AuditArguments),
    /// Repair a model, say what that did to it, and write it to a new file
    Repair(RepairArguments),
    /// Write the report of a finished audit, to be read, printed and signed: HTML or PDF
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArguments),
    /// Look for poisoned pictures in a set of images that may not be trusted
    Data(DataArguments),
    /// Say what is understood of a model, and of images
    Inspect(InspectArguments),
    /// Audit the bundled sample of road signs, or make its files again
    Sample(SampleArguments),
    /// Make poisoned and honest models with a known truth
    Lab(LabArguments),
    /// Audit all models of a manifest and say how many were judged rightly
    Zoo(ZooRunArguments),
    /// Audit many models of a list, one JSON line each, with a table and a page of them all
    #[command(after_help = BATCH_EXAMPLES)]
    Batch(BatchArguments),
    /// Print what a shell needs to complete this program's commands
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArguments),
    /// Write this program's manual pages
    Manual(ManualArguments),
}

/// `poisdetc completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `poisdetc manual`.
#[derive(Debug, Args)]
pub struct ManualArguments {
    /// The folder; pages that are there already are replaced
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `poisdetc audit`.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// The suspect model: ONNX, or a full Keras model (.h5, .keras)
    pub model: PathBuf,
    /// Clean images with their labels
    pub images: PathBuf,
    /// A model for the same labels that is known clean [default: one is trained on the images]
    #[arg(long, value_name = "MODEL")]
    pub reference: Option<PathBuf>,
    /// A text file with one label name a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Preprocess as this file says, instead of finding out; JSON, a candidate of "inspect --json"
    #[arg(long, value_name = "FILE")]
    pub preprocessing: Option<PathBuf>,
    /// Every random number comes from this
    #[arg(long, value_name = "N", default_value_t = Seed::default().0)]
    pub seed: u64,
    /// Where it computes: cpu, cuda (cuda:1 is a second card) or metal; a card that cannot be used is replaced by the processor,
    /// and the result says so
    #[arg(long, default_value = "cpu", value_parser = known_device)]
    pub device: String,
    /// Search a trigger for every label, with every step, not only for labels that stand out
    #[arg(long)]
    pub thorough: bool,
    /// PoisDetc as it was published, its slip in the colour space included
    #[arg(long)]
    pub original_form: bool,
    /// Go on where labels of the model have no clean image; they are named in the result
    #[arg(long)]
    pub allow_missing_labels: bool,
    /// Shots at each label
    #[arg(long, value_name = "N", default_value_t = Settings::default().shots as u64, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub shots: u64,
    /// Where the results go.
    #[command(flatten)]
    pub results: Results,
}

/// Where results go.
#[derive(Debug, Args)]
pub struct Results {
    /// Write the recovered triggers as PNG files to this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write everything as JSON; "-" is standard output and takes the table's place
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Show every label, not only those that stand out, where there are more than 20
    #[arg(long)]
    pub all: bool,
    /// No progress, and of the result only the verdict
    #[arg(long, short)]
    pub quiet: bool,
}

/// `poisdetc report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// What "audit --json" wrote
    pub audit: PathBuf,
    /// The report; .html is one page for every browser, .pdf is for printing
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What "repair --json" wrote of the same model; it becomes a part of the report
    #[arg(long, value_name = "REPAIR.json")]
    pub repair: Option<PathBuf>,
    /// Replace the file at --out
    #[arg(long)]
    pub force: bool,
}

/// `poisdetc inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// A model: ONNX, or a full Keras model (.h5, .keras)
    pub model: PathBuf,
    /// Clean images with their labels; with them the preprocessing is found too
    pub images: Option<PathBuf>,
    /// A text file with one label name a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Write everything as JSON; "-" is standard output and takes the text's place
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `poisdetc batch`.
#[derive(Debug, Args)]
pub struct BatchArguments {
    /// The list of models, JSON or CSV
    pub manifest: PathBuf,
    /// Folder for the results; made where it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Only this part of the models: 2/8 is the second of eight
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    pub shard: Shard,
    /// So many models at once; each uses all cores as it is
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Every random number comes from this
    #[arg(long, value_name = "N", default_value_t = Seed::default().0)]
    pub seed: u64,
    /// Audit thoroughly
    #[arg(long)]
    pub thorough: bool,
    /// No progress, and of the result only the sums
    #[arg(long, short)]
    pub quiet: bool,
}

/// `poisdetc zoo`.
#[derive(Debug, Args)]
#[command(after_help = ZOO_EXAMPLES)]
pub struct ZooRunArguments {
    /// JSON: "models", each with "model", "images", "truth" and "target_labels"
    pub manifest: PathBuf,
    /// One audit a model as JSON, the table as Markdown and CSV; what is there already is not done again
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Only models whose name contains one of these
    #[arg(long, value_name = "PART,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Every random number comes from this
    #[arg(long, value_name = "N", default_value_t = Seed::default().0)]
    pub seed: u64,
    /// As "audit --thorough"
    #[arg(long)]
    pub thorough: bool,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// `poisdetc sample`.
#[derive(Debug, Args)]
pub struct SampleArguments {
    /// Draw the images and train the models again, into this folder, instead of auditing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "json", "all", "honest"])]
    pub make: Option<PathBuf>,
    /// Audit the honest twin instead of the poisoned model
    #[arg(long)]
    pub honest: bool,
    /// Where the results go.
    #[command(flatten)]
    pub results: Results,
}

impl AuditArguments {
    /// The order the audit gets.
    ///
    /// # Errors
    /// A sentence where the file with the preprocessing cannot be used.
    pub fn order(&self) -> Result<Order> {
        Ok(Order {
            model: self.model.clone(),
            images: self.images.clone(),
            reference: self.reference.clone(),
            label_names: self.labels.clone(),
            preprocessing: self.preprocessing.as_deref().map(overrule::read).transpose()?,
            settings: Settings {
                seed: Seed(self.seed),
                thorough: self.thorough,
                // At most 1000, which clap saw to.
                shots: self.shots as usize,
                original_form: self.original_form,
                device: self.device.clone(),
                allow_missing_labels: self.allow_missing_labels,
                ..Settings::default()
            },
        })
    }
}

/// The name of a device that there could be.
fn known_device(name: &str) -> Result<String, UnknownDevice> {
    device::check(name).map(|()| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_has_no_contradiction() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_option_reaches_the_order() {
        let typed = "poisdetc audit m.onnx images --reference r.onnx --labels l.txt --seed 7 --thorough \
                     --original-form --shots 3 --device cpu --allow-missing-labels";
        let arguments = Arguments::try_parse_from(typed.split_whitespace()).unwrap();
        let Some(Command::Audit(audit)) = arguments.command else { panic!("not an audit") };
        let expected = Order {
            model: "m.onnx".into(),
            images: "images".into(),
            reference: Some("r.onnx".into()),
            label_names: Some("l.txt".into()),
            preprocessing: None,
            settings: Settings {
                seed: Seed(7),
                thorough: true,
                original_form: true,
                shots: 3,
                allow_missing_labels: true,
                ..Settings::default()
            },
        };
        assert_eq!(audit.order().unwrap(), expected);
    }

    #[test]
    fn the_defaults_are_those_of_the_settings() {
        let arguments = Arguments::try_parse_from(["poisdetc", "audit", "m", "i"]).unwrap();
        let Some(Command::Audit(audit)) = arguments.command else { panic!("not an audit") };
        assert_eq!(audit.order().unwrap().settings, Settings::default());
    }
}
