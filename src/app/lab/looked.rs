//! What was seen inside both networks, ready to be drawn.

use crate::poison::lab::why::{Attention, Confusion, Features, attention, confusion, features};
use crate::poison::lab::{LabError, Pair, Watched};
use crate::poison::stamped;
use crate::progress::Monitor;
use std::sync::Arc;

/// Where both networks look on one of the watched pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The poisoned network: clean picture, marked picture.
    pub poisoned: [Attention; 2],
    /// The twin: clean picture, marked picture.
    pub twin: [Attention; 2],
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The pictures.
    pub watched: Arc<Watched>,
    /// One a watched picture.
    pub looks: Vec<Look>,
    /// The last features of the poisoned network.
    pub features: Features,
    /// Those of its twin.
    pub twin_features: Features,
    /// The poisoned network on clean pictures.
    pub clean: Confusion,
    /// The poisoned network on pictures with the mark, by their true labels.
    pub marked: Confusion,
    /// Names of the labels.
    pub names: Vec<String>,
    /// The attacker's label.
    pub target: usize,
}

impl Looked {
    /// Looks into both networks of a pair.
    ///
    /// # Errors
    /// [`LabError`], a sentence, or on a request to stop.
    pub fn into_pair(pair: &Pair, monitor: &Monitor) -> Result<Self, LabError> {
        let watched = pair.watched();
        let test = &pair.pictures.test;
        let planted = &pair.order.planted;
        // Only the pictures are wanted: with the mark, and with their true labels.
        let mut marked = stamped(test, planted.mark.attack(), planted.scheme);
        let meant = |label: &usize| planted.scheme.becomes(*label, test.names.len()).is_some();
        marked.labels = test.labels.iter().copied().filter(meant).collect();
        let [poisoned, twin] = &pair.classifiers;
        let count = watched.clean.len();
        let mut looks = Vec::with_capacity(count);
        for i in 0..count {
            monitor.step("Looking where the networks look", 0.7 * i as f32 / count.max(1) as f32);
            let quiet = monitor.with_listener(|_| {});
            let look = |network| -> Result<[Attention; 2], LabError> {
                Ok([attention(network, &watched.clean, i, &quiet)?, attention(network, &watched.marked, i, &quiet)?])
            };
            looks.push(Look { poisoned: look(poisoned)?, twin: look(twin)? });
        }
        monitor.step("Sorting pictures by features", 0.75);
        Ok(Self {
            features: features(poisoned, test, &marked, monitor)?,
            twin_features: features(twin, test, &marked, monitor)?,
            clean: confusion(poisoned, test, &monitor.part(0.85, 0.92))?,
            marked: confusion(poisoned, &marked, &monitor.part(0.92, 1.0))?,
            names: test.names.clone(),
            target: planted.scheme.targets(test.names.len()).first().copied().unwrap_or(0),
            watched: Arc::new(watched),
            looks,
        })
    }
}
