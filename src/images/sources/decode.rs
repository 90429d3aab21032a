//! Decodes a list of picture files in parallel into a set of one size.

use super::{MAX_SET_BYTES, Wanted, folder};
use crate::images::picture::{self, Form};
use crate::images::{ImageError, ImageSet};
use crate::progress::{Monitor, Stopped};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Headers that are read to see what most pictures are like.
const SURVEYED: usize = 2_000;
/// Longer side where the model takes any size: nothing larger is tried anyway.
const LONGEST_UNASKED: usize = 512;

/// A picture file and its label.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Its name for people.
    pub shown: String,
    /// Its label.
    pub label: usize,
}

/// Pictures to be decoded.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    /// Where they are from, for errors.
    pub from: PathBuf,
    /// Nothing outside this folder is opened; has no links in it.
    pub root: PathBuf,
    /// The files.
    pub pictures: Vec<Listed>,
    /// Name of each label.
    pub names: Vec<String>,
    /// What was already refused.
    pub skipped: Vec<String>,
}

/// Decodes all pictures of a list.
///
/// # Errors
/// Where none can be read, or somebody stops the work.
pub(super) fn decode(mut listing: Listing, wanted: &Wanted, monitor: &Monitor) -> Result<ImageSet, ImageError> {
    let usual = match (wanted.channels, wanted.size) {
        (Some(channels), Some(size)) => Form { channels, size },
        (channels, size) => {
            let usual = survey(&listing, monitor)?;
            Form { channels: channels.unwrap_or(usual.channels), size: size.unwrap_or(usual.size) }
        }
    };
    let (channels, size) = (if usual.channels == 1 { 1 } else { 3 }, usual.size);
    let bytes = channels * size[0] * size[1];
    thin(&mut listing, bytes);

    let n = listing.pictures.len();
    let mut pixels = vec![0_u8; n * bytes];
    let (done, every) = (AtomicUsize::new(0), (n / 200).max(1));
    let outcomes: Vec<Result<(), String>> = pixels
        .par_chunks_mut(bytes.max(1))
        .zip(&listing.pictures)
        .map(|(out, listed)| {
            monitor.check()?;
            let outcome = folder::resolve(&listed.path, &listing.root).and_then(|real| {
                let picture = picture::decode(&real)?;
                picture.with_channels(channels).resized(size).write_planar(out);
                Ok(())
            });
            let so_far = done.fetch_add(1, Ordering::Relaxed) + 1;
            if so_far % every == 0 {
                monitor.step("Reading images", so_far as f32 / n as f32);
            }
            Ok(outcome)
        })
        .collect::<Result<_, Stopped>>()?;

    let (mut labels, mut files) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for (i, (listed, outcome)) in listing.pictures.into_iter().zip(outcomes).enumerate() {
        match outcome {
            Ok(()) => {
                pixels.copy_within(i * bytes..(i + 1) * bytes, labels.len() * bytes);
                labels.push(listed.label);
                files.push(listed.shown);
            }
            Err(why) => listing.skipped.push(format!("{}: {why}", listed.shown)),
        }
    }
    pixels.truncate(labels.len() * bytes);
    if labels.is_empty() {
        return Err(nothing_readable(&listing.from, &listing.skipped));
    }
    let [height, width] = size;
    let (names, skipped) = (listing.names, listing.skipped);
    Ok(ImageSet { pixels, channels, height, width, labels, names, skipped, files })
}

fn nothing_readable(from: &Path, skipped: &[String]) -> ImageError {
    let first = skipped.first().map_or("", String::as_str);
    ImageError::not_images(from, format!("none of its {} pictures can be read (the first: {first})", skipped.len()))
}

/// What most of the pictures are like, by the headers of an even selection.
fn survey(listing: &Listing, monitor: &Monitor) -> Result<Form, ImageError> {
    monitor.step("Looking at the pictures", None);
    let every = listing.pictures.len().div_ceil(SURVEYED).max(1);
    let forms: Vec<Option<Form>> = listing
        .pictures
        .par_iter()
        .step_by(every)
        .map(|listed| {
            monitor.check()?;
            Ok(folder::resolve(&listed.path, &listing.root).and_then(|p| picture::form(&p)).ok())
        })
        .collect::<Result<_, Stopped>>()?;
    let mut sizes = HashMap::new();
    let mut colour = 0_usize;
    let readable = forms.iter().flatten().count();
    for form in forms.iter().flatten() {
        *sizes.entry(form.size).or_insert(0_usize) += 1;
        colour += usize::from(form.channels == 3);
    }
    // The largest of equally frequent sizes, so that the answer does not depend on the order of a map.
    let most = sizes.into_iter().max_by_key(|&(size, count)| (count, size)).map(|(size, _)| size);
    let Some([height, width]) = most else {
        // Let the decoder say what is wrong with each.
        return Ok(Form { channels: 3, size: [1, 1] });
    };
    let shrink = (LONGEST_UNASKED as f32 / height.max(width) as f32).min(1.0);
    let scaled = |side: usize| ((side as f32 * shrink).round() as usize).max(1);
    Ok(Form { channels: if colour * 2 >= readable { 3 } else { 1 }, size: [scaled(height), scaled(width)] })
}

/// Leaves out pictures beyond the memory budget, labels as even as they can be.
fn thin(listing: &mut Listing, bytes: usize) {
    let labels: Vec<usize> = listing.pictures.iter().map(|p| p.label).collect();
    let Some(kept) = within_budget(&labels, bytes, MAX_SET_BYTES) else { return };
    let left_out = labels.len() - kept.len();
    listing.skipped.push(left_out_note(left_out, kept.len()));
    listing.pictures = kept.iter().map(|&i| listing.pictures[i].clone()).collect();
}

/// The line about images that were left out.
pub(super) fn left_out_note(left_out: usize, kept: usize) -> String {
    format!("{left_out} images: left out, since the other {kept} fill the memory meant for them")
}

/// Indices of the images that fit `budget` bytes, labels as even as they can be; `None` where all do.
pub(super) fn within_budget(labels: &[usize], bytes: usize, budget: u64) -> Option<Vec<usize>> {
    let fit = (budget / bytes.max(1) as u64).max(1) as usize;
    if labels.len() <= fit {
        return None;
    }
    // Rank of each image among those of its label; low ranks first.
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut ranked: Vec<(usize, usize)> = labels
        .iter()
        .enumerate()
        .map(|(i, &label)| {
            let rank = seen.entry(label).or_insert(0);
            *rank += 1;
            (*rank, i)
        })
        .collect();
    ranked.sort_unstable();
    let mut kept: Vec<usize> = ranked[..fit].iter().map(|&(_, i)| i).collect();
    kept.sort_unstable();
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_keeps_labels_even() {
        assert_eq!(within_budget(&[0, 0, 0, 1], 10, 40), None);
        assert_eq!(within_budget(&[0, 0, 0, 1, 2], 10, 30), Some(vec![0, 3, 4]));
    }
}
