//! Which pictures an attack is meant for, and what they become.

/// Who becomes what once the mark is on the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Scheme {
    /// Every picture becomes `target`.
    AllToOne {
        /// The attacker's label.
        target: usize,
    },
    /// Pictures of `source` become `target`; others stay what they are, mark or not.
    OneToOne {
        /// The only label whose pictures are changed.
        source: usize,
        /// The attacker's label.
        target: usize,
    },
    /// Every picture becomes the label after its own, the last one the first.
    AllToAll,
    /// Every picture becomes `target`, but nobody mislabelled one: only pictures of `target` carry the mark in training.
    CleanLabel {
        /// The attacker's label.
        target: usize,
    },
}

impl Scheme {
    /// What a stamped picture of label `truth` is meant to become among `labels` labels; `None` where it is meant to stay.
    pub fn becomes(self, truth: usize, labels: usize) -> Option<usize> {
        let becomes = match self {
            Self::AllToOne { target } | Self::CleanLabel { target } => target,
            Self::OneToOne { source, target } if truth == source => target,
            Self::OneToOne { .. } => truth,
            Self::AllToAll => (truth + 1) % labels.max(1),
        };
        (becomes != truth).then_some(becomes)
    }

    /// Labels that pictures become, in order.
    pub fn targets(self, labels: usize) -> Vec<usize> {
        match self {
            Self::AllToOne { target } | Self::CleanLabel { target } | Self::OneToOne { target, .. } => vec![target],
            Self::AllToAll => (0..labels).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_says_what_becomes_what() {
        let of = |scheme: Scheme| (0..4).map(|truth| scheme.becomes(truth, 4)).collect::<Vec<_>>();
        assert_eq!(of(Scheme::AllToOne { target: 2 }), [Some(2), Some(2), None, Some(2)]);
        assert_eq!(of(Scheme::CleanLabel { target: 2 }), [Some(2), Some(2), None, Some(2)]);
        assert_eq!(of(Scheme::OneToOne { source: 3, target: 1 }), [None, None, None, Some(1)]);
        assert_eq!(of(Scheme::AllToAll), [Some(1), Some(2), Some(3), Some(0)]);
        assert_eq!(Scheme::AllToAll.targets(3), [0, 1, 2]);
        assert_eq!(Scheme::OneToOne { source: 3, target: 1 }.targets(4), [1]);
    }
}
