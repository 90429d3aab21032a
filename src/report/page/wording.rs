//! The sentences of the report that are the same for every audit of one verdict, and the papers behind the methods.

use crate::audit::Verdict;

/// What the verdict means; `searched` where triggers were searched for.
pub fn means(verdict: Verdict, searched: bool) -> &'static [&'static str] {
    match verdict {
        _ if !searched => &[
            "No trigger was searched for; why is among the limits below. What was looked at needs no pictures and \
             cannot confirm a backdoor.",
            "This is no full audit: decide nothing by it. Repeat it with enough clean images of all labels.",
        ],
        Verdict::Infected => &[
            "A trigger was recovered that turns pictures of other labels into one label. It works on most of the pictures \
             that were kept back while it was searched.",
            "It is far smaller than the triggers that this model's other labels need, and it is strange to models known \
             clean: they need a far larger one, or this one does hardly anything there.",
            "Do not use this model where it matters. Keep the file as evidence; its SHA-256 is below.",
        ],
        Verdict::Suspicious => &[
            "Something about this model is beyond what honest models show in the same test.",
            "No recovered trigger confirms it: it may be a backdoor that was not fully found, or a peculiarity of honest \
             training.",
            "Do not use this model for anything that matters before somebody has looked at it more closely, for instance \
             with the thorough setting, with more clean images, and with a second reference model.",
        ],
        Verdict::NoEvidence => &[
            "The tests listed below found nothing beyond what honest models show.",
            "Within these tests, with these images and settings, there is no reason to call the model poisoned.",
        ],
    }
}

/// What it does not mean.
pub fn does_not_mean(verdict: Verdict) -> &'static [&'static str] {
    match verdict {
        Verdict::Infected => &[
            "It does not say who did it, when, or with what intention. A natural shortcut in the training data can look like \
             a planted trigger: look at the pictures of the recovered trigger before anybody is accused.",
            "The recovered trigger need not look like the attacker's own: it is the smallest that works.",
            "It does not say that there is only one backdoor.",
        ],
        Verdict::Suspicious => &[
            "It is no proof of poisoning, and it accuses nobody.",
            "It does not say that the labels without a remark are free of backdoors.",
        ],
        Verdict::NoEvidence => &[
            "It does not say that the model is free of backdoors: nobody can prove that.",
            "Triggers of kinds that were not searched for, and models whose builder knew this test, may be missed.",
            "It says nothing of other faults: accuracy on other data, fairness, robustness, safety of the file format.",
        ],
    }
}

/// How the tests work, a paragraph each.
pub const METHOD: [&str; 7] = [
    "Margins (MM-BD). Without any picture, each label's output is driven as far above all others as possible. In large \
     models this says which labels to search first; it never confirms anything.",
    "Shots (PoisDetc). From random starting points a picture is moved, step by step, to where the suspect says a label \
     while a reference model does not. A shot with a final loss of at most 0.2 has reached its label. The same shots are \
     made between models known clean; only what goes beyond these counts, by a rank test (p-value).",
    "One mark for all labels. The smallest mark is searched that changes every answer. That of an honest model drives all \
     answers to the same few labels; one that was planted to turn each label into another (all-to-all) sends each to its own.",
    "Recovered triggers (Neural Cleanse). For labels that stand out in a short search, or for all, the smallest mask and \
     pattern is searched that turns pictures of other labels into the label; before it the smallest smooth bend of the \
     picture that does so, which replaces it where it is confirmed. Where no patch is confirmed either, faint \
     patterns are searched that are added to the whole picture (as Pixel does), and in models of few labels marks that work for one source label only.",
    "Held-back images. A share of the clean images is kept from every search. How often a trigger works is counted on \
     these alone, and only on pictures whose true label is another one.",
    "Calibration. The same searches run on models known clean. A trigger counts as planted where an honest model \
     would have one as small, beside those of the suspect's other labels, in at most two of a hundred cases (p at most \
     0.02), and where it is strange to models known clean.",
    "Verdict. A label is infected where a trigger is confirmed so, suspicious where something is beyond honest models \
     without such a trigger. The model's verdict is that of its worst label.",
];

/// The papers behind the methods.
pub const PAPERS: [&str; 6] = [
    "PoisDetc, source code, 2020. https://github.com/annoymousLink/PoisDetc-Code",
    "B. Wang et al., Neural Cleanse: identifying and mitigating backdoor attacks in neural networks. IEEE Symposium on \
     Security and Privacy, 2019.",
    "G. Tao et al., Better trigger inversion optimization in backdoor scanning (Pixel). CVPR, 2022.",
    "S.-M. Moosavi-Dezfooli et al., Universal adversarial perturbations (on what they drive answers to). CVPR, 2017.",
    "G. Shen et al., Backdoor scanning for deep neural networks through K-Arm optimization. ICML, 2021.",
    "H. Wang et al., MM-BD: post-training detection of backdoor attacks with arbitrary backdoor pattern types using a maximum margin \
     statistic. IEEE Symposium on Security and Privacy, 2024.",
];

/// The papers behind the repairs, by the name of the method.
pub fn paper_of_repair(method: &str) -> Option<&'static str> {
    Some(match method {
        "unlearning" => "Unlearning: B. Wang et al., Neural Cleanse, section VI. IEEE S&P, 2019.",
        "fine-pruning" => "Fine-pruning: K. Liu et al., Fine-Pruning. RAID, 2018.",
        "ft-sam" => "FT-SAM: M. Zhu et al. ICCV, 2023.",
        "sau" => "SAU: S. Wei et al., Shared adversarial unlearning. NeurIPS, 2023.",
        "anp" => "ANP: D. Wu and Y. Wang, Adversarial neuron pruning. NeurIPS, 2021.",
        "clp" => "CLP: R. Zheng et al., Channel Lipschitz pruning. ECCV, 2022.",
        "clamp" => "Activation clamp: H. Wang et al., MM-BD. IEEE S&P, 2024.",
        _ => return None,
    })
}

/// What is signed.
pub const SIGNED: &str = "By signing I confirm that I have read this report, looked at the pictures in it, and checked that \
                          the SHA-256 of the model in use is the one given here.";

/// Lines to be filled in by hand.
pub const LINES: [&str; 4] = ["Name", "Organisation and role", "Place and date", "Signature"];
