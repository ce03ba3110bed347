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
use super::facts::Facts;
use super::fit::cut_chars;
use super::folds::{Listed, Rest};
use super::headline::Width;
use super::leads::Link;
use super::neutral::{Dialect, one_line};
use super::notes::{Notes, Room};
use super::rows::{Row, object_text};
use super::words::{State, pick, title_of};
use super::{Letter, faces};
use crate::alert::{Format, Labels};
use crate::config::{Face, Language};
use crate::subject::columns;

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
    /// The room for the line in the face's title.
    width: Width,
    /// The rows at each level, made on first use: fitting reads them repeatedly.
    rows: [OnceCell<Vec<Value>>; LEVEL_COUNT],
}

impl<'a> Voice<'a> {
    pub(super) fn new(letter: &'a Letter<'a>, facts: &'a Facts, face: Face, everything: bool) -> Self {
        let id = format!("#{}", letter.thread);
        let mentions = Called::by(letter, facts).inline(face);
        let channel = letter.target.channel();
        let notes = Notes::of(letter.notes, face, channel, letter.language);
        let width = faces::line_width(face, channel).less(&notes.title(""), usize::MAX);
        Self { letter, facts, face, everything, id, mentions, notes, width, rows: Default::default() }
    }

    pub(super) fn title(&self) -> String {
        self.facts.title(self.letter, self.width)
    }

    /// All variables for `page`.
    pub(super) fn context(&self, page: &Page) -> Value {
        let Self { facts, letter, .. } = *self;
        let (level, language) = (page.level, letter.language);
        let lists = &facts.lists;
        let all = self.rows[level.number].get_or_init(|| lists.main.iter().map(|row| self.row(row, level)).collect());
        let firing = &all[page.rows.clone()];
        let single = letter.told.len() == 1 && facts.still == 0;
        let (still, over) = if page.first { self.sides(level) } else { (None, None) };
        let resolved: Vec<Value> = lists
            .over
            .iter()
            .take(if page.first { level.still.max(3) } else { 0 })
            .map(|row| self.row(row, level))
            .collect();
        let folds = self.rest(page).lines;
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
        let front = facts.front(letter);
        let headline = facts.headline(letter, self.width.less(&front, level.name + 12));
        let bracketed = facts.headline(letter, self.width.less(&format!("[{}] ", facts.word), level.name + 12));
        // The line of a body of unknown format is its first one: once is enough.
        let message = match message.split_once('\n').unwrap_or((&message, "")) {
            (first, rest)
                if page.first
                    && facts.state == State::Opaque
                    && one_line(first).starts_with(headline.text.trim_end_matches('…')) =>
            {
                if one_line(first) == headline.text { rest.trim() } else { &message }
            }
            _ => &message,
        };
        let object = object_text(&facts.object, language);
        let mut place = scope.clone();
        if page.first && !headline.whole && !object.is_empty() {
            place.insert(0, cut_chars(&object, level.what.max(40)).into_owned());
        }
        // What the line has no room for stands below it.
        if page.first && !headline.whole_name && level.number < LEVEL_COUNT - 2 {
            place.insert(0, cut_chars(&facts.name, level.name.max(40) * 3 / 2).into_owned());
        }
        place.extend((!when.is_empty()).then(|| when.to_owned()));
        let values = self.values(level);
        let links: Vec<Value> =
            self.links(page).map(|link| context! { text => link.text, url => link.url.as_str() }).collect();
        context! {
            language => letter.language.as_str(),
            face => self.face.as_str(),
            state => facts.state.as_str(),
            icon => facts.icon(),
            word => facts.word.as_str(),
            color => facts.state.color(facts.weight),
            title => format!("{front}{}", headline.text),
            heading => facts.heading(letter, self.width),
            label => facts.label(),
            over_each => self.over_each(),
            subject => bracketed.text,
            lead => bracketed.lead,
            name => cut_chars(&facts.name, level.name),
            object,
            place => facts.place.join(" · "),
            qualifier => facts.qualifier.as_str(),
            severity,
            grade => if page.first { facts.grade } else { "" },
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
            alerts => firing.iter().chain(&resolved).cloned().collect::<Value>(),
            firing => firing.iter().cloned().collect::<Value>(),
            resolved => resolved.into_iter().collect::<Value>(),
            over => over.map(|listed| listed.text).unwrap_or_default(),
            folds => folds.iter().map(String::as_str).collect::<Value>(),
            still => still.into_iter().map(|listed| listed.text).collect::<Value>(),
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
        let text = text_of(row, level);
        let aside = row.aside(self.letter.language);
        let icon = if row.icon.is_empty() { String::new() } else { format!("{} ", row.icon) };
        let line = [what.as_str(), &text].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        let line = format!("{icon}{line}{aside}");
        let alert = row.told.first().filter(|_| self.everything).map(|told| self.letter.told[*told].alert);
        let empty = Labels::new();
        context! {
            name => cut_chars(&row.name, level.name),
            icon,
            what,
            object => row.object.as_str(),
            place => row.place.as_str(),
            qualifier => row.qualifier.as_str(),
            severity => row.severity.as_str(),
            state => if row.over { "resolved" } else { "firing" },
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

    /// The title of a card's rows, and of the first column of a table.
    fn column(&self) -> &'static str {
        let kind = self.facts.lists.kind;
        if self.facts.lists.by_rule {
            pick(self.letter.language, "规则", "Rule")
        } else {
            title_of(kind, self.letter.language)
        }
    }

    /// What distinguishes the row. A long rule name must not crowd out its objects.
    fn what(&self, row: &Row, level: &Level) -> String {
        if !self.facts.lists.by_rule || row.own.is_empty() {
            return cut_chars(&row.what, level.what).into_owned();
        }
        let own = cut_chars(&row.own, level.what.max(40) * 3 / 2);
        format!("{} {own}", cut_chars(&row.name, level.what / 2))
    }

    /// The row in the few characters of a card: the value is kept, the object is cut at its beginning.
    fn brief(&self, row: &Row, level: &Level) -> String {
        let room = if self.face == Face::Card { faces::card_value(self.letter.target.channel()) } else { 40 };
        let value = cut_chars(&row.value, room / 2);
        let left = if value.is_empty() { room } else { room - value.chars().count() - 1 };
        let what = if row.icon.is_empty() {
            cut_start(&row.what, left.min(level.what))
        } else {
            cut_chars(&format!("{} {} {}", row.icon, cut_chars(&row.name, room / 2), row.own), left).into_owned()
        };
        format!("{what} {value}").trim_end().to_owned()
    }

    /// The rows behind the last of `page`, folded; only on the page that counts them.
    fn rest(&self, page: &Page) -> Rest {
        let more = self.more(page);
        if more == 0 {
            return Rest::default();
        }
        if page.level.fold == 0 {
            return Rest { lines: vec![self.more_text(page)], ..Rest::default() };
        }
        let channel = self.letter.target.channel();
        let columns = match self.face {
            Face::Card => faces::card_value(channel),
            Face::Text if channel.wecom().is_none() => 400,
            _ => page.level.fold,
        };
        self.facts.lists.rest(page.rows.end, columns, self.letter.language)
    }

    /// What is on without being news, and what is over: a line each.
    fn sides(&self, level: &Level) -> (Option<Listed>, Option<Listed>) {
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

    /// Does a card have a row for each alert that is over?
    fn over_each(&self) -> bool {
        let lists = &self.facts.lists;
        self.face == Face::Card && lists.main.is_empty() && !lists.by_rule && lists.over.len() <= OVER
    }

    /// The alerts that `page` names if it is printed in full.
    pub(super) fn names(&self, page: &Page) -> Vec<usize> {
        if self.letter.told.len() == 1 {
            return vec![0];
        }
        let rows = self.facts.lists.main[page.rows.clone()].iter().flat_map(|row| row.told.iter().copied());
        let mut named: Vec<usize> = rows.chain(self.rest(page).named).collect();
        if page.first {
            let (still, over) = self.sides(page.level);
            if self.over_each() {
                named.extend(self.facts.lists.over.iter().flat_map(|row| row.told.iter().copied()));
            }
            named.extend([still, over].into_iter().flatten().flat_map(|listed| listed.named));
        }
        named
    }

    /// A table of two columns, if every cell has room on a phone: the values of a single alert if it has several, else
    /// the rows of `page` with their values, if there are any.
    fn grid(&self, page: &Page, values: &[Value], single: bool) -> Value {
        let (facts, level, language) = (self.facts, page.level, self.letter.language);
        let none = context! { columns => Value::from(Vec::<Value>::new()), rows => Value::from(Vec::<Value>::new()) };
        if single {
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
            .map(|row| [self.what(row, level), format!("{}{}", text_of(row, level), row.aside(language))])
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
        let left = || self.facts.lists.main[page.rows.end..].iter().map(Row::size).sum();
        if page.counts { left() } else { 0 }
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
        let shown = self.facts.scope.iter().take(self.facts.places_below(self.letter)).take(level.scope);
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
        let rest = pick(language, "其余", "Rest");
        let missing = [(rest, more.as_str()), (pick(language, "编号", "Id"), self.id.as_str())];
        for (key, value) in missing {
            if !value.is_empty() && !rows.contains(value) && (self.everything || key != rest) {
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

    /// The alerts of `page` whose row is in the shown text, reduced by [`letters`].
    pub(super) fn names_in(&self, page: &Page, shown: &str) -> Vec<usize> {
        let lists = &self.facts.lists;
        let said = |text: &str| {
            let text = letters(text);
            !text.is_empty() && shown.contains(&text)
        };
        let single = self.letter.told.len() == 1;
        if single {
            return if said(&cut_chars(&self.facts.name, page.level.name)) { vec![0] } else { Vec::new() };
        }
        let rows = lists.main[page.rows.clone()].iter().chain(&lists.over).chain(&lists.still);
        rows.filter(|row| said(&self.what(row, page.level))).flat_map(|row| row.told.iter().copied()).collect()
    }
}

/// Rows of a card for alerts that are over.
const OVER: usize = 3;
/// Columns of the two cells of a table.
const WHAT: usize = 22;
const VALUE: usize = 14;

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
