//! Clean images with their labels, from every source people have them in; and finding the
//! preprocessing a model was trained with.
//!
//! In: a path ([`open`]). Out: an [`ImageSet`] of one size, bytes, with label names and what could not
//! be read. [`discover`] tries the usual preprocessings of a model on a set.
//! Never follows a path out of the folder it was given; never fails for one bad picture among good ones.

mod candidates;
mod discover;
mod error;
mod measure;
mod npz_bytes;
mod picture;
mod plausible;
mod set;
mod sources;

pub use discover::{Candidate, Discovery, discover};
pub use error::ImageError;
pub use measure::{Answers, accuracy, answered};
pub use npz_bytes::npz_bytes;
pub use set::{ImageSet, Split};
pub use sources::{Wanted, open};
