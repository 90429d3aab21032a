//! The outlier test among the labels of a model: how far below the others a trigger's size lies, and how often an honest
//! label would lie as far.
//!
//! In: the logarithms of the sizes that a model's labels need, and how far those of honest models are spread. Out: for
//! each label its index (as in Neural Cleanse: deviations below the median) and a p-value.
//! Ten labels give a poor deviation: by chance it comes out at a third of what it is, and an honest label becomes an
//! outlier, or at twice, and a planted trigger none. So it is moderated with that of models known clean (Smyth,
//! "Linear models and empirical Bayes methods", 2004), and never smaller than theirs.

use super::neural_cleanse::{FEWEST_LABELS, deviation, median};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How far the logarithms of sizes are spread over the labels of models known clean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Their standard deviation.
    pub deviation: f32,
    /// So many labels of the model in hand weigh as much.
    pub weight: f32,
}

impl Spread {
    /// Of patches: 205 labels that nobody attacked, of 14 models (docs/verdict.md).
    pub const PATCH: Self = Self { deviation: 0.26, weight: 10.0 };
    /// Of blends: 174 labels of 15 models.
    pub const BLEND: Self = Self { deviation: 0.15, weight: 10.0 };
    /// Of warps, where also those count that turn too few pictures: eleven models, more than was seen.
    pub const WARP: Self = Self { deviation: 0.3, weight: 10.0 };
    /// Of filters: most labels are not reached and count as 1, and of ten honest models the nearest came to 0.2.
    pub const FILTER: Self = Self { deviation: 0.8, weight: 10.0 };
    /// Of the largest margins.
    pub const MARGIN: Self = Self { deviation: 0.25, weight: 10.0 };
}

/// Where a label lies among all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlier {
    /// Deviations below the median (positive) or above (negative).
    pub index: f32,
    /// Probability that an honest label lies as far below, for this label alone, in `[0, 1]`.
    pub p: f32,
}

impl Outlier {
    /// Probability that any of `labels` honest labels lies as far below, in `[0, 1]` (Bonferroni).
    pub fn p_of_any(&self, labels: usize) -> f32 {
        (self.p * labels as f32).min(1.0)
    }
}

/// Each of the `logarithms` among all of them; `None` where there are too few.
pub fn outliers(logarithms: &[f32], honest: Spread) -> Vec<Option<Outlier>> {
    let n = logarithms.len();
    if n < FEWEST_LABELS {
        return vec![None; n];
    }
    let middle = median(logarithms);
    let own = deviation(logarithms, middle);
    let variance = (honest.weight * honest.deviation.powi(2) + n as f32 * own.powi(2)) / (honest.weight + n as f32);
    let deviation = variance.sqrt().max(honest.deviation);
    let freedom = f64::from(honest.weight) + n as f64 - 1.0;
    let student = StudentsT::new(0.0, 1.0, freedom).ok();
    let of = |logarithm: &f32| {
        let index = (middle - logarithm) / deviation;
        student.map(|student| Outlier { index, p: student.sf(f64::from(index)) as f32 })
    };
    logarithms.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn logarithms(sizes: &[f32]) -> Vec<f32> {
        sizes.iter().map(|s| s.ln()).collect()
    }

    #[test]
    fn labels_that_are_all_alike_make_no_outlier_of_one_that_is_hardly_smaller() {
        // A clean MNIST model; its own deviation is 0.06.
        let sizes = [9.3, 10.1, 11.0, 11.3, 11.4, 11.5, 11.6, 11.8, 12.0, 12.3];
        let found = outliers(&logarithms(&sizes), Spread::PATCH);
        assert!(found[0].unwrap().index < 1.0 && found[0].unwrap().p > 0.2, "{:?}", found[0]);
    }

    #[test]
    fn a_trigger_far_below_labels_that_differ_much_is_still_one() {
        let sizes = [0.3, 3.2, 3.9, 4.5, 5.5, 6.1, 6.7, 7.9, 9.0, 11.0, 12.0, 14.0];
        let found = outliers(&logarithms(&sizes), Spread::PATCH);
        assert!(found[0].unwrap().p * 12.0 < 1e-3, "{:?}", found[0]);
        assert!(found[1..].iter().flatten().all(|other| other.p * 12.0 > 0.3));
    }

    #[test]
    fn p_is_that_of_students_distribution() {
        // scipy.stats.t.sf(2, 21) of twelve labels, ten labels' worth of honest models.
        let mut sizes = vec![0.0_f32; 11];
        sizes.push(-2.0 * Spread::PATCH.deviation);
        let found = outliers(&sizes, Spread::PATCH)[11].unwrap();
        assert!((found.index - 2.0).abs() < 1e-5 && (found.p - 0.029_304).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn few_labels_say_nothing() {
        assert_eq!(outliers(&[1.0, 2.0, 3.0], Spread::PATCH), vec![None; 3]);
    }
}
