//! The shape of each face: its blocks, their limits in WeCom, and how they become contents.

use wecom::Content;
use wecom::message::{
    Article, CARD_HOME, CardAction, CardImage, CardJump, CardRow, CardSource, CardTitle, DESCRIPTION_BYTES, Markdown,
    News, TEXT_BYTES, TITLE_BYTES, TemplateCard, Text, Textcard, markdown_bytes,
};

use super::engine::TemplateProblem;
use super::facts::Facts;
use super::fit::{cut_bytes, cut_chars};
use super::headline::Width;
use super::leads::{Leads, Link, rank};
use super::link::{public_picture, safe_url};
use super::neutral::{Dialect, neutral, one_line};
use super::notes::{Notes, Room};
use super::rows::ROWS;
use super::words::{State, Weight, brackets, pick};
use super::{Letter, Rendered};
use crate::config::{Channel, Face, Language, Target};

/// The limit of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Bytes(usize),
    Chars(usize),
    /// Lines, each a row of a card.
    Rows(usize),
}

impl Limit {
    pub(super) fn holds(self, text: &str) -> bool {
        match self {
            Self::Bytes(max) => text.len() <= max,
            Self::Chars(max) => text.chars().count() <= max,
            Self::Rows(max) => text.lines().count() <= max,
        }
    }

    pub(super) const fn three_quarters(self) -> Self {
        match self {
            Self::Bytes(max) => Self::Bytes(max * 3 / 4),
            Self::Chars(max) => Self::Chars(max * 3 / 4),
            Self::Rows(max) => Self::Rows(max * 3 / 4),
        }
    }
}

/// A named part of a face, printed by the template's block of that name.
pub(super) struct Block {
    pub(super) name: &'static str,
    pub(super) limit: Limit,
    /// May it have several lines?
    pub(super) lines: bool,
    /// Is it cut when it is too long, instead of rendering the whole letter in less detail?
    pub(super) soft: bool,
}

/// A block whose limit decides the level of detail.
const fn hard(name: &'static str, limit: Limit) -> Block {
    Block { name, limit, lines: true, soft: false }
}

/// A block on one line that is cut.
const fn soft(name: &'static str, limit: Limit) -> Block {
    Block { name, limit, lines: false, soft: true }
}

/// Rows of a card (42035).
const CARD_ROWS: usize = 6;
/// Links at the foot of a card (42042).
const CARD_JUMPS: usize = 3;
/// Characters of a row's key.
const CARD_KEY: usize = 5;
/// Characters of the title of a paragraph below a picture.
const VERTICAL_TITLE: usize = 38;

/// Bytes of a mail, or of the text for a hook. Neither has a limit of its own: this is more than people read, and the
/// outbox stores the bytes of every message.
const PLAIN_BYTES: usize = 64 << 10;
/// Bytes of a bot's markdown.
const BOT_BYTES: usize = 4096;

/// Bytes of plain text that `channel` accepts.
const fn text_bytes(channel: Channel) -> usize {
    match channel {
        Channel::App | Channel::Chat | Channel::Webhook => TEXT_BYTES,
        Channel::Email | Channel::Hook => PLAIN_BYTES,
        // WeCom accepts 20480 bytes (docs/reference/wecom.md#bot-messages), too much for a phone: the same as for a
        // webhook.
        Channel::Bot => BOT_BYTES,
    }
}

/// Visible characters of a card's fields in the client of a channel (docs/reference/wecom.md#card-fields,
/// #content-limits).
struct CardLengths {
    source: usize,
    title: usize,
    desc: usize,
    text: usize,
    value: usize,
    jump: usize,
}

const fn card_lengths(channel: Channel) -> CardLengths {
    match channel {
        Channel::Webhook | Channel::Bot => {
            CardLengths { source: 13, title: 26, desc: 30, text: 112, value: 26, jump: 13 }
        }
        Channel::App | Channel::Chat | Channel::Email | Channel::Hook => {
            CardLengths { source: 20, title: 36, desc: 44, text: 160, value: 30, jump: 18 }
        }
    }
}

/// Characters of the value of a card's row.
pub(super) const fn card_value(channel: Channel) -> usize {
    card_lengths(channel).value
}

/// Characters of the text of a card.
pub(super) const fn card_text(channel: Channel) -> usize {
    card_lengths(channel).text
}

/// Does `face` on `channel` take `<a href>` in running text? Only the texts of an application are documented to
/// (docs/reference/wecom.md#links).
pub(super) const fn takes_hyperlinks(face: Face, channel: Channel) -> bool {
    matches!((face, channel), (Face::Text, Channel::App))
}

/// The blocks of `face` on `channel`. A nameless one is the template's whole output.
pub(super) fn blocks(face: Face, channel: Channel) -> Vec<Block> {
    let title = soft("title", title_limit(face, channel));
    let description = hard("description", Limit::Bytes(DESCRIPTION_BYTES));
    match face {
        Face::Text => vec![hard("", Limit::Bytes(text_bytes(channel)))],
        Face::Markdown | Face::MarkdownV2 => {
            vec![hard("", Limit::Bytes(channel.wecom().map_or_else(|| text_bytes(channel), markdown_bytes)))]
        }
        Face::Textcard => vec![title, description, soft("button", Limit::Chars(4))],
        Face::News => vec![title, description],
        Face::Card => {
            let lengths = card_lengths(channel);
            vec![
                title,
                Block { soft: true, ..hard("text", Limit::Chars(lengths.text)) },
                soft("desc", Limit::Chars(lengths.desc)),
                soft("source", Limit::Chars(lengths.source)),
                soft("figure", Limit::Chars(14)),
                soft("figure_desc", Limit::Chars(22)),
                hard("rows", Limit::Rows(CARD_ROWS)),
            ]
        }
    }
}

/// Rows that people read in `face`; what is more is folded. Without a link to the whole, more of it is told here.
pub(super) const fn lines(face: Face, channel: Channel, linked: bool) -> usize {
    match (face, channel) {
        (_, Channel::Email | Channel::Hook) => ROWS,
        (Face::Textcard, _) => 3,
        (Face::News, _) => 4,
        (Face::Card, _) => CARD_ROWS - 1,
        (Face::MarkdownV2, _) => 12,
        (Face::Markdown | Face::Text, _) if !linked => 20,
        (Face::Markdown, _) => 10,
        (Face::Text, _) => 8,
    }
}

/// The room for the line in the title of `face`.
pub(super) const fn line_width(face: Face, channel: Channel) -> Width {
    match face {
        Face::Card => Width::Chars(card_lengths(channel).title),
        _ => Width::LINE,
    }
}

/// The limit of the title of `face`; a line of running text has none of its own.
pub(super) const fn title_limit(face: Face, channel: Channel) -> Limit {
    match face {
        Face::Text | Face::Markdown | Face::MarkdownV2 => Limit::Chars(120),
        Face::Textcard | Face::News => Limit::Bytes(TITLE_BYTES),
        Face::Card => Limit::Chars(card_lengths(channel).title),
    }
}

/// The room in `face` for notes on the message itself: most is kept for alerts.
pub(super) const fn note_room(face: Face, channel: Channel) -> Limit {
    match face {
        Face::Text | Face::Markdown | Face::MarkdownV2 => Limit::Bytes(TEXT_BYTES / 3),
        Face::Textcard | Face::News => Limit::Bytes(DESCRIPTION_BYTES / 2),
        Face::Card => Limit::Chars(card_lengths(channel).text * 2 / 3),
    }
}

/// Is `face` one block of running text?
pub(super) const fn is_text(face: Face) -> bool {
    matches!(face, Face::Text | Face::Markdown | Face::MarkdownV2)
}

/// The possible face: the target's, unless its channel does not have it or it needs a link and the message is not
/// `linked`. `pressed`: a card of a bot gets buttons, and needs no link then.
pub(super) fn possible(target: &Target, linked: bool, pressed: bool) -> Face {
    let channel = target.channel();
    let face = match target.face {
        face if face.fits(channel) => face,
        _ if channel == Channel::Bot => Face::MarkdownV2,
        _ if channel.wecom().is_none() => Face::Text,
        Face::Card => Face::Textcard,
        _ => Face::Markdown,
    };
    match face {
        face if is_text(face) || linked => face,
        Face::Card if channel == Channel::Bot && pressed => face,
        _ if channel == Channel::Bot => Face::MarkdownV2,
        _ => Face::Text,
    }
}

/// The link of a tap on the message: the details if it is not told in full, else the graph.
pub(super) fn main_url(facts: &Facts, in_full: bool) -> &str {
    let find = |kind: &str| facts.links.iter().find(|link| link.kind == kind);
    let order: &[&str] = match (in_full, facts.state) {
        (false, _) | (_, State::Opaque) => &["details", "panel", "dashboard"],
        (true, State::NoData | State::QueryError) => &["rule", "panel", "dashboard"],
        (true, _) => &["panel", "dashboard", "rule"],
    };
    let found = order.iter().find_map(|kind| find(kind)).or_else(|| find("details")).or_else(|| facts.links.first());
    found.map_or("", |link| link.url.as_str())
}

/// Joins the blocks of a text card's description: a line end between two is shown as an empty line.
pub(super) fn close_up(draft: &mut [String]) {
    for text in draft {
        *text = text.replace("</div>\n<div", "</div><div");
    }
}

/// What surrounds the blocks of a face.
pub(super) struct Frame<'a> {
    pub(super) channel: Channel,
    pub(super) language: Language,
    pub(super) color: SourceColor,
    /// The link of a tap.
    pub(super) url: String,
    /// Further links.
    pub(super) links: &'a [Link],
    /// Address of a picture that may be sent; empty if there is none.
    pub(super) picture: String,
}

impl<'a> Frame<'a> {
    pub(super) fn of(letter: &Letter<'_>, facts: &'a Facts, in_full: bool) -> Self {
        Self {
            channel: letter.target.channel(),
            language: letter.language,
            color: SourceColor::of(facts.state, facts.weight),
            url: main_url(facts, in_full).to_owned(),
            links: &facts.links,
            picture: letter.picture.url.and_then(shown_picture).unwrap_or_default(),
        }
    }

    /// The content of a face from its blocks, in the order of [`blocks`], each within its limit.
    pub(super) fn content(self, face: Face, blocks: Vec<String>) -> Content {
        let mut blocks = blocks.into_iter();
        let mut next = || blocks.next().unwrap_or_default();
        match face {
            Face::Text => Content::Text(Text { content: next(), ..Text::default() }),
            Face::Markdown => Content::Markdown(Markdown { content: next() }),
            // A bot has one markdown, as rich as the second edition (docs/reference/wecom.md#bot-messages).
            Face::MarkdownV2 if self.channel == Channel::Bot => Content::Markdown(Markdown { content: next() }),
            Face::MarkdownV2 => Content::MarkdownV2(Markdown { content: next() }),
            Face::Textcard => {
                // It has one link only: to the page for acts, which has the other links.
                let act = self.links.iter().find(|link| link.kind == "act").map(|link| link.url.clone());
                let url = act.unwrap_or(self.url);
                Content::Textcard(Textcard { title: next(), description: next(), url, btntxt: next() })
            }
            Face::News => {
                let article = Article { title: next(), description: next(), url: self.url, picurl: self.picture };
                Content::News(News { articles: vec![article] })
            }
            Face::Card => Content::TemplateCard(Box::new(self.card([(); 7].map(|()| next())))),
        }
    }

    fn card(self, blocks: [String; 7]) -> TemplateCard {
        let lengths = card_lengths(self.channel);
        let [title, text, desc, source, figure, figure_desc, rows] = blocks;
        // A tap opens the page with everything, where there is one; the links below lead to single things.
        let details = self.links.iter().find(|link| link.kind == "details");
        let url = details.map_or(self.url, |link| link.url.clone());
        // Without buttons, in a preview or when its alert is over, a bot's card is a notice, which needs a link.
        let url = if url.is_empty() { CARD_HOME.to_owned() } else { url };
        let mut jump: Vec<&Link> =
            self.links.iter().filter(|link| !matches!(link.kind, "home" | "details") && link.url != url).collect();
        jump.sort_by_key(|link| rank(link.kind));
        let jump = jump.into_iter().take(CARD_JUMPS);
        let mut card = TemplateCard {
            source: (!source.is_empty()).then_some(CardSource { desc: source, desc_color: self.color as u8 }),
            main_title: Some(CardTitle { title, desc }),
            horizontal_content_list: rows.lines().filter_map(|line| row(line, lengths.value)).take(CARD_ROWS).collect(),
            jump_list: jump
                .map(|link| CardJump {
                    kind: 1,
                    title: cut_chars(link.text, lengths.jump).into_owned(),
                    url: link.url.clone(),
                })
                .collect(),
            card_action: Some(CardAction { kind: 1, url }),
            ..TemplateCard::default()
        };
        let figure = (!figure.is_empty()).then_some(CardTitle { title: figure, desc: figure_desc });
        if self.picture.is_empty() {
            "text_notice".clone_into(&mut card.card_type);
            card.emphasis_content = figure;
            card.sub_title_text = text;
        } else {
            "news_notice".clone_into(&mut card.card_type);
            card.card_image = Some(CardImage { url: self.picture, aspect_ratio: 2.2 });
            let heading = figure.map(|figure| figure_text(&figure, self.language, VERTICAL_TITLE));
            let heading = heading.unwrap_or_else(|| pick(self.language, "说明", "What").to_owned());
            card.vertical_content_list =
                if text.is_empty() { Vec::new() } else { vec![CardTitle { title: heading, desc: text }] };
        }
        card
    }
}

/// A figure in a line, with its threshold behind it if that has room in `most` characters.
pub(super) fn figure_text(figure: &CardTitle, language: Language, most: usize) -> String {
    let CardTitle { title, desc } = figure;
    // Without a threshold the words below a figure only say what it is.
    let limit = Some(desc).filter(|desc| !desc.is_empty() && *desc != pick(language, "当前值", "Now"));
    let whole = limit.map(|limit| format!("{title}{}", brackets(language, limit)));
    whole.filter(|whole| whole.chars().count() <= most).unwrap_or_else(|| title.clone())
}

/// The colour of a card's source (docs/reference/wecom.md#card-fields).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceColor {
    Grey = 0,
    Black = 1,
    Red = 2,
    Green = 3,
}

impl SourceColor {
    const fn of(state: State, weight: Weight) -> Self {
        match (state, weight) {
            (State::Firing | State::Reminder, Weight::Red) => Self::Red,
            (State::Firing | State::Reminder, Weight::Yellow) | (State::Partly | State::Unclear, _) => Self::Black,
            (State::Resolved, _) => Self::Green,
            _ => Self::Grey,
        }
    }
}

/// `key: value` (or `key：value`) as a row.
fn row(line: &str, value_length: usize) -> Option<CardRow> {
    let (key, value) = line.split_once('：').or_else(|| line.split_once(": ")).unwrap_or(("·", line));
    let (key, value) = (key.trim(), value.trim());
    if value.is_empty() {
        return None;
    }
    let keyname = cut_chars(if key.is_empty() { "·" } else { key }, CARD_KEY).into_owned();
    Some(CardRow { kind: 0, keyname, value: cut_chars(value, value_length).into_owned(), ..CardRow::default() })
}

/// The address of a picture, if it may be in a message.
pub(super) fn shown_picture(url: &str) -> Option<String> {
    public_picture(url).and_then(safe_url)
}

/// Does `content` show the picture at `url`?
pub(super) fn shows_picture(content: &Content, url: Option<&str>) -> bool {
    match content {
        Content::News(news) => news.articles.iter().any(|article| !article.picurl.is_empty()),
        Content::TemplateCard(card) => card.card_image.is_some(),
        Content::MarkdownV2(text) => {
            let shown = url.and_then(shown_picture);
            shown.is_some_and(|url| text.content.contains(&format!("]({url})")))
        }
        Content::Text(_) | Content::Markdown(_) | Content::Textcard(_) | Content::Image(_) => false,
    }
}

/// The people to be mentioned by name. Empty for a message that needs no action: a resolved alert mentions no people.
pub(super) struct Called<'a> {
    users: Vec<&'a str>,
    mobiles: Vec<&'a str>,
}

impl<'a> Called<'a> {
    pub(super) fn by(letter: &Letter<'a>, facts: &Facts) -> Self {
        Self::at(letter.target, facts.state != State::Resolved)
    }

    /// The people that `target` mentions if a message `asks` for action.
    pub(super) fn at(target: &'a Target, asks: bool) -> Self {
        let channel = target.channel();
        if !channel.mentions() || !asks {
            return Self { users: Vec::new(), mobiles: Vec::new() };
        }
        let valid = |name: &&String| {
            name.as_str() == "@all" || name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
        };
        let users = target.mention.iter().filter(valid).map(String::as_str).collect();
        let mobiles = target.mention_mobiles.iter().map(String::as_str);
        Self { users, mobiles: if channel == Channel::Webhook { mobiles.collect() } else { Vec::new() } }
    }

    /// Mentions inside the message: `<@userid>`, in markdown of the first edition only.
    pub(super) fn inline(&self, face: Face) -> String {
        if face != Face::Markdown {
            return String::new();
        }
        let users: Vec<String> =
            self.users.iter().filter(|user| **user != "@all").map(|user| format!("<@{user}>")).collect();
        users.join(" ")
    }

    /// Without those that `face` mentions [inline](Self::inline).
    fn rest(mut self, face: Face) -> Self {
        if face == Face::Markdown {
            // `@all` and mobile numbers are understood in text only (docs/reference/wecom.md#markdown-v2).
            self.users.retain(|user| *user == "@all");
        }
        self
    }

    const fn is_empty(&self) -> bool {
        self.users.is_empty() && self.mobiles.is_empty()
    }

    /// Mentions them in the first text of `parts`, if there is one.
    pub(super) fn call(&self, parts: &mut [Content]) {
        let text = parts.iter_mut().find_map(|part| match part {
            Content::Text(text) => Some(text),
            _ => None,
        });
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        if let Some(text) = text {
            text.mentioned_list = owned(&self.users);
            text.mentioned_mobile_list = owned(&self.mobiles);
        }
    }
}

/// Appends mentions that the face cannot contain to `parts`.
pub(super) fn add_companions(letter: &Letter<'_>, facts: &Facts, face: Face, parts: &mut Vec<Content>) {
    let called = Called::by(letter, facts).rest(face);
    if !called.is_empty() {
        if !matches!(parts.first(), Some(Content::Text(_))) {
            let title = Notes::of(letter.notes, Face::Text, letter.target.channel(), letter.language)
                .title(&neutral(&facts.title(letter, Width::LINE), Dialect::Plain));
            let content = format!("{title} #{}", letter.thread);
            parts.push(Content::Text(Text { content, ..Text::default() }));
        }
        called.call(parts);
    }
}

/// Sent if even a shipped template fails: the facts in one line.
pub(super) fn last_resort(letter: &Letter<'_>, facts: &Facts, problem: TemplateProblem) -> Rendered {
    let line = format!("{} {}", facts.title(letter, Width::Columns(200)), facts.summary);
    let line = neutral(&one_line(&line), Dialect::Plain).into_owned();
    let notes = Notes::of(letter.notes, Face::Text, letter.target.channel(), letter.language);
    let id = format!("\n#{}", letter.thread);
    let body = notes.body(line, Room::Tight);
    let content = format!("{}{id}", cut_bytes(&body, TEXT_BYTES - id.len()));
    let mut rendered = Rendered {
        bytes_used: content.len(),
        bytes_allowed: TEXT_BYTES,
        parts: vec![Content::Text(Text { content, ..Text::default() })],
        face: Face::Text,
        named: Vec::new(),
        counted: (0..letter.told.len()).collect(),
        leads: Leads::of(&facts.links),
        problems: vec![problem],
    };
    add_companions(letter, facts, Face::Text, &mut rendered.parts);
    rendered
}
