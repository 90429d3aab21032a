//! Which repairs are tried in which order, and when one is good enough.

use super::{Choices, Measured, Outcome, Point, Problem, Repair, RepairError, measure, method};
use crate::model::Change;
use crate::progress::Monitor;

/// One method that was tried.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// Name of the method.
    pub method: String,
    /// What it was like on the validation images while it worked.
    pub curve: Vec<Point>,
    /// What it reached on the validation images; `None` where it could not be done.
    pub reached: Option<Measured>,
    /// The same on the proof images.
    pub proved: Option<Measured>,
    /// Why it could not be done.
    pub failure: Option<String>,
}

/// The result of a repair.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// Name of the method whose change this is.
    pub method: String,
    /// What changes.
    pub change: Change,
    /// Other settings of the method, where it has a trade-off.
    pub choices: Option<Choices>,
    /// On the proof images, before.
    pub before: Measured,
    /// On the proof images, after.
    pub after: Measured,
    /// Whether the aim is met on the proof images.
    pub meets_aim: bool,
    /// Everything that was tried, in order.
    pub attempts: Vec<Attempt>,
}

impl Repaired {
    /// The same repair with the setting at `index` of the method's list, measured anew on the proof images.
    ///
    /// # Errors
    /// [`RepairError::Lacks`] where there is no such setting; where the model fails or somebody stops the work.
    pub fn at_setting(self, index: usize, problem: &Problem, monitor: &Monitor) -> Result<Self, RepairError> {
        let count = self.choices.as_ref().map_or(0, |choices| choices.list.len());
        let lacks = || {
            RepairError::Lacks(match count {
                0 => format!("{} has no settings to choose from", self.method),
                _ => format!("{} measured {count} settings, 0 to {}; there is no {index}", self.method, count - 1),
            })
        };
        let choices = self.choices.as_ref().ok_or_else(lacks)?;
        let change = choices.list.get(index).ok_or_else(lacks)?.change(problem.suspect)?;
        let repaired = change.apply(problem.suspect)?;
        let after = measure(&repaired, &problem.parts.proof, &problem.measured_with, monitor)?;
        let meets_aim = after.misses(problem.aim, &self.before) == 0.0;
        let choices = Some(Choices { chosen: index, ..choices.clone() });
        Ok(Self { change, choices, after, meets_aim, ..self })
    }
}

/// The methods to try, best first. With a trigger it is unlearned; where that is not enough the quick ones come before those
/// that take minutes. Without one the whole model is retrained gently. Without images only pruning by the weights is left.
/// ANP and fine-pruning are for those who choose them: in docs/repairs.md they remove less than the others and cost more.
pub fn recommended(has_trigger: bool, has_images: bool) -> Vec<&'static dyn Repair> {
    let order: &[&str] = match (has_images, has_trigger) {
        (true, true) => &["unlearning", "clp", "clamp", "sau", "ft-sam"],
        (true, false) => &["sau", "ft-sam", "clamp", "clp"],
        (false, _) => &["clp"],
    };
    order.iter().filter_map(|name| method(name)).collect()
}

/// The best of what was tried.
struct Best<'a> {
    missing: f32,
    method: &'a str,
    outcome: Outcome,
    after: Measured,
}

/// Tries `methods` in order until one meets the aim; otherwise the one that comes nearest is taken. What a method reaches on
/// the validation images flatters it, since it chose its state by them: the aim is asked on the proof images, too.
/// `watch` gets the name of the running method with each point of its curve.
///
/// # Errors
/// [`RepairError`] of the last method where none could be done, or where somebody stops the work.
pub fn repair(
    problem: &Problem,
    methods: &[&dyn Repair],
    watch: &(dyn Fn(&str, Point) + Sync),
    monitor: &Monitor,
) -> Result<Repaired, RepairError> {
    let proof = &problem.parts.proof;
    let before = measure(problem.suspect, proof, &problem.measured_with, monitor)?;
    let mut attempts = Vec::new();
    let mut best: Option<Best<'_>> = None;
    let mut failure = None;
    for (i, method) in methods.iter().enumerate() {
        let part = monitor.part(i as f32 / methods.len() as f32, (i + 1) as f32 / methods.len() as f32);
        let curve = std::sync::Mutex::new(Vec::new());
        let note = |point: Point| {
            if let Ok(mut curve) = curve.lock() {
                curve.push(point);
            }
            watch(method.name(), point);
        };
        note(Point::of(0.0, &problem.before));
        let ended = lacking(problem, *method).map_or_else(|| method.run(problem, &note, &part), Err);
        let curve = curve.into_inner().unwrap_or_default();
        let name = method.name();
        let attempt = Attempt { method: name.into(), curve, reached: None, proved: None, failure: None };
        let outcome = match ended {
            Ok(outcome) => outcome,
            Err(stop) if stop.is_stop() => return Err(stop),
            Err(error) => {
                attempts.push(Attempt { failure: Some(error.to_string()), ..attempt });
                failure = Some(error);
                continue;
            }
        };
        let reached = match outcome.measured() {
            Some(measured) => measured.clone(),
            None => problem.measured(&outcome.change, monitor)?,
        };
        let after = measure(&outcome.change.apply(problem.suspect)?, proof, &problem.measured_with, monitor)?;
        let missing = reached.misses(problem.aim, &problem.before).max(after.misses(problem.aim, &before));
        attempts.push(Attempt { reached: Some(reached), proved: Some(after.clone()), ..attempt });
        if best.as_ref().is_none_or(|best| missing < best.missing) {
            best = Some(Best { missing, method: name, outcome, after });
        }
        if missing == 0.0 {
            break;
        }
    }
    let Some(Best { method, outcome: Outcome { change, choices }, after, .. }) = best else {
        return Err(
            failure.unwrap_or_else(|| RepairError::Lacks("there is no method to repair this model with".into()))
        );
    };
    let meets_aim = after.misses(problem.aim, &before) == 0.0;
    Ok(Repaired { method: method.into(), change, choices, before, after, meets_aim, attempts })
}

/// Why a method cannot begin.
fn lacking(problem: &Problem, method: &dyn Repair) -> Option<RepairError> {
    let name = method.name();
    if method.needs_trigger() && problem.triggers.is_empty() {
        return Some(RepairError::Lacks(format!("{name} needs a recovered trigger, and none was found")));
    }
    if method.needs_images() && problem.parts.repair.is_empty() {
        return Some(RepairError::Lacks(format!("{name} needs clean images, and there are none")));
    }
    None
}
