//! NumPy archives of images.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc_fuzz::{file, images};

fuzz_target!(|bytes: &[u8]| images(&file("images.npz", bytes)));
