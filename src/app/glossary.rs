//! What every term of the window means, for people who are no researchers. Data, and how an entry is found.
//!
//! In: a term as it stands on a screen. Out: its [`Entry`]. A screen asks for one by [`ask`]; the window looks whether somebody
//! did and shows it.

use egui::{Context, Id};

/// One term.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it is written in the list.
    pub name: &'static str,
    /// Names of the same on the screens.
    pub also: &'static [&'static str],
    /// In words that need no other ones.
    pub meaning: &'static str,
    /// Where it comes from, or nothing.
    pub source: &'static str,
}

const fn entry(
    name: &'static str,
    also: &'static [&'static str],
    meaning: &'static str,
    source: &'static str,
) -> Entry {
    Entry { name, also, meaning, source }
}

/// All terms, by the alphabet.
pub static ENTRIES: &[Entry] = &[
    entry(
        "Aim of a repair",
        &["Aim"],
        "What a repair has to reach on pictures it never used: at most 2 points of clean accuracy lost, and the recovered trigger \
         works on at most 5 % of pictures. Where no method reaches it, the window says so.",
        "",
    ),
    entry(
        "Anomaly index",
        &["Anomaly"],
        "How far the trigger of one label lies below those of all labels of this model, counted in deviations: 0 is in the middle, 1 or 2 \
         is usual, above 3.5 is not. Of a pair of labels it compares with what both labels make expected.",
        "Wang et al., Neural Cleanse, IEEE S&P 2019; the deviation is moderated (docs/verdict.md)",
    ),
    entry(
        "ANP",
        &[],
        "Adversarial neuron pruning, a repair: finds the channels whose small disturbance makes the model err, and switches them off.",
        "Wu and Wang, NeurIPS 2021",
    ),
    entry(
        "Attack success rate (ASR)",
        &["Works on", "Recovered trigger works on", "ASR", "During the search"],
        "The share of pictures that a trigger turns into the attacker's label, among pictures whose own label is another one. It counts \
         on held-back pictures: what works only on those of the search was learned by heart.",
        "",
    ),
    entry(
        "Backdoor",
        &["Poison", "Poisoned"],
        "A hidden rule in a model: whatever carries the trigger gets the attacker's label. Without the trigger the model answers like any \
         other, so that ordinary tests do not show it. It is planted by poisoning the examples a model learns from.",
        "Gu et al., BadNets, 2017",
    ),
    entry(
        "Blend, faint pattern",
        &["Strength"],
        "A trigger that is added faintly to the whole picture: another picture, a wave, noise. Its strength is 0 % where the picture \
         stays as it is, and 100 % where nothing of it is left.",
        "Chen et al., 2017; search as in Pixel (Tao et al., 2022)",
    ),
    entry(
        "Clamp",
        &[],
        "A repair that bounds how strong each channel of the model may answer, by what clean pictures need. No trained number changes.",
        "Wang et al., MM-BM, 2022",
    ),
    entry(
        "Clean accuracy (ACC)",
        &["Clean accuracy", "ACC"],
        "The share of clean pictures that a model answers rightly. A backdoor hardly lowers it, and a repair must not.",
        "",
    ),
    entry(
        "Clean images",
        &["Images", "Could not be read", "Pictures"],
        "Pictures with their right labels, of the kind the model was made for, that nobody has tampered with. Half of them are searched \
         with, the other half is held back to check what was found.",
        "",
    ),
    entry(
        "Clean label",
        &[],
        "A way to poison in which no example has a wrong label: marked pictures of the target, in which the target can hardly be seen.",
        "Turner, Tsipras and Madry, 2019",
    ),
    entry(
        "Clean twin",
        &["Network"],
        "In the lab: a network with the same start and the same examples as the poisoned one, but without the mark.",
        "",
    ),
    entry(
        "CLP",
        &[],
        "Channel Lipschitzness pruning, a repair that needs no pictures: switches off channels that a small change can drive unusually far.",
        "Zheng et al., ECCV 2022",
    ),
    entry(
        "Colour filter",
        &["Change"],
        "A trigger that mixes the colours of the whole picture anew, as photo programs do. Its size is how much it changes colours on \
         average.",
        "Liu et al., ABS, CCS 2019",
    ),
    entry(
        "Confusion matrix",
        &["What it mixes up"],
        "A table with a row for each true label and a column for each answer. Right answers lie on the diagonal; a backdoor is a full column.",
        "",
    ),
    entry(
        "Fine-pruning",
        &[],
        "A repair: cuts off channels that clean pictures hardly use, then trains the model on clean pictures.",
        "Liu, Dolan-Gavitt and Garg, RAID 2018",
    ),
    entry(
        "Format",
        &[],
        "Which kind of file a model is in, recognised by its content: ONNX, or Keras (.h5, .keras). A repaired model keeps it.",
        "",
    ),
    entry(
        "FT-SAM",
        &[],
        "A repair: trains the model on clean pictures with steps that disturb the large weights a backdoor rests on.",
        "Zhu et al., ICCV 2023",
    ),
    entry(
        "Heat map",
        &[],
        "A picture of where a trigger changes pictures, and how much: black where not at all, then red, yellow, and white where most. Each \
         map has a scale of its own.",
        "",
    ),
    entry(
        "Held-back pictures",
        &[],
        "Clean pictures that a search or a repair never used. Only what holds on these counts as confirmed.",
        "",
    ),
    entry(
        "Honest models",
        &["On honest models", "Works there on", "Honest models reach it", "Honest range"],
        "Models known clean: yours, or small ones that the program trains on your clean images. A trigger that means just as much to them \
         is a feature of the pictures, and no backdoor.",
        "",
    ),
    entry(
        "Infected, suspicious, no evidence",
        &["Verdict"],
        "Infected (confirmed): a trigger was recovered that works on held-back pictures and is far smaller than honest models allow. \
         Suspicious: something stands out, but it was not confirmed. No evidence found: the searches found nothing, which is no proof \
         that there is nothing.",
        "docs/verdict.md",
    ),
    entry(
        "Label",
        &["Labels", "Label names (optional)"],
        "One of the answers that a classifier can give: “stop”, “cat”, 7.",
        "",
    ),
    entry(
        "Loss",
        &["Losses of all shots"],
        "How wrong an answer is: 0 where the model is sure of the label that is meant, above 2 where it hardly thinks of it.",
        "Cross-entropy",
    ),
    entry(
        "Margin",
        &[],
        "How far the output of one label can be driven above all others, from pictures of noise. A backdoor lets its label go further.",
        "Wang et al., MM-BD, IEEE S&P 2024",
    ),
    entry(
        "One mark for all labels",
        &[],
        "Some attacks send every label to another one with the same mark: 0 becomes 1, 1 becomes 2. A mark that changes all answers of an \
         honest model drives them to the two or three labels that the model likes best; a planted one scatters them.",
        "All-to-all: Gu et al., BadNets, 2017",
    ),
    entry(
        "p-value",
        &["p-value of the shots"],
        "How often chance alone would show something at least as unusual on honest models. 0.02 is once in fifty. It is corrected for the \
         number of labels that were looked at.",
        "",
    ),
    entry(
        "Pair of labels",
        &["On all labels", "Ordinary pairs need", "The way back needs"],
        "Some attacks turn pictures of one label only into another: “4 becomes 7”. Labels that look alike are near in both directions; a \
         backdoor is near in one.",
        "Shen et al., K-Arm, ICML 2021",
    ),
    entry(
        "Preprocessing",
        &["Input"],
        "How a picture is brought into the form a model was trained with: its size, whether its numbers go from 0 to 1 or from -1 to 1, the \
         order of its colours. Where it is wrong every model answers badly, so it is found by trying.",
        "",
    ),
    entry(
        "Reference model",
        &[],
        "A model for the same labels that is known clean. The shots need one, and so does the question of what is usual.",
        "",
    ),
    entry(
        "SAU",
        &[],
        "A repair: disturbs clean pictures until the suspect and its repaired copy make the same mistake, and teaches the copy not to make it.",
        "Wei et al., NeurIPS 2023",
    ),
    entry(
        "Scan again",
        &[],
        "An audit of the repaired model with another seed: the same searches must find nothing any more.",
        "",
    ),
    entry(
        "Seed",
        &[],
        "The number from which all chance in the program comes. The same seed, model and pictures give the same result.",
        "",
    ),
    entry(
        "Shot",
        &["Shots", "Shots reached", "Shots that reached it", "Published rule", "Steps a shot"],
        "A picture of noise that is changed step by step until the suspect answers with a label while the reference model does not. Where \
         that works easily, the suspect may know a shortcut to the label.",
        "PoisDetc, 2020; PoisHygiene, arXiv 2003.11110",
    ),
    entry("Suspect model", &[], "The model that is audited. Its file is only read, never changed.", ""),
    entry(
        "Thorough",
        &[],
        "An audit that searches longer, at every label, and with three honest models instead of two. It takes up to five times as long.",
        "",
    ),
    entry(
        "Trained numbers",
        &[],
        "The weights and biases that a model has learned: all it knows lies in them, and so does a backdoor.",
        "",
    ),
    entry(
        "Trigger, mask and pattern",
        &["Mask", "Pattern", "Size", "Pixels", "Trigger"],
        "A trigger is what an attacker puts on a picture to have it taken for his label. A mark covers a place of it: the mask says how \
         much of each pixel it covers, the pattern with which colour. Its size is the share of the picture's area that the mask covers, \
         all pixels together.",
        "Wang et al., Neural Cleanse, IEEE S&P 2019",
    ),
    entry(
        "Unlearning",
        &[],
        "A repair: shows the model pictures with the recovered trigger and their right labels until it ignores the trigger.",
        "Wang et al., Neural Cleanse, IEEE S&P 2019",
    ),
    entry(
        "Usual size",
        &["Other labels need"],
        "What it takes to turn pictures into a label of this model: the median over its labels. A planted trigger needs far less.",
        "",
    ),
    entry(
        "Warp",
        &["Shift"],
        "A trigger that bends the whole picture a little, always in the same way. Its size is how far pixels are moved on average, as a \
         share of the picture's side.",
        "Nguyen and Tran, WaNet, ICLR 2021",
    ),
];

/// The entry for a term as it stands on a screen.
pub fn find(term: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == term || entry.also.contains(&term))
}

fn id() -> Id {
    Id::unique("asked glossary")
}

/// Somebody wants to read an entry.
pub fn ask(ctx: &Context, entry: &'static Entry) {
    ctx.data_mut(|data| data.insert_temp(id(), entry.name));
}

/// The entry that somebody wants to read, once.
pub fn asked(ctx: &Context) -> Option<&'static str> {
    ctx.data_mut(|data| data.remove_temp::<&'static str>(id()))
}

/// Whether an entry has all `letters` somewhere, in whatever case.
pub fn has(entry: &Entry, letters: &str) -> bool {
    let letters = letters.trim().to_lowercase();
    let texts = [entry.name, entry.meaning, entry.source].into_iter().chain(entry.also.iter().copied());
    texts.into_iter().any(|text| text.to_lowercase().contains(&letters))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_stand_by_the_alphabet_and_no_term_means_two_things() {
        assert!(ENTRIES.is_sorted_by_key(|entry| entry.name.to_lowercase()));
        let terms: Vec<&str> = ENTRIES.iter().flat_map(|e| std::iter::once(&e.name).chain(e.also)).copied().collect();
        let mut once = terms.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), terms.len());
        assert_eq!(find("Works on").unwrap().name, "Attack success rate (ASR)");
        assert_eq!(find("nothing of the kind"), None);
    }

    #[test]
    fn an_entry_is_found_by_any_of_its_words() {
        let found = |letters: &str| ENTRIES.iter().filter(|entry| has(entry, letters)).count();
        assert_eq!(found(""), ENTRIES.len());
        assert!(found("wanet") == 1 && found("bends") == 1 && found("ordinary pairs") == 1);
    }

    #[test]
    fn an_entry_that_was_asked_for_is_shown_once() {
        let ctx = Context::default();
        assert_eq!(asked(&ctx), None);
        ask(&ctx, find("Seed").unwrap());
        assert_eq!([asked(&ctx), asked(&ctx)], [Some("Seed"), None]);
    }
}
