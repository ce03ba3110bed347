//! Composes a letter at the level of detail that fits.
//!
//! Owns the order in which details are dropped: first the long description, then labels and links, then the sentences
//! get shorter, then fewer alerts are named and the rest counted. The template is run again for every attempt; its
//! output is cut only when nothing is left to drop.

use std::cell::RefCell;
use std::ops::Range;

use super::context::{Page, Voice};
use super::endings::letters;
use super::engine::{Chosen, TemplateProblem, dialect};
use super::faces::{self, Block, Limit};
use super::facts::Facts;
use super::fit::{cut_bytes, cut_chars, cut_markup};
use super::leads::Leads;
use super::level::{COMPACT, LEVELS, Level};
use super::neutral::{Dialect, neutral};
use super::rows::ROWS;
use super::words::State;
use super::{Letter, Rendered};
use crate::config::Face;

/// Columns of the line that names all alerts at once.
const FOLD: usize = 60;
/// Fewer than this are named only if nothing else helps.
const WANTED: usize = 3;

struct Writer<'a> {
    voice: Voice<'a>,
    face: Face,
    chosen: &'a Chosen<'a>,
    shipped: &'a Chosen<'a>,
    blocks: Vec<Block>,
    /// Rows that have a line of their own.
    rows: usize,
    /// The last page that fitted, and its blocks: most often it is the one that is sent.
    fitted: RefCell<Option<(Page, Draft)>>,
}

/// Blocks of one part, before measuring.
type Draft = Vec<String>;

/// Renders `letter` with `chosen`; missing blocks come from `shipped`.
pub(super) fn write(
    letter: &Letter<'_>,
    facts: &Facts,
    face: Face,
    chosen: &Chosen<'_>,
    shipped: &Chosen<'_>,
) -> Result<Rendered, TemplateProblem> {
    let rows = if letter.target.parts > 1 && faces::is_text(face) {
        facts.lists.main.len().min(ROWS)
    } else {
        let linked = letter.details_url.is_some();
        facts.lists.lines(faces::lines(face, letter.target.channel(), linked), FOLD, letter.language)
    };
    let writer = Writer {
        voice: Voice::new(letter, facts, face, chosen.path.is_some()),
        face,
        chosen,
        shipped,
        blocks: faces::blocks(face, letter.target.channel()),
        rows,
        fitted: RefCell::new(None),
    };
    let (pages, fits) = writer.pages()?;
    writer.finish(&pages, fits)
}

impl Writer<'_> {
    /// The pages to send, and whether they fit without cutting.
    fn pages(&self) -> Result<(Vec<Page>, bool), TemplateProblem> {
        let splits = self.voice.letter.target.parts > 1 && faces::is_text(self.face);
        if self.voice.facts.state == State::Opaque {
            return self.opaque_pages(splits);
        }
        for level in &LEVELS[..=COMPACT] {
            let page = Page::whole(level, 0..self.rows);
            if self.fits(&page)? {
                return Ok((vec![page], true));
            }
            if splits && let Some(pages) = self.split(level, false)? {
                return Ok((pages, true));
            }
        }
        for (index, level) in LEVELS.iter().enumerate().skip(COMPACT) {
            if splits && let Some(pages) = self.split(level, true)? {
                return Ok((pages, true));
            }
            let wanted = if index == COMPACT { WANTED.min(self.rows) } else { self.rows.min(1) };
            let named = most(self.rows, |count| self.fits(&Page::whole(level, 0..count)))?;
            let page = Page::whole(level, 0..named);
            if named >= wanted && (named > 0 || self.fits(&page)?) {
                return Ok((vec![page], true));
            }
        }
        Ok((vec![Page::whole(&LEVELS[LEVELS.len() - 1], 0..self.rows.min(1))], false))
    }

    /// Pages of a body of unknown format: as much of its text as there is room for.
    fn opaque_pages(&self, splits: bool) -> Result<(Vec<Page>, bool), TemplateProblem> {
        let message = &self.voice.facts.message;
        let level = &LEVELS[COMPACT];
        let parts = if splits { usize::from(self.voice.letter.target.parts) } else { 1 };
        let mut pages: Vec<Page> = Vec::new();
        let mut start = 0;
        while pages.len() < parts && (start < message.len() || pages.is_empty()) {
            let rest = &message[start..];
            let page = |length: usize| Page {
                message: Some(start..start + rest.floor_char_boundary(length)),
                part: (parts > 1).then_some((pages.len() + 1, parts)),
                ..Page::whole(level, 0..self.rows)
            };
            let length = most(rest.len(), |length| self.fits(&page(length)))?;
            let mut next = page(length);
            // Preferably at a line end, if one is near.
            if length < rest.len()
                && let Some(line) =
                    rest[..rest.floor_char_boundary(length)].rfind('\n').filter(|line| *line > length / 2)
            {
                next = page(line);
            }
            let end = next.message.as_ref().map_or(start, |range| range.end);
            if end == start {
                break;
            }
            pages.push(next);
            start = end;
        }
        if pages.is_empty() {
            return Ok((
                vec![Page { message: Some(0..0), ..Page::whole(&LEVELS[LEVELS.len() - 1], 0..self.rows) }],
                false,
            ));
        }
        number(&mut pages);
        Ok((pages, true))
    }

    /// Pages with as many rows as fit on each; `None` if a row does not fit, or, unless `lossy`, if the pages do not
    /// have room for all.
    fn split(&self, level: &'static Level, lossy: bool) -> Result<Option<Vec<Page>>, TemplateProblem> {
        let parts = usize::from(self.voice.letter.target.parts);
        let total = self.voice.facts.lists.main.len().min(ROWS);
        if self.rows == 0 {
            return Ok(None);
        }
        let mut pages: Vec<Page> = Vec::new();
        let mut start = 0;
        while start < self.rows && pages.len() < parts {
            let number = pages.len() + 1;
            let page = |count: usize| Page {
                part: Some((number, parts)),
                first: number == 1,
                // Measured as if this page had the links; the last page has them.
                last: true,
                counts: number == parts || start + count == self.rows,
                ..Page::whole(level, start..start + count)
            };
            let count = most(self.rows - start, |count| self.fits(&page(count)))?;
            if count == 0 {
                return Ok(None);
            }
            pages.push(page(count));
            start += count;
        }
        if start < total && !lossy {
            return Ok(None);
        }
        number(&mut pages);
        Ok(Some(pages))
    }

    fn fits(&self, page: &Page) -> Result<bool, TemplateProblem> {
        let draft = self.draft(page)?;
        let fits = self.blocks.iter().zip(&draft).all(|(block, text)| block.limit.holds(text));
        if fits {
            self.fitted.replace(Some((page.clone(), draft)));
        }
        Ok(fits)
    }

    fn draft(&self, page: &Page) -> Result<Draft, TemplateProblem> {
        let context = self.voice.context(page);
        if faces::is_text(self.face) {
            let body = self.chosen.run(&[], context)?.pop().flatten().unwrap_or_default();
            let body = self.voice.completed(tidy(&body, true), page);
            return Ok(vec![self.voice.notes.body(body, page.note_room())]);
        }
        let names: Vec<&str> = self.blocks.iter().map(|block| block.name).collect();
        let printed = self.chosen.run(&names, context.clone())?;
        let missing: Vec<Option<String>> =
            if printed.contains(&None) { self.shipped.run(&names, context)? } else { Vec::new() };
        let text = |index: usize, text: Option<String>| {
            text.or_else(|| missing.get(index).cloned().flatten()).unwrap_or_default()
        };
        let mut draft: Draft = printed
            .into_iter()
            .enumerate()
            .map(|(index, printed)| tidy(&text(index, printed), self.blocks[index].lines))
            .collect();
        self.require(&mut draft, page);
        if self.face == Face::Textcard {
            faces::close_up(&mut draft);
        }
        Ok(draft)
    }

    /// Cuts the soft blocks. Titles and descriptions must not be empty (41016, 41033); a figure that is too long is
    /// left out.
    fn require(&self, draft: &mut Draft, page: &Page) {
        for (block, text) in self.blocks.iter().zip(draft) {
            if matches!(block.name, "title" | "description") && text.is_empty() {
                *text = neutral(&self.voice.title(), Dialect::Plain).into_owned();
            }
            match block.name {
                "title" => *text = self.voice.notes.title(text),
                "description" => {
                    let body = self.voice.completed(std::mem::take(text), page);
                    *text = self.voice.notes.description(&body, page.note_room());
                }
                "text" => *text = self.voice.notes.description(text, page.note_room()),
                "rows" => self.voice.complete_rows(text, page),
                _ => {}
            }
            if block.soft && !block.limit.holds(text) {
                *text = match block.name {
                    "figure" => String::new(),
                    "desc" => cut(shorter(text, block.limit), block),
                    _ => cut(text, block),
                };
            }
        }
    }

    fn finish(&self, pages: &[Page], fits: bool) -> Result<Rendered, TemplateProblem> {
        let Voice { letter, facts, .. } = self.voice;
        let mut parts = Vec::new();
        let mut bytes = (0, 1);
        let mut shown = String::new();
        let sure: Vec<usize> = pages.iter().flat_map(|page| self.voice.names(page)).collect();
        // A tap on what is not told in full leads to the whole.
        let told_in_full = fits && sure.len() >= letter.told.len() && pages.iter().all(|page| self.voice.is_full(page));
        for page in pages {
            let mut draft = match self.fitted.take() {
                Some((fitted, draft)) if fitted == *page => draft,
                _ => self.draft(page)?,
            };
            if !fits {
                self.cut(&mut draft, page);
            }
            let used = self.measure(&draft);
            if used.0 * bytes.1 >= bytes.0 * used.1 {
                bytes = used;
            }
            shown.push_str(&draft.join("\n"));
            parts.push(faces::Frame::of(letter, facts, told_in_full).content(self.face, draft));
        }
        let mut named = if fits && self.chosen.path.is_none() {
            sure
        } else {
            let shown = letters(&shown);
            pages.iter().flat_map(|page| self.voice.names_in(page, &shown)).collect()
        };
        named.sort_unstable();
        named.dedup();
        let counted = (0..letter.told.len()).filter(|index| named.binary_search(index).is_err()).collect();
        faces::add_companions(letter, facts, self.face, &mut parts);
        let (bytes_used, bytes_allowed) = bytes;
        let leads = Leads::of(&facts.links);
        Ok(Rendered { parts, face: self.face, bytes_used, bytes_allowed, named, counted, leads, problems: Vec::new() })
    }

    /// Cuts what is too long, but keeps the end with mentions, link and id.
    fn cut(&self, draft: &mut Draft, page: &Page) {
        for (block, text) in self.blocks.iter().zip(draft) {
            if block.limit.holds(text) {
                continue;
            }
            *text = match block.limit {
                Limit::Bytes(max) => {
                    let end = self.voice.ending(page, max);
                    let body = text.strip_suffix(&self.voice.tail(page)).unwrap_or(text).trim_end();
                    let room = max.saturating_sub(end.len() + 1);
                    format!("{}\n{end}", cut_markup(body, room, dialect(self.face)))
                }
                Limit::Chars(_) => cut(text, block),
                Limit::Rows(max) => {
                    // The last line has the id and the link.
                    let last = text.lines().next_back().unwrap_or_default().to_owned();
                    let kept: Vec<&str> = text.lines().take(max - 1).chain([last.as_str()]).collect();
                    kept.join("\n")
                }
            };
        }
    }

    /// Used and allowed size of the decisive field.
    fn measure(&self, draft: &Draft) -> (usize, usize) {
        let longest = self.blocks.iter().zip(draft).find(|(block, _)| matches!(block.name, "" | "description"));
        match longest {
            Some((Block { limit: Limit::Bytes(max), .. }, text)) => (text.len(), *max),
            _ => self.blocks.iter().zip(draft).fold((0, 0), |(used, allowed), (block, text)| match block.limit {
                Limit::Chars(max) => (used + text.chars().count(), allowed + max),
                Limit::Bytes(_) | Limit::Rows(_) => (used, allowed),
            }),
        }
    }
}

/// The line below a card's title within `limit`, if whole parts may go: first how long it is, then since when.
fn shorter(text: &str, limit: Limit) -> &str {
    let opened =
        if text.ends_with('）') { text.rfind('（') } else { text.rfind(" (").filter(|_| text.ends_with(')')) };
    let text = opened.map_or(text, |at| &text[..at]);
    match text.rsplit_once(" · ") {
        Some((before, _)) if !limit.holds(text) => before,
        _ => text,
    }
}

pub(super) fn cut(text: &str, block: &Block) -> String {
    match block.limit {
        Limit::Bytes(max) => cut_bytes(text, max).into_owned(),
        Limit::Chars(max) => cut_chars(text, max).into_owned(),
        Limit::Rows(max) => text.lines().take(max).collect::<Vec<_>>().join("\n"),
    }
}

/// Corrects the number of parts once it is known, and leaves the links to the last.
fn number(pages: &mut [Page]) {
    let of = pages.len();
    for (index, page) in pages.iter_mut().enumerate() {
        page.part = (of > 1).then_some((index + 1, of));
        page.first = index == 0;
        page.last = index + 1 == of;
    }
}

/// The largest number up to `max` for which `fits`, if it fits for all smaller ones too; 0 if for none.
pub(super) fn most(
    max: usize,
    fits: impl Fn(usize) -> Result<bool, TemplateProblem>,
) -> Result<usize, TemplateProblem> {
    if max == 0 || fits(max)? {
        return Ok(max);
    }
    let Range { mut start, mut end } = 0..max;
    while start + 1 < end {
        let middle = start.midpoint(end);
        if fits(middle)? {
            start = middle;
        } else {
            end = middle;
        }
    }
    Ok(start)
}

/// Without blanks at line ends and repeated empty lines; on one line unless `lines`.
pub(super) fn tidy(text: &str, lines: bool) -> String {
    if !lines {
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let mut out = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() && empty {
            continue;
        }
        empty = line.is_empty();
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}
