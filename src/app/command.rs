//! Everything the window can be told to do, in one list. Buttons, menus and shortcuts are made from
//! it; screens send commands, the window carries them out at the end of the frame.

use super::kept::Source;
use super::lab::LabCommand;
use super::saving::{Output, PlotKind};
use crate::report::page::Kind;
use egui::{Context, Key, KeyboardShortcut, Modifiers};
use std::path::PathBuf;

/// The steps of an audit, each a screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Step {
    /// Which files, and what was understood of them.
    #[default]
    Open,
    /// The verdict and all labels.
    Detect,
    /// One label in detail.
    Inspect,
    /// The repair, and what it did.
    Repair,
    /// Two audits side by side.
    Compare,
    /// Networks are poisoned, to learn how that looks.
    Lab,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Open, Self::Detect, Self::Inspect, Self::Repair, Self::Compare, Self::Lab];
}

/// The fields a file can be chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The suspect model.
    Model,
    /// The clean images.
    Images,
    /// A reference model.
    Reference,
    /// Names of the labels.
    LabelNames,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Choose the suspect model in a dialog.
    OpenModel,
    /// Choose a folder of clean images in a dialog.
    OpenImageFolder,
    /// Choose a file of clean images in a dialog.
    OpenImageFile,
    /// Choose a reference model in a dialog.
    OpenReference,
    /// Choose a file of label names in a dialog.
    OpenLabelNames,
    /// Put a path into a field and look at what it is.
    Use(Field, PathBuf),
    /// Look again at what the fields name.
    Understand,
    /// Unpack the sample and audit it.
    TrySample,
    /// Start the audit.
    Start,
    /// Stop the audit or the repair.
    Stop,
    /// Go to a step.
    Show(Step),
    /// Show one label in detail.
    Inspect(usize),
    /// Repair by one method, or by the recommended ones.
    ChooseMethod(Option<String>),
    /// Take another setting of the repair's trade-off, by its place in the list.
    PickSetting(usize),
    /// Start the repair.
    StartRepair,
    /// Choose a file for the repaired model in a dialog.
    Export,
    /// Write the repaired model to a file; the dialog has asked whether one may be replaced.
    ExportTo(PathBuf),
    /// Type the file for the repaired model.
    TypeExport(String),
    /// Write the repaired model to the file that was typed.
    ExportTyped,
    /// Audit the repaired model as any other.
    ScanAgain,
    /// Forget the result and choose another method.
    RepairAgain,
    /// Choose a file for something of the audit in a dialog.
    Save(Output),
    /// Write it to a file; the dialog has asked whether one may be replaced.
    SaveTo(Output, PathBuf),
    /// Type the file for it.
    TypePath(Output, String),
    /// Write it to the file that was typed.
    SaveTyped,
    /// Copy the table of all labels for a spreadsheet.
    CopyTable,
    /// Choose a saved audit in a dialog.
    OpenAudit,
    /// Open a saved audit.
    OpenSaved(Source),
    /// Hold a saved audit beside the one that is open.
    Compare(Source),
    /// Hold the second audit, of the repaired model, beside the first.
    CompareRepaired,
    /// No longer hold two audits side by side.
    EndCompare,
    /// Hold another label beside the one in detail, or none.
    Beside(Option<usize>),
    /// Try the trigger of a label at other strengths.
    TryStrengths(usize),
    /// Show it at another strength, by its place in the list.
    PickStrength(usize),
    /// Show all commands, to be found by some letters.
    Palette,
    /// Show the log, or no longer.
    ShowLog(bool),
    /// Show the glossary, or no longer.
    ShowGlossary(bool),
    /// Show one entry of the glossary.
    LookUp(&'static str),
    /// Read the list of kept audits again.
    ListKept,
    /// Go on with an audit that was interrupted or stopped.
    GoOn(String),
    /// Throw a kept audit away.
    RemoveKept(String),
    /// Something in the lab.
    Lab(LabCommand),
    /// Take back the last change of fields and settings.
    Undo,
    /// Do again what was taken back.
    Redo,
    /// Light, dark, or as the system is.
    Theme(egui::ThemePreference),
    /// Close the window.
    Quit,
}

impl Command {
    /// Those that have a place in the menu, in its order.
    pub const MENU: [Self; 16] = [
        Self::OpenModel,
        Self::OpenImageFolder,
        Self::OpenImageFile,
        Self::OpenLabelNames,
        Self::OpenAudit,
        Self::TrySample,
        Self::Start,
        Self::Stop,
        Self::Save(Output::Report(Kind::Pdf)),
        Self::Save(Output::Report(Kind::Html)),
        Self::Undo,
        Self::Redo,
        Self::Palette,
        Self::ShowGlossary(true),
        Self::ShowLog(true),
        Self::Quit,
    ];

    /// All that can be asked for from everywhere: by keys and in the palette.
    pub fn everywhere() -> Vec<Self> {
        use egui::ThemePreference::{Dark, Light, System};
        let plots = [PlotKind::Png, PlotKind::Svg, PlotKind::Csv].map(|kind| Self::Save(Output::Plot(kind)));
        let saving = [Self::Save(Output::Pictures), Self::CopyTable, Self::OpenReference, Self::CompareRepaired];
        let themes = [System, Light, Dark].map(Self::Theme);
        let repair = [Self::StartRepair, Self::Export, Self::ScanAgain];
        let lab = [LabCommand::Train, LabCommand::Pause, LabCommand::Audit].map(Self::Lab);
        let all = Self::MENU.into_iter().chain(Step::ALL.map(Self::Show)).chain(plots).chain(lab);
        all.chain(saving).chain(repair).chain(themes).collect()
    }

    /// What the button or menu line says.
    pub fn text(&self) -> &'static str {
        match self {
            Self::OpenModel => "Open model…",
            Self::OpenImageFolder => "Open image folder…",
            Self::OpenImageFile => "Open image file…",
            Self::OpenReference => "Open reference model…",
            Self::OpenLabelNames => "Open label names…",
            Self::Use(..) => "Open",
            Self::Understand => "Look again",
            Self::TrySample => "Try the sample",
            Self::Start => "Start audit",
            Self::Stop => "Stop",
            Self::Show(Step::Open) => "Open",
            Self::Show(Step::Detect) => "Detect",
            Self::Show(Step::Inspect) => "Inspect",
            Self::Show(Step::Repair) => "Repair",
            Self::Show(Step::Compare) | Self::Compare(_) => "Compare",
            Self::Show(Step::Lab) => "Lab",
            Self::Lab(LabCommand::Train) => "Train in the lab",
            Self::Lab(LabCommand::Pause) => "Pause the training",
            Self::Lab(LabCommand::Audit) => "Audit the lab's model",
            Self::Lab(LabCommand::Lesson(_)) => "Lesson",
            Self::Lab(_) => "In the lab",
            Self::CompareRepaired => "Compare both audits",
            Self::EndCompare => "End comparison",
            Self::OpenAudit => "Open saved audit…",
            Self::OpenSaved(_) => "Open",
            Self::ListKept => "Read the list again",
            Self::Beside(_) => "Beside",
            Self::TryStrengths(_) => "Try other strengths",
            Self::PickStrength(_) => "Strength",
            Self::Palette => "All commands…",
            Self::ShowGlossary(_) | Self::LookUp(_) => "Glossary",
            Self::ShowLog(_) => "Log",
            Self::GoOn(_) => "Go on",
            Self::RemoveKept(_) => "Remove",
            Self::Inspect(_) => "Inspect",
            Self::ChooseMethod(_) => "Method",
            Self::PickSetting(_) => "Setting",
            Self::StartRepair => "Start repair",
            Self::Export => "Export…",
            Self::ExportTo(_) | Self::ExportTyped => "Export here",
            Self::TypeExport(_) => "Export to",
            Self::ScanAgain => "Scan again",
            Self::RepairAgain => "Other method",
            Self::Save(Output::Report(Kind::Pdf)) => "Save report as PDF…",
            Self::Save(Output::Report(Kind::Html)) => "Save report as HTML…",
            Self::Save(Output::Plot(PlotKind::Png)) => "Save plot as PNG…",
            Self::Save(Output::Plot(PlotKind::Svg)) => "Save plot as SVG…",
            Self::Save(Output::Plot(PlotKind::Csv)) => "Save losses as CSV…",
            Self::Save(Output::Pictures) => "Save pictures…",
            Self::SaveTo(..) | Self::SaveTyped => "Save here",
            Self::TypePath(..) => "Save to",
            Self::CopyTable => "Copy table",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::Theme(egui::ThemePreference::System) => "As the system",
            Self::Theme(egui::ThemePreference::Light) => "Light",
            Self::Theme(egui::ThemePreference::Dark) => "Dark",
            Self::Quit => "Quit",
        }
    }

    /// What it does, in a sentence for the tooltip.
    pub fn tooltip(&self) -> &'static str {
        match self {
            Self::OpenModel => "Choose the suspect model: an .onnx file, or a Keras .h5 or .keras file",
            Self::OpenImageFolder => {
                "Choose a folder of clean images: one sub-folder a label, MNIST or CIFAR files, or pictures with a CSV"
            }
            Self::OpenImageFile => "Choose clean images in one file: .npz, MNIST IDX (.gz too), CIFAR .bin, or a CSV",
            Self::OpenReference => "Choose a model that is known clean, for the same labels",
            Self::OpenLabelNames => "Choose a text file with one label name a line",
            Self::Use(..) => "Open this",
            Self::Understand => "Read the files again",
            Self::TrySample => "Audit a small poisoned model of road signs that comes with the program",
            Self::Start => "Test every label of the suspect model",
            Self::Stop => "Stop the audit, the repair or the lab's work; what is known by then is kept",
            Self::Show(Step::Open) => "Which files, and what was understood of them",
            Self::Show(Step::Detect) => "The verdict, and the evidence for every label",
            Self::Show(Step::Inspect) => "One label in detail: reasons, numbers, trigger",
            Self::Show(Step::Repair) => "Take the backdoor out, and see what that did to the model",
            Self::Show(Step::Compare) => "Two audits side by side",
            Self::Show(Step::Lab) => "Poison a network, see why it works, find the trigger and remove it",
            Self::Lab(LabCommand::Train) => "Train the poisoned network and its clean twin as chosen in the lab",
            Self::Lab(LabCommand::Pause) => "Hold the training in the lab; it can go on",
            Self::Lab(LabCommand::Audit) => "Hand the lab's model to Detect, without a word about its trigger",
            Self::Lab(_) => "Something in the lab",
            Self::Compare(_) => "Hold this audit beside the one that is open",
            Self::CompareRepaired => "Hold the audit of the repaired model beside that of the suspect",
            Self::EndCompare => "Go back to one audit",
            Self::OpenAudit => "Choose a file that \"poisdetc audit --json\" wrote",
            Self::OpenSaved(_) => "Show this audit as it was",
            Self::Beside(_) => "Hold another label beside this one",
            Self::TryStrengths(_) => "Lay the trigger on fainter and harder, and count how often it works",
            Self::PickStrength(_) => "From nothing at all to twice as strong as it was found",
            Self::Palette => "Find a command by some of its letters",
            Self::ShowGlossary(_) | Self::LookUp(_) => "What the words of this window mean, and where they come from",
            Self::ShowLog(_) => "What the program noted, with warnings and errors, to be read and copied",
            Self::ListKept => "Read the list of recent audits again",
            Self::GoOn(_) => "Go on where this audit ended; what was finished is not done again",
            Self::RemoveKept(_) => "Throw this audit away; model and images stay as they are",
            Self::ChooseMethod(_) => "How the model is repaired",
            Self::PickSetting(_) => "Left is mild, right is harsh; the numbers of every setting were measured",
            Self::StartRepair => "Repair a copy of the model and examine it again; the suspect's file stays as it is",
            Self::Export => "Choose a file for the repaired model",
            Self::ExportTo(_) | Self::ExportTyped | Self::TypeExport(_) => "Write the repaired model to this file",
            Self::ScanAgain => "Open the repaired model and audit it with yet another seed",
            Self::RepairAgain => "Forget this result and choose another method",
            Self::Save(Output::Report(Kind::Pdf)) => "Write the audit as a document for printing and signing",
            Self::Save(Output::Report(Kind::Html)) => {
                "Write the audit as one page for every browser, with everything in it"
            }
            Self::Save(Output::Plot(PlotKind::Csv)) => "Write the numbers behind the plot, for a spreadsheet",
            Self::Save(Output::Plot(_)) => "Write the plot of all losses as a picture",
            Self::Save(Output::Pictures) => {
                "Write masks, patterns and examples of every trigger as PNG files into a folder"
            }
            Self::SaveTo(..) | Self::SaveTyped | Self::TypePath(..) => "Write it to this file",
            Self::CopyTable => "Copy the table of all labels; paste it into a spreadsheet",
            Self::Inspect(_) => "Reasons, numbers and trigger of this label",
            Self::Undo => "Take back the last change of the fields and settings",
            Self::Redo => "Do again what was taken back",
            Self::Theme(_) => "Colours of the window",
            Self::Quit => "Close the window",
        }
    }

    /// The keys that do it.
    pub fn shortcut(&self) -> Option<KeyboardShortcut> {
        let ctrl = |key| Some(KeyboardShortcut::new(Modifiers::COMMAND, key));
        match self {
            Self::OpenModel => ctrl(Key::O),
            Self::OpenImageFolder => ctrl(Key::I),
            Self::Start => ctrl(Key::R),
            Self::Save(Output::Report(Kind::Pdf)) => ctrl(Key::S),
            Self::Save(Output::Report(Kind::Html)) => {
                Some(KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, Key::S))
            }
            Self::Palette => ctrl(Key::K),
            Self::Undo => ctrl(Key::Z),
            Self::Redo => Some(KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z)),
            Self::Show(step) => ctrl(match step {
                Step::Open => Key::Num1,
                Step::Detect => Key::Num2,
                Step::Inspect => Key::Num3,
                Step::Repair => Key::Num4,
                Step::Compare => Key::Num5,
                Step::Lab => Key::Num6,
            }),
            Self::CopyTable => Some(KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, Key::C)),
            Self::ShowGlossary(_) => Some(KeyboardShortcut::new(Modifiers::NONE, Key::F1)),
            Self::ShowLog(_) => ctrl(Key::L),
            Self::Quit => ctrl(Key::Q),
            Self::Stop => Some(KeyboardShortcut::new(Modifiers::NONE, Key::Escape)),
            _ => None,
        }
    }

    /// The tooltip, with the keys where there are any.
    pub fn hint(&self, ctx: &Context) -> String {
        match self.shortcut() {
            Some(keys) => format!("{} ({})", self.tooltip(), ctx.format_shortcut(&keys)),
            None => self.tooltip().to_owned(),
        }
    }
}

/// What the screens asked for during a frame.
#[derive(Debug, Default)]
pub struct Commands(Vec<Command>);

impl Commands {
    /// Asks for `command`.
    pub fn send(&mut self, command: Command) {
        self.0.push(command);
    }

    /// Everything asked for since the last call, in order.
    pub fn take(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.0)
    }

    /// Asks for every command whose keys were pressed.
    pub fn listen(&mut self, ctx: &Context, allowed: impl Fn(&Command) -> bool) {
        let mut all = Command::everywhere();
        // Ctrl+Shift+S holds Ctrl+S: the longer ones first.
        all.sort_by_key(|command| !command.shortcut().is_some_and(|keys| keys.modifiers.shift));
        for command in all {
            let Some(keys) = command.shortcut() else { continue };
            // What is allowed takes work to find out, every frame, and keys are seldom pressed.
            let pressed = ctx.input(|input| input.key_pressed(keys.logical_key));
            if pressed && allowed(&command) && ctx.input_mut(|input| input.consume_shortcut(&keys)) {
                self.send(command);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_their_keys() {
        let keys: Vec<_> = Command::everywhere().iter().filter_map(Command::shortcut).collect();
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[i + 1..].contains(key), "{key:?} twice");
        }
        assert_eq!(keys.len(), 19);
    }
}
