#![allow(unsafe_code)]
//! How candle's own operations share the processor.
//!
//! candle spreads every element-wise operation over a pool whose threads wait by spinning. Detectors
//! already keep all cores busy with one label each, and our own kernels have rayon; there the spinning
//! costs up to half of the time (measured on two cores), so it is turned off.

/// What candle reads when it first computes something.
const CANDLE_THREADS: &str = "CANDLE_NUM_THREADS";

/// Lets every candle operation run on the thread that asks for it, unless the user says otherwise in
/// the environment. Call it first in `main`, before any other thread exists.
pub fn settle() {
    if std::env::var_os(CANDLE_THREADS).is_none() {
        // SAFETY: called at the very start of `main`, when this is the only thread, so that nobody
        // reads the environment at the same time.
        unsafe { std::env::set_var(CANDLE_THREADS, "1") };
    }
}
