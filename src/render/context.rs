//! The variables of a template (`docs/templates.md` and its English twin explain each).

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use minijinja::context;
use minijinja::value::{Enumerator, Object, Value};

use super::faces::Called;
use super::facts::Facts;
use super::fit::cut_chars;
use super::folds::{Listed, Rest};
use super::headline::{Headline, Width};
use super::leads::Link;
use super::level::{LEVEL_COUNT, Level};
use super::lines::over_rows;
use super::neutral::one_line;
use super::notes::{Notes, Room};
use super::prose::Prose;
use super::rows::{ROWS, object_text};
use super::words::{State, pick};
use super::{Letter, faces};
use crate::alert::{Format, Labels};
use crate::config::Face;

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

/// What only the first page says.
#[derive(Default)]
struct Top<'a> {
    severity: &'a str,
    scope: Vec<String>,
    when: &'a str,
    prose: Prose,
    notes: Vec<String>,
    still: Option<Listed>,
    over: Option<Listed>,
    resolved: Vec<Value>,
}

/// A first line, by what it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstLine {
    /// Sign, line and value.
    Title,
    /// Sign and line.
    Heading,
    /// Line and value.
    Subject,
    /// The line alone.
    Lead,
}

/// The first lines as templates print them, and the one of the face.
struct FirstLines {
    title: String,
    heading: String,
    subject: String,
    lead: String,
    shown: Headline,
    /// Has that the value?
    valued: bool,
}

/// A letter and its face.
pub(super) struct Voice<'a> {
    pub(super) letter: &'a Letter<'a>,
    pub(super) facts: &'a Facts,
    pub(super) face: Face,
    /// A user's template may ask for every label; a shipped one does not.
    pub(super) everything: bool,
    pub(super) id: String,
    pub(super) mentions: String,
    pub(super) notes: Notes,
    /// The room for the line in the face's title.
    width: Width,
    /// The rows at each level, made on first use: fitting reads them repeatedly.
    rows: [OnceCell<Vec<Value>>; LEVEL_COUNT],
    /// The folded rows from each row on, in so many columns.
    pub(super) rests: RefCell<HashMap<(usize, usize), Rc<Rest>>>,
}

impl<'a> Voice<'a> {
    pub(super) fn new(letter: &'a Letter<'a>, facts: &'a Facts, face: Face, everything: bool) -> Self {
        let id = format!("#{}", letter.thread);
        let mentions = Called::by(letter, facts).inline(face);
        let channel = letter.target.channel();
        let notes = Notes::of(letter.notes, face, channel, letter.language);
        let width = faces::line_width(face, channel).less(&notes.title(""), usize::MAX);
        Self {
            letter,
            facts,
            face,
            everything,
            id,
            mentions,
            notes,
            width,
            rows: Default::default(),
            rests: RefCell::default(),
        }
    }

    pub(super) fn title(&self) -> String {
        self.facts.title(self.letter, self.width)
    }

    /// Are links written as tags?
    pub(super) const fn hyperlinks(&self) -> bool {
        faces::takes_hyperlinks(self.face, self.letter.target.channel())
    }

    /// All variables for `page`.
    pub(super) fn context(&self, page: &Page) -> Value {
        let Self { facts, letter, .. } = *self;
        let (level, language) = (page.level, letter.language);
        let lists = &facts.lists;
        let all = self.rows[level.number]
            .get_or_init(|| lists.main.iter().take(ROWS).map(|row| self.row(row, level)).collect());
        let lines = self.first_lines(level);
        // The line of the only one that is on, beside others that are over, says what its row would say.
        let only = facts.only_firing().is_some_and(|_| {
            let row = &lists.main[0];
            !row.value.is_empty() || row.detail().summary.is_empty()
        });
        let said = only && page.first && !self.everything && lines.shown.whole && lines.valued;
        let firing = if said { &[][..] } else { &all[page.rows.clone()] };
        let single = self.is_single();
        let Top { severity, scope, when, prose, notes, still, over, resolved } = self.top(page);
        let folds = &self.rest(page).lines;
        let limit = if page.first && level.limit { facts.measured.limit(language) } else { String::new() };
        let sides = usize::from(still.is_some()) + usize::from(over.is_some()) + usize::from(!notes.is_empty());
        let room = faces::lines(Face::Card, letter.target.channel(), true);
        let free = !single && firing.len() + folds.len() + sides < room;
        let below = self.below(page, &scope, &lines.shown, &limit, free);
        let values = self.values(level);
        let links: Vec<Value> =
            self.links(page).map(|link| context! { text => link.text, url => link.url.as_str() }).collect();
        context! {
            language => letter.language.as_str(),
            face => self.face.as_str(),
            state => facts.state.as_str(),
            hyperlinks => self.hyperlinks(),
            icon => facts.icon(),
            word => facts.word.as_str(),
            color => facts.state.color(facts.weight),
            title => lines.title,
            heading => lines.heading,
            label => facts.label(),
            over_each => self.over_each(page),
            subject => lines.subject,
            lead => lines.lead,
            name => cut_chars(&facts.name, level.name),
            object => object_text(&facts.object, language),
            place => facts.place.join(" · "),
            qualifier => facts.qualifier.as_str(),
            severity,
            grade => if page.first { facts.grade } else { "" },
            scope => scope.into_iter().collect::<Value>(),
            when,
            facts => below.into_iter().collect::<Value>(),
            since => facts.since.as_str(),
            duration => facts.duration.as_str(),
            summary => prose.summary,
            description => prose.description,
            steps => prose.steps,
            steps_more => prose.steps_more,
            evidence => prose.evidence,
            evidence_more => prose.evidence_more,
            message => self.message(page),
            value => self.value(),
            value_said => single && facts.value_is_said(),
            measure => self.measure(),
            threshold => facts.measured.threshold.as_str(),
            unit => facts.measured.unit.as_str(),
            limit,
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
            details => facts.links.iter().find(|link| link.kind == "details").map_or("", |link| link.url.as_str()),
            source => self.source(),
            labels => self.map(&facts.shared),
            annotations => self.annotations(),
            id => self.id.as_str(),
            part => Self::part(page),
            tail => Value::from_safe_string(self.tail(page)),
        }
    }

    /// What only the first page says.
    fn top(&self, page: &Page) -> Top<'_> {
        let (facts, level) = (self.facts, page.level);
        if !page.first {
            return Top::default();
        }
        let (still, over) = self.sides(level);
        let resolved = facts.lists.over.iter().take(over_rows(level)).map(|row| self.row(row, level));
        Top {
            // The severity of what is over is no longer of interest.
            severity: if facts.state.is_over() { "" } else { facts.severity.as_str() },
            scope: self.scope(level),
            when: facts.when.as_str(),
            prose: self.prose(level),
            notes: facts.notes.clone(),
            still,
            over,
            resolved: resolved.collect(),
        }
    }

    /// The first lines: for a shipped template that of its face, for a user's all that it may print.
    fn first_lines(&self, level: &Level) -> FirstLines {
        let (facts, letter) = (self.facts, self.letter);
        let front = facts.front(letter);
        let bracket = self.width.less(&format!("[{}] ", facts.word), level.name + 12);
        let make = |line| match line {
            FirstLine::Title => {
                let line = facts.headline(letter, self.width.less(&front, level.name + 12), true);
                Headline { text: format!("{front}{}", line.text), ..line }
            }
            FirstLine::Heading => facts.heading(letter, self.width),
            FirstLine::Subject => facts.headline(letter, bracket, true),
            FirstLine::Lead => facts.headline(letter, bracket, false),
        };
        let own = match self.face {
            Face::Markdown if !self.value().is_empty() => FirstLine::Lead,
            Face::Text | Face::Markdown | Face::News => FirstLine::Subject,
            Face::MarkdownV2 | Face::Textcard => FirstLine::Title,
            Face::Card => FirstLine::Heading,
        };
        let shown = make(own);
        let text = |line| match line {
            line if line == own => shown.text.clone(),
            line if self.everything => make(line).text,
            _ => String::new(),
        };
        FirstLines {
            title: text(FirstLine::Title),
            heading: text(FirstLine::Heading),
            subject: text(FirstLine::Subject),
            lead: text(FirstLine::Lead),
            valued: matches!(own, FirstLine::Title | FirstLine::Subject),
            shown,
        }
    }

    /// What stands below the first line: what that has no room for, the places, since when, the threshold, the course.
    /// `free`: a card has a row for the threshold.
    fn below(&self, page: &Page, scope: &[String], shown: &Headline, limit: &str, free: bool) -> Vec<String> {
        let (facts, level) = (self.facts, page.level);
        let mut below = Vec::new();
        if page.first && !shown.whole_name && level.number < LEVEL_COUNT - 2 {
            below.push(cut_chars(&facts.name, level.name.max(40) * 3 / 2).into_owned());
        }
        let object = object_text(&facts.object, self.letter.language);
        if page.first && !shown.whole && !object.is_empty() {
            below.push(cut_chars(&object, level.what.max(40)).into_owned());
        }
        below.extend_from_slice(scope);
        // The narrowest place of many, if the line had no room for it.
        let place = if facts.only_firing().is_none() { facts.named_object(self.letter) } else { Vec::new() };
        if page.first && !shown.whole && object.is_empty() && !place.is_empty() && level.places > 0 {
            below.push(cut_chars(&object_text(&place, self.letter.language), level.what.min(40)).into_owned());
        }
        below.extend(Some(facts.when.clone()).filter(|when| page.first && !when.is_empty()));
        // Some faces print it behind the value.
        let valued = !self.measure().is_empty();
        let beside = match self.face {
            Face::Card if free => true,
            Face::MarkdownV2 => false,
            Face::Text => facts.measured.values.len() > 1 && valued,
            Face::Markdown | Face::Textcard | Face::News | Face::Card => valued,
        };
        below.extend((!limit.is_empty() && !beside).then(|| limit.to_owned()));
        below.extend(self.letter.course.filter(|_| page.first && level.limit).map(str::to_owned));
        below
    }

    /// The text of a body; of one of unknown format without the line that is the title already.
    fn message(&self, page: &Page) -> String {
        let facts = self.facts;
        let message = match &page.message {
            Some(range) => facts.message[range.clone()].trim().into(),
            None => cut_chars(&facts.message, page.level.message),
        };
        let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
        let first = one_line(first);
        if !page.first || facts.state != State::Opaque || first.is_empty() {
            return message.into_owned();
        }
        let width = self.width.less(&facts.front(self.letter), page.level.name + 12);
        let title = facts.headline(self.letter, width, true).text;
        if first == title { rest.trim().to_owned() } else { message.into_owned() }
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
            // Addresses are long: the graph and the details are enough; the page for acts includes the details. In tags
            // they take room, but no lines: the runbook has a place, too.
            let runbook = || find(&["runbook"]);
            kept.extend(find(&["rule", "panel", "dashboard"]));
            kept.extend(find(&["act"]).or_else(|| find(&["details"])).or_else(runbook));
            kept.extend(runbook().filter(|_| self.hyperlinks()));
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

    /// The value of a single alert that has one.
    fn value(&self) -> &str {
        match &self.facts.measured.values[..] {
            [one] if self.is_single() => &one.text,
            _ => "",
        }
    }

    fn scope(&self, level: &Level) -> Vec<String> {
        if self.facts.state == State::Test {
            return vec![format!("{} {}", pick(self.letter.language, "来自", "from"), self.source())];
        }
        if level.places == 0 {
            return Vec::new();
        }
        let most = level.places + usize::from(!self.facts.qualifier.is_empty());
        let shown = self.facts.scope.iter().take(self.facts.places_below(self.letter)).take(most);
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

    pub(super) fn map(&self, labels: &Labels) -> Value {
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
