//! Tests of whole letters.

mod cards;
mod checker;
mod counts;
mod digests;
mod first_look;
mod golden;
mod letters;
mod random;
mod speed;
mod worked;

// Of the checker, which the fuzz target `render` has as well.
use crate::config::Channel;
use crate::subject::columns;
