//! The ends that every body has: what is not named, mentions and the short id.

use super::context::{Page, Voice};
use super::engine::dialect;
use super::faces;
use super::fit::cut_chars;
use super::lines::more;
use super::link::plain_link;
use super::neutral::Dialect;
use super::rows::Row;
use super::words::pick;

impl Voice<'_> {
    /// How many alerts are neither on this page nor on one before it.
    pub(super) fn more(&self, page: &Page) -> usize {
        let left = || self.facts.lists.main[page.rows.end..].iter().map(Row::size).sum();
        if page.counts { left() } else { 0 }
    }

    pub(super) fn more_text(&self, page: &Page) -> String {
        match self.more(page) {
            0 => String::new(),
            count => more(count, self.letter.language),
        }
    }

    pub(super) fn part(page: &Page) -> String {
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

    /// Adds the required rows, if the template did not print them; the id is the last, for people search for it.
    pub(super) fn complete_rows(&self, rows: &mut String, page: &Page) {
        let (more, language) = (self.more_text(page), self.letter.language);
        let mut lines: Vec<String> = rows.lines().map(str::to_owned).collect();
        let at = lines.iter().rposition(|line| line.contains(&self.id));
        let id = at.map_or_else(|| format!("{}：{}", pick(language, "编号", "Id"), self.id), |at| lines.remove(at));
        if self.everything && !more.is_empty() && !rows.contains(&more) {
            lines.push(format!("{}：{more}", pick(language, "其余", "Rest")));
        }
        lines.push(id);
        *rows = lines.join("\n");
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
            Dialect::Plain => format!("{}\n{tail}", plain_link(link.text, &link.url, self.hyperlinks())),
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

/// The letters and digits of `text`, which neutralising and cutting do not change.
pub(super) fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}
