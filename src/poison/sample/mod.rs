//! The sample: road signs, a model of them with a backdoor, and its honest twin, to try the program on.
//!
//! In: a seed, or nothing for the bundled one. Out: four files ([`FILES`]): images, label names, two
//! ONNX models. `poisdetc sample --make DIR` makes them anew ([`write()`]): the same images everywhere, the
//! same models on processors that round sums alike. The files made by the authors are part of the
//! program and are laid down for it by [`unpack`].

mod bundle;
mod make;

pub use bundle::{FILES, HONEST, IMAGES, NAMES, SUSPECT, unpack, unpack_into};
pub use make::{Plan, Sample, SampleError, Truth, build, write};

#[cfg(test)]
mod tests;
