//! A second implementation of WeCom's markup, sharing nothing with the code that writes it: a reader that finds markup
//! that is not closed, and unintended live markup.

use std::collections::BTreeSet;

use wecom::Content;
use wecom::message::{Article, TemplateCard, Text, Textcard};

use super::{Channel, columns};

/// What may be live in a message.
pub(super) struct Allowed {
    pub(super) channel: Channel,
    /// Userids that the configuration mentions.
    pub(super) mentions: BTreeSet<String>,
    /// Beginnings of the addresses that alerts link to.
    pub(super) urls: Vec<&'static str>,
}

/// The beginning of the addresses in the generator's texts. They leave the sentences and become links with our words.
const SAID: &str = "http://evil.example";
/// Our words for links out of a text.
const WORDS: [&str; 8] = ["手册", "Runbook", "仪表盘", "Dashboard", "日志", "Logs", "链接", "Link"];

/// The first thing that is wrong with `content`.
pub(super) fn fault(content: &Content, allowed: &Allowed) -> Option<String> {
    match content {
        Content::Text(text) => fault_in_text(text, allowed),
        // A bot has one markdown, which is that of the second edition.
        Content::Markdown(text) if allowed.channel == Channel::Bot => {
            too_long("markdown", &text.content, 4096).or_else(|| fault_in_markdown_v2(&text.content, allowed))
        }
        Content::Markdown(text) => {
            let max = if allowed.channel == Channel::Webhook { 4096 } else { 2048 };
            too_long("markdown", &text.content, max).or_else(|| fault_in_markdown(&text.content, allowed))
        }
        Content::MarkdownV2(text) => {
            too_long("markdown_v2", &text.content, 4096).or_else(|| fault_in_markdown_v2(&text.content, allowed))
        }
        Content::Textcard(card) => fault_in_textcard(card, allowed),
        Content::News(news) if news.articles.is_empty() || news.articles.len() > 8 => Some("articles".to_owned()),
        Content::News(news) => news.articles.iter().find_map(|article| fault_in_article(article, allowed)),
        Content::TemplateCard(card) => fault_in_card(card, allowed),
        Content::Image(_) => None,
    }
}

fn too_long(what: &str, text: &str, max: usize) -> Option<String> {
    if text.trim().is_empty() {
        return Some(format!("{what} is empty"));
    }
    (text.len() > max).then(|| format!("{what} has {} bytes of {max}", text.len()))
}

fn too_many(what: &str, text: &str, max: usize) -> Option<String> {
    if text.trim().is_empty() {
        return Some(format!("{what} is empty"));
    }
    (text.chars().count() > max).then(|| format!("{what} has {} characters of {max}", text.chars().count()))
}

fn bad_url(url: &str, allowed: &Allowed) -> Option<String> {
    let clean = url.bytes().all(|b| (0x21..0x7f).contains(&b) && !b"<>\"`()|\\".contains(&b));
    let known = allowed.urls.iter().any(|known| url.starts_with(known)) || url.starts_with(SAID);
    (!clean || !known || url.len() > 1024).then(|| format!("address {url:?}"))
}

/// Characters that reorder, hide or control, and what no face may have alive.
fn fault_in_characters(text: &str) -> Option<String> {
    let bad = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if let Some(c) = text.chars().find(|c| bad(*c)) {
        return Some(format!("character {c:?}"));
    }
    let lower = text.to_ascii_lowercase();
    for live in ["$username=", "$useralias", "$departmentname=", "@所有人"] {
        if lower.contains(live) {
            return Some(format!("{live:?} is alive"));
        }
    }
    // Behind a letter it is a mail address.
    let everyone = lower
        .match_indices("@all")
        .find(|(at, _)| !lower[..*at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric()));
    everyone.map(|_| "@all is alive".to_owned())
}

/// Tags in `text` that are not `allowed`, or not closed. A tag begins with a letter, `/`, `!`, `?` or `@`.
fn fault_in_tags(text: &str, open: &[&str], close: &str, mentions: &BTreeSet<String>) -> Option<String> {
    let mut depth = 0_u32;
    for (at, _) in text.match_indices('<') {
        let rest = &text[at..];
        if !rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?@".contains(c)) {
            continue;
        }
        if let Some(mention) = rest.strip_prefix("<@") {
            let name = mention.split('>').next().unwrap_or_default();
            if mentions.contains(name) && mention.contains('>') {
                continue;
            }
            return Some(format!("mention {:?}", rest.chars().take(20).collect::<String>()));
        }
        if open.iter().any(|tag| rest.starts_with(tag)) {
            depth += 1;
        } else if !close.is_empty() && rest.starts_with(close) && depth > 0 {
            depth -= 1;
        } else {
            return Some(format!("tag {:?}", rest.chars().take(20).collect::<String>()));
        }
    }
    (depth > 0).then(|| format!("{close} is missing"))
}

/// Pieces that must not stand at the beginning of a line: the generator writes these words behind such marks only.
fn fault_at_line_start(line: &str) -> Option<String> {
    let live = ["> QUOTED", ">QUOTED", "# HEADED", "## HEADED", "- LISTED", "* LISTED", "+ LISTED", "1. NUMBERED"];
    live.iter().find(|mark| line.trim_start().starts_with(**mark)).map(|mark| format!("{mark:?} begins a line"))
}

/// `text` without its links, each of which is checked.
fn without_links(text: &str, allowed: &Allowed) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(middle) = rest.find("](") {
        let Some(begin) = rest[..middle].rfind('[') else { return Err("a link without beginning".to_owned()) };
        let Some(end) = rest[middle..].find(')') else { return Err("a link without end".to_owned()) };
        let (words, url) = (&rest[begin + 1..middle], &rest[middle + 2..middle + end]);
        if let Some(fault) = bad_link(words, url, allowed) {
            return Err(fault);
        }
        out.push_str(&rest[..begin]);
        rest = &rest[middle + end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// `text` without blocks of code, each of which is closed and holds no other.
fn without_fences(text: &str) -> Result<String, ()> {
    // A block may end the text.
    let text = format!("{text}\n");
    let pieces: Vec<&str> = text.split("\n```\n").collect();
    let closed = pieces.len() % 2 == 1 && pieces.iter().all(|piece| !piece.contains("```"));
    if closed { Ok(pieces.into_iter().step_by(2).collect::<Vec<_>>().join("\n")) } else { Err(()) }
}

/// `line` without code spans; `None` if one is open.
fn without_code(line: &str) -> Option<String> {
    let pieces: Vec<&str> = line.split('`').collect();
    (pieces.len() % 2 == 1).then(|| pieces.iter().step_by(2).copied().collect())
}

fn fault_in_markdown(text: &str, allowed: &Allowed) -> Option<String> {
    let fonts = ["<font color=\"info\">", "<font color=\"comment\">", "<font color=\"warning\">"];
    let plain = match without_links(text, allowed) {
        Ok(plain) => plain,
        Err(fault) => return Some(fault),
    };
    fault_in_characters(text).or_else(|| {
        plain.lines().find_map(|line| {
            let Some(line) = without_code(line) else { return Some(format!("open code in {line:?}")) };
            if line.matches("**").count() % 2 == 1 || line.contains("***") {
                return Some(format!("open bold in {line:?}"));
            }
            if line.starts_with('#') && !line.starts_with("#️") && line.trim_start_matches('#').starts_with(' ') {
                return Some(format!("heading {line:?}"));
            }
            if line.starts_with("> >") || line.starts_with(">>") {
                return Some(format!("quote in a quote {line:?}"));
            }
            fault_at_line_start(&line).or_else(|| fault_in_tags(&line, &fonts, "</font>", &allowed.mentions))
        })
    })
}

fn fault_in_markdown_v2(text: &str, allowed: &Allowed) -> Option<String> {
    let plain = match without_links(text, allowed) {
        Ok(plain) => plain,
        Err(fault) => return Some(fault),
    };
    let plain = match without_fences(&plain) {
        Ok(plain) if !plain.contains("```") && !plain.contains("~~") => plain,
        _ => return Some("an open fence or struck text".to_owned()),
    };
    let mut columns = None;
    for (number, line) in plain.lines().enumerate() {
        let bars = line.matches('|').count();
        if bars > 0 && !(line.starts_with('|') && line.ends_with('|') && bars > 1) {
            return Some(format!("half a table row {line:?}"));
        }
        if bars > 0 && columns.is_some_and(|columns| columns != bars) {
            return Some(format!("a table row of another width {line:?}"));
        }
        columns = (bars > 0).then_some(bars);
        if bars > 0 && (bars != 3 || !is_narrow(line)) {
            return Some(format!("a table too wide for a phone {line:?}"));
        }
        let Some(line) = without_code(line) else { return Some(format!("open code in {line:?}")) };
        let bold = line.matches("**").count();
        // A star between blanks is a star.
        let bare = line.replace("**", "");
        let blank = |c: Option<char>| c == Some(' ');
        let lives = |at: usize| !(blank(bare[..at].chars().next_back()) && blank(bare[at + 1..].chars().next()));
        let stars = bare.match_indices('*').filter(|(at, _)| lives(*at)).count();
        if bold % 2 == 1 || stars % 2 == 1 || line.contains("***") {
            return Some(format!("open emphasis in {line:?}"));
        }
        if line.starts_with('#') && line.trim_start_matches('#').starts_with(' ') && number > 0 {
            return Some(format!("heading {line:?}"));
        }
        if line.starts_with("    ") || line.trim_start().starts_with('>') {
            return Some(format!("code or quote {line:?}"));
        }
        let fault = fault_in_underscores(&line)
            .or_else(|| fault_at_line_start(&line))
            .or_else(|| fault_in_tags(&line, &[], "", &BTreeSet::new()));
        if fault.is_some() {
            return fault;
        }
    }
    fault_in_characters(text)
}

/// Are the two cells of a table's row at most 22 and 14 columns wide? What was made harmless was half as wide before.
fn is_narrow(row: &str) -> bool {
    let width = |cell: &str| {
        let harmless = cell.chars().filter(|c| matches!(c, '\u{ff01}'..='\u{ff5e}')).count();
        columns(cell.trim()) - harmless
    };
    let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
    matches!(cells[..], [what, value] if width(what) <= 22 && width(value) <= 14)
}

/// An underscore at the edge of a word opens or closes italics.
fn fault_in_underscores(line: &str) -> Option<String> {
    let letters: Vec<char> = line.chars().collect();
    let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let live = (0..letters.len())
        .find(|&at| letters[at] == '_' && !(at > 0 && word(letters.get(at - 1)) && word(letters.get(at + 1))));
    live.map(|at| format!("underscore at {at} of {line:?}"))
}

fn fault_in_text(text: &Text, allowed: &Allowed) -> Option<String> {
    let known = text.mentioned_list.iter().chain(&text.mentioned_mobile_list);
    if let Some(name) = known.into_iter().find(|name| !allowed.mentions.contains(*name)) {
        return Some(format!("mentions {name}"));
    }
    let outside = matches!(allowed.channel, Channel::Email | Channel::Hook);
    let length = too_long("text", &text.content, if outside { 65_536 } else { 2048 });
    length.or_else(|| match allowed.channel {
        Channel::App => without_tags(&text.content, allowed).map_or_else(Some, |text| fault_in_plain(&text)),
        _ => fault_in_plain(&text.content),
    })
}

/// `text` without its `<a href="…">words</a>`, each of which is checked.
fn without_tags(text: &str, allowed: &Allowed) -> Result<String, String> {
    let mut pieces = text.split("<a href=\"");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let Some((url, rest)) = piece.split_once("\">") else { return Err("a tag without address".to_owned()) };
        let Some((words, rest)) = rest.split_once("</a>") else { return Err("a tag without end".to_owned()) };
        if let Some(fault) = bad_link(words, url, allowed) {
            return Err(fault);
        }
        out.push_str(rest);
    }
    Ok(out)
}

fn bad_link(words: &str, url: &str, allowed: &Allowed) -> Option<String> {
    if words.trim().is_empty() || words.contains(['\n', '<']) {
        return Some(format!("a link called {words:?}"));
    }
    bad_url(url, allowed)
        .or_else(|| (url.starts_with(SAID) && !WORDS.contains(&words)).then(|| format!("{url} is called {words:?}")))
}

fn fault_in_plain(text: &str) -> Option<String> {
    fault_in_characters(text).or_else(|| fault_in_tags(text, &[], "", &BTreeSet::new()))
}

fn fault_in_textcard(card: &Textcard, allowed: &Allowed) -> Option<String> {
    let divs = ["<div class=\"gray\">", "<div class=\"normal\">", "<div class=\"highlight\">"];
    too_long("title", &card.title, 128)
        .or_else(|| too_long("description", &card.description, 512))
        .or_else(|| bad_url(&card.url, allowed))
        .or_else(|| (card.btntxt.chars().count() > 4).then(|| "btntxt".to_owned()))
        .or_else(|| card.title.contains('\n').then(|| "title of two lines".to_owned()))
        .or_else(|| fault_in_plain(&card.title))
        .or_else(|| fault_in_characters(&card.description))
        .or_else(|| fault_in_tags(&card.description, &divs, "</div>", &BTreeSet::new()))
}

fn fault_in_article(article: &Article, allowed: &Allowed) -> Option<String> {
    too_long("title", &article.title, 128)
        .or_else(|| too_long("description", &article.description, 512))
        .or_else(|| bad_url(&article.url, allowed))
        .or_else(|| (!article.picurl.is_empty()).then(|| bad_url(&article.picurl, allowed)).flatten())
        .or_else(|| fault_in_plain(&article.title))
        .or_else(|| fault_in_plain(&article.description))
}

fn fault_in_card(card: &TemplateCard, allowed: &Allowed) -> Option<String> {
    let narrow = matches!(allowed.channel, Channel::Webhook | Channel::Bot);
    let most = |on_webhook: usize, in_app: usize| if narrow { on_webhook } else { in_app };
    let Some(title) = &card.main_title else { return Some("no title".to_owned()) };
    if title.title.ends_with("·…") || title.title.ends_with("· …") {
        return Some(format!("the title {:?} ends with a mark", title.title));
    }
    // What can be pressed needs no address of its own, and a bot may have none.
    let pressed = card.card_type == "button_interaction";
    let action = card.card_action.as_ref().filter(|action| action.kind == 1);
    if action.is_none() && !pressed {
        return Some("no action".to_owned());
    }
    let mut texts = vec![title.title.as_str(), &title.desc, &card.sub_title_text];
    let mut faults = vec![too_many("title", &title.title, most(26, 36))];
    let led = action.filter(|action| allowed.channel != Channel::Bot || action.url != wecom::message::CARD_HOME);
    faults.push(led.and_then(|action| bad_url(&action.url, allowed)));
    let at_most = |what: &str, text: &str, max: usize| (!text.is_empty()).then(|| too_many(what, text, max)).flatten();
    faults.push(at_most("desc", &title.desc, most(30, 44)));
    faults.push(at_most("sub_title_text", &card.sub_title_text, most(112, 160)));
    if let Some(source) = &card.source {
        faults.push(too_many("source", &source.desc, most(13, 20)));
        texts.push(&source.desc);
    }
    for row in &card.horizontal_content_list {
        faults.extend([too_many("keyname", &row.keyname, 5), too_many("value", &row.value, most(26, 30))]);
        faults.push((row.kind == 1).then(|| bad_url(&row.url, allowed)).flatten());
        texts.extend([row.keyname.as_str(), &row.value]);
    }
    faults.push(fault_in_buttons(card, allowed));
    texts.extend(card.quote_area.iter().flat_map(|quote| [quote.title.as_str(), &quote.quote_text]));
    for jump in &card.jump_list {
        faults.extend([too_many("jump title", &jump.title, most(13, 18)), bad_url(&jump.url, allowed)]);
    }
    if let Some(figure) = &card.emphasis_content {
        faults.extend([too_many("figure", &figure.title, 14), at_most("figure desc", &figure.desc, 22)]);
        texts.extend([figure.title.as_str(), &figure.desc]);
    }
    for entry in &card.vertical_content_list {
        faults.extend([too_many("vertical title", &entry.title, 38), at_most("vertical desc", &entry.desc, 160)]);
        texts.extend([entry.title.as_str(), &entry.desc]);
    }
    let lengths =
        [(card.horizontal_content_list.len(), 6), (card.jump_list.len(), 3), (card.vertical_content_list.len(), 4)];
    if lengths.iter().any(|(length, max)| length > max) {
        return Some("a list is too long".to_owned());
    }
    match (card.card_type.as_str(), &card.card_image) {
        ("text_notice", None) => {}
        ("button_interaction", None) if card.jump_list.is_empty() && card.emphasis_content.is_none() => {}
        ("news_notice", Some(image)) if image.aspect_ratio > 1.3 && image.aspect_ratio < 2.25 => {
            faults.push(bad_url(&image.url, allowed));
            if card.emphasis_content.is_some() || !card.sub_title_text.is_empty() {
                return Some("news_notice has neither figure nor sub title".to_owned());
            }
        }
        _ => return Some(format!("card_type {}", card.card_type)),
    }
    faults.into_iter().flatten().next().or_else(|| texts.into_iter().find_map(fault_in_plain))
}

/// The buttons, the choice and the menu of a card that can be pressed; another card has none.
fn fault_in_buttons(card: &TemplateCard, allowed: &Allowed) -> Option<String> {
    let (buttons, choice, menu) = (&card.button_list, &card.button_selection, &card.action_menu);
    if card.card_type != "button_interaction" {
        let none = buttons.is_empty() && choice.is_none() && menu.is_none();
        return (!none).then(|| format!("buttons on {}", card.card_type));
    }
    if buttons.is_empty() || buttons.len() > 6 || card.task_id.is_empty() {
        return Some(format!("{} buttons of {:?}", buttons.len(), card.task_id));
    }
    let keys: BTreeSet<&str> = buttons.iter().map(|button| button.key.as_str()).filter(|key| !key.is_empty()).collect();
    if keys.len() != buttons.iter().filter(|button| button.kind == 0).count() {
        return Some(format!("keys {keys:?}"));
    }
    let links = buttons.iter().filter(|button| button.kind == 1);
    let of_links = links.clone().find_map(|button| bad_url(&button.url, allowed));
    let on_bot = (allowed.channel == Channel::Bot && links.count() > 0).then(|| "a link button of a bot".to_owned());
    let options = choice.iter().flat_map(|choice| &choice.option_list);
    let of_options = options.clone().find_map(|option| too_many("option", &option.text, 16));
    buttons
        .iter()
        .find_map(|button| too_many("button", &button.text, 10))
        .or(of_links)
        .or(on_bot)
        .or(of_options)
        .or_else(|| (options.count() > 10).then(|| "options".to_owned()))
        .or_else(|| menu.as_ref().filter(|menu| !(1..=3).contains(&menu.action_list.len())).map(|_| "menu".to_owned()))
}

/// Everything in `content` that a person may read.
pub(super) fn readable(content: &Content) -> String {
    match content {
        Content::Text(text) => text.content.clone(),
        Content::Markdown(text) | Content::MarkdownV2(text) => text.content.clone(),
        other => serde_json::to_string(other).expect("contents are JSON"),
    }
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let allowed = Allowed {
        channel: Channel::Webhook,
        mentions: ["zhangsan".to_owned()].into(),
        urls: vec!["https://ok.example"],
    };
    let markdown = |text: &str| fault_in_markdown(text, &allowed);
    assert_eq!(markdown("**a** [b](https://ok.example/) <@zhangsan> `#ID` <font color=\"info\">x</font> a < b"), None);
    for bad in [
        "<@lisi>",
        "<@zhangsan",
        "**a",
        "`a",
        "<font color=\"info\">x",
        "<font color=\"red\">x</font>",
        "</font>",
        "[a](http://evil.example)",
        "[Link](http://bad.example)",
        "[a](https://ok.example/",
        "# HEADED",
        "> > a",
        "a\u{202e}b",
        "@all",
        "$userName=a$",
    ] {
        assert!(markdown(bad).is_some(), "{bad}");
    }
    let v2 = |text: &str| fault_in_markdown_v2(text, &allowed);
    assert_eq!(v2("### a\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n*x* a_b **c**"), None);
    for bad in [
        "| a",
        "| a | b |\n|---|---|\n| 1 | 2 | 3 |",
        "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |",
        "| a | b |\n|---|---|\n| a-name-of-more-than-22-columns | 2 |",
        "*a",
        "_a_",
        "x\n# b",
        "> q",
        "```",
        "<font>",
        "~~a~~",
        "<@zhangsan>",
    ] {
        assert!(v2(bad).is_some(), "{bad}");
    }
    assert!(fault_in_plain("<a href=\"http://evil.example\">x</a>").is_some());
    let tagged = |text: &str, channel: Channel| {
        let text = Text { content: text.to_owned(), ..Text::default() };
        fault_in_text(&text, &Allowed { channel, mentions: BTreeSet::new(), urls: vec!["https://ok.example"] })
    };
    let link = "a <a href=\"https://ok.example/x\">Link</a>\n#ID";
    assert_eq!(tagged(link, Channel::App), None);
    assert!(tagged(link, Channel::Webhook).is_some() && tagged(link, Channel::Email).is_some());
    for bad in [
        "<a href=\"http://evil.example\">x</a>",
        "<a href=\"https://ok.example/x\">x",
        "<a href=\"https://ok.example/x",
        "<a href=\"https://ok.example/x\"></a>",
        "<a href='https://ok.example/x'>x</a>",
    ] {
        assert!(tagged(bad, Channel::App).is_some(), "{bad}");
    }
    assert!(fault_in_plain("load <5 and < 9").is_none());
}
