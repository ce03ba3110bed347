//! What a message may contain, by channel (docs/reference/wecom.md#content-limits, #app-chat-limits): the checks, and
//! the content after WeCom's cuts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::call::{filled, int, text, texts};
use crate::card;
use crate::inbox::Channel;
use crate::switches::{CutAt, Over, Switches};
use crate::vault::{Owner, Vault, hex, mime};

/// `text.content` in every channel; `markdown.content` of apps and chats.
const TEXT_BYTES: usize = 2048;
/// `markdown` and `markdown_v2` of webhooks.
const WEBHOOK_MARKDOWN_BYTES: usize = 4096;
/// `markdown` and streams of bots (docs/reference/wecom.md#bot-messages).
const BOT_MARKDOWN_BYTES: usize = 20_480;
/// Titles of `textcard`, `news`, `video`, `mpnews`.
const TITLE_BYTES: usize = 128;
/// Descriptions of the same.
const DESCRIPTION_BYTES: usize = 512;
/// Articles of `news` and `mpnews`.
const ARTICLES: usize = 8;
/// A picture inside a webhook message.
const WEBHOOK_IMAGE_BYTES: usize = 2 * 1024 * 1024;

/// The rules of one channel at a given time.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) door: Channel,
    pub(crate) owner: Owner,
    /// Whether the app has a callback URL.
    pub(crate) callback: bool,
    pub(crate) switches: &'a Switches,
    pub(crate) vault: &'a Vault,
    pub(crate) now: i64,
}

/// A content as its readers see it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) content: Value,
    /// A picture that was inlined in the message and has no media id yet.
    pub(crate) picture: Option<Bytes>,
}

impl Rules<'_> {
    /// Checks the object of `msgtype` in `body` and returns the content as readers see it.
    pub(crate) fn read(&self, msgtype: &str, body: &Value) -> Result<Seen, Refusal> {
        let missing = Value::Null;
        let object = body.get(msgtype).unwrap_or(&missing);
        let webhook = self.door == Channel::Webhook;
        let content = match msgtype {
            "text" | "news" | "textcard" | "mpnews" if self.door == Channel::Bot => return Err(Refusal::code(40008)),
            "text" => self.text(object)?,
            "markdown" => self.markdown(msgtype, object)?,
            "markdown_v2" if webhook => self.markdown(msgtype, object)?,
            "image" if webhook => return picture(object),
            "image" | "video" if !webhook => self.media(msgtype, object)?,
            "voice" | "file" => self.media(msgtype, object)?,
            "news" => self.news(object)?,
            "textcard" if !webhook => self.textcard(object)?,
            "mpnews" if !webhook => self.mpnews(object)?,
            "miniprogram_notice" if self.door == Channel::App => miniprogram(object)?,
            "template_card" if self.door != Channel::Chat => {
                let place = match self.door {
                    Channel::Webhook => card::Place::Webhook,
                    Channel::Bot => card::Place::Bot { link_buttons: self.switches.bot_link_buttons },
                    Channel::App | Channel::Chat => card::Place::App { callback: self.callback },
                };
                self.card(object, place)?;
                object.clone()
            }
            "interactive_taskcard" if self.door == Channel::App => return Err(Refusal::code(48005)),
            _ => return Err(Refusal::code(40008)),
        };
        Ok(Seen { content, picture: None })
    }

    /// Checks a card for its channel.
    pub(crate) fn card(&self, card: &Value, place: card::Place) -> Result<(), Refusal> {
        card::check(card, place, |url| self.link(url), |id| self.has_media(id))
    }

    fn text(&self, object: &Value) -> Result<Value, Refusal> {
        let content = filled(object, "content").ok_or_else(|| Refusal::code(44004))?;
        let over = if self.door == Channel::Webhook { self.switches.webhook_text_over } else { Over::Cut };
        let mut seen = json!({"content": self.within("text", content, TEXT_BYTES, over)?});
        for list in ["mentioned_list", "mentioned_mobile_list"] {
            if object.get(list).is_some_and(|value| !value.is_array() && !value.is_null()) {
                return Err(Refusal::parameter(format_args!("text.{list} should be an array")));
            }
            let named = texts(object, list);
            if !named.is_empty() {
                seen[list] = json!(named);
            }
        }
        Ok(seen)
    }

    /// The content of a `markdown`, or of a stream.
    pub(crate) fn markdown(&self, msgtype: &str, object: &Value) -> Result<Value, Refusal> {
        let content = filled(object, "content").ok_or_else(|| Refusal::code(44004))?;
        let (limit, over) = match self.door {
            Channel::Webhook => (WEBHOOK_MARKDOWN_BYTES, Over::Refuse),
            Channel::Bot => (BOT_MARKDOWN_BYTES, Over::Refuse),
            Channel::App | Channel::Chat => (TEXT_BYTES, self.switches.app_markdown_over),
        };
        Ok(json!({"content": self.within(msgtype, content, limit, over)?}))
    }

    /// Returns the content, cut if it is too long and may be cut.
    fn within(&self, msgtype: &str, content: &str, limit: usize, over: Over) -> Result<String, Refusal> {
        match over {
            _ if content.len() <= limit => Ok(content.into()),
            Over::Refuse => Err(Refusal::parameter(format_args!("{msgtype}.content exceed max length {limit}"))),
            Over::RefuseTooLong => Err(Refusal::code(45002)),
            Over::Cut => Ok(cut(content, limit, self.switches.cut_at)),
        }
    }

    fn media(&self, msgtype: &str, object: &Value) -> Result<Value, Refusal> {
        let id = filled(object, "media_id").ok_or_else(|| Refusal::code(41006))?;
        let file = self.vault.get(id, &self.owner, self.now).filter(|file| file.kind == msgtype);
        let file = file.ok_or_else(|| Refusal::code(40007))?;
        let mut seen = json!({
            "media_id": id,
            "name": file.name,
            "bytes": file.bytes.len(),
            "url": format!("/_simulator/media/{id}"),
        });
        for (field, limit) in [("title", TITLE_BYTES), ("description", DESCRIPTION_BYTES)] {
            if let (true, Some(words)) = (msgtype == "video", text(object, field)) {
                seen[field] = json!(self.cut(words, limit));
            }
        }
        Ok(seen)
    }

    fn textcard(&self, object: &Value) -> Result<Value, Refusal> {
        let title = filled(object, "title").ok_or_else(|| Refusal::code(41016))?;
        let description = filled(object, "description").ok_or_else(|| Refusal::code(41033))?;
        let url = filled(object, "url").ok_or_else(|| Refusal::code(41010))?;
        self.link(url)?;
        let button: String = filled(object, "btntxt").unwrap_or("详情").chars().take(4).collect();
        Ok(json!({
            "title": self.cut(title, TITLE_BYTES),
            "description": self.cut(description, DESCRIPTION_BYTES),
            "url": url,
            "btntxt": button,
        }))
    }

    fn news(&self, object: &Value) -> Result<Value, Refusal> {
        let mut seen = Vec::new();
        for article in articles(object)? {
            let title = filled(article, "title").ok_or_else(|| Refusal::code(41016))?;
            let mut shown = json!({"title": self.cut(title, TITLE_BYTES)});
            if let Some(description) = text(article, "description") {
                shown["description"] = json!(self.cut(description, DESCRIPTION_BYTES));
            }
            match filled(article, "url") {
                Some(url) => {
                    self.link(url)?;
                    shown["url"] = json!(url);
                }
                None if self.door == Channel::App && filled(article, "appid").is_some() => {
                    shown["appid"] = article["appid"].clone();
                    shown["pagepath"] = article["pagepath"].clone();
                }
                None => return Err(Refusal::code(41010)),
            }
            if let Some(picture) = filled(article, "picurl") {
                self.link(picture)?;
                shown["picurl"] = json!(picture);
            }
            seen.push(shown);
        }
        Ok(json!({"articles": seen}))
    }

    fn mpnews(&self, object: &Value) -> Result<Value, Refusal> {
        let mut seen = Vec::new();
        for article in articles(object)? {
            let title = filled(article, "title").ok_or_else(|| Refusal::code(41016))?;
            let picture = filled(article, "thumb_media_id").ok_or_else(|| Refusal::code(41006))?;
            if !self.has_media(picture) {
                return Err(Refusal::code(40007));
            }
            let content = filled(article, "content").ok_or_else(|| Refusal::code(44004))?;
            if content.len() > 666 * 1024 {
                return Err(Refusal::code(45002));
            }
            let author = text(article, "author").unwrap_or_default();
            if author.len() > 64 {
                return Err(Refusal::code(45032));
            }
            seen.push(json!({
                "title": self.cut(title, TITLE_BYTES),
                "picurl": format!("/_simulator/media/{picture}"),
                "author": author,
                "content": content,
                "digest": self.cut(text(article, "digest").unwrap_or_default(), DESCRIPTION_BYTES),
                "content_source_url": text(article, "content_source_url").unwrap_or_default(),
            }));
        }
        Ok(json!({"articles": seen}))
    }

    pub(crate) fn has_media(&self, id: &str) -> bool {
        self.vault.get(id, &self.owner, self.now).is_some()
    }

    /// A link has a scheme and is not too long (45034, 40039).
    pub(crate) fn link(&self, url: &str) -> Result<(), Refusal> {
        if url.len() > self.switches.url_bytes {
            return Err(Refusal::code(40039));
        }
        match url.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => Ok(()),
            _ => Err(Refusal::code(45034)),
        }
    }

    fn cut(&self, text: &str, bytes: usize) -> String {
        cut(text, bytes, self.switches.cut_at)
    }
}

/// The beginning of `text`, at most `bytes` long.
fn cut(text: &str, bytes: usize, at: CutAt) -> String {
    if text.len() <= bytes {
        return text.into();
    }
    match at {
        CutAt::Character => text[..text.floor_char_boundary(bytes)].into(),
        CutAt::Byte => String::from_utf8_lossy(&text.as_bytes()[..bytes]).into_owned(),
    }
}

fn articles(object: &Value) -> Result<&[Value], Refusal> {
    match object.get("articles").and_then(Value::as_array) {
        None => Err(Refusal::code(40063)),
        Some(articles) if articles.is_empty() => Err(Refusal::code(40063)),
        Some(articles) if articles.len() > ARTICLES => Err(Refusal::code(45008)),
        Some(articles) => Ok(articles),
    }
}

/// A webhook's picture: the bytes themselves, and their md5 (page 99110).
fn picture(object: &Value) -> Result<Seen, Refusal> {
    let encoded = filled(object, "base64").ok_or_else(|| Refusal::code(40063))?;
    let stated = filled(object, "md5").ok_or_else(|| Refusal::code(40063))?;
    let bytes = STANDARD.decode(encoded).map_err(|_| Refusal::parameter("image.base64 is not base64"))?;
    if bytes.len() > WEBHOOK_IMAGE_BYTES {
        return Err(Refusal::code(40009));
    }
    if !stated.eq_ignore_ascii_case(&hex(&Md5::digest(&bytes))) {
        return Err(Refusal::code(301_019));
    }
    if !mime(&bytes).starts_with("image/") {
        return Err(Refusal::code(40123));
    }
    let content = json!({"md5": stated, "bytes": bytes.len()});
    Ok(Seen { content, picture: Some(Bytes::from(bytes)) })
}

fn miniprogram(object: &Value) -> Result<Value, Refusal> {
    let long = |field: &str, limit: usize| text(object, field).is_some_and(|words| words.chars().count() > limit);
    if filled(object, "appid").is_none() {
        return Err(Refusal::code(90207));
    }
    if text(object, "page").is_some_and(|page| page.len() > 1024) {
        return Err(Refusal::code(90204));
    }
    if filled(object, "title").is_none() {
        return Err(Refusal::code(41016));
    }
    for field in ["title", "description"] {
        let short = text(object, field).is_some_and(|words| words.chars().count() < 4);
        if short || long(field, 12) {
            return Err(Refusal::parameter(format_args!("miniprogram_notice.{field} should have 4 to 12 characters")));
        }
    }
    let items = object.get("content_item").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.len() > 10 {
        return Err(Refusal::code(90201));
    }
    for item in items {
        let longer = |field: &str, limit: usize| text(item, field).is_some_and(|words| words.chars().count() > limit);
        if longer("key", 10) {
            return Err(Refusal::code(90202));
        }
        if longer("value", 30) {
            return Err(Refusal::code(90203));
        }
    }
    Ok(object.clone())
}

/// Whether the message is marked `safe`.
pub(crate) fn is_safe(msgtype: &str, body: &Value) -> Result<bool, Refusal> {
    let safe = int(body, "safe").unwrap_or(0) == 1;
    if safe && msgtype == "news" { Err(Refusal::code(40074)) } else { Ok(safe) }
}

/// The userids of `<@userid>` in a text.
pub(crate) fn named_in(content: &str) -> impl Iterator<Item = &str> {
    content.split("<@").skip(1).filter_map(|rest| rest.split_once('>')).map(|(userid, _)| userid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_before_the_character_or_through_it_as_switched() {
        let text = format!("{}中文", "a".repeat(2046));
        assert_eq!(cut(&text, 2048, CutAt::Character).len(), 2046);
        assert!(cut(&text, 2048, CutAt::Byte).ends_with('\u{fffd}'));
        assert_eq!(cut("中文", 6, CutAt::Character), "中文");
    }

    #[test]
    fn a_mention_is_found_only_when_it_is_closed() {
        assert_eq!(named_in("hi <@zhangsan> and <@lisi").collect::<Vec<_>>(), ["zhangsan"]);
    }
}
