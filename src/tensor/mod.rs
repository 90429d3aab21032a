//! The floor: what candle lacks or gets wrong, seeded random numbers, device choice.
//!
//! In and out: candle tensors (`f32`, contiguous or not), differentiable with candle's own
//! `backward`. Everything here has a gradient test against finite differences.
//! Knows nothing of models or images. The only place where `unsafe` is allowed.

pub mod activation;
pub mod adam;
pub mod added;
pub mod chain;
#[cfg(test)]
pub(crate) mod check;
pub mod columns;
pub mod conv;
pub mod device;
mod each;
pub mod gelu;
mod graft;
pub mod loss;
mod matrix;
pub mod numbers;
pub mod pool;
pub mod principal;
pub mod resize;
pub mod rows;
pub mod seed;
pub mod squash;
pub mod stamp;
mod storage;
pub mod threads;
mod unfold;
pub mod warped;
mod window;

pub use activation::{elu, erf, relu};
pub use adam::Adam;
pub use added::added;
pub use chain::{dense, dense_serves};
pub use columns::{add_columns, are_columns, scale_columns};
pub use conv::{Conv2d, conv2d};
pub use gelu::gelu;
pub(crate) use graft::with_gradient;
pub use loss::{answers, cross_entropy, log_softmax};
pub use numbers::Numbers;
pub use pool::{Pool2d, avg_pool2d, max_pool2d};
pub use principal::Principal;
pub use resize::resize;
pub use rows::{softmax_rows, standardise};
pub use seed::{Random, Seed};
pub use squash::{squash, unsquash};
pub use stamp::stamp;
pub use warped::warped;
