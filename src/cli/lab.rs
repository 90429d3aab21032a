//! `poisdetc lab`: signs, poisoned models and whole zoos with a known truth.

use super::exit::Exit;
use super::lab_arguments::{LabArguments, Make, PoisonArguments, SignsArguments, ZooArguments};
use super::terminal;
use super::watch::watch_steps;
use crate::images::{self, ImageSet, Wanted};
use crate::poison::lab::{self, LabError, ZooPlan};
use crate::poison::signs;
use crate::progress::Monitor;
use crate::report::{words, write_whole};
use crate::tensor::Seed;
use crate::train::Recipe;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Share of the images a poisoned model is measured on.
const HELD_OUT: f32 = 0.2;

/// Does what was typed.
///
/// # Errors
/// One sentence.
pub fn run(arguments: LabArguments) -> Result<Exit> {
    match arguments.make {
        Make::Poison(order) => poison(order),
        Make::Zoo(order) => zoo(order),
        Make::Signs(order) => draw(&order),
    }
}

fn poison(order: PoisonArguments) -> Result<Exit> {
    if !(order.rate > 0.0 && order.rate < 1.0) {
        bail!("the share of stamped images must lie between 0 and 1, not {}", order.rate);
    }
    let folder = order.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("there is no folder {} to write the model to", folder.display());
    }
    let (out, quiet, planted) = (order.out.clone(), order.quiet, order.planted()?);
    let Some(built) = made(quiet, move |monitor| {
        let split = read(&order.images, monitor)?.split(HELD_OUT, Seed(order.seed));
        let recipe = Recipe {
            architecture: order.arch.into(),
            epochs: order.epochs as usize, // at most 1000, which clap saw to
            batch: 32,
            learning_rate: 4e-3,
            // Marks are stamped before a picture would be changed again, and faint ones would be lost.
            augment: false,
            held_out: 0.0,
            seed: Seed(order.seed),
        };
        lab::build(&split.search, &split.held_out, &planted, &recipe, &monitor.part(0.05, 1.0))
    })?
    else {
        return Ok(Exit::Stopped);
    };
    write_whole(&out, &built.onnx()?)?;
    if !quiet {
        let mut facts = vec![("Clean accuracy", words::percent(built.accuracy))];
        facts.extend(built.success.iter().map(|&asr| ("The mark works on", words::percent(asr))));
        let file = terminal::harmless(&out.display().to_string());
        terminal::print(&format!("The model is in {file}\n{}", terminal::facts(facts)))?;
    }
    Ok(Exit::Finished)
}

fn zoo(order: ZooArguments) -> Result<Exit> {
    let (quiet, folder) = (order.quiet, order.out.clone());
    let plan = ZooPlan { models: order.models as usize, attacks: order.attacks, seed: Seed(order.seed) };
    let Some(entries) = made(quiet, move |monitor| {
        let images = read(&order.images, monitor)?;
        lab::write(&images, &plan, &order.out, &monitor.part(0.01, 1.0))
    })?
    else {
        return Ok(Exit::Stopped);
    };
    if !quiet {
        let folder = terminal::harmless(&folder.display().to_string());
        let models = words::counted(entries.len(), "model", "models");
        terminal::print(&format!("{models} and manifest.json are in {folder}\n"))?;
    }
    Ok(Exit::Finished)
}

/// Runs `work` behind a progress line; `None` where it was stopped.
fn made<T: Send + 'static>(
    quiet: bool,
    work: impl FnOnce(&Monitor) -> Result<T, LabError> + Send + 'static,
) -> Result<Option<T>> {
    match watch_steps(quiet, work)? {
        Err(why) if why.is_stop() => {
            terminal::remark("Stopped");
            Ok(None)
        }
        done => Ok(Some(done?)),
    }
}

fn read(path: &Path, monitor: &Monitor) -> Result<ImageSet, LabError> {
    monitor.step("Reading the images", 0.0);
    Ok(images::open(path, &Wanted::default(), &monitor.with_listener(|_| {}))?)
}

fn draw(order: &SignsArguments) -> Result<Exit> {
    let set = signs::sign_set(order.count as usize, Seed(order.seed));
    for i in 0..set.len() {
        let label = set.labels[i];
        let folder = order.out.join(format!("{label:02} {}", set.names[label]));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let path = folder.join(format!("{:05}.png", i / set.names.len()));
        picture(&set, i).save(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let folder = terminal::harmless(&order.out.display().to_string());
    terminal::print(&format!("{} are in {folder}\n", words::counted(set.len(), "sign", "signs")))?;
    Ok(Exit::Finished)
}

/// Picture `i` of a set in colours.
fn picture(set: &ImageSet, i: usize) -> image::RgbImage {
    let (planes, area) = (set.image(i), set.height * set.width);
    image::RgbImage::from_fn(set.width as u32, set.height as u32, |x, y| {
        let at = y as usize * set.width + x as usize;
        image::Rgb([0, 1, 2].map(|c| planes[c * area + at]))
    })
}
