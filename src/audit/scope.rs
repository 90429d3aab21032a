//! How many labels of a model are looked at closely: compared with models known clean, and searched
//! for a trigger to the end; and which pairs of labels were.

/// A model of at most this many labels is examined at every label: fewer leave no outlier test.
const EXAMINE_ALL: usize = 16;
/// Of a larger one, so many labels are, unless the audit is thorough.
const STAND_OUT: usize = 12;

/// Labels of `classes` that are looked at closely.
pub(super) fn looked_at_closely(classes: usize, thorough: bool) -> usize {
    if thorough || classes <= EXAMINE_ALL { classes } else { STAND_OUT }
}

/// Searches that were left before their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct EndedEarly {
    /// Because another label was far ahead.
    pub(super) behind: usize,
    /// Because no label could be accused any more.
    pub(super) level: usize,
}

impl std::ops::AddAssign for EndedEarly {
    fn add_assign(&mut self, more: Self) {
        self.behind += more.behind;
        self.level += more.level;
    }
}

/// Whether pairs of labels were searched for marks that work on one label only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairsExamined {
    /// The audit did not come so far.
    No,
    /// A mark that works on every picture was confirmed before.
    NotNeeded,
    /// One mark that sends each label to another was confirmed before.
    AllToAll,
    /// No label has enough pictures for them.
    TooFewPictures {
        /// A label needs so many.
        fewest: usize,
    },
    /// There are too many for such an audit.
    TooMany {
        /// Their number.
        pairs: usize,
        /// Whether even a thorough audit left them out.
        thorough: bool,
    },
    /// So many, of every label with enough pictures.
    All {
        /// Their number.
        pairs: usize,
    },
}
