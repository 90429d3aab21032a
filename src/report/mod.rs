//! An audit as JSON and as pictures.
