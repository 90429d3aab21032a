//! For scripts that drive the window with a real pointer: where every named widget is.
//!
//! Out: a text file with one line a widget, `left top right bottom role name` in pixels (`role:disabled` where it cannot
//! be used), written anew whenever the accessibility tree changes. Only where `POISDETC_WIDGET_MAP` names the file.

use egui::{Context, FullOutput, Plugin};
use std::path::PathBuf;

/// The variable that names the file.
const VARIABLE: &str = "POISDETC_WIDGET_MAP";

struct WidgetMap {
    file: PathBuf,
    written: String,
}

/// Turns the map on where it is asked for.
pub fn install(ctx: &Context) {
    if let Some(file) = std::env::var_os(VARIABLE) {
        ctx.enable_accesskit();
        ctx.add_plugin(WidgetMap { file: file.into(), written: String::new() });
    }
}

impl Plugin for WidgetMap {
    fn debug_name(&self) -> &'static str {
        "widget map"
    }

    fn output_hook(&mut self, ctx: &Context, output: &mut FullOutput) {
        let Some(tree) = &output.platform_output.accesskit_update else { return };
        let scale = f64::from(ctx.pixels_per_point());
        let mut lines: Vec<String> = tree
            .nodes
            .iter()
            .filter_map(|(_, node)| {
                let name = node.label().or_else(|| node.value())?;
                let r = node.bounds()?;
                let [left, top, right, bottom] = [r.x0, r.y0, r.x1, r.y1].map(|x| (x * scale).round());
                let (role, state) = (node.role(), if node.is_disabled() { ":disabled" } else { "" });
                Some(format!("{left} {top} {right} {bottom} {role:?}{state} {}", name.replace('\n', " ")))
            })
            .collect();
        lines.sort();
        let text = lines.join("\n") + "\n";
        if text != self.written {
            // Under another name first: a script must not read half of it.
            let unfinished = self.file.with_extension("part");
            let written = std::fs::write(&unfinished, &text).and_then(|()| std::fs::rename(&unfinished, &self.file));
            if let Err(why) = written {
                log::warn!("cannot write {}: {why}", self.file.display());
            }
            self.written = text;
        }
    }
}
