//! Keras files: HDF5, and archives that hold it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc_fuzz::{file, model};

fuzz_target!(|bytes: &[u8]| model(&file("model.h5", bytes)));
