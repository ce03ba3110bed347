//! The tree of matchers: the receivers of an alert, and why.
//!
//! The meaning is Alertmanager's: the root takes every alert; an alert descends into the first child that matches, and
//! into later ones while those before say `continue`; a node none of whose children match keeps it. Pure: built once
//! from the configuration, used for every alert.

mod matcher;
mod reach;

use crate::alert::Labels;
pub use matcher::{Matcher, Operator, label_name, parse_matchers, quoted_text, write_matcher};
pub use reach::{Blocked, Unreachable};

/// A node as it is configured; the receiver may be left to the parent.
#[derive(Debug, Clone, Default)]
pub struct Branch {
    /// Its receiver; `None` takes the parent's.
    pub receiver: Option<String>,
    /// All of them must match. Ignored at the root, which takes everything.
    pub matchers: Vec<Matcher>,
    /// Look at the siblings below even if this one matches.
    pub continues: bool,
    /// Children, asked from the first to the last.
    pub routes: Vec<Branch>,
}

/// A routing tree: every alert has at least one receiver in it.
#[derive(Debug)]
pub struct Tree {
    root: Node,
}

#[derive(Debug)]
struct Node {
    receiver: String,
    matchers: Vec<Matcher>,
    continues: bool,
    /// The text for people when this node took part in a decision.
    step: String,
    routes: Vec<Node>,
}

/// One receiver of an alert, and the matchers that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Name of the receiver.
    pub receiver: &'a str,
    /// The nodes from the root's child to the one that decided, as `routes[0]{severity="critical"}`. Empty: no
    /// route matched, or there is none, and the root took the alert.
    pub path: Vec<String>,
}

/// A node of the tree, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branching<'a> {
    /// Its place: the number of each child on the way from the root, which has none.
    pub path: Vec<usize>,
    /// Its matchers as they are written.
    pub matchers: Vec<String>,
    /// Its name in a [`Decision`]; empty for the root.
    pub step: &'a str,
    /// Its receiver.
    pub receiver: &'a str,
    /// Are the siblings below asked, too?
    pub continues: bool,
}

impl Tree {
    /// A tree whose root sends to `receiver`.
    pub fn new(receiver: String, routes: Vec<Branch>) -> Self {
        let routes = children(&receiver, "", routes);
        Self { root: Node { receiver, matchers: Vec::new(), continues: false, step: String::new(), routes } }
    }

    /// The receiver of what no route matches.
    pub fn root(&self) -> &str {
        &self.root.receiver
    }

    /// All nodes in the order in which they are asked; the root, which takes the rest, is the last.
    pub fn nodes(&self) -> Vec<Branching<'_>> {
        let mut nodes = Vec::new();
        self.root.list(&mut Vec::new(), &mut nodes);
        nodes.rotate_left(1);
        nodes
    }

    /// The receivers of an alert with these labels, in the order of the tree; never empty, and each receiver
    /// only once, for the first reason found: an alert that matches twice is not told twice.
    pub fn route(&self, labels: &Labels) -> Vec<Decision<'_>> {
        let mut decisions: Vec<Decision<'_>> = Vec::new();
        self.root.descend(labels, &mut Vec::new(), &mut decisions);
        decisions
    }
}

fn children(parent: &str, path: &str, routes: Vec<Branch>) -> Vec<Node> {
    let compile = |(index, branch): (usize, Branch)| {
        let receiver = branch.receiver.unwrap_or_else(|| parent.to_owned());
        let here = format!("{path}routes[{index}]");
        let matchers: Vec<String> = branch.matchers.iter().map(ToString::to_string).collect();
        Node {
            step: format!("{here}{{{}}}", matchers.join(", ")),
            routes: children(&receiver, &format!("{here}."), branch.routes),
            receiver,
            matchers: branch.matchers,
            continues: branch.continues,
        }
    };
    routes.into_iter().enumerate().map(compile).collect()
}

impl Node {
    fn list<'a>(&'a self, path: &mut Vec<usize>, nodes: &mut Vec<Branching<'a>>) {
        let Self { receiver, matchers, continues, step, routes } = self;
        let matchers = matchers.iter().map(ToString::to_string).collect();
        nodes.push(Branching { path: path.clone(), matchers, step, receiver, continues: *continues });
        for (number, child) in routes.iter().enumerate() {
            path.push(number);
            child.list(path, nodes);
            path.pop();
        }
    }

    fn descend<'a>(&'a self, labels: &Labels, path: &mut Vec<&'a str>, decisions: &mut Vec<Decision<'a>>) {
        let mut taken = false;
        for child in &self.routes {
            if child.matchers.iter().all(|matcher| matcher.matches(labels)) {
                taken = true;
                path.push(&child.step);
                child.descend(labels, path, decisions);
                path.pop();
                if !child.continues {
                    break;
                }
            }
        }
        if !taken && !decisions.iter().any(|decision| decision.receiver == self.receiver) {
            let path = path.iter().map(|&step| step.to_owned()).collect();
            decisions.push(Decision { receiver: &self.receiver, path });
        }
    }
}

#[cfg(test)]
mod tests;
