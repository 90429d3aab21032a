//! The floor: what candle lacks or gets wrong, seeded random numbers, device choice.
//!
//! In and out: candle tensors (`f32`, contiguous or not), differentiable with candle's own
//! `backward`. Everything here has a gradient test against finite differences.
//! Knows nothing of models or images. The only place where `unsafe` is allowed.

pub mod activation;
pub mod conv;
pub mod pool;
pub mod seed;

pub use activation::relu;
pub use conv::{Conv2d, conv2d};
pub use pool::{Pool2d, avg_pool2d, max_pool2d};
pub use seed::{Random, Seed};
