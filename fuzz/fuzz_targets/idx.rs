//! MNIST's IDX files: pictures, with three labels beside them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc_fuzz::{file, images};

fuzz_target!(|bytes: &[u8]| {
    file("t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2]);
    images(&file("t10k-images-idx3-ubyte", bytes));
});
