//! The preprocessings people usually train with, simplest first.
//!
//! Sources of the constants: torchvision (ImageNet), the CIFAR-10, GTSRB and MNIST training scripts most
//! repositories share, Caffe's BGR means.

use super::ImageSet;
use crate::model::{ChannelOrder, Preprocessing};

/// Images the mean and standard deviation are measured on.
const MEASURED_ON: usize = 2_000;
/// Least standard deviation of a channel, so that images of one colour divide by no zero.
const LEAST_STD: f32 = 1.0 / 255.0;

/// `(name, mean, std)` of colour images in `[0, 1]`, RGB.
const COLOUR: [(&str, [f32; 3], [f32; 3]); 4] = [
    ("ImageNet", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ("CIFAR-10", [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
    ("CIFAR-10 (std 0.2)", [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
    ("GTSRB", [0.3403, 0.3121, 0.3214], [0.2724, 0.2608, 0.2669]),
];
/// `(name, mean, std)` of gray images in `[0, 1]`.
const GRAY: [(&str, f32, f32); 2] = [("MNIST", 0.1307, 0.3081), ("Fashion-MNIST", 0.2860, 0.3530)];
/// Means Caffe's ImageNet models subtract from 0 to 255, RGB.
const CAFFE: [f32; 3] = [123.68, 116.779, 103.939];

/// The usual preprocessings for models of `channels` channels, all in RGB order, simplest first.
/// `images` are those whose own mean and standard deviation are tried.
pub(super) fn usual(size: [usize; 2], channels: usize, images: &ImageSet) -> Vec<Preprocessing> {
    let make = |name: &str, scale: f32, mean: &[f32], std: &[f32]| Preprocessing {
        scale,
        mean: spread(mean, channels),
        std: spread(std, channels),
        name: name.into(),
        ..Preprocessing::unit(size, channels)
    };
    let (mean, std) = moments(images);
    let mut list = vec![
        make("0 to 1", 1.0, &[0.0], &[1.0]),
        make("-1 to 1", 1.0, &[0.5], &[0.5]),
        make("0 to 255", 255.0, &[0.0], &[1.0]),
        make("-0.5 to 0.5", 1.0, &[0.5], &[1.0]),
        make("-128 to 127", 255.0, &[128.0], &[1.0]),
    ];
    if channels == 1 {
        list.extend(GRAY.iter().map(|(name, mean, std)| make(name, 1.0, &[*mean], &[*std])));
    } else {
        list.extend(COLOUR.iter().map(|(name, mean, std)| make(name, 1.0, mean, std)));
        list.push(make("0 to 255 minus ImageNet mean (Caffe)", 255.0, &CAFFE, &[1.0]));
    }
    list.push(make("mean and std of these images", 1.0, &mean, &std));
    list.push(make("0 to 1 minus mean of these images", 1.0, &mean, &[1.0]));
    list
}

/// The same preprocessing for the other order of colour channels.
pub(super) fn other_order(p: &Preprocessing) -> Preprocessing {
    let order = match p.order {
        ChannelOrder::Rgb => ChannelOrder::Bgr,
        ChannelOrder::Bgr => ChannelOrder::Rgb,
    };
    Preprocessing { order, ..p.clone() }
}

/// One value for each channel, or the values as they are.
fn spread(values: &[f32], channels: usize) -> Vec<f32> {
    (0..channels).map(|c| values[c % values.len()]).collect()
}

/// Mean and standard deviation of each channel in `[0, 1]`, on an even selection.
fn moments(images: &ImageSet) -> (Vec<f32>, Vec<f32>) {
    let area = images.height * images.width;
    let step = images.len().div_ceil(MEASURED_ON).max(1);
    let (mut sum, mut squares) = (vec![0_u64; images.channels], vec![0_u64; images.channels]);
    let mut n = 0_u64;
    for i in (0..images.len()).step_by(step) {
        n += area as u64;
        for (c, plane) in images.image(i).chunks_exact(area.max(1)).enumerate() {
            sum[c] += plane.iter().map(|&b| u64::from(b)).sum::<u64>();
            squares[c] += plane.iter().map(|&b| u64::from(b).pow(2)).sum::<u64>();
        }
    }
    let n = n.max(1) as f64;
    let moments = sum.iter().zip(&squares).map(|(&s, &q)| {
        let mean = s as f64 / n;
        let variance = (q as f64 / n - mean * mean).max(0.0);
        ((mean / 255.0) as f32, ((variance.sqrt() / 255.0) as f32).max(LEAST_STD))
    });
    moments.unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_pixels(channels: usize) -> ImageSet {
        ImageSet {
            pixels: (0..channels).flat_map(|c| [0, 51 * (c as u8 + 1)]).collect(),
            channels,
            height: 1,
            width: 2,
            labels: vec![0],
            names: vec!["a".into()],
            skipped: vec![],
            files: vec![],
        }
    }

    #[test]
    fn the_moments_of_the_images_are_measured_for_each_channel() {
        let (mean, std) = moments(&two_pixels(3));
        for c in 0..3 {
            let expected = 0.1 * (c as f32 + 1.0);
            assert!((mean[c] - expected).abs() < 1e-6 && (std[c] - expected).abs() < 1e-6, "{mean:?} {std:?}");
        }
    }

    #[test]
    fn every_candidate_has_one_positive_std_a_channel_and_a_name_of_its_own() {
        for channels in [1, 3] {
            let list = usual([1, 2], channels, &two_pixels(channels));
            assert_eq!(list[0], Preprocessing::unit([1, 2], channels));
            let names: std::collections::BTreeSet<_> = list.iter().map(|p| &p.name).collect();
            assert_eq!(names.len(), list.len());
            for p in &list {
                assert_eq!((p.mean.len(), p.std.len()), (channels, channels));
                assert!(p.std.iter().all(|&s| s > 0.0));
            }
        }
    }
}
