//! The one check every reader makes of the numbers in a file: each weight is a number.

use super::ModelError;

/// Refuses a parameter that holds NaN or an infinite value, by name.
///
/// # Errors
/// [`ModelError::BadNumbers`] naming the parameter.
pub(super) fn check_finite(parameter: &str, values: &[f32]) -> Result<(), ModelError> {
    let Some(bad) = values.iter().find(|v| !v.is_finite()) else { return Ok(()) };
    let what = if bad.is_nan() { "NaN" } else { "an infinite value" };
    Err(ModelError::BadNumbers { parameter: parameter.into(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_pass_and_the_first_that_is_none_is_named() {
        assert!(check_finite("w", &[0.0, -1.0, f32::MAX, f32::MIN_POSITIVE]).is_ok());
        let text = |v: f32| check_finite("conv1/kernel:0", &[0.0, v]).map_err(|e| e.to_string());
        assert!(text(f32::NAN).is_err_and(|t| t.contains("\"conv1/kernel:0\"") && t.contains("NaN")));
        assert!(text(f32::NEG_INFINITY).is_err_and(|t| t.contains("infinite")));
    }
}
