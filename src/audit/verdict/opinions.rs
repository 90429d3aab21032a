//! What methods say that name a label of every model: told beside the reasons, never one of them.

use super::percent;
use crate::audit::{Finding, Method, Opinion, Verdict};

/// What an opinion says of the label that it names.
pub(super) fn finding(opinion: &Opinion) -> Finding {
    let (gathered, name) = (&opinion.gathered, opinion.method.name());
    let what = match opinion.method {
        Method::BtiDbf => "Changing every picture a little in its own way",
        Method::Ban => "Disturbing the model's neurons",
    };
    let beside = match opinion.most_honest() {
        Some(most) => format!("; models known clean send up to {} to one label so", percent(most)),
        None => String::new(),
    };
    let because = format!(
        "{what} sends {} of {} held-back pictures to this label, more than to any other{beside} ({name}, which names a label of every \
         model and accuses none)",
        percent(gathered.share),
        gathered.pictures
    );
    Finding { verdict: Verdict::NoEvidence, because }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Gathered;

    #[test]
    fn it_says_what_honest_models_do_and_that_it_accuses_nobody() {
        let gathered = Gathered { label: 2, share: 0.994, pictures: 360 };
        let said = finding(&Opinion { method: Method::BtiDbf, gathered, honest: vec![0.04, 0.11] });
        assert_eq!(said.verdict, Verdict::NoEvidence);
        assert!(said.because.contains("sends 99.4 % of 360 held-back pictures to this label"), "{}", said.because);
        assert!(said.because.contains("clean send up to 11.0 % to one label so (BTI-DBF"), "{}", said.because);
        let alone = finding(&Opinion { method: Method::Ban, gathered, honest: Vec::new() });
        assert!(!alone.because.contains("known clean") && alone.because.contains("(BAN"), "{}", alone.because);
    }
}
