//! An experiment as a folder that people can exchange: settings, trigger, both models, all pictures.
//!
//! ```text
//! settings.json     the order: all that is needed to make the rest again
//! trigger.png       the drawn trigger, with alpha, for `poisdetc lab poison --trigger`
//! model.onnx        the poisoned model        twin.onnx   its clean twin
//! training/…        clean pictures, one folder a label     test/…   clean pictures that are measured on
//! ```

use super::build::LabError;
use super::order::{LabOrder, Pictures};
use super::pair::Pair;
use crate::disk;
use crate::images::{self, ImageSet, Wanted};
use crate::model;
use crate::poison::Mark;
use crate::progress::Monitor;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SETTINGS: &str = "settings.json";
const TRIGGER: &str = "trigger.png";
const MODEL: &str = "model.onnx";
const TWIN: &str = "twin.onnx";
const TRAINING: &str = "training";
const TEST: &str = "test";
/// Longer files are no settings.
const LONGEST_SETTINGS: u64 = 64 << 20;

/// The settings file.
#[derive(Serialize, Deserialize)]
struct Settings {
    /// The program that wrote it.
    program: String,
    order: LabOrder,
    /// Names of all labels, those without a picture too.
    names: Vec<String>,
}

/// Writes the experiment into `folder`, which is made; other files there are left alone.
///
/// # Errors
/// [`LabError`], a sentence, where something cannot be written or somebody stops it.
pub fn save(pair: &Pair, folder: &Path, monitor: &Monitor) -> Result<(), LabError> {
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(at(&path))
    };
    let settings = Settings {
        program: format!("poisdetc {}", env!("CARGO_PKG_VERSION")),
        order: pair.order.clone(),
        names: pair.pictures.training.names.clone(),
    };
    let text = serde_json::to_string_pretty(&settings).map_err(|why| LabError::Order(why.to_string()))?;
    write(SETTINGS, (text + "\n").as_bytes())?;
    if let Mark::Drawn(drawn) = &pair.order.planted.mark {
        write(TRIGGER, &drawn.png())?;
    }
    let (poisoned, twin) = pair.onnx()?;
    write(MODEL, &poisoned)?;
    write(TWIN, &twin)?;
    write_pictures(&pair.pictures.training, &folder.join(TRAINING), &monitor.part(0.0, 0.85))?;
    write_pictures(&pair.pictures.test, &folder.join(TEST), &monitor.part(0.85, 1.0))
}

/// Writes `set` as PNG files, one folder a label, numbered in the order of the set.
///
/// # Errors
/// As [`save`].
pub fn write_pictures(set: &ImageSet, folder: &Path, monitor: &Monitor) -> Result<(), LabError> {
    let path = |label: usize| {
        let name: String =
            set.names[label].chars().map(|c| if c.is_alphanumeric() || " -_.".contains(c) { c } else { '_' }).collect();
        let digits = set.names.len().saturating_sub(1).to_string().len().max(2);
        folder.join(format!("{label:0digits$} {}", name.trim()))
    };
    for label in 0..set.names.len() {
        std::fs::create_dir_all(path(label)).map_err(at(folder))?;
    }
    for i in 0..set.len() {
        monitor.check()?;
        monitor.step("Writing pictures", i as f32 / set.len() as f32);
        let file = path(set.labels[i]).join(format!("{i:05}.png"));
        picture(set, i).save(&file).map_err(|why| LabError::Io { path: file, source: std::io::Error::other(why) })?;
    }
    Ok(())
}

/// Picture `i` of a set as colours or grays.
fn picture(set: &ImageSet, i: usize) -> image::DynamicImage {
    let (planes, area) = (set.image(i), set.height * set.width);
    let value = |x: u32, y: u32, c: usize| planes[c * area + y as usize * set.width + x as usize];
    let (width, height) = (set.width as u32, set.height as u32);
    if set.channels == 3 {
        image::RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| value(x, y, c)))).into()
    } else {
        image::GrayImage::from_fn(width, height, |x, y| image::Luma([value(x, y, 0)])).into()
    }
}

/// Opens an experiment that [`save`] wrote.
///
/// # Errors
/// [`LabError`], a sentence that names the file that is missing or broken.
pub fn open(folder: &Path, monitor: &Monitor) -> Result<Pair, LabError> {
    let path = folder.join(SETTINGS);
    let text = disk::read_text(&path, LONGEST_SETTINGS).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => LabError::Order(format!(
            "{} is no saved experiment: it has no {SETTINGS}; choose the folder that holds it",
            folder.display()
        )),
        _ => LabError::Io { path: path.clone(), source },
    })?;
    let settings: Settings = serde_json::from_str(&text)
        .map_err(|why| LabError::Order(format!("{} cannot be understood: {why}; save it again", path.display())))?;
    let training = read_pictures(&folder.join(TRAINING), &settings.names, &monitor.part(0.0, 0.8))?;
    let test = read_pictures(&folder.join(TEST), &settings.names, &monitor.part(0.8, 0.95))?;
    if (test.height, test.width, test.channels) != (training.height, training.width, training.channels) {
        return Err(LabError::Order(format!("the pictures in {} have different sizes", folder.display())));
    }
    let models = (model::open(&folder.join(MODEL))?, model::open(&folder.join(TWIN))?);
    if [&models.0, &models.1].iter().any(|model| model.classes != settings.names.len()) {
        return Err(LabError::Order(format!("the models in {} have other labels than its pictures", folder.display())));
    }
    super::build::possible(&settings.order.planted, settings.names.len())?;
    Pair::new(settings.order, Arc::new(Pictures { training, test }), models)
}

/// The pictures of a folder with the labels of `names`, in the order they were written.
fn read_pictures(folder: &Path, names: &[String], monitor: &Monitor) -> Result<ImageSet, LabError> {
    let wanted = Wanted::default();
    let mut set = images::open(folder, &wanted, monitor)?;
    if set.names.len() != names.len() {
        return Err(LabError::Order(format!(
            "{} has {} labels, the settings have {}",
            folder.display(),
            set.names.len(),
            names.len()
        )));
    }
    set.names = names.to_vec();
    Ok(set)
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> LabError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| LabError::Io { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{LabImages, Session};
    use super::*;
    use crate::train::Recipe;

    fn pair() -> Pair {
        let order = LabOrder { images: LabImages::Signs { training: 3 }, ..LabOrder::default() };
        let order = LabOrder { recipe: Recipe { epochs: 1, ..order.recipe.clone() }, ..order };
        let pictures = Arc::new(order.images.gather(order.recipe.seed, &Monitor::silent()).unwrap());
        let mut session = Session::new(order, pictures).unwrap();
        session.run(None, &Monitor::silent(), &|_| {}).unwrap();
        session.pair().unwrap()
    }

    /// Pictures by label and content, since a folder knows no other order.
    fn sorted(set: &ImageSet) -> Vec<(usize, Vec<u8>)> {
        let mut all: Vec<_> = (0..set.len()).map(|i| (set.labels[i], set.image(i).to_vec())).collect();
        all.sort();
        all
    }

    #[test]
    fn an_experiment_is_opened_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let (pair, monitor) = (pair(), Monitor::silent());
        save(&pair, folder.path(), &monitor).unwrap();
        let opened = open(folder.path(), &monitor).unwrap();
        assert_eq!(opened.order, pair.order);
        assert_eq!(sorted(&opened.pictures.test), sorted(&pair.pictures.test));
        assert_eq!(sorted(&opened.pictures.training), sorted(&pair.pictures.training));
        assert_eq!(opened.pictures.test.names, pair.pictures.test.names);
        for k in 0..2 {
            let of = |pair: &Pair| pair.measure(&pair.classifiers[k], &monitor).unwrap();
            assert_eq!(of(&opened), of(&pair));
        }
        let Mark::Drawn(drawn) = &pair.order.planted.mark else { panic!("the square is drawn") };
        assert_eq!(&crate::poison::Drawn::read(&folder.path().join(TRIGGER)).unwrap(), drawn);
    }

    #[test]
    fn a_folder_that_is_none_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(folder.path(), &Monitor::silent()).unwrap_err().to_string();
        assert!(error.contains("is no saved experiment"), "{error}");
        std::fs::write(folder.path().join(SETTINGS), "{}").unwrap();
        let error = open(folder.path(), &Monitor::silent()).unwrap_err().to_string();
        assert!(error.contains("cannot be understood"), "{error}");
    }
}
