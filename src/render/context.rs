//! The variables of a template (`docs/templates.md` documents each), and the ends that every body has.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use minijinja::context;
use minijinja::value::{Enumerator, Object, Value};

use super::compose::{LEVEL_COUNT, Level};
use super::engine::dialect;
use super::faces::Called;
use super::facts::{Facts, Link};
use super::fit::cut_chars;
use super::labels::read_order;
use super::neutral::{Dialect, one_line};
use super::notes::{Notes, Room};
use super::rows::Row;
use super::words::{State, brackets, pick};
use super::{Letter, faces};
use crate::alert::{Format, Labels};
use crate::config::{Face, Language};

/// The content of one part of a message.
#[derive(Clone, PartialEq)]
pub(super) struct Page {
    pub(super) level: &'static Level,
    /// The rows.
    pub(super) rows: Range<usize>,
    /// The number of this part, and of all parts.
    pub(super) part: Option<(usize, usize)>,
    pub(super) first: bool,
    pub(super) last: bool,
    /// Are rows without a place counted here?
    pub(super) counts: bool,
    /// The bytes of the message text; `None`: as much as the level allows.
    pub(super) message: Option<Range<usize>>,
}

impl Page {
    /// A message of one part.
    pub(super) const fn whole(level: &'static Level, rows: Range<usize>) -> Self {
        Self { level, rows, part: None, first: true, last: true, counts: true, message: None }
    }

    /// The room for notes on the message itself.
    pub(super) const fn note_room(&self) -> Room {
        match (self.first, self.level.number + 2 < LEVEL_COUNT) {
            (false, _) => Room::Later,
            (true, true) => Room::Plenty,
            (true, false) => Room::Tight,
        }
    }
}

/// A letter and its face.
pub(super) struct Voice<'a> {
    pub(super) letter: &'a Letter<'a>,
    pub(super) facts: &'a Facts,
    face: Face,
    /// A user's template may ask for every label; a shipped one does not.
    everything: bool,
    id: String,
    mentions: String,
    pub(super) notes: Notes,
    /// Characters of the rule's name that fit into the face's title.
    name: usize,
    /// The rows at each level, made on first use: fitting reads them repeatedly.
    rows: [OnceCell<Vec<Value>>; LEVEL_COUNT],
}

impl<'a> Voice<'a> {
    pub(super) fn new(letter: &'a Letter<'a>, facts: &'a Facts, face: Face, everything: bool) -> Self {
        let id = format!("#{}", letter.thread);
        let mentions = Called::by(letter, facts).inline(face);
        let channel = letter.target.channel();
        let notes = Notes::of(letter.notes, face, channel, letter.language);
        let limit = faces::title_limit(face, channel);
        let holds = |name: &usize| {
            let subject = facts.subject(letter, *name);
            let bracketed = format!("[{}] {subject}", facts.state.word(letter.language));
            limit.holds(&notes.title(&facts.title(letter, *name))) && limit.holds(&notes.title(&bracketed))
        };
        let name = [80, 60, 50, 40, 32, 26, 20, 16, 12].into_iter().find(holds).unwrap_or(8);
        Self { letter, facts, face, everything, id, mentions, notes, name, rows: Default::default() }
    }

    pub(super) fn title(&self) -> String {
        self.facts.title(self.letter, self.name)
    }

    /// All variables for `page`.
    pub(super) fn context(&self, page: &Page) -> Value {
        let Self { facts, letter, .. } = *self;
        let level = page.level;
        let name = level.name.min(self.name);
        let all = self.rows[level.number].get_or_init(|| facts.rows.iter().map(|row| self.row(row, level)).collect());
        let rows = &all[page.rows.clone()];
        let of_kind = |resolved: bool| -> Vec<Value> {
            let shown = facts.rows[page.rows.clone()].iter().zip(rows);
            shown.filter(|(row, _)| row.is_resolved() == resolved).map(|(_, value)| value.clone()).collect()
        };
        let single = letter.told.len() == 1 && facts.still == 0;
        let (mut firing, resolved) = (of_kind(false), of_kind(true));
        let mut still: Vec<Value> = Vec::new();
        if facts.state == State::Partly {
            // Ongoing alerts are minor news here: one line for each, whether repeated or not.
            still.extend(firing.drain(..).filter_map(|row| row.get_attr("line").ok()));
        }
        if page.first {
            let lines = facts.still_rows.iter().take(level.still);
            still.extend(lines.map(|line| Value::from(cut_chars(line, level.what + 16).into_owned())));
        }
        let (severity, scope, when, summary, description, notes) = if page.first {
            (
                // The severity is no longer of interest.
                if facts.state.is_over() { "" } else { facts.severity.as_str() },
                self.scope(level),
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
        let subject = facts.subject(letter, name);
        // The subject of a body of unknown format is its first line: once is enough.
        let message = match message.split_once('\n').unwrap_or((&message, "")) {
            (first, rest) if page.first && facts.state == State::Opaque && one_line(first) == subject => rest.trim(),
            _ => &message,
        };
        let mut place = scope.clone();
        place.extend((!when.is_empty()).then(|| when.to_owned()));
        let values = self.values(level);
        let links: Vec<Value> =
            self.links(page).map(|link| context! { text => link.text, url => link.url.as_str() }).collect();
        context! {
            language => letter.language.as_str(),
            face => self.face.as_str(),
            state => facts.state.as_str(),
            icon => facts.icon(),
            word => facts.state.word(letter.language),
            color => facts.state.color(),
            title => facts.title(letter, name),
            subject,
            name => cut_chars(&facts.name, name),
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
            grid => self.grid(page, &values, single),
            values,
            single,
            column => self.column(),
            rules => facts.rules,
            alerts => rows.iter().cloned().collect::<Value>(),
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
            unread => facts.state == State::Opaque && !letter.notification.title.is_empty(),
            act => facts.links.iter().any(|link| link.kind == "act"),
            links,
            picture => letter.picture.url.filter(|_| page.first).and_then(faces::shown_picture).unwrap_or_default(),
            url => faces::main_url(facts, true),
            source => self.source(),
            labels => self.map(&facts.shared),
            annotations => self.annotations(),
            id => self.id.as_str(),
            part => Self::part(page),
            tail => Value::from_safe_string(self.tail(page)),
        }
    }

    fn row(&self, row: &Row, level: &Level) -> Value {
        let what = self.what(row, level);
        let text =
            if row.value.is_empty() { cut_chars(&row.summary, level.summary.min(60)) } else { (&row.value).into() };
        let line = match (what.is_empty(), text.is_empty()) {
            (true, _) => text.clone().into_owned(),
            (_, true) => what.clone(),
            _ => format!("{what} {text}"),
        };
        let asides: Vec<&str> =
            [row.grade.as_str(), row.when.as_str()].into_iter().filter(|aside| !aside.is_empty()).collect();
        let language = self.letter.language;
        let aside = asides.join(pick(language, "，", ", "));
        let aside = if aside.is_empty() { aside } else { brackets(language, &aside) };
        let line = format!("{line}{aside}");
        let alert = self.everything.then(|| self.letter.told[row.told].alert);
        let empty = Labels::new();
        context! {
            name => cut_chars(&row.name, level.name),
            what,
            severity => row.severity.as_str(),
            state => if row.is_resolved() { "resolved" } else { "firing" },
            value => row.value.as_str(),
            summary => cut_chars(&row.summary, level.summary),
            text,
            brief => self.brief(row, level),
            line,
            aside,
            when => row.when.as_str(),
            since => row.since.as_str(),
            duration => row.duration.as_str(),
            labels => self.map(alert.map_or(&empty, |alert| &alert.labels)),
            annotations => self.map(alert.map_or(&empty, |alert| &alert.annotations)),
        }
    }

    /// The title of a card's rows.
    fn column(&self) -> &str {
        let title = self.facts.columns.first().filter(|title| self.facts.rules < 2 && title.chars().count() <= 5);
        title.map_or(pick(self.letter.language, "对象", "What"), String::as_str)
    }

    /// What distinguishes the row. A long rule name must not crowd out the alert's own labels.
    fn what(&self, row: &Row, level: &Level) -> String {
        if self.facts.rules < 2 || row.own.is_empty() {
            return cut_chars(&row.what, level.what).into_owned();
        }
        format!("{} · {}", cut_chars(&row.name, level.what / 2), cut_chars(&row.own, level.what / 2))
    }

    /// The row in the few characters of a card: the value is kept, the name is shortened.
    fn brief(&self, row: &Row, level: &Level) -> String {
        let room = if self.face == Face::Card { faces::card_value(self.letter.target.channel()) } else { 40 };
        let text = cut_chars(&row.value, room / 2);
        if text.is_empty() {
            return cut_chars(&row.what, room.min(level.what)).into_owned();
        }
        format!("{} {text}", cut_chars(&row.what, (room - text.chars().count() - 1).min(level.what)))
    }

    /// The content of a table: the values of a single alert if it has several, else the firing alerts of `page` with
    /// their distinguishing labels, values and durations.
    fn grid(&self, page: &Page, values: &[Value], single: bool) -> Value {
        let (facts, level, language) = (self.facts, page.level, self.letter.language);
        if single || facts.state == State::Partly {
            let cells = |value: &Value| -> Value {
                [value.get_attr("name"), value.get_attr("text")].into_iter().filter_map(Result::ok).collect()
            };
            let columns: Value =
                [pick(language, "指标", "Metric"), pick(language, "值", "Value")].into_iter().collect();
            return context! { columns, rows => values.iter().map(cells).collect::<Value>() };
        }
        let rows: Vec<&Row> = facts.rows[page.rows.clone()].iter().filter(|row| !row.is_resolved()).collect();
        let several = facts.rules > 1;
        let keys = if several { 0 } else { facts.columns.len().min(level.columns) };
        let any = |told: fn(&Row) -> &str| rows.iter().any(|row| !told(row).is_empty());
        let (object, grade, when) = (any(|row| &row.own), any(|row| &row.grade), any(|row| &row.when));
        let text = any(|row| &row.value) || any(|row| &row.summary);
        let title = |shown: bool, zh, en| shown.then(|| pick(language, zh, en)).into_iter();
        let columns = title(several, "规则", "Rule")
            .chain(title(keys == 0 && (object || !several), "对象", "What"))
            .chain(facts.columns.iter().take(keys).map(String::as_str))
            .chain(title(text, "值", "Value"))
            .chain(title(grade, "级别", "Severity"))
            .chain(title(when, "持续", "For"));
        let cells = |row: &&Row| -> Value {
            let cell = |shown: bool, text: &str| shown.then(|| cut_chars(text, level.what).into_owned()).into_iter();
            cell(several, &row.name)
                .chain(cell(keys == 0 && several && object, &row.own))
                .chain(cell(keys == 0 && !several, &row.what))
                .chain(row.cells.iter().take(keys).map(|cell| cut_chars(cell, level.what).into_owned()))
                .chain(text.then(|| text_of(row, level).into_owned()))
                .chain(cell(grade, &row.grade))
                .chain(cell(when, &row.when))
                .collect()
        };
        context! { columns => columns.collect::<Value>(), rows => rows.iter().map(cells).collect::<Value>() }
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

    fn links(&self, page: &Page) -> impl Iterator<Item = &Link> {
        let links = &self.facts.links;
        // A resolved alert asks for nothing; faces that need a link have one anyway.
        let asks = page.last && self.facts.state != State::Resolved;
        let find = |kinds: &[&str]| links.iter().position(|link| kinds.contains(&link.kind));
        // The link to what is not shown is dropped last.
        let details = find(&["details"]).filter(|_| self.more(page) > 0);
        let mut kept: Vec<usize> = details.into_iter().collect();
        if self.face == Face::Text {
            // Bare addresses are long: the graph and the details are enough; the page for acts includes the details.
            kept.extend(find(&["rule", "panel", "dashboard"]));
            kept.extend(find(&["act"]).or_else(|| find(&["details"])).or_else(|| find(&["runbook"])));
        } else {
            // The page for acts includes the details.
            let whole = find(&["act"]).is_some();
            kept.extend((0..links.len()).filter(|index| match links[*index].kind {
                "home" => false,
                "details" => !whole,
                _ => true,
            }));
        }
        let mut seen = BTreeSet::new();
        kept.retain(|index| seen.insert(*index));
        kept.truncate(if asks { page.level.links } else { 0 });
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

    fn scope(&self, level: &Level) -> Vec<String> {
        if self.facts.state == State::Test {
            return vec![format!("{} {}", pick(self.letter.language, "来自", "from"), self.source())];
        }
        let shown = read_order(&self.facts.scope, level.scope).into_iter();
        shown.map(|text| cut_chars(text, level.what.min(40)).into_owned()).collect()
    }

    /// The program that sent it, and the environment if all alerts share one.
    fn source(&self) -> String {
        let program = match self.letter.notification.format {
            Format::Grafana | Format::GrafanaLegacy => "Grafana",
            Format::Alertmanager => "Alertmanager",
            Format::AlertsPush => "Prometheus",
            Format::Generic | Format::Opaque | Format::Relayed => "Webhook",
            Format::WecomWebhook | Format::WecomApp => "WeCom",
        };
        match ["env", "environment"].into_iter().find_map(|name| self.facts.shared.get(name)) {
            Some(environment) => format!("{program} · {}", one_line(environment)),
            None => program.to_owned(),
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

    fn part(page: &Page) -> String {
        page.part.map(|(number, of)| format!("({number}/{of})")).unwrap_or_default()
    }

    /// Mentions and id: the required end of every body.
    pub(super) fn tail(&self, page: &Page) -> String {
        let id = match dialect(self.face) {
            Dialect::Plain => self.id.clone(),
            Dialect::Markdown | Dialect::MarkdownV2 => format!("`{}`", self.id),
        };
        if page.last && !self.mentions.is_empty() { format!("{} {id}", self.mentions) } else { id }
    }

    /// `body` with the required content that the template did not print.
    pub(super) fn completed(&self, body: String, page: &Page) -> String {
        let mut body = self.without_mentions(body);
        let tail = self.tail(page);
        let missing = |text: &str, body: &str| !text.is_empty() && !body.contains(text);
        let mut ending: Vec<String> = [Self::part(page), self.more_text(page)]
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

    /// Adds the required row, if the template did not print it.
    pub(super) fn complete_rows(&self, rows: &mut String, page: &Page) {
        let more = self.more_text(page);
        let language = self.letter.language;
        let missing =
            [(pick(language, "其余", "Rest"), more.as_str()), (pick(language, "编号", "Id"), self.id.as_str())];
        for (key, value) in missing {
            if !value.is_empty() && !rows.contains(value) {
                rows.push_str(if rows.is_empty() { "" } else { "\n" });
                rows.push_str(key);
                rows.push('：');
                rows.push_str(value);
            }
        }
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

    /// What remains when a body is cut: link, mentions, id.
    pub(super) fn ending(&self, page: &Page, room: usize) -> String {
        let tail = self.tail(page);
        let details = self.facts.links.iter().find(|link| link.kind == "details" && link.url.len() < room / 4);
        let Some(link) = details.filter(|_| faces::is_text(self.face)) else { return tail };
        match dialect(self.face) {
            Dialect::Plain => format!("{} {}\n{tail}", link.text, link.url),
            Dialect::Markdown | Dialect::MarkdownV2 => format!("[{}]({}) {tail}", link.text, link.url),
        }
    }

    /// Does the shown text, reduced by [`letters`], identify the alert of `row`?
    pub(super) fn is_named(&self, row: usize, page: &Page, shown: &str) -> bool {
        let row = &self.facts.rows[row];
        let single = self.letter.told.len() == 1;
        let what = if single { cut_chars(&row.name, page.level.name).into_owned() } else { self.what(row, page.level) };
        let what = letters(&what);
        !what.is_empty() && shown.contains(&what)
    }
}

/// The letters and digits of `text`, which neutralising and cutting do not change.
pub(super) fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The text of a row besides its subject: the value, or the alert's own sentence.
fn text_of<'a>(row: &'a Row, level: &Level) -> Cow<'a, str> {
    if row.value.is_empty() { cut_chars(&row.summary, level.summary.min(60)) } else { (&row.value).into() }
}

/// Labels by name; a missing one is empty instead of an error: a template cannot know which labels an alert has.
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
