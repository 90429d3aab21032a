//! Carries a [`DataOrder`] out.

use super::super::verdict::data::{self as rule, LabelEvidence};
use super::super::{AuditError, ImagesSummary};
use super::networks::{self, Seen, spread};
use super::{DataAudit, DataOrder, GroupSeen, LabelOfData, SuspectPicture, SuspectedBy, TwoGroups};
use crate::detect::activation_clustering::{self, Groups};
use crate::detect::fixed_mark::{FixedMark, fixed_marks};
use crate::detect::spectral;
use crate::images::{self, ImageSet, Wanted};
use crate::progress::Monitor;
use std::time::Instant;

/// A label with fewer pictures is not looked at inside a network: two groups of them would be chance.
const FEWEST_PICTURES: usize = 24;
/// With fewer labels there are no pictures of all kinds.
const FEWEST_LABELS: usize = 3;
/// Version of the JSON.
const SCHEMA: u32 = 1;

/// Looks for poisoned pictures on the calling thread. Stopped in the middle, it returns what is known so far with
/// [`DataAudit::stopped`] set, provided the images had been read.
///
/// # Errors
/// [`AuditError`], a sentence that says what is wrong.
pub fn run(order: &DataOrder, monitor: &Monitor) -> Result<DataAudit, AuditError> {
    let started = Instant::now();
    let wanted = Wanted { label_names: order.label_names.clone(), ..Wanted::default() };
    let set = images::open(&order.images, &wanted, &monitor.part(0.0, 0.1))?;
    let mut seen = Evidence::default();
    let stopped = match seen.gather(&set, order, monitor) {
        Ok(()) => false,
        Err(AuditError::Stopped(_)) => true,
        Err(why) => return Err(why),
    };
    monitor.step("Done", 1.0);
    Ok(seen.assembled(order, &set, stopped, started.elapsed().as_secs_f64()))
}

/// What the detectors saw, as it comes together.
#[derive(Default)]
struct Evidence {
    /// `None` before they were searched.
    marks: Option<Vec<FixedMark>>,
    labels: Vec<Inside>,
    /// Why no network was asked, where none was.
    not_asked: Option<String>,
}

/// What networks saw of one label.
struct Inside {
    label: usize,
    /// Of each of its pictures, in the order of the set, whether it is in the smaller group.
    smaller: Vec<bool>,
    groups: Option<TwoGroups>,
    /// Rank of each one's spectral signature, in `[0, 1]`.
    ranks: Vec<f32>,
}

impl Evidence {
    fn gather(&mut self, set: &ImageSet, order: &DataOrder, monitor: &Monitor) -> Result<(), AuditError> {
        monitor.step("Looking for pixels that pictures of a label share", 0.1);
        self.marks = Some(fixed_marks(set, &monitor.part(0.1, 0.25))?);
        let lists = set.by_label();
        let enough = lists.iter().filter(|list| list.len() >= FEWEST_PICTURES).count();
        if enough < FEWEST_LABELS {
            self.not_asked = Some(format!(
                "No network was asked: that needs {FEWEST_LABELS} labels with {FEWEST_PICTURES} pictures each, and there \
                 are {enough}. Only marks of fixed pixels were searched for"
            ));
            return Ok(());
        }
        let seen = networks::look(set, order.model.as_deref(), order.seed, &monitor.part(0.25, 0.95))?;
        for (label, pictures) in lists.into_iter().enumerate() {
            if pictures.len() >= FEWEST_PICTURES {
                self.labels.push(Inside::of(label, &pictures, set, &seen, order, monitor)?);
            }
        }
        Ok(())
    }

    fn assembled(self, order: &DataOrder, set: &ImageSet, stopped: bool, seconds: f64) -> DataAudit {
        let (mut labels, mut suspected) = (Vec::new(), Vec::new());
        for (label, list) in set.by_label().into_iter().enumerate() {
            let inside = self.labels.iter().find(|inside| inside.label == label);
            let judged = rule::label(&LabelEvidence {
                count: list.len(),
                area: set.height * set.width,
                marks: self.marks.iter().flatten().filter(|mark| mark.label == label).cloned().collect(),
                groups: inside.and_then(|inside| inside.groups),
            });
            let before = suspected.len();
            for (k, &index) in list.iter().enumerate() {
                let marked = judged.mark.as_ref().is_some_and(|mark| mark.pictures.binary_search(&index).is_ok());
                let grouped = inside.zip(judged.group).is_some_and(|(inside, smaller)| inside.smaller[k] == smaller);
                if marked || grouped {
                    suspected.push(SuspectPicture {
                        index,
                        file: set.files.get(index).cloned(),
                        label,
                        by: if marked { SuspectedBy::Mark } else { SuspectedBy::Group },
                        spectral_rank: inside.map(|inside| inside.ranks[k]),
                    });
                }
            }
            labels.push(LabelOfData {
                label,
                name: set.names[label].clone(),
                count: list.len(),
                suspected: suspected.len() - before,
                because: judged.because,
                mark: judged.mark.map(|mark| mark.pixels).unwrap_or_default(),
                groups: inside.and_then(|inside| inside.groups),
            });
        }
        suspected.sort_by_key(|picture| picture.index);
        let accused: Vec<(usize, String)> =
            labels.iter().filter(|l| l.suspected > 0).map(|l| (l.label, l.name.clone())).collect();
        let (verdict, summary) = rule::summary(suspected.len(), &accused, stopped);
        DataAudit {
            schema: SCHEMA,
            program: env!("CARGO_PKG_VERSION").into(),
            verdict,
            summary,
            order: order.clone(),
            limits: self.limits(set, stopped),
            images: ImagesSummary::of(&order.images, set, 0),
            labels,
            suspected,
            stopped,
            seconds,
        }
    }

    /// What was not examined and why.
    fn limits(&self, set: &ImageSet, stopped: bool) -> Vec<String> {
        let mut limits = Vec::new();
        if stopped {
            let reached = match (&self.marks, self.labels.len()) {
                (None, _) => "nothing was examined",
                (Some(_), 0) => "only marks of fixed pixels were searched for",
                (Some(_), _) => "not all labels were looked at inside a network",
            };
            limits.push(format!("The work was stopped before its end; {reached}"));
        }
        limits.extend(self.not_asked.clone());
        let few = set.by_label().iter().filter(|list| !list.is_empty() && list.len() < FEWEST_PICTURES).count();
        if few > 0 && self.not_asked.is_none() {
            limits.push(format!(
                "{few} labels have fewer than {FEWEST_PICTURES} pictures and were searched for fixed pixels only"
            ));
        }
        limits.push(
            "Faint marks on few pictures, marks meant for one source label only, marks that bend the picture, and pictures \
             of the right label that carry a faint mark can be missed"
                .into(),
        );
        if !set.skipped.is_empty() {
            limits.push(format!("{} pictures could not be read and were left out", set.skipped.len()));
        }
        limits
    }
}

impl Inside {
    fn of(
        label: usize,
        pictures: &[usize],
        set: &ImageSet,
        seen: &Seen,
        order: &DataOrder,
        monitor: &Monitor,
    ) -> Result<Self, AuditError> {
        let rows: Vec<Vec<f32>> = pictures.iter().map(|&i| seen.features[i].clone()).collect();
        let (answers, labels) = (&seen.strangers[label], set.names.len());
        let others = spread(answers, (0..set.len()).filter(|&i| set.labels[i] != label), labels);
        let group = |cut: &Groups, smaller: bool| {
            let members = || pictures.iter().zip(&cut.smaller).filter(|(_, s)| **s == smaller).map(|(i, _)| *i);
            let own = spread(answers, members(), labels);
            let n = members().count();
            GroupSeen {
                pictures: n,
                apart: 0.5 * own.iter().zip(&others).map(|(a, b)| (a - b).abs()).sum::<f32>(),
                chance: by_chance(&others, n),
            }
        };
        // An answer that is rarer here than on other labels is what a marked picture of that label would get.
        let own = spread(answers, pictures.iter().copied(), labels);
        let guesses: Vec<f32> =
            pictures.iter().map(|&i| answers[i]).map(|a| others[a] / (others[a] + own[a])).collect();
        let cuts = activation_clustering::groups(&rows, &guesses, order.seed.nth(label), monitor)?;
        let seen = cuts.into_iter().map(|cut| {
            let (smaller, larger) = (group(&cut, true), group(&cut, false));
            (TwoGroups { separation: cut.separation, smaller, larger }, cut.smaller)
        });
        // Of all cuts the one whose groups are answered most differently.
        let contrast = |groups: &TwoGroups| {
            (groups.smaller.apart - groups.smaller.chance - groups.larger.apart + groups.larger.chance).abs()
        };
        let best = seen.max_by(|a, b| contrast(&a.0).total_cmp(&contrast(&b.0)));
        let (groups, smaller) =
            best.map_or((None, vec![false; rows.len()]), |(groups, smaller)| (Some(groups), smaller));
        let ranks = ranks(&spectral::scores(&rows, monitor)?);
        Ok(Self { label, smaller, groups, ranks })
    }
}

/// How far the answers on `n` pictures drawn by chance are spread otherwise than `shares`, on average: half the sum of the
/// mean deviations of their counts.
fn by_chance(shares: &[f32], n: usize) -> f32 {
    let deviation = |p: &f32| (2.0 * p * (1.0 - p) / (std::f32::consts::PI * n.max(1) as f32)).sqrt();
    0.5 * shares.iter().map(deviation).sum::<f32>()
}

/// Place of each score among all, the highest 1, in `(0, 1]`.
fn ranks(scores: &[f32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut ranks = vec![0.0; scores.len()];
    order.iter().enumerate().for_each(|(place, &i)| ranks[i] = (place + 1) as f32 / scores.len() as f32);
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Seed;

    #[test]
    fn the_highest_score_has_rank_one() {
        assert_eq!(ranks(&[0.5, 9.0, 0.0, 2.0]), [0.5, 1.0, 0.25, 0.75]);
    }

    #[test]
    fn chance_is_what_draws_really_show() {
        let shares = [0.5, 0.3, 0.2];
        let mut random = Seed(2).random();
        let mut off = 0.0;
        for _ in 0..2000 {
            let mut counts = [0.0_f32; 3];
            for _ in 0..40 {
                let u = random.uniform(0.0, 1.0);
                counts[if u < 0.5 { 0 } else { 1 + usize::from(u >= 0.8) }] += 1.0 / 40.0;
            }
            off += 0.5 * counts.iter().zip(shares).map(|(a, b)| (a - b).abs()).sum::<f32>() / 2000.0;
        }
        assert!((off - by_chance(&shares, 40)).abs() < 0.005, "{off} and {}", by_chance(&shares, 40));
    }
}
