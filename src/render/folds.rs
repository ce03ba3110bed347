//! Many alerts in a line or two: runs of names, counts by a shared part, and the range of their values.

use super::fit::cut_chars;
use super::rows::Row;
use super::words::{brackets, number, pick};
use crate::config::Language;
use crate::subject::{self, Folded, Kind, columns, fold, runs};

/// Rows of a rule that show their values one by one.
const FEW: usize = 3;
/// Groups of a fold that are shown; the others are counted.
const GROUPS: usize = 4;

/// Rows in one line.
pub(super) struct Listed {
    pub(super) text: String,
    /// The alerts whose names stand in it; the others, those of a run included, are counted in it.
    pub(super) named: Vec<usize>,
    /// Does it stand for all alerts, by name or within a run?
    complete: bool,
}

impl Listed {
    /// As many of `rows` as have room in `width` columns, each with its value, or as runs of names if they have none.
    pub(super) fn of(rows: &[Row], width: usize, language: Language) -> Self {
        if rows.iter().all(Row::is_name) {
            return Self::names(rows, width, language);
        }
        if let Some(listed) = Self::alike(rows, width, language) {
            return listed;
        }
        // A line that is cut must not lose the number in it.
        let first = rows.first().map_or(0, |row| columns(&row.what));
        let beside = if rows.len() > 1 { MORE } else { 0 };
        if first + beside > width && rows.iter().map(Row::size).sum::<usize>() > 1 {
            return Self::count(rows);
        }
        let mut line = Line::new(width, pick(language, "、", ", "));
        let mut shown = 0;
        let mut named = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let value = if row.value.is_empty() { String::new() } else { format!(" {}", row.value) };
            if !line.add(&format!("{}{value}{}", row.what, row.aside(language, true)), at + 1 == rows.len()) {
                break;
            }
            shown += 1;
            named.extend(&row.told);
        }
        // A run says more of many names than the first of them.
        let left = &rows[shown..];
        if left.len() > 3 && shown < 3 {
            return Self::names(rows, width, language);
        }
        line.more(left.iter().map(Row::size).sum(), language);
        Self { text: line.text, named, complete: left.is_empty() }
    }

    /// The rows of a rule among others: a few with their values, else their names and the worst value.
    pub(super) fn of_rule(rows: &[Row], width: usize, language: Language) -> Self {
        let valued = rows.iter().any(|row| !row.value.is_empty());
        if rows.len() <= FEW || !valued {
            return Self::of(rows, width, language);
        }
        let all: Vec<&Row> = rows.iter().collect();
        let worst = worst(&all, true, language);
        let listed = Self::names(rows, width.saturating_sub(columns(&worst)), language);
        Self { text: format!("{}{worst}", listed.text), ..listed }
    }

    /// Names that have one and the same value, severity and duration behind them: these are said once.
    fn alike(rows: &[Row], width: usize, language: Language) -> Option<Self> {
        let (first, rest) = rows.split_first().filter(|(_, rest)| !rest.is_empty())?;
        let said = |row: &Row| [&row.value, &row.grade, &row.when, &row.detail().summary].map(String::clone);
        if !first.detail().summary.is_empty() || !rest.iter().all(|row| said(row) == said(first)) {
            return None;
        }
        let asides = [first.value.clone(), first.asides(language, true)];
        let asides: Vec<&str> = asides.iter().map(String::as_str).filter(|aside| !aside.is_empty()).collect();
        let asides = asides.join(pick(language, "，", ", "));
        let each = match language {
            Language::Zh => format!("均 {asides}"),
            Language::En => format!("{asides} each"),
        };
        let aside = brackets(language, &each);
        let listed = Self::names(rows, width.saturating_sub(columns(&aside)), language);
        Some(Self { text: format!("{}{aside}", listed.text), ..listed })
    }

    /// The number of alerts alone.
    pub(super) fn count(rows: &[Row]) -> Self {
        let all: usize = rows.iter().map(Row::size).sum();
        Self { text: format!("×{}", number(all as u64)), named: Vec::new(), complete: false }
    }

    /// The names of `rows`, those in succession as runs.
    pub(super) fn names(rows: &[Row], width: usize, language: Language) -> Self {
        let names: Vec<&str> = rows.iter().map(|row| row.what.as_str()).collect();
        if rows.iter().any(|row| !row.icon.is_empty() || !row.counted.is_empty())
            && names.iter().any(|name| columns(name) + MORE > width)
        {
            return Self::count(rows);
        }
        let mut line = Line::new(width, pick(language, "、", ", "));
        let mut named = Vec::new();
        let mut left: usize = rows.iter().map(Row::size).sum();
        let pieces = runs(&names);
        let last = pieces.len();
        for (at, piece) in pieces.into_iter().enumerate() {
            if !line.add(&piece.text, at + 1 == last) {
                break;
            }
            left -= piece.members.iter().map(|at| rows[*at].size()).sum::<usize>();
            if let [at] = piece.members[..] {
                named.extend(rows[at].told.iter());
            }
        }
        line.more(left, language);
        Self { text: line.text, named, complete: left == 0 }
    }
}

/// A narrower line has no room for the range of values.
const RANGE: usize = 40;
/// Columns for the number of what has no room.
const MORE: usize = 12;

/// Pieces of text in a line of bounded width.
struct Line {
    text: String,
    width: usize,
    comma: &'static str,
}

impl Line {
    const fn new(width: usize, comma: &'static str) -> Self {
        Self { text: String::new(), width, comma }
    }

    /// Adds `piece` if there is room; the first always has. Behind the `last` one no number follows.
    fn add(&mut self, piece: &str, last: bool) -> bool {
        let room = if last { self.width } else { self.width.saturating_sub(MORE) };
        if self.text.is_empty() {
            self.text = cut_columns(piece, room.max(MORE));
            return true;
        }
        let fits = columns(&self.text) + columns(self.comma) + columns(piece) <= room;
        if fits {
            self.text.push_str(self.comma);
            self.text.push_str(piece);
        }
        fits
    }

    fn more(&mut self, count: usize, language: Language) {
        if count > 0 {
            self.text.push_str(self.comma);
            let count = number(count as u64);
            let (before, after) = match language {
                Language::Zh => ("另 ", " 个"),
                Language::En => ("", " more"),
            };
            self.text.extend([before, count.as_str(), after]);
        }
    }
}

/// `text` in at most `most` columns.
pub(super) fn cut_columns(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut count = text.chars().count();
    while count > 0 && columns(&cut_chars(text, count)) > most {
        count -= 1;
    }
    cut_chars(text, count).into_owned()
}

/// Rows that have no line of their own.
#[derive(Default)]
pub(super) struct Rest {
    /// Lines whose counts add up to all alerts of the rows.
    pub(super) lines: Vec<String>,
    /// The alerts that they name.
    pub(super) named: Vec<usize>,
    /// Are they told by a part that few share? Then no row needs a line of its own.
    pub(super) by_part: bool,
    /// Does one line name all?
    pub(super) complete: bool,
}

impl Rest {
    /// Folds `rows`, of which `parts` are what differs; without `parts` each is a rule.
    pub(super) fn of(rows: &[Row], parts: &[subject::Row], width: usize, language: Language) -> Self {
        let all: usize = rows.iter().map(Row::size).sum();
        if rows.is_empty() {
            return Self { complete: true, ..Self::default() };
        }
        if parts.len() != rows.len() {
            return Self { lines: vec![rules(rows.len(), all, language)], ..Self::default() };
        }
        match fold(parts) {
            Folded::By(kind, folds) => {
                let mut lines = Vec::new();
                let mut left = all;
                for (at, fold) in folds.iter().take(GROUPS).enumerate() {
                    let of: Vec<&Row> = fold.rows.iter().map(|row| &rows[*row]).collect();
                    let size: usize = of.iter().map(|row| row.size()).sum();
                    left -= size;
                    let worst = worst(&of, at == 0, language);
                    // The worst of them, where its value is told: `order-api ×812 最高 43 %（/v2/pay）`.
                    let first = if at == 0 && !worst.is_empty() { within(&parts[fold.rows[0]], kind) } else { None };
                    let first = first.map(|part| brackets(language, part)).unwrap_or_default();
                    lines.push(format!("{} ×{}{worst}{first}", fold.text, number(size as u64)));
                }
                if left > 0 {
                    lines.push(others(folds.len() - GROUPS, kind, left, language));
                }
                Self { lines, by_part: true, ..Self::default() }
            }
            Folded::Names(_) => {
                let of: Vec<&Row> = rows.iter().collect();
                let range = if width < RANGE { String::new() } else { range(&of) };
                let times = format!(" ×{}{range}", number(all as u64));
                let width = width.saturating_sub(columns(&times));
                let Listed { text, named, complete } = Listed::names(rows, width, language);
                Self { lines: vec![format!("{text}{times}")], named, complete, by_part: false }
            }
        }
    }
}

/// The part of a service or of a host that a row is about, beside the part by which it is folded.
fn within(row: &subject::Row, folded: Kind) -> Option<&str> {
    let part =
        row.parts.iter().find(|part| part.kind != folded && matches!(part.kind, Kind::Route | Kind::Component))?;
    (columns(&part.text) <= WITHIN).then_some(part.text.as_str())
}

/// Columns of a part behind a value.
const WITHIN: usize = 24;

fn rules(count: usize, alerts: usize, language: Language) -> String {
    let (count, alerts) = (number(count as u64), number(alerts as u64));
    match language {
        Language::Zh => format!("另 {count} 条规则 ×{alerts}"),
        Language::En => format!("{count} more rules ×{alerts}"),
    }
}

fn others(count: usize, kind: Kind, alerts: usize, language: Language) -> String {
    let (count, alerts) = (number(count as u64), number(alerts as u64));
    let (zh, en) = super::words::plural(kind);
    match language {
        Language::Zh => format!("另 {count} {zh} ×{alerts}"),
        Language::En => format!("{count} more {en} ×{alerts}"),
    }
}

/// The worst value of `rows`, which are in the order of their values.
fn worst(rows: &[&Row], titled: bool, language: Language) -> String {
    let Some(row) = rows.iter().find(|row| !row.value.is_empty()) else { return String::new() };
    let title = match (titled && rows.len() > 1, row.low) {
        (false, _) => "",
        (true, false) => pick(language, " 最高", " up to"),
        (true, true) => pick(language, " 最低", " down to"),
    };
    format!("{title} {}", row.value)
}

/// ` 91–98 %`, if all values are numbers with one unit.
fn range(rows: &[&Row]) -> String {
    let split = |text: &'_ str| -> Option<(String, String)> {
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '-'))).unwrap_or(text.len());
        (end > 0).then(|| (text[..end].to_owned(), text[end..].to_owned()))
    };
    let figures: Option<Vec<(f64, String, String)>> = rows
        .iter()
        .map(|row| {
            let (figure, unit) = split(&row.value)?;
            Some((figure.replace(',', "").parse().ok()?, figure, unit))
        })
        .collect();
    let Some(mut figures) = figures else { return String::new() };
    figures.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (Some(least), Some(most)) = (figures.first(), figures.last()) else { return String::new() };
    if figures.iter().any(|figure| figure.2 != least.2) {
        return String::new();
    }
    if least.1 == most.1 { format!(" {}{}", most.1, most.2) } else { format!(" {}–{}{}", least.1, most.1, most.2) }
}
