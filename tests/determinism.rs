//! The same gradients to the bit, whatever the number of threads: through networks with every kind of layer, to the
//! picture and to the weights.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};
use poisdetc::model::{Classifier, Preprocessing, open};
use poisdetc::tensor::{Seed, cross_entropy};
use std::path::Path;

/// Loss and all gradients of one step, as bits, on so many threads.
fn step(file: &str, threads: usize) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let model = open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/breadth").join(file)).unwrap();
        let (size, channels) = (model.input.size.unwrap(), model.input.channels);
        let network = Classifier::new(&model, Preprocessing::unit(size, channels), &Device::Cpu).unwrap();
        let pixels = Seed(1).random().uniform_tensor(0.0, 1.0, (7, channels, size[0], size[1]), &Device::Cpu).unwrap();
        let pixels = Var::from_tensor(&pixels).unwrap();
        let weights = network.parameters().iter().map(|(name, t)| (name.clone(), Var::from_tensor(t).unwrap()));
        let weights: Vec<(String, Var)> = weights.collect();
        let learning =
            network.with_parameters(weights.iter().map(|(name, v)| (name.clone(), v.as_tensor().clone())).collect());
        let labels = Tensor::zeros(7, candle_core::DType::U32, &Device::Cpu).unwrap();
        let loss = cross_entropy(&learning.logits(&pixels).unwrap(), &labels).unwrap().mean_all().unwrap();
        let gradients = loss.backward().unwrap();
        let all = weights.iter().map(|(_, v)| v).chain([&pixels]).filter_map(|v| gradients.get(v)).chain([&loss]);
        all.flat_map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).map(f32::to_bits).collect()
    })
}

#[test]
fn gradients_do_not_depend_on_the_number_of_threads() {
    for file in [
        "resnet18-torchscript-17.onnx",
        "mobilenet_v2-torchscript-17.onnx",
        "densenet121-torchscript-17.onnx",
        "regnet_y_400mf-torchscript-17.onnx",
        "efficientnet_b0-torchscript-17.onnx",
        "vit_b_16-torchscript-17.onnx",
        "convnext_tiny-torchscript-17.onnx",
        "network-nothing-folded.onnx",
    ] {
        let one = step(file, 1);
        assert!(one.len() > 1000, "{file}");
        assert!(one == step(file, 2) && one == step(file, 5), "{file} differs");
    }
}
