//! Tests of whole letters.

mod checker;
mod digests;
mod golden;
mod letters;
mod random;
