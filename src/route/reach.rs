//! Routes that no alert can reach.
//!
//! Every label is looked at by itself: its values fall into a few classes that no matcher of the tree tells apart, so
//! that a search over classes is a search over all alerts whose labels have no line breaks. Where that cannot be decided
//! (patterns without an end, too many routes), a route counts as reachable, so no reachable route is reported.

use std::collections::{BTreeMap, BTreeSet};

use super::matcher::{Matcher, Operator};
use super::{Node, Tree};

/// Values that one pattern may stand for and still be taken apart; more are one class.
const WORDS: usize = 64;
/// Patterns without an end on one label that are told apart; each doubles the classes of the label.
const PATTERNS: usize = 6;
/// Steps of the search for one route. Real configurations take a few hundred.
const STEPS: usize = 50_000;

/// A route that no alert can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// The route: for each level of the tree the place among its siblings, from 0.
    pub path: Vec<usize>,
    pub why: Blocked,
}

/// Why a route cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// Its matchers, with those of the routes around it, contradict each other.
    Contradiction,
    /// This earlier sibling of it, or of a route around it, takes all of its alerts.
    Taken(Vec<usize>),
    /// Several earlier routes take all of its alerts between them.
    TakenTogether,
}

/// A class of values of one label.
#[derive(Debug)]
enum Class {
    /// This value; the empty one stands for an absent label.
    Value(String),
    /// All values that no matcher names, of those that exactly these patterns match.
    Other(BTreeSet<String>),
}

/// A label that the tree looks at.
#[derive(Debug, Default)]
struct Label {
    /// Patterns without an end that are told apart.
    patterns: BTreeSet<String>,
    classes: Vec<Class>,
}

/// For each class of a label whether it is in the set.
type Set = Vec<bool>;

/// A matcher, as sets of classes. A class whose values it may and may not match is in both.
#[derive(Debug, Clone)]
struct Condition {
    /// Index of its label.
    label: usize,
    matching: Set,
    failing: Set,
}

/// A node of the tree, as conditions.
struct Step {
    conditions: Vec<Condition>,
    continues: bool,
    routes: Vec<Step>,
}

impl Tree {
    /// All routes that no alert can reach, from the top. What is below such a route is not named again.
    pub fn unreachable(&self) -> Vec<Unreachable> {
        let labels = labels(&self.root);
        let root = step(&self.root, &labels);
        let all = labels.values().map(|label| vec![true; label.classes.len()]).collect();
        let mut found = Vec::new();
        visit(&root, &Around { path: Vec::new(), left: all, refused: Vec::new() }, &mut found);
        found
    }
}

fn labels(root: &Node) -> BTreeMap<&str, Label> {
    let mut values: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut patterns: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut nodes = vec![root];
    while let Some(node) = nodes.pop() {
        nodes.extend(&node.routes);
        for matcher in &node.matchers {
            let named = values.entry(matcher.name()).or_insert_with(|| [String::new()].into());
            let open = patterns.entry(matcher.name()).or_default();
            match matcher.words(WORDS) {
                Some(words) => named.extend(words),
                None if is_anything(matcher) => {}
                None => drop(open.insert(matcher.value().to_owned())),
            }
        }
    }
    let label = |(name, values): (_, BTreeSet<String>)| {
        let patterns: BTreeSet<String> = patterns.remove(name).unwrap_or_default().into_iter().take(PATTERNS).collect();
        // Which of the patterns match a value that is not named is not known: every combination counts as possible.
        let others = (0..1_u32 << patterns.len()).map(|chosen| {
            let of_it = patterns.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
            Class::Other(of_it.map(|(_, pattern)| pattern.clone()).collect())
        });
        let classes = values.into_iter().map(Class::Value).chain(others).collect();
        (name, Label { patterns, classes })
    };
    values.into_iter().map(label).collect()
}

/// Does its pattern match every value that is not empty?
fn is_anything(matcher: &Matcher) -> bool {
    matches!(matcher.value(), ".*" | ".+") && matches!(matcher.operator(), Operator::Match | Operator::NotMatch)
}

fn step(node: &Node, labels: &BTreeMap<&str, Label>) -> Step {
    Step {
        conditions: node.matchers.iter().map(|matcher| condition(matcher, labels)).collect(),
        continues: node.continues,
        routes: node.routes.iter().map(|node| step(node, labels)).collect(),
    }
}

fn condition(matcher: &Matcher, labels: &BTreeMap<&str, Label>) -> Condition {
    let index = labels.keys().position(|name| *name == matcher.name()).unwrap_or_default();
    let label = &labels[matcher.name()];
    let negative = matches!(matcher.operator(), Operator::NotEqual | Operator::NotMatch);
    let holds: Vec<Option<bool>> = label.classes.iter().map(|class| found(matcher, class, label)).collect();
    let set =
        |wanted: bool| holds.iter().map(|found| found.is_none_or(|found| (found != negative) == wanted)).collect();
    Condition { label: index, matching: set(true), failing: set(false) }
}

/// Is a value of this class what the matcher names, or of its pattern? `None`: undecidable.
fn found(matcher: &Matcher, class: &Class, label: &Label) -> Option<bool> {
    match class {
        Class::Value(value) => Some(matcher.finds(value)),
        Class::Other(_) if matcher.words(WORDS).is_some() => Some(false),
        Class::Other(_) if is_anything(matcher) => Some(true),
        Class::Other(chosen) => label.patterns.contains(matcher.value()).then(|| chosen.contains(matcher.value())),
    }
}

/// What holds of every alert that comes to a place in the tree.
#[derive(Clone)]
struct Around<'a> {
    path: Vec<usize>,
    /// For each label the classes that its value can be of.
    left: Vec<Set>,
    /// Earlier routes that did not match, each with its path.
    refused: Vec<(Vec<usize>, &'a [Condition])>,
}

fn visit<'a>(parent: &'a Step, around: &Around<'a>, found: &mut Vec<Unreachable>) {
    let mut refused = around.refused.clone();
    for (index, child) in parent.routes.iter().enumerate() {
        let path: Vec<usize> = around.path.iter().copied().chain([index]).collect();
        let mut left = around.left.clone();
        let fits = child.conditions.iter().all(|condition| narrow(&mut left[condition.label], &condition.matching));
        let why = if fits { taken(&mut left, &refused) } else { Some(Blocked::Contradiction) };
        match why {
            Some(why) => found.push(Unreachable { path: path.clone(), why }),
            None => visit(child, &Around { path: path.clone(), left, refused: refused.clone() }, found),
        }
        if !child.continues {
            refused.push((path, &child.conditions));
        }
    }
}

/// Which of the earlier routes take all that is left.
fn taken(left: &mut [Set], refused: &[(Vec<usize>, &[Condition])]) -> Option<Blocked> {
    if let Some((path, _)) = refused.iter().find(|(_, conditions)| !escapes(left, &[conditions], &mut { STEPS })) {
        return Some(Blocked::Taken(path.clone()));
    }
    let all: Vec<&[Condition]> = refused.iter().map(|(_, conditions)| *conditions).collect();
    (!escapes(left, &all, &mut { STEPS })).then_some(Blocked::TakenTogether)
}

/// Can there be an alert of these classes that each of `refused` fails to match? True if it takes too long to tell.
fn escapes(left: &mut [Set], refused: &[&[Condition]], steps: &mut usize) -> bool {
    let Some((first, rest)) = refused.split_first() else { return true };
    for condition in *first {
        *steps = steps.saturating_sub(1);
        if *steps == 0 {
            return true;
        }
        let before = left[condition.label].clone();
        let escapes = narrow(&mut left[condition.label], &condition.failing) && escapes(left, rest, steps);
        left[condition.label] = before;
        if escapes {
            return true;
        }
    }
    false
}

/// Keeps what is in both; false if that is nothing.
fn narrow(left: &mut Set, to: &Set) -> bool {
    left.iter_mut().zip(to).for_each(|(left, to)| *left &= to);
    left.contains(&true)
}
