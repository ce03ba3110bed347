//! Tests of whole letters.

mod golden;
