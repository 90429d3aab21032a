//! What each layer of Keras does, in our own operations: one function a layer, one line in the table.

mod activation;
mod convolution;
mod dense;
mod merge;
mod normalization;
mod pooling;
mod shape;
mod window;

use super::Fault;
use super::archive::Weight;
use super::builder::{Builder, Feature};
use super::settings::LayerView;

pub(super) use activation::known_activation;

/// Translates one use of a layer.
pub(super) type Translate = fn(&mut Builder, &LayerView, &[Feature]) -> Result<Feature, Fault>;

/// Classes of layers and their translations.
const TABLE: &[(&str, Translate)] = &[
    ("Activation", activation::activation),
    ("Add", merge::add),
    ("Average", merge::average),
    ("AveragePooling2D", pooling::average),
    ("AvgPool2D", pooling::average),
    ("BatchNormalization", normalization::batch),
    ("BatchNormalizationV1", normalization::batch),
    ("Concatenate", merge::concatenate),
    ("Conv2D", convolution::conv2d),
    ("Conv2DTranspose", convolution::transposed),
    ("Cropping2D", shape::cropping),
    ("Dense", dense::dense),
    ("DepthwiseConv2D", convolution::depthwise),
    ("ELU", activation::elu),
    ("Flatten", shape::flatten),
    ("GlobalAveragePooling2D", pooling::global_average),
    ("GlobalAvgPool2D", pooling::global_average),
    ("GlobalMaxPool2D", pooling::global_max),
    ("GlobalMaxPooling2D", pooling::global_max),
    ("GroupNormalization", normalization::group),
    ("LayerNormalization", normalization::layer),
    ("LeakyReLU", activation::leaky_relu),
    ("MaxPool2D", pooling::max),
    ("MaxPooling2D", pooling::max),
    ("Maximum", merge::maximum),
    ("Minimum", merge::minimum),
    ("Multiply", merge::multiply),
    ("Normalization", normalization::statistics),
    ("PReLU", activation::prelu),
    ("Permute", shape::permute),
    ("ReLU", activation::relu),
    ("Rescaling", normalization::rescaling),
    ("Reshape", shape::reshape),
    ("SeparableConv2D", convolution::separable),
    ("Softmax", activation::softmax_layer),
    ("Subtract", merge::subtract),
    ("SyncBatchNormalization", normalization::batch),
    ("UpSampling2D", shape::up_sampling),
    ("ZeroPadding2D", shape::zero_padding),
];

/// Layers that are only at work while a model is trained, or never.
const PASSING: &[&str] = &[
    "ActivityRegularization",
    "AlphaDropout",
    "AugMix",
    "CutMix",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "SpatialDropout2D",
];

/// The translation of a class of layers, or `None` where there is none.
pub(super) fn translation(class: &str) -> Option<Translate> {
    if PASSING.contains(&class) {
        return Some(pass);
    }
    TABLE.iter().find(|(name, _)| *name == class).map(|&(_, translate)| translate)
}

/// Names of all layers that are read, in the order of the alphabet.
pub fn supported_layers() -> Vec<&'static str> {
    let mut names: Vec<&str> = TABLE.iter().map(|&(name, _)| name).chain(PASSING.iter().copied()).collect();
    names.sort_unstable();
    names
}

/// A layer that does nothing when a picture is classified.
fn pass(_: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    single(view, inputs).cloned()
}

/// The one value a layer reads.
fn single<'a>(view: &LayerView, inputs: &'a [Feature]) -> Result<&'a Feature, Fault> {
    match inputs {
        [only] => Ok(only),
        _ => Err(view.broken(format_args!("it reads {} values instead of one", inputs.len()))),
    }
}

/// The weights called `names`, in that order. Files that call them otherwise have them in the order Keras expects.
fn weights<'a>(view: &LayerView<'a>, names: &[&str]) -> Result<Vec<&'a Weight>, Fault> {
    let named = |name: &&str| view.weights.iter().copied().find(|weight| base_name(&weight.name) == *name);
    if view.weights.len() == names.len() {
        return Ok(names.iter().map(named).collect::<Option<_>>().unwrap_or_else(|| view.weights.clone()));
    }
    Err(view.broken(format_args!(
        "it needs {} arrays of weights ({}), but the file has {}",
        names.len(),
        names.join(", "),
        view.weights.len()
    )))
}

/// Like [`weights`], for a number of them that does not depend on the settings.
fn exactly<'a, const N: usize>(view: &LayerView<'a>, names: [&str; N]) -> Result<[&'a Weight; N], Fault> {
    let found = weights(view, &names)?;
    let count = found.len();
    found.try_into().map_err(|_| view.broken(format_args!("it needs {N} arrays of weights, but the file has {count}")))
}

/// `kernel` of `conv2d/kernel:0`.
fn base_name(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split(':').next().unwrap_or(last)
}

/// A dimension that must be known.
fn known(view: &LayerView, size: Option<usize>, what: &str) -> Result<usize, Fault> {
    size.ok_or_else(|| {
        Fault::NotAClassifier(format!("layer \"{}\" needs to know {what}, which the file leaves open", view.name))
    })
}
