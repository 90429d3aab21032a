//! What is typed and chosen before an audit, and the order that comes of it.

use super::command::Field;
use crate::audit::{Order, Settings};
use crate::model::{ChannelOrder, Preprocessing};
use std::path::PathBuf;

/// Which preprocessing is used.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Choice {
    /// The one that is found.
    #[default]
    Found,
    /// Another one that was tried.
    Tried(Preprocessing),
    /// The one that is typed.
    Typed,
}

/// A preprocessing as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Factor on pixels from 0 to 1.
    pub scale: String,
    /// One number, or one a channel.
    pub mean: String,
    /// One number, or one a channel.
    pub std: String,
    /// Blue first.
    pub blue_first: bool,
}

impl Default for Typed {
    fn default() -> Self {
        Self { scale: "1".into(), mean: "0".into(), std: "1".into(), blue_first: false }
    }
}

impl Typed {
    /// The preprocessing these texts describe.
    ///
    /// # Errors
    /// A sentence that names the field that makes no sense.
    pub fn read(&self, size: [usize; 2], channels: usize) -> Result<Preprocessing, String> {
        let scale = one(&self.scale).filter(|s| *s > 0.0).ok_or("Scale wants a positive number, such as 1 or 255")?;
        let mean = list(&self.mean, channels)
            .ok_or_else(|| format!("Mean wants one number, or {channels} with commas between"))?;
        let std = list(&self.std, channels)
            .filter(|values| values.iter().all(|v| *v > 0.0))
            .ok_or_else(|| format!("Std wants one positive number, or {channels} with commas between"))?;
        let order = if self.blue_first { ChannelOrder::Bgr } else { ChannelOrder::Rgb };
        Ok(Preprocessing { size, channels, order, scale, mean, std, name: "typed".into() })
    }
}

fn one(text: &str) -> Option<f32> {
    text.trim().parse::<f32>().ok().filter(|x| x.is_finite())
}

fn list(text: &str, channels: usize) -> Option<Vec<f32>> {
    let values: Vec<f32> = text.split(',').map(one).collect::<Option<_>>()?;
    match values.len() {
        1 => Some(vec![values[0]; channels]),
        n if n == channels => Some(values),
        _ => None,
    }
}

/// All that is typed and chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// Path of the suspect model.
    pub model: String,
    /// Path of the clean images.
    pub images: String,
    /// Whether the program trains the reference model.
    pub trained_here: bool,
    /// Path of a reference model, otherwise.
    pub reference: String,
    /// Path of the label names; may be empty.
    pub label_names: String,
    /// Which preprocessing.
    pub choice: Choice,
    /// The typed one.
    pub typed: Typed,
    /// Everything else.
    pub settings: Settings,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            model: String::new(),
            images: String::new(),
            trained_here: true,
            reference: String::new(),
            label_names: String::new(),
            choice: Choice::Found,
            typed: Typed::default(),
            settings: Settings::default(),
        }
    }
}

impl Form {
    /// A form that `order` has been written into.
    pub fn of(order: &Order) -> Self {
        let text = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        Self {
            model: order.model.display().to_string(),
            images: order.images.display().to_string(),
            trained_here: order.reference.is_none(),
            reference: text(&order.reference),
            label_names: text(&order.label_names),
            choice: order.preprocessing.clone().map_or(Choice::Found, Choice::Tried),
            typed: Typed::default(),
            settings: order.settings.clone(),
        }
    }

    /// The text of a field.
    pub fn field(&mut self, field: Field) -> &mut String {
        match field {
            Field::Model => &mut self.model,
            Field::Images => &mut self.images,
            Field::Reference => &mut self.reference,
            Field::LabelNames => &mut self.label_names,
        }
    }

    /// The path in a field; `None` where it is empty.
    pub fn path(&self, field: Field) -> Option<PathBuf> {
        let text = match field {
            Field::Model => &self.model,
            Field::Images => &self.images,
            Field::Reference if self.trained_here => return None,
            Field::Reference => &self.reference,
            Field::LabelNames => &self.label_names,
        };
        let text = text.trim();
        (!text.is_empty()).then(|| PathBuf::from(text))
    }

    /// The order this form asks for; `shape` is the size and channels the model wants, where known.
    ///
    /// # Errors
    /// The field that lacks something, and a sentence.
    pub fn order(&self, shape: Option<([usize; 2], usize)>) -> Result<Order, (Field, String)> {
        let missing = |field, what: &str| (field, what.to_owned());
        let model = self.path(Field::Model).ok_or_else(|| missing(Field::Model, "Choose the suspect model first"))?;
        let images = self.path(Field::Images).ok_or_else(|| missing(Field::Images, "Choose clean images first"))?;
        let reference = self.path(Field::Reference);
        if !self.trained_here && reference.is_none() {
            return Err(missing(Field::Reference, "Choose a reference model, or let it be trained here"));
        }
        let preprocessing = match (&self.choice, shape) {
            (Choice::Found, _) => None,
            (Choice::Tried(p), _) => Some(p.clone()),
            (Choice::Typed, Some((size, channels))) => {
                Some(self.typed.read(size, channels).map_err(|why| (Field::Images, why))?)
            }
            (Choice::Typed, None) => {
                return Err(missing(
                    Field::Images,
                    "The preprocessing can be typed once model and images were understood",
                ));
            }
        };
        Ok(Order {
            model,
            images,
            reference,
            label_names: self.path(Field::LabelNames),
            preprocessing,
            settings: self.settings.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filled() -> Form {
        Form { model: "m.onnx".into(), images: "signs".into(), ..Form::default() }
    }

    #[test]
    fn an_order_wants_a_model_and_images() {
        assert_eq!(Form::default().order(None).unwrap_err().0, Field::Model);
        let no_images = Form { model: " m.onnx ".into(), ..Form::default() };
        assert_eq!(no_images.order(None).unwrap_err().0, Field::Images);
        let no_reference = Form { trained_here: false, ..filled() };
        assert_eq!(no_reference.order(None).unwrap_err().0, Field::Reference);
    }

    #[test]
    fn a_form_and_its_order_agree() {
        let order = Form { label_names: "names.txt".into(), ..filled() }.order(None).unwrap();
        assert_eq!(Form::of(&order).order(None).unwrap(), order);
    }

    #[test]
    fn a_typed_preprocessing_is_read_or_explained() {
        let typed = |scale: &str, mean: &str, std: &str| Typed {
            scale: scale.into(),
            mean: mean.into(),
            std: std.into(),
            blue_first: false,
        };
        let p = typed("255", "120, 110, 100", "1").read([32, 32], 3).unwrap();
        assert_eq!((p.scale, p.mean, p.std), (255.0, vec![120.0, 110.0, 100.0], vec![1.0; 3]));
        for bad in [
            typed("0", "0", "1"),
            typed("x", "0", "1"),
            typed("1", "1, 2", "1"),
            typed("1", "0", "0"),
            typed("inf", "0", "1"),
        ] {
            assert!(bad.read([32, 32], 3).is_err(), "{bad:?}");
        }
    }
}
