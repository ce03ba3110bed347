//! The subset of XML that WeCom uses: elements with text. A DTD, custom entities and instructions are refused.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::CallbackError;

/// WeCom nests five deep (`xml`, `SelectedItems`, `SelectedItem`, `OptionIds`, `OptionId`).
const MAX_DEPTH: usize = 8;
/// A card has at most 3 choices of 10 options or one of 20, and an event a dozen fields.
const MAX_ELEMENTS: usize = 256;

/// An element: its text and its children. WeCom does not use attributes.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Every child of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Its own text, as it stands.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text of the first child of that name, without white space around it; empty if there is none.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }
}

/// Parses `text` as one element.
pub(super) fn parse(text: &str) -> Result<Element, CallbackError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut whole = None;
    let mut elements = 0;
    loop {
        match reader.read_event().map_err(|_| CallbackError::Xml("not well-formed"))? {
            Event::Start(start) => {
                elements += 1;
                if whole.is_some() || open.len() == MAX_DEPTH || elements > MAX_ELEMENTS {
                    return Err(CallbackError::Xml("too deep or too many elements"));
                }
                let name = start.local_name().into_inner().to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::End(_) => {
                let done = open.pop().ok_or(CallbackError::Xml("not well-formed"))?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => whole = Some(done),
                }
            }
            Event::Text(text) => add(&mut open, &text.xml10_content())?,
            Event::CData(text) => add(&mut open, &text.xml10_content())?,
            Event::GeneralRef(name) => add(&mut open, named(&name)?.encode_utf8(&mut [0; 4]))?,
            Event::Decl(_) | Event::Comment(_) => {}
            Event::DocType(_) => return Err(CallbackError::Xml("a DTD is refused")),
            Event::PI(_) | Event::Empty(_) => return Err(CallbackError::Xml("instructions are refused")),
            Event::Eof => break,
        }
    }
    whole.filter(|_| open.is_empty()).ok_or(CallbackError::Xml("no element, or one that does not end"))
}

/// Text outside the one element can only be white space, or a byte order mark before it.
fn add(open: &mut [Element], text: &str) -> Result<(), CallbackError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.chars().all(|c| c.is_whitespace() || c == '\u{feff}') => {}
        None => return Err(CallbackError::Xml("text outside the element")),
    }
    Ok(())
}

/// The five characters that XML itself names, and those named by number.
fn named(reference: &BytesRef<'_>) -> Result<char, CallbackError> {
    if let Ok(Some(number)) = reference.resolve_char_ref() {
        return Ok(number);
    }
    match &*reference.xml10_content() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(CallbackError::Xml("an entity is refused")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_from_plain_text_from_cdata_and_from_named_characters() {
        let xml =
            parse("<?xml version=\"1.0\"?>\n<xml>\n <A>1 &lt;&#x4e2d;&amp;</A><B><![CDATA[ <a> & ]]></B><C/></xml>\n");
        let xml = xml.unwrap();
        assert_eq!(xml.text_of("A"), "1 <中&");
        assert_eq!(xml.child("B").unwrap().text(), " <a> & ");
        assert_eq!((xml.text_of("C"), xml.text_of("D")), ("", ""));
    }

    #[test]
    fn a_dtd_entities_and_instructions_are_refused() {
        for text in [
            "<!DOCTYPE xml><xml/>",
            "<!DOCTYPE xml [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><xml>&b;</xml>",
            "<!DOCTYPE xml [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><xml>&a;</xml>",
            "<xml>&nbsp;</xml>",
            "<xml><?php echo ?></xml>",
        ] {
            assert!(matches!(parse(text), Err(CallbackError::Xml(_))), "{text}");
        }
    }

    #[test]
    fn truncated_crossed_doubled_and_empty_xml_is_refused() {
        for text in [
            "",
            " ",
            "text",
            "<xml>",
            "<xml><a></xml>",
            "<xml></a>",
            "<xml/><xml/>",
            "<xml/>x",
            "{}",
            "<xml><a",
            "</xml>",
        ] {
            assert!(matches!(parse(text), Err(CallbackError::Xml(_))), "{text}");
        }
    }

    #[test]
    fn depth_and_number_of_elements_are_bounded() {
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse(&deep(MAX_DEPTH)).is_ok());
        assert!(parse(&deep(MAX_DEPTH + 1)).is_err());
        let many = |count: usize| format!("<xml>{}</xml>", "<a/>".repeat(count));
        assert!(parse(&many(MAX_ELEMENTS - 1)).is_ok());
        assert!(parse(&many(MAX_ELEMENTS)).is_err());
    }
}
