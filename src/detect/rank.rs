//! The rank test that compares a suspect's losses with those of honest models.

use statrs::distribution::{ContinuousCDF, Normal};

/// Probability, in `[0, 1]`, that values as low as `low` beside `usual` come from the same source:
/// the one-sided Mann-Whitney test with the normal approximation, corrected for ties and continuity.
/// `None` where either side is empty.
pub fn lower_than(low: &[f32], usual: &[f32]) -> Option<f32> {
    let (n, m) = (low.len() as f64, usual.len() as f64);
    if low.is_empty() || usual.is_empty() {
        return None;
    }
    let mut all: Vec<(f32, bool)> = low.iter().map(|&v| (v, true)).chain(usual.iter().map(|&v| (v, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks_of_low, mut ties, mut start) = (0.0, 0.0, 0);
    while start < all.len() {
        let end = start + all[start..].iter().take_while(|v| v.0 == all[start].0).count();
        let (rank, t) = ((start + end + 1) as f64 / 2.0, (end - start) as f64);
        ranks_of_low += rank * all[start..end].iter().filter(|v| v.1).count() as f64;
        ties += t * t * t - t;
        start = end;
    }
    let u = ranks_of_low - n * (n + 1.0) / 2.0;
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    let z = (u + 0.5 - n * m / 2.0) / variance.sqrt();
    Some(Normal::standard().cdf(z) as f32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_agrees_with_scipy() {
        // scipy.stats.mannwhitneyu(a, b, alternative="less", method="asymptotic")
        let a = [0.01, 0.02, 0.02, 0.5, 0.03];
        let b = [0.02, 1.0, 2.0, 0.4, 3.0, 0.7, 0.9];
        let p = lower_than(&a, &b).unwrap();
        assert!((p - 0.016_747).abs() < 1e-5, "{p}");
        assert!(lower_than(&b, &a).unwrap() > 0.95);
        assert_eq!(lower_than(&[1.0; 4], &[1.0; 6]), Some(1.0));
        assert_eq!(lower_than(&[], &b), None);
    }
}
