#![allow(unsafe_code)]
//! How candle's own operations share the processor and keep their memory.
//!
//! candle spreads every element-wise operation over a pool whose threads wait by spinning. Detectors
//! already keep all cores busy with one label each, and our own kernels have rayon; there the spinning
//! costs up to half of the time (measured on two cores), so it is turned off.

/// glibc's numbers for the size from which memory is mapped afresh, for what may be free before some is given back, and for what
/// stays then.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MMAP_THRESHOLD: i32 = -3;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIM_THRESHOLD: i32 = -1;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TOP_PAD: i32 = -2;
/// Memory that may lie idle until the next operation takes it: the activations of a batch.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 256 << 20;
/// The largest threshold glibc takes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGEST_THRESHOLD: i32 = 32 << 20;

/// Keeps freed memory for the next operation. glibc gives buffers of some megabytes back to the system
/// at once, and every operation then pays for fresh, zeroed pages: a tenth of an audit's time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    unsafe extern "C" {
        fn mallopt(parameter: i32, value: i32) -> i32;
    }
    // SAFETY: glibc's own function with the signature of malloc.h; it only sets three numbers, and called
    // before any other thread exists nobody allocates meanwhile. A refusal (0) changes nothing.
    unsafe {
        mallopt(MMAP_THRESHOLD, LARGEST_THRESHOLD);
        mallopt(TRIM_THRESHOLD, KEPT);
        // Otherwise all of it goes back once it is more than that: a step to the picture through a ViT takes 279 ms instead of 208.
        mallopt(TOP_PAD, KEPT);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}

/// What candle reads when it first computes something.
const CANDLE_THREADS: &str = "CANDLE_NUM_THREADS";

/// Lets every candle operation run on the thread that asks for it, unless the user says otherwise in
/// the environment. Call it first in `main`, before any other thread exists.
pub fn settle() {
    keep_memory();
    if std::env::var_os(CANDLE_THREADS).is_none() {
        // SAFETY: called at the very start of `main`, when this is the only thread, so that nobody
        // reads the environment at the same time.
        unsafe { std::env::set_var(CANDLE_THREADS, "1") };
    }
}
