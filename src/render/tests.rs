//! Tests of whole letters.

mod checker;
mod golden;
mod letters;
mod random;
