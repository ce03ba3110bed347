//! A message as WeCom draws it: text with links, markdown of both editions, cards and news. Plain values that a template
//! prints escaped: whatever a message holds, none of it is markup of our page.
//!
//! A reading of its own of docs/reference/wecom.md, for people who want to see what arrives; nothing is loaded, so a picture is
//! its place only.

mod markdown;

use serde_json::Value;

use crate::render::harmless_url;
use crate::words::{Language, Words};

use super::words;

/// Blocks of a message that are drawn: no message of WeCom's has more lines.
const BLOCKS: usize = 400;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Phone {
    pub blocks: Vec<Block>,
}

/// A line, or what stands like one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Block {
    /// Its class in the style, from a closed set.
    pub class: &'static str,
    pub spans: Vec<Span>,
    /// The cells of a row of a table.
    pub cells: Vec<Vec<Span>>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub text: String,
    /// Its class in the style, from a closed set.
    pub class: &'static str,
    /// Where a link leads; empty: it is none, or leads nowhere safe.
    pub href: String,
}

impl Block {
    fn of(class: &'static str, spans: Vec<Span>) -> Self {
        Self { class, spans, cells: Vec::new() }
    }

    fn line(class: &'static str, text: &str) -> Self {
        Self::of(class, vec![Span::of("", text)])
    }
}

impl Span {
    fn of(class: &'static str, text: &str) -> Self {
        Self { text: text.to_owned(), class, href: String::new() }
    }

    fn link(text: &str, url: &str) -> Self {
        Self { text: text.to_owned(), class: "link", href: harmless_url(url).unwrap_or_default() }
    }
}

/// A request to WeCom as the phone shows it; `None`: it is of no kind that WeCom draws.
pub(super) fn draw(request: &Value, language: Language) -> Option<Phone> {
    let word = |text: Words| text.get(language).to_owned();
    let mut blocks = match request["msgtype"].as_str()? {
        "text" => lines(request["text"]["content"].as_str()?),
        "markdown" => markdown::first(request["markdown"]["content"].as_str()?),
        "markdown_v2" => markdown::second(request["markdown_v2"]["content"].as_str()?),
        "textcard" => textcard(&request["textcard"]),
        "news" => news(&request["news"], &word(words::DRAWN_PICTURE)),
        "template_card" => card(&request["template_card"], &word(words::DRAWN_PICTURE)),
        "image" => vec![Block::line("picture", &word(words::DRAWN_PICTURE))],
        _ => return None,
    };
    blocks.truncate(BLOCKS);
    Some(Phone { blocks })
}

/// Text: its only markup is a link in tags.
fn lines(text: &str) -> Vec<Block> {
    text.lines().map(|line| Block::of(if line.is_empty() { "gap" } else { "" }, tagged(line))).collect()
}

fn tagged(line: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut pieces = line.split("<a href=\"");
    spans.extend(pieces.next().filter(|text| !text.is_empty()).map(|text| Span::of("", text)));
    for piece in pieces {
        let link = piece.split_once("\">").and_then(|(url, rest)| Some((url, rest.split_once("</a>")?)));
        match link {
            Some((url, (text, rest))) => {
                spans.push(Span::link(text, url));
                spans.extend(Some(rest).filter(|rest| !rest.is_empty()).map(|rest| Span::of("", rest)));
            }
            None => spans.push(Span::of("", &format!("<a href=\"{piece}"))),
        }
    }
    spans
}

fn said(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text card: lines in three colours.
fn textcard(card: &Value) -> Vec<Block> {
    let mut blocks: Vec<Block> = said(&card["title"]).map(|title| Block::line("title", title)).into_iter().collect();
    for part in said(&card["description"]).unwrap_or_default().split("<div class=\"") {
        let coloured = part.split_once("\">").and_then(|(class, rest)| {
            let class = ["gray", "normal", "highlight"].into_iter().find(|known| *known == class)?;
            Some((class, rest.split_once("</div>")?))
        });
        let (class, text, rest) = match coloured {
            Some((class, (text, rest))) => (class, text, rest),
            None => ("normal", part, ""),
        };
        let shown = text.lines().map(|line| (class, line)).chain(rest.lines().map(|line| ("normal", line)));
        blocks.extend(shown.filter(|(_, line)| !line.is_empty()).map(|(class, line)| Block::line(class, line)));
    }
    blocks.extend(said(&card["btntxt"]).map(|text| Block::of("jump", vec![link(text, &card["url"])])));
    blocks
}

fn link(text: &str, url: &Value) -> Span {
    Span::link(text, url.as_str().unwrap_or_default())
}

fn news(news: &Value, picture: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for article in listed(&news["articles"]) {
        if said(&article["picurl"]).is_some() {
            blocks.push(Block::line("picture", picture));
        }
        blocks.extend(said(&article["title"]).map(|title| Block::of("title", vec![link(title, &article["url"])])));
        blocks.extend(
            said(&article["description"]).into_iter().flat_map(str::lines).map(|line| Block::line("gray", line)),
        );
    }
    blocks
}

fn card(card: &Value, picture: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut add = |class: &'static str, value: &Value| {
        blocks.extend(said(value).into_iter().flat_map(str::lines).map(|line| Block::line(class, line)));
    };
    add("source", &card["source"]["desc"]);
    add("title", &card["main_title"]["title"]);
    add("gray", &card["main_title"]["desc"]);
    add("emphasis", &card["emphasis_content"]["title"]);
    add("gray", &card["emphasis_content"]["desc"]);
    add("quote", &card["quote_area"]["title"]);
    add("quote", &card["quote_area"]["quote_text"]);
    add("", &card["sub_title_text"]);
    for part in listed(&card["vertical_content_list"]) {
        add("normal", &part["title"]);
        add("gray", &part["desc"]);
    }
    if said(&card["card_image"]["url"]).is_some() {
        blocks.insert(0, Block::line("picture", picture));
    }
    for row in listed(&card["horizontal_content_list"]) {
        let value = said(&row["value"]).unwrap_or_default();
        let value = if row["url"].is_string() { link(value, &row["url"]) } else { Span::of("", value) };
        blocks.push(Block::of("row", vec![Span::of("name", said(&row["keyname"]).unwrap_or_default()), value]));
    }
    let jumps = listed(&card["jump_list"]).iter().map(|jump| (said(&jump["title"]), &jump["url"]));
    blocks.extend(jumps.filter_map(|(title, url)| Some(Block::of("jump", vec![link(title?, url)]))));
    let selection = &card["button_selection"];
    let chosen = listed(&selection["option_list"]).iter().find(|option| option["id"] == selection["selected_id"]);
    blocks.extend(chosen.and_then(|option| {
        let name = Span::of("name", said(&selection["title"]).unwrap_or_default());
        Some(Block::of("row", vec![name, Span::of("", &format!("{} ▾", said(&option["text"])?))]))
    }));
    let buttons: Vec<Span> = listed(&card["button_list"])
        .iter()
        .filter_map(|one| said(&one["text"]))
        .map(|text| Span::of("button", text))
        .collect();
    if !buttons.is_empty() {
        blocks.push(Block::of("buttons", buttons));
    }
    let more = listed(&card["action_menu"]["action_list"]).iter().filter_map(|one| said(&one["text"]));
    let more: Vec<&str> = more.collect();
    if !more.is_empty() {
        blocks.push(Block::line("gray", &format!("⋯ {}", more.join(" · "))));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawn(request: &Value) -> Vec<(&'static str, String)> {
        let phone = draw(request, Language::Zh).unwrap();
        let text = |block: &Block| block.spans.iter().map(|span| span.text.as_str()).collect::<Vec<_>>().join("|");
        phone.blocks.iter().map(|block| (block.class, text(block))).collect()
    }

    #[test]
    fn a_text_has_links_and_nothing_else() {
        let text = "a <b>\n\n<a href=\"https://g/p\">面板</a> · <a href=\"javascript:x\">坏</a>\n<a href=\"https://cut";
        let request = json!({ "msgtype": "text", "text": { "content": text } });
        let phone = draw(&request, Language::Zh).unwrap();
        assert_eq!(drawn(&request)[..2], [("", "a <b>".to_owned()), ("gap", String::new())]);
        let links: Vec<_> = phone.blocks[2].spans.iter().filter(|span| span.class == "link").collect();
        assert_eq!((links[0].href.as_str(), links[1].href.as_str()), ("https://g/p", ""), "{links:?}");
        assert_eq!(phone.blocks[3].spans[0].text, "<a href=\"https://cut");
    }

    #[test]
    fn cards_and_news_are_drawn_part_by_part() {
        let card = json!({ "msgtype": "template_card", "template_card": {
            "source": { "desc": "am" }, "main_title": { "title": "磁盘将满", "desc": "严重" },
            "emphasis_content": { "title": "9.3 %" }, "sub_title_text": "剩余太少",
            "horizontal_content_list": [ { "keyname": "主机", "value": "db-1" } ],
            "jump_list": [ { "title": "规则", "url": "http://p/x" } ],
            "button_selection": { "title": "静默", "selected_id": "1h", "option_list": [ { "id": "1h", "text": "1 小时" } ] },
            "button_list": [ { "text": "认领" }, { "text": "静默" } ],
            "action_menu": { "action_list": [ { "text": "重发" } ] },
        } });
        let expected = [
            ("source", "am"),
            ("title", "磁盘将满"),
            ("gray", "严重"),
            ("emphasis", "9.3 %"),
            ("", "剩余太少"),
            ("row", "主机|db-1"),
            ("jump", "规则"),
            ("row", "静默|1 小时 ▾"),
            ("buttons", "认领|静默"),
            ("gray", "⋯ 重发"),
        ];
        assert_eq!(drawn(&card), expected.map(|(class, text)| (class, text.to_owned())));
        let text = json!({ "msgtype": "textcard", "textcard": { "title": "T", "btntxt": "详情", "url": "https://x/",
            "description": "<div class=\"gray\">时间</div>中<div class=\"evil\">x</div><div class=\"highlight\">红</div>" } });
        let expected = [
            ("title", "T"),
            ("gray", "时间"),
            ("normal", "中"),
            ("normal", "evil\">x</div>"),
            ("highlight", "红"),
            ("jump", "详情"),
        ];
        assert_eq!(drawn(&text), expected.map(|(class, text)| (class, text.to_owned())));
        let news = json!({ "msgtype": "news", "news": { "articles": [ { "title": "T", "description": "D\nE", "picurl": "http://x/a.png" } ] } });
        let expected = [("picture", "图片"), ("title", "T"), ("gray", "D"), ("gray", "E")];
        assert_eq!(drawn(&news), expected.map(|(class, text)| (class, text.to_owned())));
        assert_eq!(draw(&json!({ "subject": "a mail" }), Language::Zh), None);
        assert_eq!(draw(&json!({ "msgtype": "file" }), Language::Zh), None);
    }
}
