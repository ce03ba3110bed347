//! What an alert measures: the rule behind it, its values, their units, and how people read them.
//!
//! Owns the reading of expressions ([`Rule`]), the choice among the numbers that a sender gives ([`Reading`]) and the writing
//! of numbers ([`write()`]). Pure. No value is invented: where a number cannot be told, there is none, and what cannot be
//! read is not an error. A raw value is kept as it was sent; it is rounded only where it is written.

mod figure;
mod lex;
mod link;
mod rule;
mod text;
mod tree;
mod unit;
mod write;

#[cfg(test)]
mod tests;

pub use figure::Reading;
pub use lex::same;
pub use link::{expression, expression_of};
pub use rule::{Bound, Condition, Rule};
pub use tree::Operator;
pub use unit::{Unit, UnitKind};
pub use write::{threshold, write};

use crate::alert::Labels;

/// A value of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// RefID, metric or empty; shown where there are several.
    pub name: String,
    /// The number as sent, to the last digit.
    pub raw: String,
    /// As a number, in `unit`; `None` for a text.
    pub number: Option<f64>,
    /// Its unit; `None` if unknown.
    pub unit: Option<Unit>,
    /// Its origin.
    pub source: Source,
    /// The labels of its series, if one alert has several.
    pub tags: Labels,
}

/// The origins of values, the most trusted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A member of the body that its sender means as the value.
    Sender,
    /// Grafana's `values`.
    Grafana,
    /// Legacy Grafana's `evalMatches`.
    Matches,
    /// `VALUE = …` behind a description.
    Dump,
    /// A number in a sentence.
    Prose,
    /// The only number that differs among the alerts of a group.
    Differing,
    /// What the upstream says of its own alert ([`Alert::asked`](crate::alert::Alert)).
    Upstream,
}
