//! What a rule compares: its outermost comparison, the measure in it, the threshold and the unit.

use super::tree::{Kind, Node, Operator, read};
use super::unit::{self, Unit, UnitKind};

/// One side of what a rule allows: the alert fires where `operator` holds between the measure and `limit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// A comparison.
    pub operator: Operator,
    /// In the measure's own unit.
    pub limit: f64,
}

impl Bound {
    /// Does the rule hold for `value`, as far as this bound goes?
    pub fn holds(&self, value: f64) -> bool {
        self.operator.holds(value, self.limit)
    }
}

/// The condition of a rule's expression on its measure.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A comparison with one number, or with two: `3 <= x < 20`.
    Bounds(Vec<Bound>),
    /// A comparison with another series, as PromQL.
    Series {
        /// The comparison.
        operator: Operator,
        /// The other series.
        limit: String,
    },
    /// A state, of which the number says nothing: `up == 0`.
    State,
    /// The series is absent.
    Absent,
    /// Always true: a heartbeat (`vector(1)`).
    Always,
    /// A comparison with what `predict_linear` expects: the number is about the future.
    Prediction {
        /// The series that is extrapolated, as PromQL.
        of: String,
    },
    /// No comparison at all.
    Open,
}

/// A rule's expression, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The compared expression, as PromQL, without the comparison.
    pub measure: String,
    /// Its condition.
    pub condition: Condition,
    /// The unit of its numbers, by the names of its metrics.
    pub unit: Option<Unit>,
    /// The labels that its outermost aggregation keeps; `None` where it keeps all.
    pub by: Option<Vec<String>>,
    /// Seconds of its longest range: how far back one point of it looks.
    pub reach: f64,
}

impl Rule {
    /// Understands an expression of PromQL, MetricsQL or LogQL; `None` if it is none.
    pub fn read(expression: &str) -> Option<Self> {
        let read = read(expression)?;
        let found = outermost(&read.root, expression);
        let mut unit = unit::of(found.node);
        let percent = |limit: f64| (50.0..=100.0).contains(&limit);
        if unit.as_ref().is_none_or(Unit::is_plain)
            && let Condition::Bounds(bounds) = &found.condition
            && bounds.iter().any(|bound| percent(bound.limit))
            && unit::may_be_percent(found.node)
        {
            unit = Some(Unit::PERCENT);
        }
        let condition = match predicted(found.node) {
            Some(of) if !matches!(found.condition, Condition::State) => {
                Condition::Prediction { of: expression[of.span.clone()].trim().to_owned() }
            }
            _ => found.condition,
        };
        Some(Self { measure: found.measure, condition, unit, by: grouped(found.node), reach: read.reach })
    }

    /// The numbers it compares with; none for all else.
    pub fn bounds(&self) -> &[Bound] {
        match &self.condition {
            Condition::Bounds(bounds) => bounds,
            _ => &[],
        }
    }

    /// Are numbers informative for alerts of this rule?
    pub const fn has_number(&self) -> bool {
        matches!(self.condition, Condition::Bounds(_) | Condition::Series { .. } | Condition::Open)
    }

    /// Does the rule hold for `value`, as far as numbers tell?
    pub fn holds(&self, value: f64) -> bool {
        self.bounds().iter().all(|bound| bound.holds(value))
    }

    /// The unit in which its numbers are shown: a ratio is a percentage only below a threshold of 1, since a load of
    /// 2 per core is no 200 %.
    pub fn shown_unit(&self) -> Option<Unit> {
        let unit = self.unit.clone()?;
        let whole = |bound: &Bound| bound.limit.abs() > 1.0;
        let is_part = matches!(self.condition, Condition::Bounds(_)) && !self.bounds().iter().any(whole);
        if unit.kind == UnitKind::Ratio && !unit.per_second && (unit.scale - 1.0).abs() < 1e-9 && !is_part {
            return None;
        }
        Some(unit)
    }
}

/// A comparison in a tree.
struct Found<'t> {
    /// The measure, where it is one node; else the node that holds the comparison.
    node: &'t Node,
    measure: String,
    condition: Condition,
}

fn text(node: &Node, source: &str) -> String {
    source[node.bare().span.clone()].trim().to_owned()
}

/// Aggregations and functions whose numbers compare as those that they are given.
const KEEPING: [&str; 22] = [
    "sum",
    "min",
    "max",
    "avg",
    "topk",
    "bottomk",
    "quantile",
    "limitk",
    "any",
    "label_replace",
    "label_join",
    "sort",
    "sort_desc",
    "last_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "round",
    "ceil",
    "floor",
    "abs",
    "alias",
];

fn outermost<'t>(node: &'t Node, source: &str) -> Found<'t> {
    let node = node.bare();
    let plain = |condition| Found { node, measure: text(node, source), condition };
    if node.constant().is_some() {
        return plain(Condition::Always);
    }
    match &node.kind {
        Kind::Call { name, .. } if name == "absent" || name == "absent_over_time" => plain(Condition::Absent),
        Kind::Call { name, arguments, .. } if KEEPING.contains(&name.as_str()) => {
            let inner = arguments.iter().find(|argument| argument.constant().is_none());
            let Some((argument, found)) = inner.map(|argument| (argument, outermost(argument, source))) else {
                return plain(Condition::Open);
            };
            if matches!(found.condition, Condition::Open) {
                return plain(Condition::Open);
            }
            let (before, behind) =
                (&source[node.span.start..argument.span.start], &source[argument.span.end..node.span.end]);
            Found {
                node: found.node,
                measure: format!("{before}{}{behind}", found.measure),
                condition: found.condition,
            }
        }
        Kind::Binary { operator: Operator::Or | Operator::Unless, left, .. } => outermost(left, source),
        Kind::Binary { operator: Operator::And, left, right, .. } => {
            let first = outermost(left, source);
            let second = outermost(right, source);
            let same = matches!(first.condition, Condition::Open) && first.measure == second.measure;
            if same { second } else { first }
        }
        Kind::Binary { operator, left, right, flag } if operator.compares() => {
            let found = match (left.constant(), right.constant()) {
                (Some(_), Some(_)) => return plain(Condition::Always),
                (_, Some(limit)) => compared(left, *operator, limit, source),
                (Some(limit), None) => compared(right, operator.flipped(), limit, source),
                (None, None) => Found {
                    node: left,
                    measure: text(left, source),
                    condition: Condition::Series { operator: *operator, limit: text(right, source) },
                },
            };
            if *flag { Found { condition: Condition::State, ..found } } else { found }
        }
        _ => plain(Condition::Open),
    }
}

/// `side`, compared with a number.
fn compared<'t>(side: &'t Node, operator: Operator, limit: f64, source: &str) -> Found<'t> {
    let bound = Bound { operator, limit };
    let inner = side.bare();
    let found = |condition| Found { node: inner, measure: text(inner, source), condition };
    let is_flag = limit == 0.0 || (limit - 1.0).abs() < f64::EPSILON;
    match &inner.kind {
        Kind::Call { name, .. } if name == "absent" || name == "absent_over_time" => return found(Condition::Absent),
        Kind::Binary { operator: inner_operator, flag, left, right } if inner_operator.compares() => {
            if *flag {
                return found(Condition::State);
            }
            // `3 <= x < 20`: two bounds of one measure.
            if left.constant().is_some() || right.constant().is_some() {
                let mut first = outermost(inner, source);
                if let Condition::Bounds(bounds) = &mut first.condition {
                    bounds.push(bound);
                }
                return first;
            }
        }
        _ => {}
    }
    if operator == Operator::Equal || (operator == Operator::Unequal && is_flag) {
        return found(Condition::State);
    }
    found(Condition::Bounds(vec![bound]))
}

/// The series that `predict_linear` extrapolates somewhere in `node`.
fn predicted(node: &Node) -> Option<&Node> {
    match &node.kind {
        Kind::Call { name, arguments, .. } if name == "predict_linear" => arguments.first(),
        _ => node.parts().into_iter().find_map(predicted),
    }
}

/// The labels that the outermost aggregation keeps.
fn grouped(node: &Node) -> Option<Vec<String>> {
    match &node.bare().kind {
        Kind::Call { by: Some(labels), .. } => Some(labels.clone()),
        Kind::Call { arguments, .. } => {
            arguments.iter().find(|argument| argument.constant().is_none()).and_then(grouped)
        }
        Kind::Binary { left, right, .. } => {
            if left.constant().is_some() {
                grouped(right)
            } else {
                grouped(left)
            }
        }
        _ => None,
    }
}
