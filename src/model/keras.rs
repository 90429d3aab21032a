//! Keras `.h5` full models, translated into `graph::Op`.
