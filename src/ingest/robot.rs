//! Bodies made for the robots of chats: WeCom, DingTalk, Feishu, Slack, Teams, Discord. Each becomes items with a title, a
//! text, a link and fields; what words say of their state weighs more than colours.

mod card;

use serde_json::{Map, Value, json};

use super::lexicon::Word;
use super::tree::said;
use super::words;
use crate::words::Language;
use card::{address, buttons, collect, link};

/// An item for the general reader, and what its colour says.
type Item = (Value, Option<Word>);

/// The robot that a body is for, and its items; `None` if it is for none.
pub(super) fn items(object: &Map<String, Value>, language: Language) -> Option<(&'static str, Vec<Item>)> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    if let Some(kind) = text("msgtype") {
        return Some(("robot", vec![(corporate(object, kind, language), None)]));
    }
    if let Some(kind) = text("msg_type").filter(|_| object.contains_key("content") || object.contains_key("card")) {
        return Some(("feishu", vec![feishu(object, kind, language)]));
    }
    let is_list =
        |name: &str| object.get(name).and_then(Value::as_array).is_some_and(|items| items.iter().any(Value::is_object));
    if text("type") == Some("message") && is_list("attachments") && !object.contains_key("text") {
        let cards = object["attachments"].as_array().into_iter().flatten();
        return Some(("teams", cards.map(|card| (adaptive(card.get("content").unwrap_or(card)), None)).collect()));
    }
    if text("@type") == Some("MessageCard")
        || (is_list("sections") || is_list("potentialAction")) && (text("summary").is_some() || text("title").is_some())
    {
        return Some(("teams", vec![(message_card(object), text("themeColor").and_then(colour))]));
    }
    if text("type") == Some("AdaptiveCard") {
        return Some(("teams", vec![(adaptive(&Value::Object(object.clone())), None)]));
    }
    if let Some(cards) = ["cards", "cardsV2", "cards_v2"].into_iter().find(|name| is_list(name)) {
        return Some(("google chat", google(object, cards)));
    }
    if is_list("embeds") {
        return Some(("discord", discord(object)));
    }
    if is_list("blocks") || is_list("attachments") {
        return Some(("slack", slack(object)));
    }
    if object.contains_key("chat_id") && (text("text").is_some() || text("caption").is_some()) {
        return Some(("telegram", vec![(telegram(object), None)]));
    }
    None
}

fn telegram(object: &Map<String, Value>) -> Value {
    let text = object.get("text").or_else(|| object.get("caption")).and_then(said).unwrap_or_default();
    let mut lines = vec![text.to_owned()];
    lines.extend(buttons(object.get("reply_markup").and_then(|markup| markup.get("inline_keyboard"))));
    json!({ "text": lines.join("\n") })
}

/// WeCom and DingTalk, which share their frame.
fn corporate(object: &Map<String, Value>, kind: &str, language: Language) -> Value {
    let empty = Value::Null;
    let inner = object.get(kind).unwrap_or(&empty);
    let get = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut item = Map::new();
    let mut put = |name: &str, text: &str| {
        if !text.trim().is_empty() {
            item.insert(name.to_owned(), Value::String(text.to_owned()));
        }
    };
    match kind {
        "text" | "markdown" | "markdown_v2" | "link" => {
            put("title", get("title"));
            put("text", if get("content").is_empty() { get("text") } else { get("content") });
            put("url", get("messageUrl"));
            put("image", get("picUrl"));
        }
        "actionCard" | "action_card" => {
            put("title", get("title"));
            let text = if get("text").is_empty() { get("markdown") } else { get("text") };
            let single = [get("singleURL"), get("single_url")].into_iter().find(|url| !url.is_empty());
            let words = [get("singleTitle"), get("single_title")].into_iter().find(|words| !words.is_empty());
            let mut lines = vec![text.to_owned()];
            lines.extend(single.map(|url| link(words.unwrap_or_default(), url)));
            lines.extend(buttons(inner.get("btns").or_else(|| inner.get("btn_json_list"))));
            put("text", &lines.join("\n"));
            put("url", single.unwrap_or_default());
        }
        "news" | "feedCard" | "mpnews" if inner.get("articles").or_else(|| inner.get("links")).is_some() => {
            let articles = inner.get("articles").or_else(|| inner.get("links")).and_then(Value::as_array);
            let articles: Vec<&Value> = articles.into_iter().flatten().collect();
            let of = |article: &Value, names: [&str; 2]| {
                names.iter().find_map(|name| article.get(*name).and_then(said)).unwrap_or_default().to_owned()
            };
            if let Some(first) = articles.first() {
                put("title", &of(first, ["title", "title"]));
                put("url", &of(first, ["url", "messageURL"]));
                put("image", &of(first, ["picurl", "picURL"]));
            }
            let mut lines = Vec::new();
            for (index, article) in articles.iter().enumerate() {
                let url = of(article, ["url", "messageURL"]);
                let parts = [
                    if index == 0 { String::new() } else { link(&of(article, ["title", "title"]), &url) },
                    of(article, ["description", "digest"]),
                ];
                lines.extend(parts.into_iter().filter(|part| !part.is_empty()));
            }
            put("text", &lines.join("\n"));
        }
        "template_card" => return card(inner, language),
        kind => {
            // Kinds of WeCom's applications: `textcard`, `miniprogram_notice`, ….
            let title = [get("title"), get("name")].into_iter().find(|title| !title.is_empty());
            put("title", title.unwrap_or(words::of_kind(kind).get(language)));
            let mut lines = vec![get("description").to_owned(), get("content").to_owned()];
            for row in inner.get("content_item").and_then(Value::as_array).into_iter().flatten() {
                let part = |name: &str| row.get(name).and_then(said).unwrap_or_default();
                lines.push(format!("{}: {}", part("key"), part("value")));
            }
            lines.push(link(get("btntxt"), get("url")));
            lines.retain(|line| !line.is_empty());
            put("text", &lines.join("\n"));
        }
    }
    for name in ["mentioned_list", "mentioned_mobile_list"] {
        if let Some(list) = inner.get(name).filter(|list| list.as_array().is_some_and(|all| !all.is_empty())) {
            item.insert(name.to_owned(), list.clone());
        }
    }
    Value::Object(item)
}

/// A template card of WeCom: its titles, its rows, its link.
fn card(card: &Value, language: Language) -> Value {
    let at = |path: &str| card.pointer(path).and_then(said).unwrap_or_default();
    let mut lines: Vec<String> = [
        "/main_title/desc",
        "/emphasis_content/title",
        "/emphasis_content/desc",
        "/quote_area/title",
        "/quote_area/quote_text",
        "/sub_title_text",
    ]
    .into_iter()
    .map(|path| at(path).to_owned())
    .filter(|line| !line.is_empty())
    .collect();
    for list in ["horizontal_content_list", "vertical_content_list"] {
        for row in card.get(list).and_then(Value::as_array).into_iter().flatten() {
            let part = |name: &str| row.get(name).and_then(said).unwrap_or_default();
            let (name, text) = if part("keyname").is_empty() {
                (part("title"), part("desc"))
            } else {
                (part("keyname"), part("value"))
            };
            let line = if text.is_empty() { name.to_owned() } else { format!("{name}: {text}") };
            lines.push(link(&line, row.get("url").and_then(said).unwrap_or_default()));
        }
    }
    for list in ["jump_list", "button_list"] {
        lines.extend(buttons(card.get(list)));
    }
    let untitled = words::of_kind("template_card");
    let title = [at("/main_title/title"), at("/source/desc"), untitled.get(language)]
        .into_iter()
        .find(|title| !title.is_empty());
    json!({ "title": title, "text": lines.join("\n"), "url": at("/card_action/url"), "image": at("/card_image/url") })
}

fn feishu(object: &Map<String, Value>, kind: &str, language: Language) -> Item {
    let content = object.get("content").unwrap_or(&Value::Null);
    match kind {
        "text" => (json!({ "text": content.get("text").cloned().unwrap_or_else(|| content.clone()) }), None),
        "post" => {
            let post = content.get("post").unwrap_or(content);
            let told = if post.get("content").is_some() {
                Some(post)
            } else {
                post.as_object().and_then(|all| all.values().next())
            };
            let told = told.unwrap_or(&Value::Null);
            let lines: Vec<String> = told
                .get("content")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|line| line.as_array().into_iter().flatten().map(rich).collect::<String>())
                .collect();
            (json!({ "title": told.get("title").cloned().unwrap_or_default(), "text": lines.join("\n") }), None)
        }
        "interactive" => {
            let card = object.get("card").unwrap_or(content);
            let mut texts = Vec::new();
            // Of a card in several languages one is read.
            let translated = card.get("i18n_elements").and_then(Value::as_object);
            let translated = translated.and_then(|all| all.get("zh_cn").or_else(|| all.values().next()));
            for list in [card.get("elements"), card.pointer("/body/elements"), translated] {
                collect(list.unwrap_or(&Value::Null), &mut texts);
            }
            // A card that is kept at Feishu: only what is filled in is here.
            let variables = card.pointer("/data/template_variable").and_then(Value::as_object);
            texts.extend(
                variables
                    .into_iter()
                    .flatten()
                    .filter_map(|(name, value)| Some(format!("{name}: {}", super::tree::spoken(value)?))),
            );
            let title = card.pointer("/header/title/content").cloned().unwrap_or_default();
            let colour = card.pointer("/header/template").and_then(Value::as_str).and_then(colour);
            let url = card.get("card_link").and_then(Value::as_object).and_then(address).unwrap_or_default();
            (json!({ "title": title, "text": texts.join("\n"), "url": url }), colour)
        }
        kind => (json!({ "title": words::of_kind(kind).get(language) }), None),
    }
}

fn rich(part: &Value) -> String {
    let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
    match (part.get("tag").and_then(Value::as_str), part.get("href").and_then(Value::as_str)) {
        (Some("at"), _) => String::new(),
        (_, Some(href)) => format!("{} ", link(text, href)),
        _ => text.to_owned(),
    }
}

fn slack(object: &Map<String, Value>) -> Vec<Item> {
    let text = object.get("text").and_then(said).unwrap_or_default();
    let mut blocks = Vec::new();
    let mut heading = String::new();
    for block in object.get("blocks").and_then(Value::as_array).into_iter().flatten() {
        if block.get("type").and_then(Value::as_str) == Some("header") && heading.is_empty() {
            block.pointer("/text/text").and_then(said).unwrap_or_default().clone_into(&mut heading);
            continue;
        }
        collect(block, &mut blocks);
    }
    let attachments: Vec<&Value> = object
        .get("attachments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|item| item.is_object())
        .collect();
    if attachments.is_empty() {
        let mut lines = blocks;
        if !lines.iter().any(|line| line == text) && text != heading {
            lines.insert(0, text.to_owned());
        }
        return vec![(json!({ "title": heading, "text": lines.join("\n") }), None)];
    }
    let mut outer: Vec<String> = blocks;
    if !heading.is_empty() {
        outer.insert(0, heading);
    }
    if !text.is_empty() {
        outer.insert(0, text.to_owned());
    }
    let outer = outer.join("\n");
    attachments
        .into_iter()
        .map(|attachment| {
            let get = |name: &str| attachment.get(name).and_then(said).unwrap_or_default();
            let mut lines: Vec<String> =
                [get("pretext"), get("text")].iter().filter(|line| !line.is_empty()).map(ToString::to_string).collect();
            let mut inner = Vec::new();
            collect(attachment.get("blocks").unwrap_or(&Value::Null), &mut inner);
            lines.extend(inner);
            for field in attachment.get("fields").and_then(Value::as_array).into_iter().flatten() {
                let part = |name: &str| field.get(name).and_then(super::tree::spoken).unwrap_or_default();
                lines.push(format!("{}: {}", part("title"), part("value")));
            }
            if !outer.is_empty() {
                lines.insert(0, outer.clone());
            }
            if lines.is_empty() && get("title").is_empty() {
                lines.push(get("fallback").to_owned());
            }
            lines.extend(buttons(attachment.get("actions")));
            let footer = get("footer");
            lines.extend((!footer.is_empty()).then(|| footer.to_owned()));
            let item = json!({
                "title": get("title"),
                "text": lines.join("\n"),
                "title_link": get("title_link"),
                "image_url": get("image_url"),
                "timestamp": attachment.get("ts").cloned().unwrap_or_default(),
            });
            (item, attachment.get("color").and_then(Value::as_str).and_then(colour))
        })
        .collect()
}

/// Cards of Google Chat, in both forms: one alert each, with its header and what its sections say.
fn google(object: &Map<String, Value>, cards: &str) -> Vec<Item> {
    let text = object.get("text").and_then(said).unwrap_or_default();
    let cards = object.get(cards).and_then(Value::as_array).into_iter().flatten();
    cards
        .map(|card| {
            let card = card.get("card").unwrap_or(card);
            let head = |name: &str| card.pointer(&format!("/header/{name}")).and_then(said).unwrap_or_default();
            let mut lines: Vec<String> =
                [text, head("subtitle")].iter().filter(|line| !line.is_empty()).map(ToString::to_string).collect();
            collect(card.get("sections").unwrap_or(&Value::Null), &mut lines);
            (json!({ "title": head("title"), "text": lines.join("\n") }), None)
        })
        .collect()
}

fn discord(object: &Map<String, Value>) -> Vec<Item> {
    let content = object.get("content").and_then(said).unwrap_or_default();
    let embeds = object.get("embeds").and_then(Value::as_array).into_iter().flatten();
    embeds
        .map(|embed| {
            let get = |name: &str| embed.get(name).and_then(said).unwrap_or_default();
            let mut lines: Vec<String> =
                [content, get("description")].iter().filter(|line| !line.is_empty()).map(ToString::to_string).collect();
            for field in embed.get("fields").and_then(Value::as_array).into_iter().flatten() {
                let part = |name: &str| field.get(name).and_then(super::tree::spoken).unwrap_or_default();
                lines.push(format!("{}: {}", part("name"), part("value")));
            }
            let rows = object.get("components").and_then(Value::as_array).into_iter().flatten();
            rows.for_each(|row| lines.extend(buttons(row.get("components"))));
            let item = json!({ "title": get("title"), "text": lines.join("\n"), "url": get("url"), "timestamp": get("timestamp") });
            (item, None)
        })
        .collect()
}

/// A card of Teams in the older form.
fn message_card(object: &Map<String, Value>) -> Value {
    let get = |name: &str| object.get(name).and_then(said).unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    if !get("text").is_empty() {
        lines.push(get("text").to_owned());
    }
    for section in object.get("sections").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| section.get(name).and_then(said).unwrap_or_default();
        for name in ["title", "activityTitle", "activitySubtitle", "activityText", "text"] {
            if !part(name).is_empty() {
                lines.push(part(name).to_owned());
            }
        }
        for fact in section.get("facts").and_then(Value::as_array).into_iter().flatten() {
            let part = |name: &str| fact.get(name).and_then(super::tree::spoken).unwrap_or_default();
            lines.push(format!("{}: {}", part("name").trim_end_matches([':', '：']), part("value")));
        }
        lines.extend(buttons(section.get("potentialAction")));
    }
    lines.extend(buttons(object.get("potentialAction")));
    let title = if get("title").is_empty() { get("summary") } else { get("title") };
    json!({ "title": title, "text": lines.join("\n") })
}

/// An adaptive card: the first text is its title.
fn adaptive(card: &Value) -> Value {
    let mut texts = Vec::new();
    collect(card.get("body").unwrap_or(card), &mut texts);
    collect(card.get("actions").unwrap_or(&Value::Null), &mut texts);
    let title = if texts.is_empty() { String::new() } else { texts.remove(0) };
    json!({ "title": title, "text": texts.join("\n") })
}

/// Named colours that stand for a state.
fn colour(name: &str) -> Option<Word> {
    match name.to_lowercase().as_str() {
        "danger" | "red" | "carmine" | "attention" | "warning" | "orange" | "yellow" => Some(Word::Firing),
        "good" | "green" => Some(Word::Resolved),
        _ => None,
    }
}
