//! Tests of whole letters.

mod checker;
mod counts;
mod digests;
mod golden;
mod letters;
mod random;
mod speed;
