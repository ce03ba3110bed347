//! What an alert is about: the object a person goes to, its place, and the kind of trouble, read from the labels.
//!
//! Owns the ordered rule and its lists (`subject/names.rs`, one list for each step). Pure, and bounded: at most
//! [`LABELS`] labels are read, each a fixed number of times. A label that is in no list is shown only if the author of
//! the rule names its value ([`Sighting::said`]) or if the alerts of a group differ by it.

mod asked;
mod ends;
mod family;
mod fold;
mod group;
mod names;
mod part;
mod reading;
mod said;

use std::borrow::Cow;

use crate::alert::Labels;

pub use ends::{columns, runs};
pub use fold::{Folded, fold};
pub use group::{Group, Member, Row, group};
pub use part::{Kind, Part, places, text};
pub use reading::Fate;
pub use said::told;

use reading::Reading;

/// Labels of an alert that are read.
pub const LABELS: usize = 400;

/// What is known of an alert.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// Its labels, as sent.
    pub labels: &'a Labels,
    /// The sentences of its author, without dumps of labels: see [`told`].
    pub said: &'a str,
    /// The expression of its rule; empty if unknown.
    pub expression: &'a str,
    /// What the user added to the lists.
    pub taught: &'a Taught,
}

/// The user's additions to the lists; they come before the shipped names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taught {
    /// Labels that make the object, wide to narrow: an alert that has one of them is about these.
    pub object: Vec<String>,
    /// Labels that tell where it is, widest first.
    pub place: Vec<String>,
    /// Labels that are never shown.
    pub hidden: Vec<String>,
}

/// What an alert is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The object, wide to narrow; empty if the labels tell none.
    pub object: Vec<Part>,
    /// Where it is, widest first.
    pub place: Vec<Part>,
    /// Which kind of trouble it is.
    pub qualifier: Vec<Part>,
    /// Kinds of trouble that matter only where the alerts of a group differ by them.
    pub latent: Vec<Part>,
}

/// Letters of the shortest kind of trouble that is looked for in a rule's name.
const SAID: usize = 4;

/// Why a label is shown, or is not: a line of `wegraf preview --why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The label, as sent.
    pub label: String,
    pub value: String,
    /// What became of it.
    pub fate: Fate,
}

impl Taught {
    /// The shipped lists alone.
    pub const NOTHING: &'static Self = &Self { object: Vec::new(), place: Vec::new(), hidden: Vec::new() };

    /// `text` without the lines `name: value` that only tell labels which the user hides.
    pub fn without_hidden<'a>(&self, text: &'a str, labels: &Labels) -> Cow<'a, str> {
        if self.hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        let hides = |name: &str| self.hidden.iter().any(|hidden| reading::usual(hidden.trim()) == reading::usual(name));
        let is_hidden = |line: &&str| {
            let pair = line.split_once(": ").filter(|(name, _)| hides(name));
            pair.is_some_and(|(name, value)| labels.get(name).is_some_and(|label| label.trim() == value))
        };
        let shown: Vec<&str> = text.lines().filter(|line| !is_hidden(line)).collect();
        if shown.len() == text.lines().count() { Cow::Borrowed(text) } else { Cow::Owned(shown.join("\n")) }
    }
}

/// The subject of an alert.
pub fn subject(of: &Sighting<'_>) -> Subject {
    read(of).0
}

/// The subject beside the name of its rule: a kind of trouble that the name says matters only where alerts differ by it.
/// `Ready` behind `KubeNodeNotReady` would read as its contrary.
pub fn beside(rule: &str, of: &Sighting<'_>) -> Subject {
    let mut subject = subject(of);
    let bare =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let rule = bare(rule);
    let says = |part: &mut Part| {
        let kind = bare(&part.text);
        kind.chars().count() >= SAID && rule.contains(&kind)
    };
    subject.latent.extend(subject.qualifier.extract_if(.., says));
    subject
}

/// The subject, and for every label why it is shown or not, in the order of the labels.
pub fn explain(of: &Sighting<'_>) -> (Subject, Vec<Why>) {
    let (subject, reading) = read(of);
    (subject, reading.why())
}

fn read<'a>(of: &Sighting<'a>) -> (Subject, Reading<'a>) {
    let mut reading = Reading::of(of.labels);
    reading.hide(of.taught);
    asked::drop_asked(&mut reading, of.expression, of.said);
    reading.drop_meta();
    let mut subject = Subject::default();
    family::object(&mut reading, of, &mut subject);
    family::places(&mut reading, of.taught, &mut subject);
    family::named(&mut reading, of, &mut subject);
    family::fall_back(&mut reading, of.said, &mut subject);
    family::qualifiers(&mut reading, of.said, &mut subject);
    family::leave_out_repeated(&mut reading, &mut subject);
    (subject, reading)
}

#[cfg(test)]
mod tests;
