//! What a body is about, and what it says of it.

mod names;

use super::super::lexicon;
use super::super::title::{self as line, Title};
use super::super::tree::{Leaf, Member, Members, said, short_names};
use super::super::{field, plain};
use super::{Given, rest};
use crate::alert::Status;
use crate::plain::secrets;
pub(in crate::ingest) use names::NAMES;
pub(super) use names::TEXTS;
use names::{FOURTH, KINDS, LINES, NAMED, RUNS, SECOND, THINGS, THIRD};

/// Where a title comes from if nothing in the body is one.
const FIRST_VALUE: &str = "first value";
/// A first line longer than this is cut as a title, so the text keeps it.
const FIRST_LINE: usize = 100;
/// Characters of a summary that may stand as a title.
const SUMMARY: usize = 160;

/// A title, and the text it was taken from.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Titled {
    pub title: Title,
    /// What is shown.
    pub shown: String,
    /// As it was sent.
    pub raw: String,
    /// It is the first line of the text.
    pub of_text: bool,
    /// What stands above it and says only a state.
    pub headings: Vec<String>,
    /// Nothing in the body names the alert: the title is a text, or the thing that it is about.
    pub untitled: Option<Untitled>,
}

/// Where the title of an alert without a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Untitled {
    Text,
    Thing,
}

impl Titled {
    /// Is this alert the state of a thing rather than one with a name? An end is, if it has no words of its own.
    pub fn of_thing(&self, status: Status) -> bool {
        match status {
            Status::Firing => self.untitled.is_some(),
            Status::Resolved => self.untitled == Some(Untitled::Thing),
            Status::Notice => false,
        }
    }
}

/// The texts of a body in the order in which they tell most: the name, and the text without marks of HTML.
pub(super) fn texts(members: &Members<'_>, given: &Given) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = Vec::new();
    if !plain::is_missing(&given.text) {
        texts.push((String::new(), prose(&given.text)));
    }
    for member in members.named(TEXTS) {
        if let Some(text) = said(member.value)
            && !rest::is_personal(member.name, text)
            && !rest::is_secret(std::slice::from_ref(&member.name.to_owned()))
        {
            texts.push((member.name.to_owned(), prose(text)));
        }
    }
    texts
}

/// A text without marks, and without the lines that only fence it in (`%%%`, `---`).
pub(super) fn prose(text: &str) -> String {
    let text = plain::text(&super::place::with_names(text));
    let text = super::place::unfolded(&text);
    let fence = |line: &&str| {
        let line = line.trim();
        line.is_empty() || line.len() < 2 || !line.chars().all(|letter| "%-=_*~#".contains(letter))
    };
    field::clean(secrets::masked(text.lines().filter(fence).collect::<Vec<_>>().join("\n").trim()).as_ref())
}

/// A title as it was found.
struct Found {
    from: String,
    raw: String,
    /// It is the first line of the text.
    of_text: bool,
}

impl Found {
    fn new(from: impl Into<String>, raw: impl Into<String>) -> Self {
        Self { from: from.into(), raw: raw.into(), of_text: false }
    }
}

/// The title; `None` if there is nothing in the body at all.
pub(super) fn of(
    members: &Members<'_>,
    given: &Given,
    texts: &[(String, String)],
    leaves: &[Leaf],
    origins: &mut Vec<(&'static str, String, String)>,
) -> Option<Titled> {
    let mut headings = headings(texts);
    if !plain::is_missing(&given.name) {
        origins.push(("title", "mapping".to_owned(), given.name.clone()));
        return Some(of_mapping(given, headings));
    }
    let candidates = named(members);
    let heading = candidates.iter().find(|(_, text)| line::is_bare(text)).cloned();
    headings.extend(heading.iter().map(|(_, text)| text.clone()));
    let has_heading =
        heading.is_some() || texts.first().is_some_and(|(_, text)| is_heading(&plain::first_line(text).0));
    let pair = |(from, text): (String, String)| Found::new(from, text);
    let Found { from, raw, of_text } = candidates
        .into_iter()
        .find(|(_, text)| !line::is_bare(text))
        .map(pair)
        // What ran is called the same whatever came of it; the text says what.
        .or_else(|| thing(members, RUNS).filter(|_| super::state::is_told(members)))
        .or_else(|| of_line(texts))
        // Under a heading that says only a state: the next line that says more, or one that tells what it is about.
        .or_else(|| below(texts).filter(|_| has_heading))
        .or_else(|| heading.map(pair))
        .or_else(|| of_first_line(texts).filter(|found| !line::is_bare(&found.raw) || !is_elsewhere(members)))
        .or_else(|| thing(members, THINGS))
        .or_else(|| project(members).filter(|_| members.text(KINDS).is_none()).map(pair))
        .or_else(|| kind(members).map(pair))
        // Beginning and end of one thing have the same title.
        .or_else(|| {
            let (member, text) = members.text(super::place::PLACES)?;
            Some(Found::new(FIRST_VALUE, format!("{}: {text}", member.name)))
        })
        .or_else(|| of_first_value(leaves))?;
    let raw = secrets::masked(&raw).into_owned();
    let is_value = from == FIRST_VALUE;
    let untitled = if is_value { Some(Untitled::Thing) } else { of_text.then_some(Untitled::Text) };
    origins.push(("title", from, raw.clone()));
    let (first, _) = plain::first_line(&raw);
    let title = line::read(if first.is_empty() { &raw } else { &first });
    // The name of a value is no prefix that says a state.
    let shown = field::clean(if is_value || title.text.is_empty() { raw.trim() } else { &title.text });
    Some(Titled { title, shown, raw, of_text, headings, untitled })
}

/// The name that a mapping gives; the user's as it is.
fn of_mapping(given: &Given, headings: Vec<String>) -> Titled {
    let (first, _) = plain::first_line(&given.name);
    let title = line::read(&first);
    let shown = if given.verbatim { field::clean(&given.name) } else { title.text.clone() };
    let shown = if shown.trim().is_empty() { field::clean(&given.name) } else { shown };
    let shown = secrets::masked(&shown).into_owned();
    Titled { shown, raw: given.name.clone(), title, of_text: false, headings, untitled: None }
}

/// What one of these names says.
fn thing(members: &Members<'_>, names: &[&str]) -> Option<Found> {
    members.text(names).map(|(member, text)| Found::new(member.name, text))
}

/// `告警名称: …`: the text names its title itself.
fn of_line(texts: &[(String, String)]) -> Option<Found> {
    let (from, text) = texts.first()?;
    let lines = super::place::lines(text);
    let mut names = NAMES.iter().chain(SECOND);
    let (_, value) = names.find_map(|wanted| lines.iter().find(|(name, _)| name == wanted))?;
    Some(Found::new(format!("{from}, a line"), value.clone()))
}

/// The first line of the text, or what it announces.
fn of_first_line(texts: &[(String, String)]) -> Option<Found> {
    let (name, text) = texts.first()?;
    let (line, _) = plain::first_line(text);
    // `主机: db-1` above `告警信息: …` is no title.
    let is_place = super::place::pair(&line).is_some_and(|(name, _)| super::place::PLACES.contains(&name.as_str()));
    // A line that ends in a colon announces the next.
    let announces = line.ends_with([':', '：']) && text.lines().count() > 1;
    let next = || {
        let mut lines = text.lines().map(plain::line).skip_while(|other| *other != line).skip(1);
        let next = lines.find(|line| line.chars().any(char::is_alphanumeric))?;
        Some(Found::new(format!("{name}, second line"), next))
    };
    let better = if is_place {
        told(name, text)
    } else if announces {
        below(texts).filter(|found| !line::is_bare(&found.raw)).or_else(next)
    } else {
        None
    };
    let first =
        (!line.is_empty()).then(|| Found { of_text: true, ..Found::new(format!("{name}, first line"), line.clone()) });
    better.or(first)
}

/// The line of a text that may tell what a bare heading is about.
fn told(from: &str, text: &str) -> Option<Found> {
    let lines = super::place::lines(text);
    let (name, value) = LINES.iter().find_map(|wanted| lines.iter().find(|(name, _)| name == wanted))?;
    Some(Found::new(format!("{from}, {name}"), value.clone()))
}

/// The first value that is a word, with its name.
fn of_first_value(leaves: &[Leaf]) -> Option<Found> {
    let shown = |(_, leaf): &(usize, &Leaf)| !rest::is_secret(&leaf.path) && !plain::is_missing(&leaf.text);
    let is_word = |(_, leaf): &(usize, &Leaf)| {
        leaf.text.contains(char::is_alphabetic) && !matches!(leaf.text.trim(), "true" | "false")
    };
    let is_moment = |(_, leaf): &(usize, &Leaf)| {
        let name = leaf.path.last().map(|name| crate::level::plain_name(name)).unwrap_or_default();
        super::when::names_moment(&name)
    };
    let mut words = leaves.iter().enumerate().filter(shown).filter(is_word).filter(|leaf| !is_moment(leaf));
    let (index, leaf) = words.next().or_else(|| leaves.iter().enumerate().find(shown))?;
    let name = short_names(leaves).swap_remove(index);
    let text = if name.is_empty() { leaf.text.clone() } else { format!("{name}: {}", plain::excerpt(&leaf.text, 120)) };
    Some(Found::new(FIRST_VALUE, text))
}

/// Is there a thing that a bare text (`OK`) may be about?
fn is_elsewhere(members: &Members<'_>) -> bool {
    members.text(THINGS).is_some() || members.text(super::place::PLACES).is_some()
}

/// A line that says only a state, alone or behind its name (`级别状态: S1 Triggered`).
fn is_heading(text: &str) -> bool {
    const NAMES: [&str; 8] = ["状态", "级别", "类型", "status", "state", "type", "severity", "level"];
    if line::is_bare(text) {
        return true;
    }
    let Some((name, value)) = super::place::pair(text) else { return false };
    NAMES.iter().any(|end| name.ends_with(end)) && line::is_bare(&value)
}

/// The headings of the text.
fn headings(texts: &[(String, String)]) -> Vec<String> {
    const MOST: usize = 3;
    let Some((_, text)) = texts.first() else { return Vec::new() };
    let lines = text.lines().map(plain::line).filter(|line| line.chars().any(|letter| !letter.is_whitespace()));
    let lines = lines.take_while(|line| is_heading(line) || !line.chars().any(char::is_alphanumeric));
    lines
        .filter(|line| line.chars().any(char::is_alphanumeric))
        .take(MOST)
        .map(|line| match super::place::pair(&line) {
            Some((_, value)) if !line::is_bare(&line) => value,
            _ => line,
        })
        .collect()
}

/// What stands below bare headings.
fn below(texts: &[(String, String)]) -> Option<Found> {
    let (from, text) =
        texts.iter().find(|(_, text)| text.lines().any(|line| !is_heading(line) && !line.trim().is_empty()))?;
    let lines = super::place::lines(text);
    let speaks = |line: &str| line.chars().any(char::is_alphanumeric);
    let named = |line: &str| super::place::pair(line).is_some();
    let tells = |line: &String| speaks(line) && !is_heading(line) && !named(line) && !line.ends_with([':', '：']);
    // What is named above it (`Service: HTTP`) tells more than the output below.
    let is_late = |line: &String| {
        let before = text.lines().map(plain::line).take_while(|other| other != line);
        before.filter_map(|line| super::place::pair(&line)).any(|(name, _)| LINES.contains(&name.as_str()))
    };
    let plain_line = text.lines().map(plain::line).find(tells).filter(|line| !is_late(line));
    let of_text = plain_line.as_deref() == Some(plain::first_line(text).0.as_str());
    let told = plain_line
        .filter(|line| line.chars().count() <= SUMMARY)
        .map(|line| Found { of_text, ..Found::new(format!("{from}, below its heading"), line) });
    told.or_else(|| {
        let mut names = LINES.iter().filter_map(|wanted| lines.iter().find(|(name, _)| name == wanted));
        let (name, value) = names.find(|(_, value)| !line::is_bare(value))?;
        Some(Found::new(format!("{from}, {name}"), value.clone()))
    })
}

/// Members that are titles, the best first.
fn named(members: &Members<'_>) -> Vec<(String, String)> {
    let is_word = |text: &&str| !matches!(text.parse::<u64>(), Ok(0 | 1));
    let taken = |(member, text): (&super::super::tree::Member<'_>, &str)| (member.name.to_owned(), text.to_owned());
    let speaks = |names: &[&str], happened: bool| {
        let all = members.named(names);
        let found = all.iter().filter_map(|member| Some((*member, said(member.value).filter(|text| is_word(text))?)));
        // What happened (`new_item`) tells less than to what.
        let happens = |(member, text): &(&super::super::tree::Member<'_>, &str)| {
            let last = text.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            member.plain == "eventname"
                && !text.contains(' ')
                && (lexicon::of_kind(text).is_some() || last.ends_with("ed") && last == last.to_lowercase())
        };
        let mut named = found.clone().filter(|(_, text)| !line::is_bare(text));
        let told = named.clone().find(|pair| !happens(pair));
        told.or_else(|| named.next().or_else(|| found.clone().next()).filter(|_| happened)).map(taken)
    };
    let short = |text: &&str| text.chars().count() <= SUMMARY;
    let second = || {
        members.named(SECOND).into_iter().find_map(|member| {
            let text = said(member.value).filter(|text| member.plain != "summary" || short(text))?;
            Some((member.name.to_owned(), text.to_owned()))
        })
    };
    // What is called so is the problem itself: `incident: {name, summary}`.
    let problem = || {
        let named = members.named(FOURTH).into_iter();
        let is_of = |member: &&Member<'_>| member.depth > 0 && super::keys::is_problem(members, &member.parent);
        named.filter(is_of).find_map(|member| {
            let name = said(member.value).filter(|name| !line::is_bare(name))?;
            Some((member.name.to_owned(), name.to_owned()))
        })
    };
    let fourth = || {
        let named = members.named(FOURTH).into_iter();
        let is_thing =
            |member: &Member<'_>| NAMED.contains(&member.parent.as_str()) || super::place::is_display(member);
        named.filter(|member| !is_thing(member)).find_map(|member| {
            let name = said(member.value)?;
            // A gate or a job is called the same in every project.
            let project = if member.depth == 0 { None } else { project(members) };
            let name = project.map_or_else(|| name.to_owned(), |(_, project)| format!("{project} {name}"));
            Some((member.name.to_owned(), name))
        })
    };
    let ending = || {
        members
            .all
            .iter()
            .filter(|member| ["title", "subject", "headline"].iter().any(|tail| member.plain.ends_with(tail)))
            .find_map(|member| Some((member.name.to_owned(), said(member.value)?.to_owned())))
    };
    let label = || {
        let (name, value) = members
            .labels
            .iter()
            .find(|(name, _)| matches!(crate::level::plain_name(name).as_str(), "alertname" | "rulename"))?;
        Some((format!("labels.{name}"), value.clone()))
    };
    [speaks(NAMES, false), problem(), speaks(NAMES, true), second(), speaks(THIRD, true), fourth(), ending(), label()]
        .into_iter()
        .flatten()
        .collect()
}

/// The project that the body itself names.
fn project(members: &Members<'_>) -> Option<(String, String)> {
    let found = members.named(super::place::PROJECTS).into_iter().filter(|member| member.depth == 0);
    found.into_iter().find_map(|member| Some((member.name.to_owned(), super::place::project(member.value)?)))
}

/// The kind of an event and what it happened to.
fn kind(members: &Members<'_>) -> Option<(String, String)> {
    let (kind, text) = members.text(KINDS)?;
    let about = members
        .all
        .iter()
        .filter(|member| ["project", "repository", "eventdata", "resource"].contains(&member.plain.as_str()))
        .find_map(|member| super::super::tree::spoken(member.value));
    let text = about.map_or_else(|| text.to_owned(), |about| format!("{about} {text}"));
    Some((kind.name.to_owned(), text))
}

/// The text under the title: the first, and every other under its name unless it stands there already.
pub(super) fn body(texts: &[(String, String)], titled: &Titled) -> String {
    let mut body = String::new();
    let raw = titled.raw.trim();
    for (index, (name, text)) in texts.iter().enumerate() {
        let text = match index {
            0 if titled.of_text && titled.raw.chars().count() <= FIRST_LINE && !titled.raw.contains("://") => {
                plain::first_line(text).1.trim()
            }
            _ => text.trim(),
        };
        let is_title = (text == raw || text == titled.shown) && text.chars().count() <= FIRST_LINE;
        if text.is_empty() || is_title || body.contains(text) || is_composed(text, &[raw, &titled.shown, &body]) {
            continue;
        }
        if body.is_empty() {
            body.push_str(text);
        } else {
            body.push('\n');
            if !name.is_empty() {
                body.push_str(&field::clean(name));
                body.push_str(": ");
            }
            body.push_str(text);
        }
    }
    body
}

/// Is it a name and a state in brackets and a reason, `[name] [🔴 Down] reason`, of which `said` has name and reason?
fn is_composed(text: &str, said: &[&str]) -> bool {
    const SHORT: usize = 4;
    let stands = |piece: &str| piece.len() > SHORT && said.iter().any(|said| said.contains(piece));
    let mut rest = text;
    while let Some((piece, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        let piece = piece.trim_matches(|c: char| !c.is_alphanumeric());
        if !stands(piece) && super::state::of_text("status", piece).is_none() {
            return false;
        }
        rest = after.trim_start();
    }
    rest.len() < text.len() && stands(rest)
}
