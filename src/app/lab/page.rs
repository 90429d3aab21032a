//! Where somebody is in the lessons.

use super::lesson::{Lesson, LessonStep};
use super::lessons::LESSONS;

/// Where somebody is in a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which lesson, by its place in the list.
    pub lesson: usize,
    /// Which step, from 0.
    pub step: usize,
}

impl Progress {
    /// The beginning of a lesson.
    pub fn of(lesson: usize) -> Self {
        Self { lesson, step: 0 }
    }

    /// The lesson.
    pub fn lesson(&self) -> &'static Lesson {
        &LESSONS[self.lesson.min(LESSONS.len() - 1)]
    }

    /// The step.
    pub fn step(&self) -> &'static LessonStep {
        let steps = self.lesson().steps;
        &steps[self.step.min(steps.len() - 1)]
    }

    /// Turns the page; `false` once the lesson is over.
    pub fn turn(&mut self, by: isize) -> bool {
        let next = self.step.saturating_add_signed(by);
        if next >= self.lesson().steps.len() {
            return false;
        }
        self.step = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::NAMES;
    use super::super::lesson::Until;
    use super::*;

    #[test]
    fn every_number_in_a_lesson_is_one_that_is_computed() {
        for lesson in LESSONS {
            assert!((3..=8).contains(&lesson.steps.len()), "{}", lesson.title);
            for step in lesson.steps {
                for piece in step.words.split('{').skip(1) {
                    let name = piece.split('}').next().unwrap_or_default();
                    assert!(NAMES.contains(&name), "{} has {{{name}}}", lesson.title);
                }
                let digits = step.words.chars().filter(char::is_ascii_digit).count();
                assert_eq!(digits, 0, "a number is written down: {}", step.words);
                let waits = matches!(step.until, Until::Trained | Until::Audited | Until::Repaired);
                assert!(waits || !step.place.is_empty(), "nothing lights up: {}", step.words);
            }
        }
    }

    #[test]
    fn pages_turn_to_the_end_and_not_before_the_beginning() {
        let mut at = Progress::of(0);
        assert!(at.turn(-1) && at.step == 0);
        let steps = at.lesson().steps.len();
        for _ in 1..steps {
            assert!(at.turn(1));
        }
        assert!(!at.turn(1) && at.step == steps - 1);
    }
}
