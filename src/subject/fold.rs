//! Rows that have no room of their own, in a few words: by a part that few values share, else as runs of names.

use std::collections::HashMap;

use super::ends::{Piece, natural, runs};
use super::group::Row;
use super::part::Kind;

/// The parts by which rows are folded: of equally telling ones the first.
const KEYS: [Kind; 12] = [
    Kind::Workload,
    Kind::Host,
    Kind::Service,
    Kind::Place,
    Kind::Backend,
    Kind::Queue,
    Kind::Database,
    Kind::Cloud,
    Kind::Address,
    Kind::Named,
    Kind::Route,
    Kind::Qualifier,
];
/// The most frequent values of a key, and the share of the rows in percent that they must have.
const FREQUENT: usize = 3;
const SHARE: usize = 70;

/// Rows with one value of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The value: `api`.
    pub text: String,
    /// Places of the rows.
    pub rows: Vec<usize>,
}

/// How rows are folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folded {
    /// By a part, the largest group first.
    By(Kind, Vec<Fold>),
    /// As runs of names, the longest first; places of the rows.
    Names(Vec<Piece>),
}

/// Folds `rows`.
pub fn fold(rows: &[Row]) -> Folded {
    let mut best: Option<(f64, Kind, Vec<Fold>)> = None;
    for kind in KEYS {
        let Some(folds) = folds(rows, kind) else { continue };
        let entropy = entropy(&folds, rows.len());
        if best.as_ref().is_none_or(|(least, ..)| entropy < least - 1e-9) {
            best = Some((entropy, kind, folds));
        }
    }
    match best {
        Some((_, kind, folds)) => Folded::By(kind, folds),
        None => Folded::Names(runs(&rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>())),
    }
}

/// The rows by this part; `None` if it does not fold them: few values must have most of them.
fn folds(rows: &[Row], kind: Kind) -> Option<Vec<Fold>> {
    let mut of_value: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        of_value.entry(row.key(kind).filter(|value| !value.is_empty())?).or_default().push(at);
    }
    if of_value.len() < 2 || of_value.len() * 2 > rows.len() {
        return None;
    }
    let mut folds: Vec<Fold> =
        of_value.into_iter().map(|(value, rows)| Fold { text: value.to_owned(), rows }).collect();
    folds.sort_by(|a, b| b.rows.len().cmp(&a.rows.len()).then_with(|| natural(&a.text, &b.text)));
    let frequent: usize = folds.iter().take(FREQUENT).map(|fold| fold.rows.len()).sum();
    (frequent * 100 >= SHARE * rows.len()).then_some(folds)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^52")]
fn entropy(folds: &[Fold], all: usize) -> f64 {
    let share = |fold: &Fold| fold.rows.len() as f64 / all as f64;
    folds.iter().map(|fold| -share(fold) * share(fold).log2()).sum()
}
