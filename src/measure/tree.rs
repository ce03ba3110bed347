//! An expression as a tree: as much of its grammar as is needed to find what it compares with what.

use std::ops::Range;

use super::lex::{Placed, Token, words};

/// How deep brackets and operators may be nested: what is deeper is no rule that a person wrote, and must not exhaust
/// the stack.
const DEEPEST: usize = 96;

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `or`, and MetricsQL's `default`
    Or,
    /// `and`, and MetricsQL's `if`
    And,
    /// `unless`, and MetricsQL's `ifnot`
    Unless,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    By,
    /// `%`, `atan2`
    Rest,
    /// `^`
    Power,
}

impl Operator {
    /// The operator with this name and how tightly it binds.
    fn of(name: &str) -> Option<(Self, u8)> {
        Some(match name {
            "default" => (Self::Or, 0),
            "or" => (Self::Or, 1),
            "and" | "if" => (Self::And, 2),
            "unless" | "ifnot" => (Self::Unless, 2),
            "==" => (Self::Equal, 3),
            "!=" => (Self::Unequal, 3),
            ">" => (Self::Above, 3),
            "<" => (Self::Below, 3),
            ">=" => (Self::AtLeast, 3),
            "<=" => (Self::AtMost, 3),
            "+" => (Self::Plus, 4),
            "-" => (Self::Minus, 4),
            "*" => (Self::Times, 5),
            "/" => (Self::By, 5),
            "%" | "atan2" => (Self::Rest, 5),
            "^" => (Self::Power, 6),
            _ => return None,
        })
    }

    /// Is it a comparison?
    pub const fn compares(self) -> bool {
        matches!(self, Self::Equal | Self::Unequal | Self::Above | Self::Below | Self::AtLeast | Self::AtMost)
    }

    /// The comparison with its sides exchanged.
    pub(super) const fn flipped(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::Below => Self::Above,
            Self::AtLeast => Self::AtMost,
            Self::AtMost => Self::AtLeast,
            other => other,
        }
    }

    /// Does `value` compare with `limit` like this? False for what is no comparison.
    #[expect(clippy::float_cmp, reason = "PromQL compares floats like this, too")]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Equal => value == limit,
            Self::Unequal => value != limit,
            Self::Above => value > limit,
            Self::Below => value < limit,
            Self::AtLeast => value >= limit,
            Self::AtMost => value <= limit,
            _ => false,
        }
    }

    /// As people read it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "≠",
            Self::Above => ">",
            Self::Below => "<",
            Self::AtLeast => "≥",
            Self::AtMost => "≤",
            _ => "",
        }
    }
}

/// An expression and the bytes that it takes.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub span: Range<usize>,
    height: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Number(f64),
    Text,
    /// A metric by its name; empty if its matchers name none.
    Metric(String),
    /// A function or an aggregation, by its name in lower case, with the labels of `by`.
    Call {
        name: String,
        arguments: Vec<Node>,
        by: Option<Vec<String>>,
    },
    Binary {
        operator: Operator,
        /// It gives 0 and 1 instead of leaving out what does not compare.
        flag: bool,
        left: Box<Node>,
        right: Box<Node>,
    },
    Negative(Box<Node>),
    Brackets(Box<Node>),
}

impl Node {
    /// The inner expression, if it is in brackets.
    pub fn bare(&self) -> &Self {
        let mut node = self;
        while let Kind::Brackets(inner) = &node.kind {
            node = inner;
        }
        node
    }

    /// The number that it always is.
    pub fn constant(&self) -> Option<f64> {
        match &self.bare().kind {
            Kind::Number(number) => Some(*number),
            Kind::Negative(inner) => inner.constant().map(|number| -number),
            Kind::Call { name, arguments, .. } => match (name.as_str(), &arguments[..]) {
                ("vector" | "scalar", [argument]) => argument.constant(),
                ("pi", []) => Some(std::f64::consts::PI),
                _ => None,
            },
            Kind::Binary { operator, left, right, .. } => {
                let (left, right) = (left.constant()?, right.constant()?);
                match operator {
                    Operator::Plus => Some(left + right),
                    Operator::Minus => Some(left - right),
                    Operator::Times => Some(left * right),
                    Operator::By => Some(left / right),
                    Operator::Rest => Some(left % right),
                    Operator::Power => Some(left.powf(right)),
                    _ => None,
                }
            }
            Kind::Text | Kind::Metric(_) | Kind::Brackets(_) => None,
        }
    }

    /// The nodes directly below it.
    pub fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Number(_) | Kind::Text | Kind::Metric(_) => Vec::new(),
            Kind::Call { arguments, .. } => arguments.iter().collect(),
            Kind::Binary { left, right, .. } => vec![left, right],
            Kind::Negative(inner) | Kind::Brackets(inner) => vec![inner],
        }
    }
}

/// A tree and what was seen on the way.
pub(super) struct Read {
    pub root: Node,
    /// The longest range of a selector or subquery, in seconds.
    pub reach: f64,
}

/// Reads `text`; `None` if it is no expression.
pub(super) fn read(text: &str) -> Option<Read> {
    let words = words(text)?;
    let mut parser = Parser { words: &words, at: 0, depth: 0, reach: 0.0 };
    let root = parser.expression(0)?;
    (parser.at == words.len()).then_some(Read { root, reach: parser.reach })
}

/// The text is not an expression.
struct Unread;

struct Parser<'a> {
    words: &'a [Placed<'a>],
    at: usize,
    depth: usize,
    reach: f64,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token<'a>> {
        self.words.get(self.at).map(|(token, _)| token)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn keyword(&self) -> Option<String> {
        match self.peek() {
            Some(Token::Name(name)) => Some(name.to_lowercase()),
            _ => None,
        }
    }

    fn takes_keyword(&mut self, names: &[&str]) -> bool {
        let found = self.keyword().is_some_and(|name| names.contains(&name.as_str()));
        self.at += usize::from(found);
        found
    }

    fn operator(&self) -> Option<(Operator, u8)> {
        match self.peek()? {
            Token::Sign(sign) => Operator::of(sign),
            Token::Name(name) => Operator::of(&name.to_lowercase()),
            _ => None,
        }
    }

    fn start(&self) -> usize {
        self.words.get(self.at).map_or(0, |(_, span)| span.start)
    }

    /// Where the last word ends.
    fn end(&self) -> usize {
        self.at.checked_sub(1).and_then(|last| self.words.get(last)).map_or(0, |(_, span)| span.end)
    }

    fn node(&self, kind: Kind, start: usize) -> Option<Node> {
        let mut node = Node { kind, span: start..self.end(), height: 0 };
        node.height = 1 + node.parts().iter().map(|part| part.height).max().unwrap_or_default();
        (node.height <= DEEPEST).then_some(node)
    }

    /// Operators that bind at least as tightly as `tightness`.
    fn expression(&mut self, tightness: u8) -> Option<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let start = self.start();
        let mut left = self.signed()?;
        while let Some((operator, binds)) = self.operator().filter(|(_, binds)| *binds >= tightness) {
            self.at += 1;
            let flag = self.modifiers()?;
            // A power binds to the right.
            let right = self.expression(if operator == Operator::Power { binds } else { binds + 1 })?;
            left = self.node(Kind::Binary { operator, flag, left: Box::new(left), right: Box::new(right) }, start)?;
        }
        self.depth -= 1;
        Some(left)
    }

    /// `bool`, `on (…)`, `ignoring (…)`, `group_left (…)` and what MetricsQL adds. True if there is a `bool`.
    fn modifiers(&mut self) -> Option<bool> {
        let mut flag = false;
        loop {
            if self.takes_keyword(&["bool"]) {
                flag = true;
            } else if self.takes_keyword(&[
                "on",
                "ignoring",
                "group_left",
                "group_right",
                "fill",
                "fill_left",
                "fill_right",
            ]) {
                if self.is_sign("(") {
                    self.names()?;
                }
                if self.takes_keyword(&["prefix"]) {
                    self.at += 1;
                }
            } else {
                return Some(flag);
            }
        }
    }

    /// `(a, b)` of labels.
    fn names(&mut self) -> Option<Vec<String>> {
        if !self.takes("(") {
            return None;
        }
        let mut names = Vec::new();
        loop {
            match self.peek()? {
                Token::Name(name) | Token::Text(name) => names.push((*name).to_owned()),
                Token::Number(_) | Token::Sign("," | "-" | "*") => {}
                Token::Sign(")") => break,
                _ => return None,
            }
            self.at += 1;
        }
        self.at += 1;
        Some(names)
    }

    fn signed(&mut self) -> Option<Node> {
        let start = self.start();
        if self.takes("-") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return None;
            }
            // -2^2 is -(2^2).
            let inner = self.expression(6)?;
            self.depth -= 1;
            return self.node(Kind::Negative(Box::new(inner)), start);
        }
        self.takes("+");
        let node = self.atom()?;
        self.behind(node, start)
    }

    fn atom(&mut self) -> Option<Node> {
        let start = self.start();
        let token = self.peek()?;
        self.at += 1;
        match token {
            Token::Number(number) => self.node(Kind::Number(*number), start),
            Token::Text(_) => self.node(Kind::Text, start),
            Token::Matchers(name) => {
                self.pipeline();
                self.node(Kind::Metric(name.unwrap_or_default().to_owned()), start)
            }
            Token::Sign("(") => {
                let inner = self.expression(0)?;
                let mut all = vec![inner];
                while self.takes(",") {
                    if !self.is_sign(")") {
                        all.push(self.expression(0)?);
                    }
                }
                if !self.takes(")") {
                    return None;
                }
                // MetricsQL's union of several: the first speaks for it.
                let first = all.swap_remove(0);
                self.node(Kind::Brackets(Box::new(first)), start)
            }
            Token::Name(name) => self.named(name, start),
            Token::Range(_) | Token::Sign(_) => None,
        }
    }

    /// A metric, a function or an aggregation.
    fn named(&mut self, name: &str, start: usize) -> Option<Node> {
        let lower = name.to_lowercase();
        let mut by = None;
        if matches!(self.keyword().as_deref(), Some("by" | "without")) {
            by = self.grouping().ok()?;
        }
        if !self.takes("(") {
            if by.is_some() {
                return None;
            }
            if let Some(number) = match lower.as_str() {
                "inf" => Some(f64::INFINITY),
                "nan" => Some(f64::NAN),
                _ => None,
            } {
                return self.node(Kind::Number(number), start);
            }
            if matches!(self.peek(), Some(Token::Matchers(_))) {
                self.at += 1;
            }
            return self.node(Kind::Metric(name.to_owned()), start);
        }
        let mut arguments = Vec::new();
        while !self.takes(")") {
            arguments.push(self.expression(0)?);
            if !self.takes(",") && !self.is_sign(")") {
                return None;
            }
        }
        if by.is_none() && matches!(self.keyword().as_deref(), Some("by" | "without")) {
            by = self.grouping().ok()?;
        }
        if self.takes_keyword(&["limit"]) {
            self.at += 1;
        }
        self.takes_keyword(&["keep_metric_names"]);
        self.node(Kind::Call { name: lower, arguments, by }, start)
    }

    /// The labels of `by (…)`; `None` for `without (…)`.
    fn grouping(&mut self) -> Result<Option<Vec<String>>, Unread> {
        let is_by = self.takes_keyword(&["by"]);
        self.at += usize::from(!is_by);
        let names = self.names().ok_or(Unread)?;
        Ok(is_by.then_some(names))
    }

    /// The modifiers after an expression: ranges, `offset`, `@`.
    fn behind(&mut self, mut node: Node, start: usize) -> Option<Node> {
        loop {
            match self.peek() {
                Some(Token::Range(seconds)) => {
                    self.reach = self.reach.max(*seconds);
                    self.at += 1;
                }
                Some(Token::Sign("@")) => {
                    self.at += 2;
                    if self.takes("(") {
                        self.takes(")");
                    }
                }
                Some(Token::Name(name)) if name.eq_ignore_ascii_case("offset") => {
                    self.at += 1;
                    self.takes("-");
                    self.at += 1;
                }
                _ => break,
            }
        }
        if self.at > self.words.len() {
            return None;
        }
        node.span = node.span.start.min(start)..self.end();
        Some(node)
    }

    /// The filters of LogQL behind `{…}`, up to the range.
    fn pipeline(&mut self) {
        let is_filter = |parser: &Self| match parser.peek() {
            Some(Token::Sign("|=" | "|~" | "|")) => true,
            Some(Token::Sign("!=" | "!~")) => {
                matches!(parser.words.get(parser.at + 1), Some((Token::Text(_), _)))
            }
            _ => false,
        };
        if !is_filter(self) {
            return;
        }
        while !matches!(self.peek(), None | Some(Token::Range(_) | Token::Sign(")"))) {
            self.at += 1;
        }
    }
}
