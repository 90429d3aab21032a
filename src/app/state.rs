//! What the window remembers from one run to the next: theme, recent files, settings. Not audits.

use crate::audit::Settings;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where it is kept in the store.
const KEY: &str = "poisdetc";
/// How many recent audits are remembered.
const RECENT: usize = 8;

/// A model and the images it was audited with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// The suspect model.
    pub model: PathBuf,
    /// The clean images.
    pub images: PathBuf,
}

/// Everything that is saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The program that wrote it.
    pub program: String,
    /// Light, dark, or as the system is.
    pub theme: Theme,
    /// The latest audits, newest first.
    pub recent: Vec<Recent>,
    /// Settings of the next audit.
    pub settings: Settings,
}

/// Light, dark, or as the system is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system is.
    #[default]
    System,
    /// Dark writing on light.
    Light,
    /// Light writing on dark.
    Dark,
}

impl From<Theme> for egui::ThemePreference {
    fn from(theme: Theme) -> Self {
        match theme {
            Theme::System => Self::System,
            Theme::Light => Self::Light,
            Theme::Dark => Self::Dark,
        }
    }
}

impl From<egui::ThemePreference> for Theme {
    fn from(theme: egui::ThemePreference) -> Self {
        match theme {
            egui::ThemePreference::System => Self::System,
            egui::ThemePreference::Light => Self::Light,
            egui::ThemePreference::Dark => Self::Dark,
        }
    }
}

impl State {
    /// What an earlier run saved; what cannot be read is logged and forgotten.
    pub fn load(storage: &dyn eframe::Storage) -> Self {
        let Some(text) = storage.get_string(KEY) else { return Self::default() };
        serde_json::from_str(&text).unwrap_or_else(|why| {
            log::warn!("settings of an earlier run cannot be read and are forgotten: {why}");
            Self::default()
        })
    }

    /// Saves it for the next run.
    pub fn save(&self, storage: &mut dyn eframe::Storage) {
        let state = Self { program: env!("CARGO_PKG_VERSION").into(), ..self.clone() };
        match serde_json::to_string(&state) {
            Ok(text) => storage.set_string(KEY, text),
            Err(why) => log::warn!("settings cannot be saved: {why}"),
        }
    }

    /// Puts an audit at the top of the recent ones.
    pub fn remember(&mut self, model: &Path, images: &Path) {
        let entry = Recent { model: model.into(), images: images.into() };
        self.recent.retain(|r| *r != entry);
        self.recent.insert(0, entry);
        self.recent.truncate(RECENT);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_audit_comes_first_and_none_twice() {
        let mut state = State::default();
        for i in 0..12 {
            state.remember(Path::new(&format!("{i}.onnx")), Path::new("signs"));
        }
        state.remember(Path::new("7.onnx"), Path::new("signs"));
        assert_eq!(state.recent.len(), RECENT);
        assert_eq!(state.recent[0].model, Path::new("7.onnx"));
        assert_eq!(state.recent.iter().filter(|r| r.model == Path::new("7.onnx")).count(), 1);
    }

    #[test]
    fn a_state_of_another_version_is_read_as_far_as_it_goes() {
        let state: State = serde_json::from_str(r#"{"theme":"dark","unknown":1}"#).unwrap();
        assert_eq!(state, State { theme: Theme::Dark, ..State::default() });
    }
}
