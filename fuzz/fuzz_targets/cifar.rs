//! CIFAR's binary files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poisdetc_fuzz::{file, images};

fuzz_target!(|bytes: &[u8]| images(&file("test_batch.bin", bytes)));
