//! How many labels of a model are looked at closely: compared with models known clean, and searched
//! for a trigger to the end.

/// A model of at most this many labels is examined at every label: fewer leave no outlier test.
const EXAMINE_ALL: usize = 16;
/// Of a larger one, so many labels are, unless the audit is thorough.
const STAND_OUT: usize = 12;

/// Labels of `classes` that are looked at closely.
pub(super) fn looked_at_closely(classes: usize, thorough: bool) -> usize {
    if thorough || classes <= EXAMINE_ALL { classes } else { STAND_OUT }
}
