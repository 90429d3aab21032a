//! Everything the window can be told to do, in one list. Buttons, menus and shortcuts are made from
//! it; screens send commands, the window carries them out at the end of the frame.

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
    /// Stop the audit.
    Stop,
    /// Go to a step.
    Show(Step),
    /// Show one label in detail.
    Inspect(usize),
    /// Light, dark, or as the system is.
    Theme(egui::ThemePreference),
    /// Close the window.
    Quit,
}

impl Command {
    /// Those that have a place in the menu, in its order.
    pub const MENU: [Self; 8] = [
        Self::OpenModel,
        Self::OpenImageFolder,
        Self::OpenImageFile,
        Self::OpenLabelNames,
        Self::TrySample,
        Self::Start,
        Self::Stop,
        Self::Quit,
    ];

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
            Self::Inspect(_) => "Inspect",
            Self::Theme(egui::ThemePreference::System) => "As the system",
            Self::Theme(egui::ThemePreference::Light) => "Light",
            Self::Theme(egui::ThemePreference::Dark) => "Dark",
            Self::Quit => "Quit",
        }
    }

    /// What it does, in a sentence for the tooltip.
    pub fn tooltip(&self) -> &'static str {
        match self {
            Self::OpenModel => "Choose the suspect model: an .onnx file or a Keras .h5 file",
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
            Self::Stop => "Stop the audit; what is known by then is kept",
            Self::Show(Step::Open) => "Which files, and what was understood of them",
            Self::Show(Step::Detect) => "The verdict, and the evidence for every label",
            Self::Show(Step::Inspect) => "One label in detail: reasons, numbers, trigger",
            Self::Inspect(_) => "Reasons, numbers and trigger of this label",
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
        for command in Command::MENU {
            let Some(keys) = command.shortcut() else { continue };
            if allowed(&command) && ctx.input_mut(|input| input.consume_shortcut(&keys)) {
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
        let keys: Vec<_> = Command::MENU.iter().filter_map(Command::shortcut).collect();
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[i + 1..].contains(key), "{key:?} twice");
        }
        assert_eq!(keys.len(), 5);
    }
}
