//! Just enough XML to read a passive reply: elements, text, CDATA, the five named entities and numbered ones. No
//! attributes are kept, and a document type is refused.

/// An element: its name, its direct text, its child elements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// The greatest depth of nesting; a card is five deep.
const MAX_DEPTH: usize = 16;

impl Element {
    /// Parses a document.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        reader.prolog()?;
        let root = reader.element(0)?;
        reader.prolog()?;
        if reader.rest.is_empty() { Ok(root) } else { Err("something follows the root element".into()) }
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name; empty if there is none.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Skips white space, comments and the XML declaration.
    fn prolog(&mut self) -> Result<(), String> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("<!--") {
                self.until("-->")?;
            } else if self.rest.starts_with("<?") {
                self.until("?>")?;
            } else {
                return Ok(());
            }
        }
    }

    /// Returns the text before `end` and consumes both.
    fn until(&mut self, end: &str) -> Result<&'a str, String> {
        let (before, rest) = self.rest.split_once(end).ok_or_else(|| format!("{end} is missing"))?;
        self.rest = rest;
        Ok(before)
    }

    fn element(&mut self, depth: usize) -> Result<Element, String> {
        if depth > MAX_DEPTH {
            return Err(format!("elements are more than {MAX_DEPTH} deep"));
        }
        self.rest = self.rest.strip_prefix('<').ok_or("an element is missing")?;
        let tag = self.until(">")?;
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split_ascii_whitespace().next().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!("<{tag}> is no element that is known here"));
        }
        let mut element = Element { name: name.into(), ..Element::default() };
        if !empty {
            self.inside(&mut element, depth)?;
        }
        Ok(element)
    }

    fn inside(&mut self, element: &mut Element, depth: usize) -> Result<(), String> {
        loop {
            let at = self.rest.find('<').ok_or_else(|| format!("</{}> is missing", element.name))?;
            element.text.push_str(&unescape(&self.rest[..at])?);
            self.rest = &self.rest[at..];
            if let Some(rest) = self.rest.strip_prefix("<![CDATA[") {
                self.rest = rest;
                element.text.push_str(self.until("]]>")?);
            } else if self.rest.starts_with("<!--") {
                self.until("-->")?;
            } else if let Some(rest) = self.rest.strip_prefix("</") {
                self.rest = rest;
                let name = self.until(">")?.trim_end();
                return if name == element.name { Ok(()) } else { Err(format!("</{name}> ends <{}>", element.name)) };
            } else {
                element.children.push(self.element(depth + 1)?);
            }
        }
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, after) = entity.split_once(';').ok_or("an entity has no end")?;
        let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        plain.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => number.and_then(char::from_u32).ok_or_else(|| format!("&{name}; is unknown"))?,
        });
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_with_its_sections_entities_and_repeated_elements() {
        let text = "<?xml version=\"1.0\"?>\n<xml><A><![CDATA[a <b> & ]]>&lt;&#20013;&#x6587;</A><L><I>1</I><I>2</I></L><E/></xml>\n";
        let xml = Element::read(text).unwrap();
        assert_eq!(xml.word("A"), "a <b> & <中文");
        let items: Vec<_> = xml.child("L").unwrap().children.iter().map(|item| item.text.as_str()).collect();
        assert_eq!((items, xml.word("E"), xml.word("none")), (vec!["1", "2"], "", ""));
    }

    #[test]
    fn broken_xml_and_document_types_are_refused() {
        let deep = "<a>".repeat(40);
        for text in ["", "<xml>", "<xml></lmx>", "<!DOCTYPE x><xml/>", "<xml>&e;</xml>", "<xml/>x", &deep] {
            assert!(Element::read(text).is_err(), "{text}");
        }
    }
}
