//! JSON that a template or a cut left broken, read as far as it means anything. Linear in the length of the text.

use serde_json::{Map, Number, Value};

/// Values inside of values; what is deeper is better shown as text than dropped.
const DEPTH: usize = 64;
/// How far it is looked ahead for the name of the next member.
const LOOK_AHEAD: usize = 200;

/// Reads an object with at least one member, or an array of objects, arrays or texts; `None`: this is no JSON.
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { text, at: 0, depth: 0, too_deep: false };
    reader.blanks();
    let value = match reader.peek()? {
        b'{' => reader.object(),
        b'[' => reader.array(),
        _ => return None,
    };
    let sound = match &value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_array()),
        _ => false,
    };
    let rest = text[reader.at..].trim_start();
    (sound && !reader.too_deep && !rest.contains(['{', '['])).then_some(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    too_deep: bool,
}

/// Where a string stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Name,
    Member,
    Item,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Skips white space and comments.
    fn blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}').len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            } else {
                return;
            }
        }
    }

    fn object(&mut self) -> Value {
        self.at += 1;
        let mut members = Map::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                Some(b',' | b';') => self.at += 1,
                // The array around it ends, or an object begins where a name should: the bracket was lost.
                None | Some(b']' | b'{' | b'[') => break,
                Some(_) => {
                    let Some(name) = self.name() else { break };
                    let Some(value) = self.value(Place::Member) else { break };
                    members.insert(name, value);
                }
            }
        }
        Value::Object(members)
    }

    /// The name of a member and the colon behind it; `None` if it was cut off.
    fn name(&mut self) -> Option<String> {
        let name = match self.peek()? {
            b'"' | b'\'' => self.string(Place::Name),
            _ => {
                let rest = self.rest();
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ':' | '=' | ',' | '{' | '}' | '"'))?;
                let name = rest[..end].to_owned();
                self.at += end;
                name
            }
        };
        self.blanks();
        matches!(self.peek()?, b':' | b'=').then(|| self.at += 1)?;
        Some(name)
    }

    fn array(&mut self) -> Value {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b']') => {
                    self.at += 1;
                    break;
                }
                Some(b',') => self.at += 1,
                None | Some(b'}') => break,
                Some(_) => match self.value(Place::Item) {
                    Some(value) => items.push(value),
                    None => break,
                },
            }
        }
        Value::Array(items)
    }

    fn value(&mut self, place: Place) -> Option<Value> {
        self.blanks();
        match self.peek()? {
            b'{' | b'[' if self.depth >= DEPTH => {
                self.too_deep = true;
                self.at = self.text.len();
                None
            }
            opening @ (b'{' | b'[') => {
                self.depth += 1;
                let value = if opening == b'{' { self.object() } else { self.array() };
                self.depth -= 1;
                Some(value)
            }
            b'"' | b'\'' => Some(Value::String(self.string(place))),
            _ => Some(self.bare()),
        }
    }

    /// A number, `true`, `false`, `null`, or words without quotes up to the end of the member.
    fn bare(&mut self) -> Value {
        let text = self.text;
        let rest = &text[self.at..];
        let end = rest.find([',', '}', ']', '\n', '\r']).unwrap_or(rest.len());
        let word = rest[..end].trim();
        self.at += end;
        match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" | "" => Value::Null,
            _ => word.parse::<Number>().map_or_else(|_| Value::String(word.replace('\0', "\u{2400}")), Value::Number),
        }
    }

    /// A string from its opening quote to the quote that ends it, or to the end of the text.
    fn string(&mut self, place: Place) -> String {
        let quote = self.text.as_bytes()[self.at];
        if quote == b'"' && self.rest().starts_with("\"\"\"") {
            return self.tripled();
        }
        self.at += 1;
        let mut out = String::new();
        while let Some(letter) = self.rest().chars().next() {
            match letter {
                '\\' => self.escape(&mut out),
                _ if letter == char::from(quote) && self.ends(place) => {
                    self.at += 1;
                    break;
                }
                '\0' => {
                    out.push('\u{2400}');
                    self.at += 1;
                }
                _ => {
                    out.push(letter);
                    self.at += letter.len_utf8();
                }
            }
        }
        out
    }

    /// `"""…"""`, as Kibana's console writes text of several lines.
    fn tripled(&mut self) -> String {
        self.at += 3;
        let rest = self.rest();
        let end = rest.find("\"\"\"").unwrap_or(rest.len());
        let text = rest[..end].trim_matches(['\r', '\n']).replace('\0', "\u{2400}");
        self.at = (self.at + end + 3).min(self.text.len());
        text
    }

    /// Does the quote at hand end its string? One inside of a value is followed by neither a bracket nor the end nor a
    /// comma with another member behind it.
    fn ends(&self, place: Place) -> bool {
        let after = self.text[self.at + 1..].trim_start();
        match (after.bytes().next(), place) {
            (None | Some(b'}' | b']'), _) | (Some(b':' | b'='), Place::Name) | (Some(b','), Place::Item) => true,
            (Some(b','), Place::Member) => begins_member(after[1..].trim_start()),
            _ => false,
        }
    }

    /// What follows a backslash; a wrong escape is taken literally.
    fn escape(&mut self, out: &mut String) {
        let bytes = &self.text.as_bytes()[self.at + 1..];
        let plain = match bytes.first() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'"') => '"',
            Some(b'\'') => '\'',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'u') => return self.unicode(out),
            _ => {
                out.push('\\');
                self.at += 1;
                return;
            }
        };
        out.push(plain);
        self.at += 2;
    }

    fn unicode(&mut self, out: &mut String) {
        let unit = |at: usize| {
            let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let units: Vec<u16> = [unit(self.at), unit(self.at + 6)].into_iter().map_while(|unit| unit).collect();
        match char::decode_utf16(units.iter().copied()).next() {
            Some(Ok(letter)) => {
                out.push(if letter == '\0' { '\u{2400}' } else { letter });
                self.at += 6 * letter.len_utf16();
            }
            Some(Err(_)) => {
                out.push('\u{FFFD}');
                self.at += 6;
            }
            None => {
                out.push('\\');
                self.at += 1;
            }
        }
    }
}

/// Does `"name":`, `name:` or the end of the object stand at the beginning of `text`?
fn begins_member(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(LOOK_AHEAD)];
    match head.bytes().next() {
        None | Some(b'}') => true,
        Some(quote @ (b'"' | b'\'')) => match head[1..].split_once(char::from(quote)) {
            Some((name, after)) => !name.contains('\n') && after.trim_start().starts_with(':'),
            // The text was cut off inside of a name.
            None => head.len() == text.len() && !head.contains('\n'),
        },
        Some(first) if first.is_ascii_alphabetic() || first == b'_' || first >= 0x80 => {
            let end = head.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.')).unwrap_or(head.len());
            head[end..].trim_start().starts_with(':') && !head[end..].trim_start().starts_with("://")
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn broken_json_is_read_as_it_was_meant() {
        for (text, meant) in [
            (r#"{"a":"he said "no", and left","b":1}"#, json!({"a": "he said \"no\", and left", "b": 1})),
            (r#"{"a":"x","b":"cut of"#, json!({"a": "x", "b": "cut of"})),
            (r#"{"a":"x","half"#, json!({"a": "x"})),
            (r#"{"a":{"b":[1,2"#, json!({"a": {"b": [1, 2]}})),
            ("{\"a\":\"\"\"\nzwei\nZeilen \"x\"\n\"\"\",\"b\":2}", json!({"a": "zwei\nZeilen \"x\"", "b": 2})),
            (
                "{'a':'it''s', b: two words, // note\n \"c\": [\"x\", \"y\"]}",
                json!({"a": "it''s", "b": "two words", "c": ["x", "y"]}),
            ),
            (
                "{\n \"msgtype\": \"text\",\n \"text\": {\n \"content\": \"告警信息:",
                json!({"msgtype": "text", "text": {"content": "告警信息:"}}),
            ),
        ] {
            assert_eq!(parse(text), Some(meant), "{text}");
        }
        for text in ["[FIRING:1] disk", "{broken", "{}", "[", "{", "[1] ping lost", "[a, b]"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
