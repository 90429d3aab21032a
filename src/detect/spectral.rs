//! Spectral signatures (Tran, Li, Madry, "Spectral Signatures in Backdoor Attacks", NeurIPS 2018): poisoned pictures lie far
//! out along the one direction in which the features of their label vary most.
//!
//! In: the last features of the pictures of one label. Out: a score a picture, the square of how far it lies out along that
//! direction. The paper takes out the highest scores, 1.5 times as many as an attacker is thought to have planted, of every
//! label; how many that is nobody knows here, so that scores only rank pictures. Never decides.

use super::DetectError;
use crate::progress::Monitor;
use crate::tensor::Principal;

/// Scores of pictures with features `rows` `[n][d]`, not negative, in their order.
///
/// # Errors
/// [`DetectError::Stopped`] on a request to stop.
pub fn scores(rows: &[Vec<f32>], monitor: &Monitor) -> Result<Vec<f32>, DetectError> {
    let principal = Principal::of(rows, 1, monitor)?;
    Ok(rows.iter().map(|row| principal.along(row).first().map_or(0.0, |along| along * along)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;

    #[test]
    fn few_points_far_out_have_the_highest_scores() {
        let mut random = Seed(3).random();
        let mut row = |at: f32| (0..16).map(|k| random.normal() + if k < 4 { at } else { 0.0 }).collect::<Vec<_>>();
        let rows: Vec<_> = (0..100).map(|i| row(if i % 10 == 0 { 6.0 } else { 0.0 })).collect();
        let scores = scores(&rows, &Monitor::silent()).unwrap();
        let mut order: Vec<usize> = (0..100).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        assert!(order[..10].iter().all(|i| i % 10 == 0), "{:?}", &order[..10]);
    }

    #[test]
    fn pictures_that_do_not_differ_have_none() {
        assert_eq!(scores(&vec![vec![2.0, 1.0]; 3], &Monitor::silent()).unwrap(), [0.0; 3]);
    }
}
