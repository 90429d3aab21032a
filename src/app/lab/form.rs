//! What is drawn and chosen in the lab, and the order that comes of it.

use crate::poison::lab::{LabImages, LabOrder, Pictures, Planted};
use crate::poison::{Drawn, Mark, Ready, Scheme};
use crate::tensor::Seed;
use crate::train::{Architecture, Recipe};

/// The tool in the hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Brush {
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// How much of the colour shows, in `(0, 1]`.
    pub opacity: f32,
    /// Pixels a side.
    pub size: usize,
    /// Whether it takes paint away.
    pub erases: bool,
}

impl Default for Brush {
    fn default() -> Self {
        Self { colour: [255, 220, 0], opacity: 1.0, size: 1, erases: false }
    }
}

impl Brush {
    /// What it leaves on a pixel: colour and opacity.
    pub fn pixel(&self) -> [u8; 4] {
        let [red, green, blue] = self.colour;
        if self.erases { [0; 4] } else { [red, green, blue, (self.opacity * 255.0).round().clamp(1.0, 255.0) as u8] }
    }
}

/// Everything that is drawn and chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct LabForm {
    /// Whether the images are one's own.
    pub own: bool,
    /// Signs of each label to learn from.
    pub signs: usize,
    /// Path of one's own images.
    pub path: String,
    /// The trigger.
    pub mark: Mark,
    /// The ready one it began as, while it was not changed.
    pub ready: Option<Ready>,
    /// The tool in the hand.
    pub brush: Brush,
    /// The label that pictures become.
    pub target: usize,
    /// The only label whose pictures do; every label where absent.
    pub source: Option<usize>,
    /// Only pictures of the target are stamped, so that no label is wrong.
    pub clean_label: bool,
    /// Share of the training pictures that is stamped, in `[0, 1]`.
    pub rate: f32,
    /// The network.
    pub architecture: Architecture,
    /// Passes over the training pictures.
    pub passes: usize,
    /// Every random number comes from this.
    pub seed: Seed,
}

impl Default for LabForm {
    fn default() -> Self {
        Self::of(&LabOrder::default())
    }
}

impl LabForm {
    /// A form that `order` has been written into.
    pub fn of(order: &LabOrder) -> Self {
        let (own, signs, path) = match &order.images {
            LabImages::Signs { training } => (false, *training, String::new()),
            LabImages::Own { path } => (true, 200, path.display().to_string()),
        };
        let (target, source, clean_label) = match order.planted.scheme {
            Scheme::AllToOne { target } => (target, None, false),
            Scheme::OneToOne { source, target } => (target, Some(source), false),
            Scheme::CleanLabel { target } => (target, None, true),
            Scheme::AllToAll => (0, None, false),
        };
        Self {
            own,
            signs,
            path,
            mark: order.planted.mark.clone(),
            ready: ready_of(&order.planted.mark, order.recipe.seed),
            brush: Brush::default(),
            target,
            source,
            clean_label,
            rate: order.planted.rate,
            architecture: order.recipe.architecture,
            passes: order.recipe.epochs,
            seed: order.recipe.seed,
        }
    }

    /// Where the pictures come from.
    pub fn images(&self) -> LabImages {
        if self.own {
            LabImages::Own { path: self.path.trim().into() }
        } else {
            LabImages::Signs { training: self.signs }
        }
    }

    /// The experiment this form asks for.
    pub fn order(&self) -> LabOrder {
        let target = self.target;
        let scheme = match self.source.filter(|&source| source != target) {
            Some(source) => Scheme::OneToOne { source, target },
            None if self.clean_label => Scheme::CleanLabel { target },
            None => Scheme::AllToOne { target },
        };
        let usual = LabOrder::default();
        LabOrder {
            images: self.images(),
            planted: Planted { mark: self.mark.clone(), scheme, rate: self.rate },
            recipe: Recipe { architecture: self.architecture, epochs: self.passes, seed: self.seed, ..usual.recipe },
        }
    }

    /// Paints at `[row, column]` with the tool in the hand, on pictures of `size` pixels; a trigger that cannot be painted
    /// on gives way to an empty one.
    pub fn paint(&mut self, place: [usize; 2], size: [usize; 2]) {
        if !matches!(self.mark, Mark::Drawn(_)) {
            self.mark = Mark::Drawn(Drawn::blank(size));
        }
        self.ready = None;
        if let Mark::Drawn(drawn) = &mut self.mark {
            drawn.paint(place, self.brush.size, self.brush.pixel());
        }
    }

    /// Takes a trigger that is drawn already, with the share of stamped pictures it usually needs.
    pub fn take(&mut self, ready: Ready, size: [usize; 2]) {
        self.mark = ready.mark(size, self.seed);
        self.rate = ready.rate();
        self.ready = Some(ready);
    }

    /// Fits labels and trigger to other pictures.
    pub fn fit(&mut self, pictures: &Pictures) {
        let labels = pictures.training.names.len();
        let size = [pictures.training.height, pictures.training.width];
        if self.target >= labels {
            self.target = 0;
        }
        self.source = self.source.filter(|&source| source < labels);
        match (self.ready, &self.mark) {
            (Some(ready), _) => self.mark = ready.mark(size, self.seed),
            (None, Mark::Drawn(drawn)) if [drawn.height, drawn.width] != size => {
                self.mark = Mark::Drawn(drawn.resized(size));
            }
            _ => {}
        }
    }

    /// Why this cannot be trained, in a sentence; `None` where it can.
    pub fn lacks(&self) -> Option<&'static str> {
        match &self.mark {
            Mark::Drawn(drawn) if drawn.is_blank() => {
                Some("The trigger is empty: draw on the picture, or take a ready one")
            }
            _ if self.own && self.path.trim().is_empty() => Some("Choose your images first, or take the sample signs"),
            _ => None,
        }
    }
}

/// The ready trigger that this mark is, if it is one.
fn ready_of(mark: &Mark, seed: Seed) -> Option<Ready> {
    let size = match mark {
        Mark::Drawn(drawn) => [drawn.height, drawn.width],
        // The others are the same for pictures of every size.
        _ => [1, 1],
    };
    Ready::ALL.into_iter().find(|ready| ready.mark(size, seed) == *mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_and_its_order_agree() {
        let form = LabForm { source: Some(4), passes: 7, rate: 0.2, ..LabForm::default() };
        assert_eq!(LabForm::of(&form.order()), form);
        assert_eq!(LabForm::default().ready, Some(Ready::Square));
        assert_eq!(LabForm::default().order(), LabOrder::default());
        let same = LabForm { source: Some(2), target: 2, ..LabForm::default() };
        assert_eq!(same.order().planted.scheme, Scheme::AllToOne { target: 2 });
    }

    #[test]
    fn painting_on_a_wave_begins_an_empty_trigger_that_has_to_be_drawn_on() {
        let mut form = LabForm::default();
        form.take(Ready::Sinusoid, [8, 8]);
        assert_eq!(form.lacks(), None);
        form.brush.erases = true;
        form.paint([2, 2], [8, 8]);
        assert!(form.lacks().is_some_and(|why| why.contains("empty")));
        form.brush.erases = false;
        form.paint([2, 2], [8, 8]);
        assert_eq!((form.lacks(), form.ready), (None, None));
    }
}
