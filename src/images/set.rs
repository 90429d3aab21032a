//! A set of clean images of one size, with labels.

use super::picture::Picture;
use crate::model::hexadecimal;
use crate::progress::{Monitor, Stopped};
use crate::tensor::Seed;
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// Images as bytes, planar RGB or gray: image `i` is `pixels[i * c*h*w ..]`, channel after channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// `[n, channels, height, width]`, row-major.
    pub pixels: Vec<u8>,
    /// 1 or 3.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Label of each image, `0..names.len()`.
    pub labels: Vec<usize>,
    /// Name of each label.
    pub names: Vec<String>,
    /// Pictures that could not be read, `file: why`; the rest is used.
    pub skipped: Vec<String>,
    /// Where each image is a file of its own, its name below the folder; else empty.
    pub files: Vec<String>,
}

/// Images the search may see, and images held back from it.
#[derive(Debug, Clone)]
pub struct Split {
    /// For searching and training.
    pub search: ImageSet,
    /// For confirming.
    pub held_out: ImageSet,
}

impl Split {
    /// SHA-256 of all pixels and labels in their order, in lower-case hexadecimal: tells image sets apart.
    pub fn sha256(&self) -> String {
        hash(&[&self.search, &self.held_out])
    }
}

/// SHA-256 of all pixels and labels in their order, in lower-case hexadecimal.
fn hash(sets: &[&ImageSet]) -> String {
    let mut digest = Sha256::new();
    for images in sets {
        for number in [images.len(), images.channels, images.height, images.width].iter().chain(&images.labels) {
            digest.update((*number as u64).to_le_bytes());
        }
        digest.update(&images.pixels);
    }
    hexadecimal(&digest.finalize())
}

impl ImageSet {
    /// No image of this shape.
    pub fn empty(channels: usize, [height, width]: [usize; 2]) -> Self {
        let (pixels, labels, names) = (Vec::new(), Vec::new(), Vec::new());
        Self { pixels, channels, height, width, labels, names, skipped: Vec::new(), files: Vec::new() }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// As [`Split::sha256`], of these images alone.
    pub fn sha256(&self) -> String {
        hash(&[self])
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes of image `i`, `[channels, height, width]`.
    pub fn image(&self, i: usize) -> &[u8] {
        let size = self.channels * self.height * self.width;
        &self.pixels[i * size..(i + 1) * size]
    }

    /// Labels `[indices.len()]`, as a loss wants them.
    ///
    /// # Errors
    /// Where the device cannot hold them.
    pub fn truth(&self, indices: &[usize], device: &Device) -> Result<Tensor> {
        let labels: Vec<u32> = indices.iter().map(|&i| self.labels[i] as u32).collect();
        Tensor::from_vec(labels, indices.len(), device)
    }

    /// Pixels `[indices.len(), channels, height, width]` in `[0, 1]`.
    ///
    /// # Errors
    /// Where the device cannot hold them.
    pub fn tensor(&self, indices: &[usize], device: &Device) -> Result<Tensor> {
        let mut values = Vec::with_capacity(indices.len() * self.channels * self.height * self.width);
        for &i in indices {
            values.extend(self.image(i).iter().map(|&b| f32::from(b) / 255.0));
        }
        Tensor::from_vec(values, (indices.len(), self.channels, self.height, self.width), device)
    }

    /// The images at `indices`, in that order.
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            pixels: indices.iter().flat_map(|&i| self.image(i)).copied().collect(),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            names: self.names.clone(),
            skipped: Vec::new(),
            files: indices.iter().filter_map(|&i| self.files.get(i).cloned()).collect(),
            ..*self
        }
    }

    /// `[label] -> indices` of its images.
    pub fn by_label(&self) -> Vec<Vec<usize>> {
        let mut lists = vec![Vec::new(); self.names.len()];
        for (i, &label) in self.labels.iter().enumerate() {
            lists[label].push(i);
        }
        lists
    }

    /// Every label split alike: `held_out` of its images (at least one where it has two) are kept back.
    pub fn split(&self, held_out: f32, seed: Seed) -> Split {
        let mut random = seed.of("split").random();
        let (mut keep, mut back) = (Vec::new(), Vec::new());
        for mut list in self.by_label() {
            random.shuffle(&mut list);
            let n = list.len();
            let k = if n < 2 { 0 } else { ((n as f32 * held_out).round() as usize).clamp(1, n - 1) };
            back.extend_from_slice(&list[..k]);
            keep.extend_from_slice(&list[k..]);
        }
        keep.sort_unstable();
        back.sort_unstable();
        Split { search: self.subset(&keep), held_out: self.subset(&back) }
    }

    /// At most `n` images, labels as even as they can be.
    pub fn sample(&self, n: usize, seed: Seed) -> Self {
        if n >= self.len() {
            return self.clone();
        }
        let mut random = seed.of("sample").random();
        let mut lists = self.by_label();
        for list in &mut lists {
            random.shuffle(list);
        }
        let mut chosen = Vec::with_capacity(n);
        let mut round = 0;
        while chosen.len() < n {
            for list in &lists {
                if chosen.len() < n && round < list.len() {
                    chosen.push(list[round]);
                }
            }
            round += 1;
        }
        chosen.sort_unstable();
        self.subset(&chosen)
    }

    /// The same images at another height and width (triangle filter, antialiased when shrinking).
    pub fn resized(&self, size: [usize; 2]) -> Self {
        // Nobody else holds this monitor, so nobody can stop it.
        self.converted(self.channels, size, &Monitor::silent()).unwrap_or_else(|Stopped| self.clone())
    }

    /// The same images in gray (`n == 1`, luma) or RGB (`n == 3`, gray repeated).
    pub fn with_channels(&self, n: usize) -> Self {
        let size = [self.height, self.width];
        self.converted(n, size, &Monitor::silent()).unwrap_or_else(|Stopped| self.clone())
    }

    /// Both at once, in parallel, and it can be stopped.
    pub(super) fn converted(
        &self,
        channels: usize,
        size: [usize; 2],
        monitor: &Monitor,
    ) -> std::result::Result<Self, Stopped> {
        let (from, to) = ([self.height, self.width], if channels == 1 { 1 } else { 3 });
        if (to, size) == (self.channels, from) {
            return Ok(self.clone());
        }
        let bytes = to * size[0] * size[1];
        let mut pixels = vec![0; self.len() * bytes];
        pixels.par_chunks_mut(bytes.max(1)).enumerate().try_for_each(|(i, out)| {
            monitor.check()?;
            let picture = Picture::from_planar(self.image(i), self.channels, from);
            // Resizing fewer channels is cheaper, and PIL users convert before they resize.
            picture.with_channels(to).resized(size).write_planar(out);
            Ok(())
        })?;
        Ok(Self {
            pixels,
            channels: to,
            height: size[0],
            width: size[1],
            labels: self.labels.clone(),
            names: self.names.clone(),
            skipped: self.skipped.clone(),
            files: self.files.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(n: usize) -> ImageSet {
        ImageSet {
            pixels: (0..n * 16).map(|i| (i % 251) as u8).collect(),
            channels: 1,
            height: 4,
            width: 4,
            labels: (0..n).map(|i| i % 3).collect(),
            names: vec!["a".into(), "b".into(), "c".into()],
            skipped: vec!["x.png: is empty".into()],
            files: (0..n).map(|i| format!("{i}.png")).collect(),
        }
    }

    #[test]
    fn another_pixel_or_label_or_split_is_another_set() {
        let split = gray(9).split(0.4, Seed(1));
        let own = split.sha256();
        assert_eq!((own.len(), &own), (64, &gray(9).split(0.4, Seed(1)).sha256()));
        let mut pixel = split.clone();
        pixel.held_out.pixels[3] ^= 1;
        let mut label = split.clone();
        label.search.labels.swap(0, 1);
        for other in [pixel, label, gray(9).split(0.4, Seed(2)), gray(10).split(0.4, Seed(1))] {
            assert_ne!(other.sha256(), own);
        }
    }

    #[test]
    fn images_change_size_and_channels_and_keep_their_labels() {
        let set = gray(7);
        let rgb = set.with_channels(3);
        assert_eq!((rgb.channels, rgb.pixels.len()), (3, 7 * 48));
        assert_eq!(rgb.image(2)[..16], rgb.image(2)[32..]);
        assert_eq!(rgb.with_channels(1), set);
        let big = set.resized([8, 6]);
        assert_eq!((big.height, big.width, big.pixels.len()), (8, 6, 7 * 48));
        assert_eq!((&big.labels, &big.names, &big.skipped), (&set.labels, &set.names, &set.skipped));
    }

    #[test]
    fn a_picture_keeps_the_name_of_its_file() {
        let set = gray(7);
        assert_eq!(set.subset(&[5, 2]).resized([8, 6]).files, ["5.png", "2.png"]);
        let unnamed = ImageSet { files: Vec::new(), ..set };
        assert!(unnamed.subset(&[5, 2]).files.is_empty());
    }

    #[test]
    fn conversion_stops_when_asked() {
        let monitor = Monitor::silent();
        monitor.stop();
        assert_eq!(gray(3).converted(3, [4, 4], &monitor).err(), Some(Stopped));
    }

    #[test]
    fn a_sample_is_even_over_the_labels() {
        let sample = gray(100).sample(9, Seed(1));
        assert!(sample.by_label().iter().all(|l| l.len() == 3));
    }
}
