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

/// The translation of a class of layers, or `None` where there is none.
pub(super) fn translation(class: &str) -> Option<Translate> {
    Some(match class {
        "Conv2D" => convolution::conv2d,
        "DepthwiseConv2D" => convolution::depthwise,
        "SeparableConv2D" => convolution::separable,
        "Dense" => dense::dense,
        "Activation" => activation::activation,
        "ReLU" => activation::relu,
        "LeakyReLU" => activation::leaky_relu,
        "ELU" => activation::elu,
        "PReLU" => activation::prelu,
        "Softmax" => activation::softmax_layer,
        "MaxPooling2D" | "MaxPool2D" => pooling::max,
        "AveragePooling2D" | "AvgPool2D" => pooling::average,
        "GlobalAveragePooling2D" | "GlobalAvgPool2D" => pooling::global_average,
        "GlobalMaxPooling2D" | "GlobalMaxPool2D" => pooling::global_max,
        "BatchNormalization" | "BatchNormalizationV1" | "SyncBatchNormalization" => normalization::batch,
        "LayerNormalization" => normalization::layer,
        "Normalization" => normalization::statistics,
        "Rescaling" => normalization::rescaling,
        "Add" => merge::add,
        "Subtract" => merge::subtract,
        "Multiply" => merge::multiply,
        "Average" => merge::average,
        "Maximum" => merge::maximum,
        "Minimum" => merge::minimum,
        "Concatenate" => merge::concatenate,
        "Flatten" => shape::flatten,
        "Reshape" => shape::reshape,
        "Permute" => shape::permute,
        "ZeroPadding2D" => shape::zero_padding,
        "Cropping2D" => shape::cropping,
        "UpSampling2D" => shape::up_sampling,
        // Only at work while a model is trained.
        "Dropout"
        | "SpatialDropout2D"
        | "AlphaDropout"
        | "GaussianNoise"
        | "GaussianDropout"
        | "ActivityRegularization"
        | "RandomFlip"
        | "RandomRotation"
        | "RandomZoom"
        | "RandomTranslation"
        | "RandomContrast"
        | "RandomBrightness" => pass,
        _ => return None,
    })
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
