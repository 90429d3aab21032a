//! ONNX files, and what is told to be none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc_fuzz::{file, model};

fuzz_target!(|bytes: &[u8]| model(&file("model.onnx", bytes)));
