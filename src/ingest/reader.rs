//! The general reader: a tree that no mapping knows, or what a mapping left unsaid, to an alert.
//!
//! Every leaf ends in the title, the text, a label, a line `name: value`, or on the list of what is hidden on purpose.

mod alike;
mod keys;
mod level;
mod marks;
mod measured;
mod place;
mod rest;
mod state;
mod things;
mod title;
mod when;

pub(super) use alike::measured as is_measured;
pub(super) use measured::{compared, measured, measures};
pub use rest::{Listed, listed};
#[cfg(test)]
pub(super) use rest::{is_personal, is_secret};
pub(super) use state::is_told;
pub(super) use title::NAMES as TITLES;

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::generic::ReadSettings;
use super::lexicon::Word;
use super::tree::{Leaf, Members};
use super::{field, moment, plain, title as line, words};
use crate::alert::{Alert, Asked, Health, Kin, Labels, Links, Status, Timestamp};
use crate::names::Discriminator;
use crate::plain::secrets;
use keys::{is_keyed, is_of_rule, key, problem_key, rule_keys};
use when::{ENDS, names_moment};

/// What a mapping or a shape says of an alert; what it leaves out is read from the tree.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub name: String,
    /// The name is shown as it is: the user wrote it.
    pub verbatim: bool,
    pub text: String,
    /// The word for its state, as the mapping gives it.
    pub state: String,
    pub level: String,
    pub key: String,
    pub starts_at: String,
    pub ends_at: String,
    pub labels: Labels,
    pub annotations: Labels,
    pub values: Vec<crate::alert::Value>,
    pub link: String,
    pub image: String,
    /// A shipped mapping knows the sender, or the user's says what to show: of the rest only sentences are told.
    pub brief: bool,
    /// What a body is unless something in it says otherwise (`firing: […]`).
    pub otherwise: Option<Word>,
}

/// An alert and its text.
#[derive(Debug)]
pub(super) struct Told {
    pub alert: Alert,
    pub text: String,
    /// Where each fact was found, for `payloads test`.
    pub origins: Vec<(&'static str, String, String)>,
}

/// The reader at work: the rules of the configuration, and the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub settings: &'a ReadSettings,
    pub now: Timestamp,
}

/// Characters of a name; the rest of a longer one is told as text.
const NAME: usize = 256;

/// Names of the message.
const EVENT_KEYS: &[&str] = &["id", "eventid", "messageid"];
const LINKS: &[&str] = &[
    "titlelink",
    "alerturl",
    "incidenturl",
    "issueurl",
    "problemurl",
    "detailurl",
    "eventlink",
    "dashboardurl",
    "panelurl",
    "permalink",
    "weburl",
    "htmlurl",
    "fullurl",
    "buildurl",
    "investigationlink",
    "portallink",
    "messageurl",
    "url",
    "link",
    "href",
    "click",
    "shortlink",
    "singleurl",
    "dfeventlink",
    "generatorurl",
    "ruleurl",
    "详情",
    "链接",
];
const IMAGES: &[&str] = &["image", "imageurl", "chart", "charturl", "screenshot", "picurl", "thumburl", "snapshot"];
/// Parts of names whose links act, or lead to no page for people.
const NO_LINKS: &[&str] =
    &["signingcert", "subscribe", "acknowledge", "avatar", "icon", "api", "signin", "webhook", "callback"];

static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"https?://[^\s<>"'）（】【，。|\\^`{}]+"#).expect("it is a constant that every test compiles")
});

impl Reader<'_> {
    /// Reads one item of the shape called `shape`; `None` if there is nothing in it that a person could read.
    /// `inside` is the plain name of the object that it is the value of, if that says what its `id` names.
    pub fn alert(&self, shape: &str, item: &Value, given: Given, inside: &str) -> Option<Told> {
        let members = Members::of(item, inside);
        let facts = !given.labels.is_empty() || !given.values.is_empty();
        let brief = given.brief && (!given.text.is_empty() || (!given.name.is_empty() && facts));
        let leaves = super::tree::leaves(item);
        let mut origins = Vec::new();
        let texts = title::texts(&members, &given);
        let titled = title::of(&members, &given, &texts, &leaves, &mut origins)?;
        let text = title::body(&texts, &titled);
        // The first line may name a thing although it stands in the title.
        let mut lines = place::lines(texts.first().map_or("", |(_, text)| text.lines().next().unwrap_or_default()));
        lines.retain(|(name, _)| place::PLACES.contains(&name.as_str()));
        lines.extend(place::lines(&text));
        let said = level::of(&members, &given, &lines, &titled, &text, &self.settings.levels, &mut origins);
        let mut measured = measured::of(&members, &lines, &format!("{}\n{text}", titled.raw));
        let state = state::of(
            &state::Evidence {
                members: &members,
                given: &given,
                lines: &lines,
                text: &text,
                title: &titled,
                level: &said,
                keyed: is_keyed(&members, &given),
                beyond: measured.beyond,
                zone: &self.settings.timezone,
                now: self.now,
            },
            &mut origins,
        );
        let name = plain::excerpt(
            if titled.shown.is_empty() { words::UNNAMED.get(self.settings.language) } else { &titled.shown },
            NAME,
        );
        let (status, health) = match state {
            Word::Firing => (Status::Firing, Health::Normal),
            Word::NoData => (Status::Firing, Health::NoData),
            Word::Resolved => (Status::Resolved, Health::Normal),
            Word::Held | Word::Notice => (Status::Notice, Health::Normal),
        };
        let mut labels = place::labels(&members, &given, &lines);
        let place = place::place(&labels, &members, &lines);
        if !said.word.is_empty() {
            labels.insert("severity".to_owned(), said.word.to_lowercase());
        }
        labels.insert_new("alertname", name.as_str());
        let keys =
            self.keys(shape, &members, &given, &titled, status, &place, &leaves, &text, said.level, &mut origins);
        let mut annotations = given.annotations.clone();
        annotations.retain(|name, value| !plain::is_missing(value) && !field::is_private(name));
        field::mask(&mut annotations);
        if state == Word::Held {
            annotations.insert(HELD.to_owned(), "1".to_owned());
        }
        let (starts_at, ends_at) = self.times(&members, &given, &titled, &lines, &text, status);
        let mut kin = keys.kin;
        kin.reported = starts_at.is_some() && !self.names_its_start(&members, &given, &lines, &leaves);
        let links = links(&members, &given, &annotations, &text);
        let values = if given.values.is_empty() { std::mem::take(&mut measured.values) } else { given.values };
        if !values.is_empty() && !measured.expression.is_empty() {
            annotations.insert_new("expression", measured.expression.as_str());
        }
        if !links.rule.is_empty() {
            origins.push(("link", "…".to_owned(), links.rule.clone()));
        }
        let discriminator = match status {
            Status::Notice => Discriminator::key(shape, &format!("notice:{}", keys.content)),
            _ => keys.discriminator,
        };
        let alert = Alert {
            status,
            name,
            health,
            starts_at,
            ends_at,
            lapses_at: None,
            fingerprint: field::fingerprint(&labels),
            discriminator,
            values: if health == Health::Normal { values } else { Vec::new() },
            asked: Asked::default(),
            links,
            annotations,
            level: said.level,
            kin: Some(Box::new(kin)),
            labels,
        };
        // Of a text taken apart (logfmt, syslog) the other parts are told, too.
        let is_bare = shape == TEXT && item.as_object().is_some_and(|members| members.len() == 1);
        let rest = status != Status::Resolved && !is_bare;
        let text = if rest { rest::with_rest(text, &alert, &titled, &leaves, &measured.told, brief) } else { text };
        Some(Told { alert, text, origins })
    }

    /// When it began and, of an end, when it ended: under names, else in the words.
    fn times(
        &self,
        members: &Members<'_>,
        given: &Given,
        titled: &title::Titled,
        lines: &[(String, String)],
        text: &str,
        status: Status,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        let over = status == Status::Resolved;
        let zone = &self.settings.timezone;
        let plausible = |time| moment::plausible(time, self.now);
        let spoken = |over: bool| moment::spoken(text, over, zone).and_then(plausible);
        let beside = || moment::beside(&plain::first_line(&titled.raw).0, zone).and_then(plausible).filter(|_| !over);
        let begun =
            || when::time(self, "", members, when::begun(), lines).filter(|_| plain::is_missing(&given.starts_at));
        let starts_at = begun()
            .or_else(|| when::time(self, &given.starts_at, members, when::starts(over), lines))
            .or_else(|| spoken(false))
            .or_else(beside);
        let end = || {
            when::time(self, &given.ends_at, members, ENDS, lines)
                .or_else(|| spoken(true))
                .or_else(|| when::time(self, "", members, when::moments(), lines))
        };
        let ends_at = over.then(end).flatten();
        // One time for both is that of the report: it lasted, and nothing says how long.
        let starts_at = starts_at.filter(|start| Some(*start) != ends_at);
        (starts_at, ends_at.filter(|end| starts_at.is_none_or(|start| start <= *end)))
    }

    /// Does the body say when it began, rather than when it was reported? A user's mapping does.
    fn names_its_start(
        &self,
        members: &Members<'_>,
        given: &Given,
        lines: &[(String, String)],
        leaves: &[Leaf],
    ) -> bool {
        if plain::is_missing(&given.starts_at) {
            return when::time(self, "", members, when::begun(), lines).is_some();
        }
        let is_of = |leaf: &Leaf| {
            let name = leaf.path.last().map(|name| crate::level::plain_name(name)).unwrap_or_default();
            !leaf.text.trim().is_empty() && given.starts_at.contains(leaf.text.trim()) && when::begins(&name)
        };
        given.verbatim || leaves.iter().any(is_of)
    }

    /// What makes this alert the same as another one, or another.
    #[expect(clippy::too_many_arguments, reason = "identity is made of everything that was read")]
    fn keys(
        &self,
        shape: &str,
        members: &Members<'_>,
        given: &Given,
        titled: &title::Titled,
        status: Status,
        place: &str,
        leaves: &[Leaf],
        text: &str,
        level: Option<crate::level::Level>,
        origins: &mut Vec<(&'static str, String, String)>,
    ) -> Keys {
        let event = members
            .named(EVENT_KEYS)
            .into_iter()
            .filter(|member| member.depth == 0 || member.plain == "id" && is_of_rule(members, &member.parent))
            .find_map(|member| {
                // Two senders number their events from one: an id of an alert is none of an event.
                let of = if member.depth == 0 { "" } else { "alert " };
                Some(format!("{of}{}", key(member.value)?))
            })
            .or_else(|| (titled.of_thing(status) && !place.is_empty()).then(|| format!("state of {place}")))
            .unwrap_or_default();
        let title = &titled.title;
        let content = self.content(leaves);
        let mut marks = marks::of_text(text);
        marks.extend(marks::of_text(&secrets::masked(&members_title(members, given))));
        marks.extend(marks::of_place(place));
        marks.extend(marks::of_branch(members));
        let lines = place::lines(text);
        let fields = things::of_fields(leaves, members, &lines);
        marks.extend(things::of_text(text));
        marks.extend(fields.iter().cloned());
        marks.extend(title.numbers.iter().chain(&title.troubles).cloned());
        let alike = alike::of(self, leaves);
        marks.insert(format!("{}{}", Kin::ALIKE, alike.loose));
        marks.extend(level.map(|level| format!("{}{}", Kin::RANK, level.as_str())));
        // A title that says a state alone names nothing: the end has another.
        let core = if line::is_bare(&titled.shown) && !place.is_empty() {
            format!("state of {place}")
        } else {
            title.core.clone()
        };
        let mut kin = Kin { shape: shape.to_owned(), core, event, keyed: false, marks, reported: false };
        let speaks = given.key.chars().any(char::is_alphanumeric);
        let own = if !speaks || plain::is_missing(&given.key) || plain::has_placeholder(&given.key) {
            problem_key(members).inspect(|(name, key)| origins.push(("key", name.clone(), key.clone())))
        } else {
            origins.push(("key", "mapping".to_owned(), given.key.clone()));
            Some((String::new(), given.key.clone()))
        };
        let discriminator = if let Some((_, key)) = own {
            kin.keyed = true;
            Discriminator::key(shape, &key)
        } else if let rules @ [(name, first), ..] = &rule_keys(members)[..] {
            origins.push(("key", (*name).to_owned(), first.clone()));
            kin.marks.extend(rules.iter().map(|(name, key)| marks::of_rule(name, key)));
            // The rule alone names no problem: what it is about stands in the words.
            let words = if place::names_a_thing(place) { String::new() } else { self.words(leaves, title) };
            let parts = rules.iter().map(|(_, key)| key.as_str());
            // A text in the place of a title has other words at the end.
            let core = if titled.untitled.is_some() && words.is_empty() { "" } else { title.core.as_str() };
            let told = [place, core, words.as_str()].into_iter();
            // `Disk failed (sda)`: one host has several.
            let told = told
                .chain(title.troubles.iter().map(String::as_str).filter(|said| said.starts_with(line::IN_BRACKETS)));
            let identity = digest(parts.chain(told).chain(fields.iter().map(String::as_str)));
            Discriminator::key(shape, &format!("rule:{identity}"))
        } else {
            Discriminator::key(shape, &format!("content:{}", alike.exact))
        };
        Keys { discriminator, content, kin }
    }

    /// A digest of everything that a person reads, times left out: the same words at another time are a repeat.
    fn content(&self, leaves: &[Leaf]) -> String {
        let mut all: Vec<(String, &str)> = leaves
            .iter()
            .filter(|leaf| !rest::is_secret(&leaf.path) && !self.is_time(leaf))
            .map(|leaf| {
                (leaf.path.last().map(|name| crate::level::plain_name(name)).unwrap_or_default(), leaf.text.trim())
            })
            .collect();
        all.sort_unstable();
        digest(all.iter().flat_map(|(name, text)| [name.as_str(), text]))
    }

    /// A digest of the words and identifiers of a body, without amounts: the same problem with another value is a repeat.
    fn words(&self, leaves: &[Leaf], title: &line::Title) -> String {
        let mut all: Vec<String> = title.numbers.clone();
        for leaf in leaves {
            let name = leaf.path.last().map(|name| crate::level::plain_name(name)).unwrap_or_default();
            let is_event = EVENT_KEYS.contains(&name.as_str()) || URL.is_match(&leaf.text);
            if is_event || rest::is_secret(&leaf.path) || self.is_time(leaf) {
                continue;
            }
            let text = format!("{name}: {}", leaf.text.trim());
            all.push(line::without_digits(&text));
            all.extend(marks::of_text(&text));
        }
        all.sort_unstable();
        digest(all.iter().map(String::as_str))
    }

    fn is_time(&self, leaf: &Leaf) -> bool {
        let name = leaf.path.last().map(|name| crate::level::plain_name(name)).unwrap_or_default();
        names_moment(&name) && moment::read(&leaf.text, &self.settings.timezone).is_some()
    }
}

/// Does a member of this name hold a text for people?
pub(super) fn is_text(name: &str) -> bool {
    title::TEXTS.contains(&crate::level::plain_name(name).as_str())
}

/// Is there anything in it that is a title or a text?
pub(super) fn speaks(members: &Members<'_>) -> bool {
    members.text(title::NAMES).is_some()
        || members.text(title::TEXTS).is_some()
        || members.text(&["name", "summary"]).is_some()
}

/// The shape of a text that is no tree.
pub(super) const TEXT: &str = "text";

/// Marks an alert that is acknowledged upstream.
pub const HELD: &str = "wegraf_held";

struct Keys {
    discriminator: Discriminator,
    content: String,
    kin: Kin,
}

fn members_title(members: &Members<'_>, given: &Given) -> String {
    let mut all = given.name.clone();
    for member in members.named(title::NAMES).into_iter().take(4) {
        if let Some(text) = super::tree::said(member.value) {
            all.push(' ');
            all.push_str(text);
        }
    }
    all
}

fn links(members: &Members<'_>, given: &Given, annotations: &Labels, text: &str) -> Links {
    // A picture's address may be signed for a while, so that WeCom can fetch it; a page asks its visitor to sign in.
    let named = |names: &[&str], signed: bool| {
        members
            .named(names)
            .into_iter()
            .filter(|member| !NO_LINKS.iter().any(|part| member.plain.contains(part) && member.plain != "dfeventlink"))
            .filter_map(|member| member.value.as_str())
            .map(|url| field::link(url.trim().to_owned()))
            .find(|url| !url.is_empty() && !url.contains("/api/") && (signed || !secrets::is_secret_address(url)))
            .unwrap_or_default()
    };
    let in_text = || {
        let texts = [text, given.name.as_str()];
        texts
            .iter()
            .flat_map(|text| URL.find_iter(text))
            .map(|found| field::link(found.as_str().trim_end_matches(['.', ',', ')', ';', '!']).to_owned()))
            .find(|url| !secrets::is_secret_address(url))
            .unwrap_or_default()
    };
    // A name that says what it leads to: `results_link`, `AlertDetailsUrl`.
    let told = || {
        const TO: [&str; 11] = [
            "detail",
            "result",
            "dashboard",
            "event",
            "alert",
            "alarm",
            "incident",
            "problem",
            "issue",
            "console",
            "report",
        ];
        let is_link = |plain: &str| ["url", "link", "href"].iter().any(|end| plain.ends_with(end));
        let leads = |plain: &str| is_link(plain) && TO.iter().any(|part| plain.contains(part));
        let names: Vec<&str> =
            members.all.iter().map(|member| member.plain.as_str()).filter(|plain| leads(plain)).collect();
        named(&names, false)
    };
    let in_text = || Some(told()).filter(|url| !url.is_empty()).unwrap_or_else(in_text);
    let first = |all: [String; 3]| all.into_iter().find(|url| !url.is_empty()).unwrap_or_default();
    let image = field::link(given.image.clone());
    Links {
        rule: first([
            Some(field::link(given.link.clone())).filter(|url| rest::may_lead(url)).unwrap_or_default(),
            named(LINKS, false),
            in_text(),
        ]),
        image: if image.is_empty() { named(IMAGES, true) } else { image },
        runbook: first([
            field::annotated_link(annotations, &["runbook_url", "runbook"]),
            named(&["runbookurl", "runbook"], false),
            String::new(),
        ]),
        dashboard: field::annotated_link(annotations, &["dashboard_url", "dashboard"]),
        ..Links::default()
    }
}

/// The first 8 bytes of a digest in hex, each part with its length.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16].iter().fold(String::with_capacity(32), |mut key, byte| {
        let _ = write!(key, "{byte:02x}");
        key
    })
}
