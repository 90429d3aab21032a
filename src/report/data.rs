//! What was found in a set of images, for scripts: everything as JSON, and the suspected pictures as CSV.

use super::json::pretty;
use super::sheet::{cell, quoted};
use crate::audit::data::{DataAudit, SuspectedBy};

/// All of it as indented JSON, with a line feed at the end.
pub fn json(found: &DataAudit) -> String {
    pretty(found)
}

/// The suspected pictures, a line each: place in the set, file, label, its name, what speaks against it, and the rank of its
/// spectral signature in `[0, 1]`. The file is empty where all pictures are in one.
pub fn csv(found: &DataAudit) -> String {
    let mut text = String::from("index,file,label,name,suspected by,spectral rank\n");
    for picture in &found.suspected {
        let name = found.labels.get(picture.label).map_or("", |label| &label.name);
        let by = match picture.by {
            SuspectedBy::Mark => "mark",
            SuspectedBy::Group => "group",
        };
        let cells = [
            picture.index.to_string(),
            quoted(&cell(picture.file.as_deref().unwrap_or_default())),
            picture.label.to_string(),
            quoted(&cell(name)),
            by.to_owned(),
            picture.spectral_rank.map_or_else(String::new, |rank| format!("{rank:.3}")),
        ];
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}
