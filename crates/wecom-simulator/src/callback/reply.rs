//! Passive replies: what an app's server answers to a callback (page 90241, docs/reference/wecom.md#callback-replies).

use serde_json::{Map, Value, json};

use super::Target;
use super::xml::Element;
use crate::card::Place;
use crate::content::Rules;
use crate::inbox::{Channel, Message};
use crate::state::World;
use crate::vault::Owner;

/// Elements that are repeated where JSON has an array.
const LISTS: [&str; 8] = [
    "action_list",
    "horizontal_content_list",
    "vertical_content_list",
    "jump_list",
    "button_list",
    "option_list",
    "select_list",
    "content_item",
];
/// Field names that cannot be derived from the capitals alone, because their words run together.
const NAMES: [(&str, &str); 5] = [
    ("key_name", "keyname"),
    ("user_id", "userid"),
    ("app_id", "appid"),
    ("page_path", "pagepath"),
    ("check_box", "checkbox"),
];

impl World {
    /// Decrypts a reply, checks and applies it. Returns its description for the record of pushes.
    pub(super) fn take_reply(&mut self, target: &Target, push: u64, body: &[u8]) -> Result<Value, String> {
        let body = std::str::from_utf8(body).map_err(|_| "the reply is not UTF-8")?;
        let outer = Element::read(body)?;
        let encrypted = outer.word("Encrypt");
        let signature = target.keys.sign(outer.word("TimeStamp"), outer.word("Nonce"), encrypted);
        if signature != outer.word("MsgSignature") {
            return Err("MsgSignature does not fit".into());
        }
        let (text, receiveid) = target.keys.decrypt(encrypted)?;
        if receiveid != target.badge.corp_id {
            return Err(format!("the reply is for {receiveid:?} and not for {:?}", target.badge.corp_id));
        }
        let inner = Element::read(&text)?;
        let kind = inner.word("MsgType").to_owned();
        match kind.as_str() {
            "text" => self.reply_text(target, push, inner.word("Content")),
            "update_button" => {
                let label = inner.child("Button").map_or("", |button| button.word("ReplaceName")).to_owned();
                self.reply_update(target, push, "update_button", |content| {
                    content["replace_name"] = json!(label);
                    Ok(())
                })
            }
            "update_template_card" => {
                let card = json_of(inner.child("TemplateCard").ok_or("TemplateCard is missing")?);
                self.check_card(target, &card)?;
                self.reply_update(target, push, "update_template_card", |content| {
                    *content = card;
                    Ok(())
                })
            }
            other => Err(format!("MsgType {other:?} is not played here")),
        }?;
        Ok(json!({"kind": kind, "xml": text}))
    }

    fn check_card(&self, target: &Target, card: &Value) -> Result<(), String> {
        let rules = Rules {
            door: Channel::App,
            owner: Owner::Corp(target.badge.corp_id.clone()),
            callback: true,
            switches: &self.switches,
            vault: &self.vault,
            now: self.clock.now(),
        };
        rules.card(card, Place::App { callback: true }).map_err(|refusal| format!("{} {}", refusal.code, refusal.text))
    }

    fn reply_text(&mut self, target: &Target, push: u64, words: &str) -> Result<(), String> {
        let user = self.callbacks.pushes.get(push).map(|push| push.user.clone()).unwrap_or_default();
        let (_, app) = self.app(&target.badge).map_err(|refusal| refusal.text)?;
        let sender = app.name.clone();
        self.inbox.deliver(Message {
            at_ms: self.clock.now(),
            channel: Channel::App,
            corp_id: Some(target.badge.corp_id.clone()),
            agent_id: Some(target.badge.agent_id),
            sender,
            msgtype: "text".into(),
            content: json!({"content": words}),
            receivers: vec![user],
            ..Message::default()
        });
        Ok(())
    }

    /// Updates the clicked card for the member who clicked.
    fn reply_update(
        &mut self,
        target: &Target,
        push: u64,
        how: &'static str,
        change: impl FnOnce(&mut Value) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(push) = self.callbacks.pushes.get(push) else { return Err("the callback is forgotten".into()) };
        let (user, id) = (push.user.clone(), push.message);
        let click = push.click.ok_or("only a click can be answered with an update")?;
        let message = self.inbox.by_id(id).ok_or("the card is forgotten")?;
        let mut content = message.content_for(&user).clone();
        change(&mut content)?;
        self.inbox.change(id, |message| {
            if !message.recalled {
                message.updated_for.insert(user, content);
            }
        });
        let code = self.clicks.get(click).and_then(|click| click.response_code.clone());
        if let (true, Some(code)) =
            (self.switches.passive_reply_uses_code, code.and_then(|code| self.codes.get_mut(&code)))
        {
            code.used = true;
        }
        let now = self.clock.now();
        self.clicks.answered(click, how, now, true, 0, json!({"agent_id": target.badge.agent_id}));
        Ok(())
    }
}

/// A card in the form of `update_template_card` of the API: names in lower case, lists as arrays.
fn json_of(element: &Element) -> Value {
    let mut fields = Map::new();
    for child in &element.children {
        let name = field_name(&child.name);
        let value = if child.children.is_empty() { leaf(&name, child.text.trim()) } else { json_of(child) };
        if LISTS.contains(&name.as_str()) {
            let list = fields.entry(name).or_insert_with(|| json!([]));
            list.as_array_mut().expect("invariant: made as an array").push(value);
        } else {
            fields.insert(name, value);
        }
    }
    Value::Object(fields)
}

/// `MainTitle` → `main_title`.
fn field_name(pascal: &str) -> String {
    let mut name = String::new();
    for letter in pascal.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    NAMES.iter().find(|(written, _)| *written == name).map_or(name, |(_, known)| (*known).to_owned())
}

/// XML does not mark numbers and booleans.
fn leaf(name: &str, text: &str) -> Value {
    match (name, text) {
        ("is_checked" | "disable", "true" | "1") => json!(true),
        ("is_checked" | "disable", "false" | "0") => json!(false),
        ("type" | "style" | "desc_color" | "mode" | "aspect_ratio", _) => text
            .parse::<i64>()
            .map(Value::from)
            .or_else(|_| text.parse::<f64>().map(Value::from))
            .unwrap_or(json!(text)),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_in_capitals_becomes_the_card_of_the_api() {
        let xml = "<TemplateCard><CardType><![CDATA[button_interaction]]></CardType><Source><DescColor>2</DescColor></Source>\
                   <MainTitle><Title>t</Title></MainTitle><HorizontalContentList><KeyName>k</KeyName><Value>1</Value>\
                   </HorizontalContentList><ButtonSelection><QuestionKey>q</QuestionKey><OptionList><Id>1</Id><Text>a</Text>\
                   </OptionList><OptionList><Id>2</Id><Text>b</Text></OptionList></ButtonSelection><ButtonList><Text>x</Text>\
                   <Style>1</Style><Key>y</Key></ButtonList><TaskId>7</TaskId><ReplaceText>z</ReplaceText></TemplateCard>";
        let expected = json!({
            "card_type": "button_interaction",
            "source": {"desc_color": 2},
            "main_title": {"title": "t"},
            "horizontal_content_list": [{"keyname": "k", "value": "1"}],
            "button_selection": {"question_key": "q", "option_list": [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]},
            "button_list": [{"text": "x", "style": 1, "key": "y"}],
            "task_id": "7",
            "replace_text": "z",
        });
        assert_eq!(json_of(&Element::read(xml).unwrap()), expected);
    }
}
