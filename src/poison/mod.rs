//! Attacks, one file each, for the lab and for building known-bad models; and the sample's signs.
