//! Colours by role, for the light and the dark theme. Chosen after Okabe and Ito so that colour-blind
//! people tell them apart; every verdict has a symbol and a word besides.

use crate::audit::Verdict;
use egui::{Color32, Ui};

const fn hex(rgb: u32) -> Color32 {
    Color32::from_rgb((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
}

/// Writing on its ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The writing, symbol or line.
    pub ink: Color32,
    /// What is behind it.
    pub ground: Color32,
}

/// Every colour of one theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colors {
    /// The middle of the window.
    pub ground: Color32,
    /// The panels around it.
    pub panel: Color32,
    /// Boxes that hold what belongs together.
    pub card: Color32,
    /// Around cards and fields.
    pub border: Color32,
    /// Around ticks and radio dots.
    pub outline: Color32,
    /// Buttons at rest.
    pub button: Color32,
    /// Buttons under the pointer.
    pub button_hovered: Color32,
    /// Where text is typed.
    pub field: Color32,
    /// Ordinary writing.
    pub text: Color32,
    /// Writing that matters less.
    pub weak: Color32,
    /// The one button that goes on.
    pub primary: Pair,
    /// Links, the chosen step, the progress bar.
    pub accent: Color32,
    /// Behind what is chosen.
    pub selection: Color32,
    /// What went wrong.
    pub error: Pair,
    /// The suspect model's dots.
    pub suspect: Color32,
    /// The reference model's dots.
    pub reference: Color32,
    /// The range honest models show.
    pub honest: Color32,
    infected: Pair,
    suspicious: Pair,
    no_evidence: Pair,
}

static LIGHT: Colors = Colors {
    ground: hex(0xfb_fc_fd),
    panel: hex(0xf1_f4_f7),
    card: hex(0xff_ff_ff),
    border: hex(0xd3_d9_e0),
    outline: hex(0x85_90_9f),
    button: hex(0xe4_e9_ee),
    button_hovered: hex(0xd6_dd_e5),
    field: hex(0xff_ff_ff),
    text: hex(0x1c_23_2e),
    weak: hex(0x52_5d_6d),
    primary: Pair { ink: hex(0xff_ff_ff), ground: hex(0x1a_63_b0) },
    accent: hex(0x1a_63_b0),
    selection: hex(0xd5_e5_f6),
    error: Pair { ink: hex(0x98_1b_33), ground: hex(0xfb_e8_ec) },
    suspect: hex(0xc4_43_0c),
    reference: hex(0x00_6a_a8),
    honest: hex(0xd9_e2_ec),
    infected: Pair { ink: hex(0x99_2c_0b), ground: hex(0xfc_ea_e3) },
    suspicious: Pair { ink: hex(0x76_4a_00), ground: hex(0xfd_f1_d4) },
    no_evidence: Pair { ink: hex(0x0b_50_8f), ground: hex(0xe3_ee_f9) },
};

static DARK: Colors = Colors {
    ground: hex(0x15_18_1d),
    panel: hex(0x1b_1f_25),
    card: hex(0x1f_24_2b),
    border: hex(0x36_3d_47),
    outline: hex(0x6d_78_88),
    button: hex(0x2d_33_3c),
    button_hovered: hex(0x39_41_4c),
    field: hex(0x12_15_19),
    text: hex(0xe3_e7_ed),
    weak: hex(0xa2_ac_ba),
    primary: Pair { ink: hex(0xff_ff_ff), ground: hex(0x27_6e_be) },
    accent: hex(0x7d_b8_f2),
    selection: hex(0x23_40_60),
    error: Pair { ink: hex(0xff_9d_ab), ground: hex(0x42_1d_25) },
    suspect: hex(0xff_8a_5c),
    reference: hex(0x5c_b8_ec),
    honest: hex(0x33_3c_48),
    infected: Pair { ink: hex(0xff_a3_86), ground: hex(0x43_23_19) },
    suspicious: Pair { ink: hex(0xf5_c7_5a), ground: hex(0x3c_30_14) },
    no_evidence: Pair { ink: hex(0x90_c6_f6), ground: hex(0x1a_30_47) },
};

impl Colors {
    /// The colours of the theme `ui` is drawn in.
    pub fn of(ui: &Ui) -> &'static Self {
        Self::of_theme(if ui.visuals().dark_mode { egui::Theme::Dark } else { egui::Theme::Light })
    }

    /// The colours of a theme.
    pub fn of_theme(theme: egui::Theme) -> &'static Self {
        match theme {
            egui::Theme::Dark => &DARK,
            egui::Theme::Light => &LIGHT,
        }
    }

    /// The colours of a verdict.
    pub fn verdict(&self, verdict: Verdict) -> Pair {
        match verdict {
            Verdict::Infected => self.infected,
            Verdict::Suspicious => self.suspicious,
            Verdict::NoEvidence => self.no_evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast after WCAG 2.1.
    fn luminance(c: Color32) -> f64 {
        let part = |byte: u8| {
            let x = f64::from(byte) / 255.0;
            if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(c.r()) + 0.7152 * part(c.g()) + 0.0722 * part(c.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn writing_can_be_read_in_both_themes() {
        for (theme, c) in [("light", &LIGHT), ("dark", &DARK)] {
            let grounds = [c.ground, c.panel, c.card, c.field];
            let mut pairs = vec![c.primary, c.error, c.infected, c.suspicious, c.no_evidence];
            for ground in grounds {
                for ink in [c.text, c.weak, c.accent, c.error.ink] {
                    pairs.push(Pair { ink, ground });
                }
                pairs.extend([c.infected, c.suspicious, c.no_evidence].map(|v| Pair { ink: v.ink, ground }));
            }
            pairs.extend([c.button, c.button_hovered, c.selection].map(|ground| Pair { ink: c.text, ground }));
            for pair in pairs {
                let ratio = contrast(pair.ink, pair.ground);
                assert!(ratio >= 4.5, "{theme}: {:?} on {:?} has only {ratio:.2}", pair.ink, pair.ground);
            }
        }
    }

    #[test]
    fn what_can_be_clicked_has_an_outline_that_can_be_seen() {
        for c in [&LIGHT, &DARK] {
            for ground in [c.ground, c.panel, c.card] {
                assert!(contrast(c.outline, ground) >= 2.8, "{:.2}", contrast(c.outline, ground));
            }
        }
    }

    #[test]
    fn dots_stand_out_from_the_plot_and_the_honest_range() {
        for c in [&LIGHT, &DARK] {
            for dot in [c.suspect, c.reference] {
                assert!(contrast(dot, c.card) >= 3.0 && contrast(dot, c.honest) >= 3.0, "{dot:?}");
            }
        }
    }
}
