//! The rows of a letter as a template prints them: lines, short forms for cards, tables, folds.

use std::borrow::Cow;
use std::rc::Rc;

use minijinja::context;
use minijinja::value::Value;

use super::context::{Page, Voice};
use super::faces;
use super::figures::Shown;
use super::fit::cut_chars;
use super::folds::{Listed, Rest, cut_columns};
use super::level::Level;
use super::rows::Row;
use super::words::{State, pick, title_of, title_of_component};
use crate::alert::Labels;
use crate::config::{Face, Language};
use crate::subject::{Kind, columns};

impl Voice<'_> {
    pub(super) fn row(&self, row: &Row, level: &Level) -> Value {
        let what = self.what(row, level);
        let detail = row.detail();
        let text = text_of(row, level);
        let aside = row.aside(self.letter.language, level.durations);
        let icon = if row.icon.is_empty() { String::new() } else { format!("{} ", row.icon) };
        let line = [what.as_str(), &text].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        let line = format!("{icon}{line}{aside}");
        let alert = row.told.first().filter(|_| self.everything).map(|told| self.letter.told[*told].alert);
        let empty = Labels::new();
        context! {
            name => cut_chars(&detail.name, level.name),
            icon,
            what,
            object => detail.object.as_str(),
            place => detail.place.as_str(),
            qualifier => detail.qualifier.as_str(),
            severity => detail.severity.as_str(),
            state => if row.over { "resolved" } else { "firing" },
            value => row.value.as_str(),
            threshold => detail.threshold.as_str(),
            summary => cut_chars(&detail.summary, level.summary),
            text,
            brief => self.brief(row, level),
            line,
            aside,
            when => row.when.as_str(),
            since => detail.since.as_str(),
            duration => detail.duration.as_str(),
            labels => self.map(alert.map_or(&empty, |alert| &alert.labels)),
            annotations => self.map(alert.map_or(&empty, |alert| &alert.annotations)),
        }
    }

    /// The title of a card's rows, and of the first column of a table.
    pub(super) fn column(&self) -> &'static str {
        let kind = self.facts.lists.kind;
        if self.facts.lists.by_rule {
            pick(self.letter.language, "规则", "Rule")
        } else if kind == Some(Kind::Component) {
            title_of_component(&self.facts.lists.label, self.letter.language)
        } else {
            title_of(kind, self.letter.language)
        }
    }

    /// What distinguishes the row. A long rule name must not crowd out its objects.
    pub(super) fn what(&self, row: &Row, level: &Level) -> String {
        if !self.facts.lists.by_rule || row.detail().own.is_empty() {
            return cut_chars(&row.what, level.what).into_owned();
        }
        let own = cut_chars(&row.detail().own, level.what.max(40) * 3 / 2);
        format!("{} {own}", cut_chars(&row.detail().name, level.what / 2))
    }

    /// The row in the few characters of a card: the value is kept, the object is cut at its beginning.
    fn brief(&self, row: &Row, level: &Level) -> String {
        let room = if self.face == Face::Card { faces::card_value(self.letter.target.channel()) } else { 40 };
        let value = cut_chars(&row.value, room / 2);
        let left = if value.is_empty() { room } else { room - value.chars().count() - 1 };
        let what = if self.facts.lists.by_rule {
            let name = cut_chars(&row.detail().name, room / 2);
            before_number(format!("{} {name} {}", row.icon, row.detail().own).trim(), left)
        } else {
            cut_start(&row.what, left.min(level.what))
        };
        let brief = format!("{what} {value}").trim_end().to_owned();
        // The severity, of what is over the duration, if there is room for the whole of it.
        let aside = row.aside(self.letter.language, row.over);
        if brief.chars().count() + aside.chars().count() <= room { brief + &aside } else { brief }
    }

    /// The rows behind the last of `page`, folded; only on the page that counts them.
    pub(super) fn rest(&self, page: &Page) -> Rc<Rest> {
        let more = self.more(page);
        if more == 0 {
            return Rc::default();
        }
        if page.level.fold == 0 {
            return Rc::new(Rest { lines: vec![self.more_text(page)], ..Rest::default() });
        }
        let channel = self.letter.target.channel();
        let columns = match self.face {
            Face::Card => faces::card_value(channel),
            Face::Text if channel.wecom().is_none() => 400,
            _ => page.level.fold,
        };
        let fold = || Rc::new(self.facts.lists.rest(page.rows.end, columns, self.letter.language));
        Rc::clone(self.rests.borrow_mut().entry((page.rows.end, columns)).or_insert_with(fold))
    }

    /// What is on without being news, and what is over: a line each.
    pub(super) fn sides(&self, level: &Level) -> (Option<Listed>, Option<Listed>) {
        let width = match (self.face, level.number) {
            (Face::Card, _) => faces::card_value(self.letter.target.channel()),
            (_, 0 | 1) if self.letter.target.channel().wecom().is_none() => 2_000,
            (_, 0 | 1) => 160,
            (_, 2) => 100,
            _ => level.fold,
        };
        let lists = &self.facts.lists;
        let side = |rows: &[Row]| {
            let listed =
                |width| if width == 0 { Listed::count(rows) } else { Listed::of(rows, width, self.letter.language) };
            (!rows.is_empty()).then(|| listed(width))
        };
        let still = if self.facts.state == State::Partly { side(&lists.still) } else { None };
        (still, side(&lists.over))
    }

    /// Does a card have a row for each alert that is over? Only in rows that nothing else on `page` needs.
    pub(super) fn over_each(&self, page: &Page) -> bool {
        let (facts, lists) = (self.facts, &self.facts.lists);
        let others = [
            page.rows.len(),
            self.rest(page).lines.len(),
            usize::from(!facts.measured.threshold.is_empty()),
            usize::from(!lists.still.is_empty()),
            usize::from(!facts.notes.is_empty()),
        ];
        let room = faces::lines(Face::Card, self.letter.target.channel(), true);
        let fits = lists.over.len() + others.iter().sum::<usize>() <= room;
        self.face == Face::Card && fits && lists.over.len() <= over_rows(page.level)
    }

    /// The alerts that `page` names if it is printed in full.
    pub(super) fn names(&self, page: &Page) -> Vec<usize> {
        if self.letter.told.len() == 1 {
            return vec![0];
        }
        let rows = self.facts.lists.main[page.rows.clone()].iter().flat_map(|row| row.told.iter().copied());
        let mut named: Vec<usize> = rows.chain(self.rest(page).named.iter().copied()).collect();
        if page.first {
            let (still, over) = self.sides(page.level);
            if self.over_each(page) {
                named.extend(self.facts.lists.over.iter().flat_map(|row| row.told.iter().copied()));
            }
            named.extend([still, over].into_iter().flatten().flat_map(|listed| listed.named));
        }
        named
    }

    /// A table of two columns, if every cell has room on a phone: the values of a single alert if it has several, else
    /// the rows of `page` with their values, if there are any.
    pub(super) fn grid(&self, page: &Page, values: &[Value], single: bool) -> Value {
        let (facts, level, language) = (self.facts, page.level, self.letter.language);
        let none = context! { columns => Value::from(Vec::<Value>::new()), rows => Value::from(Vec::<Value>::new()) };
        if single {
            let narrow = |value: &Value| {
                let wide = |name: &str| value.get_attr(name).map(|text| columns(text.as_str().unwrap_or_default()));
                wide("name").is_ok_and(|wide| wide <= WHAT) && wide("text").is_ok_and(|wide| wide <= VALUE)
            };
            if values.is_empty() || !values.iter().all(narrow) {
                return none;
            }
            let cells = |value: &Value| -> Value {
                [value.get_attr("name"), value.get_attr("text")].into_iter().filter_map(Result::ok).collect()
            };
            let columns: Value =
                [pick(language, "指标", "Metric"), pick(language, "值", "Value")].into_iter().collect();
            return context! { columns, rows => values.iter().map(cells).collect::<Value>() };
        }
        let rows = &facts.lists.main[page.rows.clone()];
        let cells: Vec<[String; 2]> = rows
            .iter()
            .map(|row| {
                [self.what(row, level), format!("{}{}", text_of(row, level), row.aside(language, level.durations))]
            })
            .collect();
        let narrow =
            |[what, value]: &[String; 2]| columns(what) <= WHAT && columns(value) <= VALUE && !value.is_empty();
        let valued = rows.iter().any(|row| !text_of(row, level).is_empty());
        if facts.lists.by_rule || cells.len() < 2 || !valued || !cells.iter().all(narrow) {
            return none;
        }
        let titles: Value = [self.column(), pick(language, "现值", "Now")].into_iter().collect();
        let rows: Value = cells.into_iter().map(|cells| cells.into_iter().collect::<Value>()).collect();
        context! { columns => titles, rows }
    }

    /// Name and text of the values of a single alert, if it has several; what has no place is counted.
    pub(super) fn values(&self, level: &Level) -> Vec<Value> {
        let all = &self.facts.measured.values;
        if !self.is_single() || all.len() < 2 {
            return Vec::new();
        }
        let language = self.letter.language;
        let room = if self.face == Face::Card { VALUES_ON_CARD } else { VALUES };
        let shown = if all.len() > room { room - 1 } else { all.len() };
        let wide = faces::card_value(self.letter.target.channel());
        let mut values: Vec<Value> = all[..shown]
            .iter()
            .map(|Shown { name, text }| {
                let left = wide.saturating_sub(text.chars().count() + 1);
                let brief = format!("{} {text}", cut_start(name, left)).trim_start().to_owned();
                context! { name => cut_chars(name, level.what), text, brief }
            })
            .collect();
        if shown < all.len() {
            let text = more(all.len() - shown, language);
            values.push(context! { name => "", brief => text.as_str(), text });
        }
        values
    }

    /// Is the letter about one alert and nothing else?
    pub(super) fn is_single(&self) -> bool {
        self.letter.told.len() == 1 && self.facts.still == 0
    }

    /// The values of a single alert and their threshold, if they have room in a line.
    pub(super) fn measure(&self) -> String {
        let measured = &self.facts.measured;
        if !self.is_single() || (measured.values.len() > 1 && self.face == Face::Card) {
            return String::new();
        }
        let whole = measured.whole(self.letter.language);
        if measured.values.len() > 1 && columns(&whole) > MEASURE { String::new() } else { whole }
    }
}

/// Rows of what is over that a template gets.
pub(super) fn over_rows(level: &Level) -> usize {
    level.still.max(3)
}

/// Columns of the two cells of a table.
const WHAT: usize = 22;
const VALUE: usize = 14;
/// Columns of several values in a line.
const MEASURE: usize = 60;
/// Values of a single alert that have a line each, and on a card, whose last row is the id.
const VALUES: usize = 12;
const VALUES_ON_CARD: usize = 5;
/// Columns of an alert's own sentence.
const SENTENCE: usize = 48;

/// `另 5 项`.
pub(super) fn more(count: usize, language: Language) -> String {
    match language {
        Language::Zh => format!("另 {count} 项"),
        Language::En => format!("{count} more"),
    }
}

/// `text` in at most `most` characters, without its beginning.
fn cut_start(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most || most == 0 {
        return cut_chars(text, most).into_owned();
    }
    let start = text.char_indices().nth(count - (most - 1)).map_or(text.len(), |(at, _)| at);
    let kept = &text[start..];
    // At a separator, if one is near.
    let at = kept.find(['-', '.', '/', ':', ' ']).filter(|at| *at * 3 < kept.len()).unwrap_or(0);
    format!("…{}", kept[at..].trim_start())
}

/// `text` in at most `most` characters, cut before a word with a digit rather than within it: a part of a number is
/// another number, and a part of `db-17` another host.
fn before_number(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    let ends = |c: char| c.is_whitespace() || matches!(c, '、' | ',' | '，');
    let start = text[..end].rfind(ends).unwrap_or(0);
    let word = text[start..].trim_start_matches(ends);
    let word = &word[..word.find(ends).unwrap_or(word.len())];
    if start > 0 && word.contains(|c: char| c.is_ascii_digit()) {
        return format!("{}…", text[..start].trim_end_matches(ends));
    }
    cut_chars(text, most).into_owned()
}

/// The text of a row besides its subject: the value, or the alert's own sentence.
fn text_of<'a>(row: &'a Row, level: &Level) -> Cow<'a, str> {
    if row.value.is_empty() {
        cut_columns(&row.detail().summary, level.summary.min(SENTENCE)).into()
    } else {
        (&row.value).into()
    }
}
