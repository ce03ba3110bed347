//! Renders a digest: the widest level at which the wanted rows fit, then as many more as there is room for.

use std::cell::RefCell;

use minijinja::context;
use minijinja::value::Value;
use wecom::Content;
use wecom::message::{TEXT_BYTES, Text};

use super::super::compose::{cut, most, tidy};
use super::super::engine::{Chosen, Engine, TemplateProblem, dialect};
use super::super::faces::{self, Block, Called, Frame, Limit, SourceColor};
use super::super::fit::cut_bytes;
use super::super::link::safe_url;
use super::super::neutral::{Dialect, neutral};
use super::super::notes::{Notes, Room};
use super::super::words::{Clock, Weight, number, pick};
use super::headline::{self, Headline};
use super::shape::{LEVELS, Shape, Sheet};
use super::tally::Tally;
use super::{DigestLetter, RenderedDigest};
use crate::config::Face;

/// Renders `letter`.
pub(in crate::render) fn write(letter: &DigestLetter<'_>, engine: &Engine) -> RenderedDigest {
    let url = letter.details_url.and_then(safe_url);
    let face = faces::possible(letter.target, url.is_some(), false);
    let writer = Writer::new(letter, engine.digest(face, letter.language), face, url);
    writer.write().unwrap_or_else(|problem| writer.last_resort(problem))
}

struct Writer<'a> {
    letter: &'a DigestLetter<'a>,
    chosen: Chosen<'a>,
    face: Face,
    blocks: Vec<Block>,
    url: Option<String>,
    notes: Notes,
    tally: Tally,
    headline: Headline,
    facts: Vec<String>,
    mentions: String,
    /// The last draft that fitted: most often it is the one that is sent.
    fitted: RefCell<Option<(Frills, Sheet, Vec<String>)>>,
}

/// What is dropped last, when an address or a list of people is so long that not even numbers fit beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frills {
    All,
    NoLink,
    None,
}

impl<'a> Writer<'a> {
    fn new(letter: &'a DigestLetter<'a>, chosen: Chosen<'a>, face: Face, url: Option<String>) -> Self {
        let (channel, language) = (letter.target.channel(), letter.language);
        let clock = Clock { now: letter.now, zone: letter.timezone, language };
        let notes = Notes::of(letter.notes, face, channel, language);
        let tally = Tally::of(letter, &clock);
        let limit = faces::title_limit(face, channel);
        let headline = Headline::of(letter.digest, &tally, &clock, |title| limit.holds(&notes.title(title)));
        Self {
            chosen,
            face,
            blocks: faces::blocks(face, channel),
            url,
            facts: headline::facts(letter.digest, &tally, &headline, &clock),
            mentions: Called::at(letter.target, letter.digest.firing > 0).inline(face),
            notes,
            tally,
            headline,
            fitted: RefCell::new(None),
            letter,
        }
    }

    fn write(&self) -> Result<RenderedDigest, TemplateProblem> {
        let card = (self.face == Face::Card).then(|| faces::card_value(self.letter.target.channel()));
        for (index, level) in LEVELS.iter().enumerate() {
            let shape = Shape::new(&self.tally, level, dialect(self.face), card, self.url.is_some());
            let last = index + 1 == LEVELS.len();
            let room = if last { Room::Tight } else { Room::Plenty };
            let fits = |steps| self.fits(Frills::All, shape.sheet(steps), room);
            let mut steps = most(shape.steps(), fits)?;
            // The last named alert replaces the count of the others.
            while steps < shape.steps() && fits(steps + 1)? {
                steps += 1;
            }
            // `most` also returns nothing but totals if not even these fit.
            if steps >= shape.wanted().max(1) || (last && steps > 0) {
                return self.finish(Frills::All, shape.sheet(steps), room);
            }
        }
        let level = &LEVELS[LEVELS.len() - 1];
        let totals = Shape::new(&self.tally, level, dialect(self.face), card, self.url.is_some());
        for frills in [Frills::All, Frills::NoLink] {
            if self.fits(frills, totals.sheet(0), Room::Tight)? {
                return self.finish(frills, totals.sheet(0), Room::Tight);
            }
        }
        self.finish(Frills::None, totals.sheet(0), Room::Tight)
    }

    fn fits(&self, frills: Frills, sheet: Sheet, room: Room) -> Result<bool, TemplateProblem> {
        let draft = self.draft(frills, &sheet, room)?;
        let fits = self.blocks.iter().zip(&draft).all(|(block, text)| block.limit.holds(text));
        if fits {
            self.fitted.replace(Some((frills, sheet, draft)));
        }
        Ok(fits)
    }

    fn draft(&self, frills: Frills, sheet: &Sheet, room: Room) -> Result<Vec<String>, TemplateProblem> {
        let context = self.context(frills, sheet);
        if faces::is_text(self.face) {
            let body = self.chosen.run(&[], context)?.pop().flatten().unwrap_or_default();
            return Ok(vec![self.notes.body(tidy(&body, true), room)]);
        }
        let names: Vec<&str> = self.blocks.iter().map(|block| block.name).collect();
        let printed = self.chosen.run(&names, context)?;
        let draft = self.blocks.iter().zip(printed).map(|(block, printed)| {
            let text = tidy(&printed.unwrap_or_default(), block.lines);
            let text = match block.name {
                "title" => self.notes.title(&text),
                "description" | "text" => self.notes.description(&text, room),
                _ => text,
            };
            if block.soft && !block.limit.holds(&text) { cut(&text, block) } else { text }
        });
        let mut draft: Vec<String> = draft.collect();
        if self.face == Face::Textcard {
            faces::close_up(&mut draft);
        }
        Ok(draft)
    }

    fn context(&self, frills: Frills, sheet: &Sheet) -> Value {
        let sections = sheet.sections.iter().map(|section| {
            context! {
                kind => section.kind,
                key => section.key,
                heading => section.heading.as_str(),
                total => section.total.as_str(),
                lines => section.lines.iter().map(String::as_str).collect::<Value>(),
                rest => section.rest.as_str(),
            }
        });
        let id = format!("#{}", self.letter.thread);
        let tail = match dialect(self.face) {
            Dialect::Plain => id.clone(),
            Dialect::Markdown | Dialect::MarkdownV2 if self.mentions.is_empty() || frills == Frills::None => {
                format!("`{id}`")
            }
            Dialect::Markdown | Dialect::MarkdownV2 => format!("{} `{id}`", self.mentions),
        };
        context! {
            title => self.headline.title.as_str(),
            word => self.headline.word,
            subject => self.headline.subject.as_str(),
            aside => self.headline.aside.as_str(),
            color => match (self.letter.digest.firing, self.tally.weight) {
                (0, _) => "info",
                (_, Weight::Red) => "warning",
                (_, Weight::Yellow | Weight::Blue) => "",
            },
            icon => self.headline.icon,
            hyperlinks => faces::takes_hyperlinks(self.face, self.letter.target.channel()),
            facts => self.facts.iter().map(String::as_str).collect::<Value>(),
            sections => sections.collect::<Value>(),
            url => if frills == Frills::All { self.url.as_deref().unwrap_or_default() } else { "" },
            id,
            tail => Value::from_safe_string(tail),
        }
    }

    fn finish(&self, frills: Frills, sheet: Sheet, room: Room) -> Result<RenderedDigest, TemplateProblem> {
        let draft = match self.fitted.take() {
            Some((fitted, of, draft)) if fitted == frills && of == sheet => draft,
            _ => self.draft(frills, &sheet, room)?,
        };
        let (bytes_used, bytes_allowed) = measure(&self.blocks, &draft);
        let frame = Frame {
            channel: self.letter.target.channel(),
            language: self.letter.language,
            color: match (self.letter.digest.firing, self.tally.weight) {
                (0, _) => SourceColor::Green,
                (_, Weight::Red) => SourceColor::Red,
                (_, Weight::Yellow | Weight::Blue) => SourceColor::Black,
            },
            url: self.url.clone().unwrap_or_default(),
            links: &[],
            picture: String::new(),
        };
        let mut parts = vec![frame.content(self.face, draft)];
        Called::at(self.letter.target, self.letter.digest.firing > 0).call(&mut parts);
        let mut named = sheet.named;
        named.sort_unstable();
        Ok(RenderedDigest { parts, face: self.face, bytes_used, bytes_allowed, named, problems: Vec::new() })
    }

    /// Sent if even a shipped template fails: the number of alerts, in one line.
    fn last_resort(&self, problem: TemplateProblem) -> RenderedDigest {
        let digest = self.letter.digest;
        let counts = format!(
            "{} {}, {} {}",
            pick(self.letter.language, "告警", "firing"),
            number(digest.firing),
            pick(self.letter.language, "已恢复", "resolved"),
            number(digest.resolved)
        );
        let line = neutral(&format!("{} ({counts})", self.headline.title), Dialect::Plain).into_owned();
        let id = format!("\n#{}", self.letter.thread);
        let body = self.notes.body(line, Room::Tight);
        let content = format!("{}{id}", cut_bytes(&body, TEXT_BYTES - id.len()));
        RenderedDigest {
            bytes_used: content.len(),
            bytes_allowed: TEXT_BYTES,
            parts: vec![Content::Text(Text { content, ..Text::default() })],
            face: Face::Text,
            named: Vec::new(),
            problems: vec![problem],
        }
    }
}

/// Used and allowed size of the decisive field.
fn measure(blocks: &[Block], draft: &[String]) -> (usize, usize) {
    let longest = blocks.iter().zip(draft).find(|(block, _)| matches!(block.name, "" | "description"));
    match longest {
        Some((Block { limit: Limit::Bytes(max), .. }, text)) => (text.len(), *max),
        _ => blocks.iter().zip(draft).fold((0, 0), |(used, allowed), (block, text)| match block.limit {
            Limit::Chars(max) => (used + text.chars().count(), allowed + max),
            Limit::Bytes(_) | Limit::Rows(_) => (used, allowed),
        }),
    }
}
