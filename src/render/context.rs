//! The variables a template sees (`docs/templates.md` documents each), and the ends that every body has.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use minijinja::context;
use minijinja::value::{Enumerator, Object, Value};

use super::compose::Level;
use super::engine::dialect;
use super::facts::{Facts, Row};
use super::fit::cut_chars;
use super::labels::read_order;
use super::neutral::{Dialect, neutral, one_line};
use super::words::{State, Weight, brackets, pick};
use super::{Letter, faces};
use crate::alert::{Format, Labels};
use crate::config::{Face, Language};

/// What one part of a message shows.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) level: &'static Level,
    /// Which rows.
    pub(super) rows: Range<usize>,
    /// Which of how many parts.
    pub(super) part: Option<(usize, usize)>,
    pub(super) first: bool,
    pub(super) last: bool,
    /// Are rows that have no place counted here?
    pub(super) counts: bool,
    /// Which bytes of the message; `None`: as much as the level allows.
    pub(super) message: Option<Range<usize>>,
}

impl Page {
    /// A message of one part.
    pub(super) const fn whole(level: &'static Level, rows: Range<usize>) -> Self {
        Self { level, rows, part: None, first: true, last: true, counts: true, message: None }
    }
}

/// A letter that speaks through a face.
pub(super) struct Voice<'a> {
    pub(super) letter: &'a Letter<'a>,
    pub(super) facts: &'a Facts,
    face: Face,
    /// A user's template may ask for every label; a shipped one does not.
    everything: bool,
    id: String,
    mentions: String,
}

impl<'a> Voice<'a> {
    pub(super) fn new(letter: &'a Letter<'a>, facts: &'a Facts, face: Face, everything: bool) -> Self {
        let id = format!("#{}", letter.thread);
        let mentions = faces::inline_mentions(letter, facts, face);
        Self { letter, facts, face, everything, id, mentions }
    }

    pub(super) fn title(&self) -> String {
        self.facts.title(self.letter, 40)
    }

    /// All variables for `page`.
    pub(super) fn context(&self, page: &Page) -> Value {
        let Self { facts, letter, .. } = *self;
        let level = page.level;
        let rows: Vec<Value> = facts.rows[page.rows.clone()].iter().map(|row| self.row(row, level)).collect();
        let of_kind = |resolved: bool| -> Vec<Value> {
            let shown = facts.rows[page.rows.clone()].iter().zip(&rows);
            shown.filter(|(row, _)| row.is_resolved() == resolved).map(|(_, value)| value.clone()).collect()
        };
        let single = letter.told.len() == 1 && facts.still == 0;
        let (mut firing, resolved) = (of_kind(false), of_kind(true));
        let mut still: Vec<Value> = Vec::new();
        if facts.state == State::Partly {
            // What goes on is the minor news here: one line for it, whether repeated or not.
            still.extend(firing.drain(..).filter_map(|row| row.get_attr("line").ok()));
        }
        if page.first {
            let lines = facts.still_rows.iter().take(level.still);
            still.extend(lines.map(|line| Value::from(cut_chars(line, level.what + 16).into_owned())));
        }
        let (severity, scope, when, summary, description, notes) = if page.first {
            (
                facts.severity.as_str(),
                read_order(&facts.scope, level.scope),
                facts.when.as_str(),
                cut_chars(&facts.summary, level.summary),
                cut_chars(&facts.description, level.description),
                facts.notes.clone(),
            )
        } else {
            ("", Vec::new(), "", "".into(), "".into(), Vec::new())
        };
        let message = match &page.message {
            Some(range) => facts.message[range.clone()].trim().into(),
            None => cut_chars(&facts.message, level.message),
        };
        let mut place: Vec<&str> = scope.clone();
        place.extend((!when.is_empty()).then_some(when));
        let links: Vec<Value> =
            self.links(page).map(|link| context! { text => link.text, url => link.url.as_str() }).collect();
        context! {
            language => letter.language.as_str(),
            face => self.face.as_str(),
            state => facts.state.as_str(),
            icon => facts.icon(),
            word => facts.state.word(letter.language),
            color => facts.state.color(),
            title => facts.title(letter, level.name),
            subject => facts.subject(letter, level.name),
            name => cut_chars(&facts.name, level.name),
            severity,
            scope => scope.into_iter().collect::<Value>(),
            when,
            facts => place.into_iter().collect::<Value>(),
            since => facts.since.as_str(),
            duration => facts.duration.as_str(),
            summary,
            description,
            message,
            value => if single { facts.values.first().map(|(_, text)| text.as_str()).unwrap_or_default() } else { "" },
            value_said => single && facts.value_is_said(),
            values => self.values(level),
            single,
            columns => facts.columns.iter().take(level.columns).map(String::as_str).collect::<Value>(),
            rules => facts.rules,
            alerts => rows,
            firing,
            resolved,
            still => if matches!(facts.state, State::Partly) { still } else { Vec::new() },
            count => context! {
                told => letter.told.len(),
                firing => facts.firing,
                resolved => facts.resolved,
                still => facts.still,
                truncated => facts.truncated,
            },
            more => self.more(page),
            more_text => self.more_text(page),
            notes,
            links,
            url => faces::main_url(facts, true),
            source => self.source(),
            labels => self.map(&facts.shared),
            annotations => self.annotations(),
            id => self.id.as_str(),
            part => self.part(page),
            tail => Value::from_safe_string(self.tail(page)),
        }
    }

    fn row(&self, row: &Row, level: &Level) -> Value {
        let facts = self.facts;
        let several = facts.rules > 1;
        let what = cut_chars(&row.what, level.what);
        let text =
            if row.value.is_empty() { cut_chars(&row.summary, level.summary.min(60)) } else { (&row.value).into() };
        let line = match (what.is_empty(), text.is_empty()) {
            (true, _) => text.clone().into_owned(),
            (_, true) => what.clone().into_owned(),
            _ => format!("{what} {text}"),
        };
        let aside = if row.when.is_empty() { String::new() } else { brackets(self.letter.language, &row.when) };
        let line = format!("{line}{aside}");
        let mut cells: Vec<String> =
            row.cells.iter().take(level.columns).map(|cell| cut_chars(cell, level.what).into_owned()).collect();
        if several || cells.is_empty() {
            cells.insert(0, cut_chars(if several { &row.name } else { &row.what }, level.what).into_owned());
        }
        let alert = self.everything.then(|| self.letter.told[row.told].alert);
        let empty = Labels::new();
        context! {
            name => cut_chars(&row.name, level.name),
            what,
            cells,
            severity => row.severity.as_str(),
            state => if row.is_resolved() { "resolved" } else { "firing" },
            value => row.value.as_str(),
            summary => cut_chars(&row.summary, level.summary),
            text,
            line,
            aside,
            when => row.when.as_str(),
            since => row.since.as_str(),
            duration => row.duration.as_str(),
            labels => self.map(alert.map_or(&empty, |alert| &alert.labels)),
            annotations => self.map(alert.map_or(&empty, |alert| &alert.annotations)),
        }
    }

    /// Name and text of the values of a single alert, if it has several.
    fn values(&self, level: &Level) -> Vec<Value> {
        if self.letter.told.len() != 1 || self.facts.values.len() < 2 {
            return Vec::new();
        }
        let most = match self.face {
            Face::Card => 3,
            _ => 10,
        };
        let shown = self.facts.values.iter().take(most);
        shown.map(|(name, text)| context! { name => cut_chars(name, level.what), text }).collect()
    }

    fn links(&self, page: &Page) -> impl Iterator<Item = &super::facts::Link> {
        let most = match (page.last, self.face) {
            (false, _) => 0,
            // Bare addresses are long and ugly: two are enough to get on.
            (true, Face::Text) => page.level.links.min(2),
            (true, _) => page.level.links,
        };
        // The way to what is not shown stays longest.
        let links = &self.facts.links;
        let details = links.iter().position(|link| link.kind == "details").filter(|_| self.more(page) > 0);
        let mut kept: Vec<usize> = details.into_iter().collect();
        kept.extend((0..links.len()).filter(|index| Some(*index) != details && links[*index].kind != "home"));
        kept.truncate(most);
        kept.sort_unstable();
        kept.into_iter().map(|index| &links[index])
    }

    /// How many alerts are neither on this page nor on one before it.
    fn more(&self, page: &Page) -> usize {
        if page.counts { self.letter.told.len() - page.rows.end } else { 0 }
    }

    fn more_text(&self, page: &Page) -> String {
        match (self.more(page), self.letter.language) {
            (0, _) => String::new(),
            (more, Language::Zh) => format!("另 {more} 项"),
            (more, Language::En) => format!("{more} more"),
        }
    }

    fn source(&self) -> &'static str {
        match self.letter.notification.format {
            Format::Grafana | Format::GrafanaLegacy => "Grafana",
            Format::Alertmanager => "Alertmanager",
            Format::AlertsPush => "Prometheus",
            Format::Generic | Format::Opaque => "webhook",
        }
    }

    fn map(&self, labels: &Labels) -> Value {
        let clipped = |text: &str| cut_chars(&text[..text.floor_char_boundary(4096)], 1000).into_owned();
        let map = if self.everything {
            labels.iter().take(200).map(|(name, value)| (Arc::from(name.as_str()), clipped(value))).collect()
        } else {
            BTreeMap::new()
        };
        Value::from_object(Lenient(map))
    }

    fn annotations(&self) -> Value {
        let gravest = self.facts.order.first().map(|index| &self.letter.told[*index].alert.annotations);
        self.map(gravest.unwrap_or(&Labels::new()))
    }

    fn part(&self, page: &Page) -> String {
        page.part.map(|(number, of)| format!("({number}/{of})")).unwrap_or_default()
    }

    /// Who is called, and the id: as every body must end.
    pub(super) fn tail(&self, page: &Page) -> String {
        let id = match dialect(self.face) {
            Dialect::Plain => self.id.clone(),
            Dialect::Markdown | Dialect::MarkdownV2 => format!("`{}`", self.id),
        };
        if page.last && !self.mentions.is_empty() { format!("{} {id}", self.mentions) } else { id }
    }

    /// `body` with everything that no message may lack, if the template did not print it.
    pub(super) fn completed(&self, body: String, page: &Page) -> String {
        let mut body = self.without_mentions(body);
        let tail = self.tail(page);
        let missing = |text: &str, body: &str| !text.is_empty() && !body.contains(text);
        let mut ending: Vec<String> = [self.part(page), self.more_text(page)]
            .into_iter()
            .filter(|text| self.everything && missing(text, &body))
            .collect();
        if missing(&tail, &body) {
            ending.push(tail);
        }
        if !ending.is_empty() {
            body.push('\n');
            body.push_str(&ending.join(" "));
        }
        body
    }

    /// Mentions come from the configuration, not from a template and not from an alert.
    fn without_mentions(&self, body: String) -> String {
        let mut pieces = body.split("<@");
        let Some(first) = pieces.next().filter(|first| first.len() < body.len()) else { return body };
        pieces.fold(first.to_owned(), |mut out, piece| {
            let allowed = self.mentions.split(' ').filter_map(|mention| mention.strip_prefix("<@"));
            out.push_str(if allowed.into_iter().any(|mention| piece.starts_with(mention)) { "<@" } else { "＜@" });
            out.push_str(piece);
            out
        })
    }

    /// What stays when a body has to be cut: the way to the whole, who is called, the id.
    pub(super) fn ending(&self, page: &Page) -> String {
        let tail = self.tail(page);
        let Some(link) = self.facts.links.iter().find(|link| link.kind == "details") else { return tail };
        match dialect(self.face) {
            Dialect::Plain => format!("{} {}\n{tail}", link.text, link.url),
            Dialect::Markdown | Dialect::MarkdownV2 => format!("[{}]({}) {tail}", link.text, link.url),
        }
    }

    /// Can the alert of `row` be found in what is shown?
    pub(super) fn is_named(&self, row: usize, page: &Page, shown: &str) -> bool {
        let row = &self.facts.rows[row];
        let single = self.letter.told.len() == 1;
        let what = if single { &row.name } else { &row.what };
        let length = if single { page.level.name } else { page.level.what };
        let what = cut_chars(what, length);
        let what = what.trim_end_matches('…');
        !what.is_empty() && shown.contains(neutral(what, dialect(self.face)).as_ref())
    }
}

impl Facts {
    /// Does the summary of the only alert give its value already?
    fn value_is_said(&self) -> bool {
        let Some((_, value)) = self.values.first() else { return false };
        let number = value.split(' ').next().unwrap_or_default();
        !number.is_empty() && self.summary.contains(number)
    }

    /// The sign in front: colour for who sees colours, beside the word for who does not.
    pub(super) fn icon(&self) -> &'static str {
        match (self.state, self.weight) {
            (State::Firing | State::Reminder, Weight::Red) => "🔴",
            (State::Firing | State::Reminder, Weight::Yellow) => "🟡",
            (State::Firing | State::Reminder, Weight::Blue) => "🔵",
            (State::Partly | State::Unclear, _) => "🟠",
            (State::Resolved, _) => "🟢",
            (State::NoData | State::QueryError, _) => "⚪",
            (State::Test, _) => "🔔",
            (State::Opaque, _) => "📨",
        }
    }

    /// Sign, word where the sign is not enough, and subject; the rule's name in at most `length` characters.
    pub(super) fn title(&self, letter: &Letter<'_>, length: usize) -> String {
        let subject = self.subject(letter, length);
        match self.state {
            State::Firing | State::Partly | State::Unclear | State::Opaque => format!("{} {subject}", self.icon()),
            _ => format!("{} {} {subject}", self.icon(), self.state.word(letter.language)),
        }
    }

    /// What it is about and how many, without the word for its state.
    pub(super) fn subject(&self, letter: &Letter<'_>, length: usize) -> String {
        let zh = letter.language == Language::Zh;
        let name = cut_chars(&self.name, length);
        let rules = self.rules;
        let name = match (rules, zh) {
            (0 | 1, _) => name.into_owned(),
            (_, true) => format!("{name} 等 {rules} 条规则"),
            (_, false) => format!("{name} and {} more rules", rules - 1),
        };
        let times = |count: usize| if count > 1 { format!(" ×{count}") } else { String::new() };
        let (firing, resolved, truncated) = (self.firing, self.resolved, self.truncated);
        match (self.state, zh) {
            (State::Opaque, _) => {
                let title = one_line(&letter.notification.title);
                let line =
                    if title.is_empty() { one_line(self.message.lines().next().unwrap_or_default()) } else { title };
                let line = if line.is_empty() { name } else { line };
                cut_chars(&line, length).into_owned()
            }
            (State::Test, _) => pick(letter.language, "通知已送达", "this notification arrived").to_owned(),
            (State::NoData | State::QueryError, true) => format!("“{name}” 无法判断{}", times(firing)),
            (State::NoData | State::QueryError, false) => format!("“{name}” cannot be judged{}", times(firing)),
            (State::Partly, true) => format!("{name} 仍有 {} 条（已恢复 {resolved}）", firing + self.still),
            (State::Partly, false) => format!("{name}: {} still firing ({resolved} resolved)", firing + self.still),
            (State::Unclear, true) => format!("{name} 已恢复 {resolved} 条，另 {truncated} 条未知"),
            (State::Unclear, false) => format!("{name}: {resolved} resolved, {truncated} unknown"),
            (State::Resolved, true) if self.judged_again => format!("“{name}” 又能判断了{}", times(resolved)),
            (State::Resolved, false) if self.judged_again => format!("“{name}” can be judged again{}", times(resolved)),
            (State::Resolved, _) => format!("{name}{}", times(resolved)),
            (State::Firing | State::Reminder, _) if resolved == 0 => format!("{name}{}", times(firing)),
            (State::Firing | State::Reminder, true) => format!("{name}{}（已恢复 {resolved}）", times(firing)),
            (State::Firing | State::Reminder, false) => format!("{name}{} ({resolved} resolved)", times(firing)),
        }
    }
}

/// Labels by name; one that is not there is empty rather than an error: which labels an alert has is not the
/// template's fault.
#[derive(Debug)]
struct Lenient(BTreeMap<Arc<str>, String>);

impl Object for Lenient {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(key.as_str().and_then(|name| self.0.get(name)).map_or("", String::as_str)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|name| Value::from(name.as_ref())).collect())
    }
}
