//! XML to a tree: elements become members, repeated ones arrays, attributes members. No DTD, no entities but the five.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Elements inside of elements.
const DEPTH: usize = 64;

/// The root's children; the body of a SOAP envelope instead of the envelope. `None`: this is no XML, or it is a page.
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().trim_text(false);
    let mut open: Vec<(String, Element)> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                if open.len() >= DEPTH {
                    return None;
                }
                let name = local(&tag);
                if open.is_empty() && name.eq_ignore_ascii_case("html") {
                    return None;
                }
                open.push((name, Element::of(&tag)));
            }
            Event::Empty(tag) => {
                let element = Element::of(&tag).value();
                match open.last_mut() {
                    Some((_, parent)) => parent.add(local(&tag), element),
                    None => return element.is_object().then_some(element),
                }
            }
            Event::Text(text) => {
                if let Some((_, element)) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
            }
            Event::CData(text) => {
                if let Some((_, element)) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(name) => {
                let (_, element) = open.last_mut()?;
                let letter = match name.resolve_char_ref().ok()? {
                    Some(letter) => letter,
                    None => match &*name.xml10_content() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return None,
                    },
                };
                element.text.push(letter);
            }
            Event::End(_) => {
                let (name, element) = open.pop()?;
                let value = element.value();
                match open.last_mut() {
                    Some((_, parent)) => parent.add(name, value),
                    None => return unwrapped(&name, value),
                }
            }
            Event::DocType(_) | Event::Eof => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

/// What is inside of a SOAP envelope's body.
fn unwrapped(root: &str, value: Value) -> Option<Value> {
    match value {
        Value::Object(mut members) if root == "Envelope" && members.get("Body").is_some_and(Value::is_object) => {
            members.remove("Body")
        }
        Value::Object(members) => Some(Value::Object(members)),
        Value::String(text) if !text.trim().is_empty() => {
            Some(Value::Object(Map::from_iter([(root.to_owned(), Value::String(text))])))
        }
        _ => None,
    }
}

#[derive(Default)]
struct Element {
    members: Map<String, Value>,
    text: String,
}

impl Element {
    fn of(tag: &BytesStart<'_>) -> Self {
        let mut element = Self::default();
        for attribute in tag.attributes().flatten() {
            let name = attribute.key.local_name().as_ref().to_owned();
            let is_namespace = attribute.key.as_ref().starts_with("xmlns");
            if !is_namespace {
                let value = quick_xml::escape::unescape(&attribute.value)
                    .map_or_else(|_| attribute.value.to_string(), std::borrow::Cow::into_owned);
                element.add(name, Value::String(value));
            }
        }
        element
    }

    fn add(&mut self, name: String, value: Value) {
        match self.members.get_mut(&name) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                self.members.insert(name, value);
            }
        }
    }

    fn value(mut self) -> Value {
        let text = self.text.trim().replace('\0', "\u{2400}");
        if self.members.is_empty() {
            return Value::String(text);
        }
        if !text.is_empty() {
            self.add("text".to_owned(), Value::String(text));
        }
        Value::Object(self.members)
    }
}

fn local(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_become_members() {
        let xml = "<?xml version=\"1.0\"?><alarm id=\"7\"><title>磁盘 &lt;90%&gt; &#x5e93;</title><host>a</host><host>b</host><x><![CDATA[1 < 2]]></x></alarm>";
        assert_eq!(parse(xml), Some(json!({"id": "7", "title": "磁盘 <90%> 库", "host": ["a", "b"], "x": "1 < 2"})));
        let soap = "<soapenv:Envelope xmlns:soapenv=\"http://x\"><soapenv:Body><Notification><Subject>S</Subject></Notification></soapenv:Body></soapenv:Envelope>";
        assert_eq!(parse(soap), Some(json!({"Notification": {"Subject": "S"}})));
        for no in [
            "<html><body>502</body></html>",
            "<a>",
            "a < b",
            "<!DOCTYPE x [<!ENTITY e \"x\">]><a>&e;</a>",
            "<a>&e;</a>",
        ] {
            assert_eq!(parse(no), None, "{no}");
        }
    }
}
