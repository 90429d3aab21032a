//! One model: its truth beside what was said of it.

use super::Entry;
use crate::audit::{Audit, LabelFindings, Verdict};
use crate::detect::TriggerEvidence;
use serde::{Deserialize, Serialize};

/// The published rule of Neural Cleanse: an anomaly index above this.
const NEURAL_CLEANSE: f32 = 2.0;
/// That of MM-BD: a p-value of at most this.
const MAX_MARGIN: f32 = 0.05;
/// BTI-DBF and BAN have none, since they only name a label: this share of the pictures.
const GATHERED: f32 = 0.8;

/// What one detector says of a model when it is asked alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    /// Its name.
    pub name: String,
    /// Whether it calls the model infected by its published rule.
    pub flags: bool,
    /// The larger, the more suspicious; finite.
    pub score: f32,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The model's file without folder and ending.
    pub model: String,
    /// As the manifest says it.
    pub truth: String,
    /// Whether it is infected; `None` where the truth is not known.
    pub infected: Option<bool>,
    /// Labels that pictures become.
    pub targets: Vec<usize>,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The verdict; `None` where the audit could not be done.
    pub verdict: Option<Verdict>,
    /// Why it could not.
    pub error: Option<String>,
    /// Labels called infected.
    pub named: Vec<usize>,
    /// Labels called suspicious.
    pub suspected: Vec<usize>,
    /// Pairs among the named: source and target.
    pub pairs: Vec<(usize, usize)>,
    /// Success rate of the most telling trigger on held-back pictures, in `[0, 1]`.
    pub asr: Option<f32>,
    /// Share of the picture it covers.
    pub size: Option<f32>,
    /// The lowest p-value of the labels' triggers, corrected for their number; where none was searched that of the shots.
    pub p: Option<f32>,
    /// Time of the audit.
    pub seconds: f64,
    /// The verdict's own score, then each detector alone.
    pub detectors: Vec<Detector>,
}

impl Row {
    /// What `audit` says of the model of `entry`.
    pub fn of(entry: &Entry, audit: &Audit) -> Self {
        let with = |verdict: Verdict| -> Vec<&LabelFindings> {
            audit.labels.iter().filter(|l| l.verdict == verdict).collect()
        };
        let named = with(Verdict::Infected);
        let telling = most_telling(audit);
        let shots = audit.labels.iter().filter_map(|l| l.shots.as_ref()?.p_value).reduce(f32::min);
        let shots = shots.map(|p| (p * audit.labels.len() as f32).min(1.0));
        let triggers = audit.labels.iter().filter_map(|l| l.trigger.as_ref()?.p_value).reduce(f32::min);
        Self {
            verdict: Some(audit.verdict),
            sha256: audit.model.sha256.clone(),
            named: named.iter().map(|l| l.label).collect(),
            suspected: with(Verdict::Suspicious).iter().map(|l| l.label).collect(),
            pairs: named.iter().filter_map(|l| Some((l.trigger.as_ref()?.source?, l.label))).collect(),
            asr: telling.map(|t| t.asr),
            size: telling.map(|t| t.size),
            p: triggers.or(shots),
            seconds: audit.seconds,
            detectors: detectors(audit),
            ..Self::unknown(entry)
        }
    }

    /// A model that could not be audited.
    pub fn failed(entry: &Entry, why: String) -> Self {
        Self { error: Some(why), ..Self::unknown(entry) }
    }

    fn unknown(entry: &Entry) -> Self {
        Self {
            model: entry.name(),
            truth: entry.truth.clone(),
            infected: entry.is_infected(),
            targets: entry.target_labels.clone(),
            sha256: String::new(),
            verdict: None,
            error: None,
            named: Vec::new(),
            suspected: Vec::new(),
            pairs: Vec::new(),
            asr: None,
            size: None,
            p: None,
            seconds: 0.0,
            detectors: Vec::new(),
        }
    }

    /// "8, 4 becomes 7, 3?": infected labels, those that are only suspicious with a question mark.
    pub fn labels(&self) -> String {
        let named = self.named.iter().map(|label| match self.pairs.iter().find(|(_, target)| target == label) {
            Some((source, target)) => format!("{source} becomes {target}"),
            None => label.to_string(),
        });
        named.chain(self.suspected.iter().map(|label| format!("{label}?"))).collect::<Vec<_>>().join(", ")
    }

    /// Whether exactly the labels of the truth were named; `None` for a model that is not infected.
    pub fn named_rightly(&self) -> Option<bool> {
        let mut targets = self.targets.clone();
        targets.sort_unstable();
        (self.infected == Some(true)).then(|| self.named == targets)
    }
}

/// The trigger of the worst label, of several the one that stands out most.
fn most_telling(audit: &Audit) -> Option<&TriggerEvidence> {
    let worst = audit.labels.iter().filter(|l| l.verdict == audit.verdict).filter_map(|l| l.trigger.as_ref());
    worst.filter(|t| t.reached).max_by(|a, b| index(a).total_cmp(&index(b)))
}

fn index(t: &TriggerEvidence) -> f32 {
    t.anomaly_index.filter(|_| t.reached).unwrap_or(0.0)
}

fn detectors(audit: &Audit) -> Vec<Detector> {
    let triggers = || audit.labels.iter().filter_map(|l| l.trigger.as_ref());
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
    let shots = || audit.labels.iter().filter_map(|l| l.shots.as_ref());
    let cleanse = largest(&mut triggers().filter(|t| t.source.is_none()).map(index));
    // How many times smaller than what ordinary pairs need.
    let smaller = |t: &TriggerEvidence| t.usual_size.map_or(0.0, |usual| usual / t.size.max(f32::MIN_POSITIVE));
    let of_pairs = || triggers().filter(|t| t.source.is_some() && t.all_to_all.is_none());
    let pairs = largest(&mut of_pairs().map(smaller));
    let infected = || audit.labels.iter().filter(|l| l.verdict == Verdict::Infected);
    let named = || infected().filter_map(|l| l.trigger.as_ref());
    let scattered = largest(&mut triggers().filter_map(|t| t.all_to_all).map(|of_all| of_all.share));
    let margins = || audit.labels.iter().filter_map(|l| l.margin.as_ref());
    let level = match audit.verdict {
        Verdict::NoEvidence => 0.0,
        Verdict::Suspicious => 1.0,
        Verdict::Infected => 2.0,
    };
    // Within a verdict the strongest index decides; it never lifts a model into the next.
    let strength = largest(&mut triggers().map(index));
    let score = |name: &str, flags: bool, score: f32| Detector { name: name.into(), flags, score };
    let asked = audit.opinions.iter().map(|opinion| {
        let share = opinion.gathered.share;
        score(opinion.method.name(), share >= GATHERED, share - opinion.most_honest().unwrap_or(0.0))
    });
    let mut all = vec![
        score("verdict", audit.verdict == Verdict::Infected, level + strength / (1.0 + strength)),
        score(
            "PoisDetc, published rule",
            shots().any(|s| s.flagged_by_original_rule),
            largest(&mut shots().map(|s| s.prob)),
        ),
        score("Neural Cleanse, published rule", cleanse > NEURAL_CLEANSE, cleanse),
        score(
            "MM-BD",
            margins().any(|m| m.p_value.is_some_and(|p| p <= MAX_MARGIN)),
            largest(&mut margins().filter_map(|m| m.index)),
        ),
        score("pairs of labels", named().any(|t| t.source.is_some() && t.all_to_all.is_none()), pairs),
        score("one mark for all labels", named().any(|t| t.all_to_all.is_some()), scattered),
    ];
    all.extend(asked);
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::detect::AllToAll;
    use crate::report::example;

    fn entry(targets: &[usize]) -> Entry {
        Entry {
            model: "models/a.onnx".into(),
            images: "i".into(),
            truth: "backdoored".into(),
            target_labels: targets.to_vec(),
            reference: None,
        }
    }

    #[test]
    fn a_row_says_what_was_named_and_how_each_detector_scored() {
        let row = Row::of(&entry(&[1]), &example::audit());
        assert_eq!(
            (row.verdict, row.named.clone(), row.named_rightly()),
            (Some(Verdict::Infected), vec![1], Some(true))
        );
        assert_eq!((row.asr, row.size), (Some(0.98), Some(0.05)));
        let [verdict, shots, cleanse, margins, pairs, all] = &row.detectors[..] else { panic!("{:?}", row.detectors) };
        assert!(verdict.flags && verdict.score > 2.0 && verdict.score < 3.0);
        assert!(shots.flags && cleanse.flags && cleanse.score == 3.5 && !pairs.flags && pairs.score == 0.0);
        assert!(margins.flags && margins.score == 3.25);
        assert!(!all.flags && all.score == 0.0);
        assert_eq!(Row::of(&entry(&[1, 2]), &example::audit()).named_rightly(), Some(false));
    }

    #[test]
    fn a_pair_is_told_apart_from_a_mark_for_every_picture() {
        let mut audit = example::audit();
        audit.labels[1].trigger.as_mut().unwrap().source = Some(0);
        let row = Row::of(&entry(&[1]), &audit);
        assert_eq!(row.pairs, [(0, 1)]);
        assert!(row.detectors[4].flags && row.detectors[2].score == 0.0);
        // As one of those that a mark for all labels moves it says nothing of pairs.
        audit.labels[1].trigger.as_mut().unwrap().all_to_all = Some(AllToAll { share: 0.9, labels: 10, pictures: 90 });
        let row = Row::of(&entry(&[1]), &audit);
        assert!(!row.detectors[4].flags && row.detectors[5].flags && row.detectors[5].score == 0.9);
    }

    #[test]
    fn a_model_that_could_not_be_audited_keeps_its_reason() {
        let row = Row::failed(&entry(&[1]), "no such file".into());
        assert_eq!((row.error.as_deref(), row.verdict, row.model.as_str()), (Some("no such file"), None, "a"));
    }
}
