//! What it takes to understand a body, estimated from its bytes before anything is built from them.

/// Bytes of memory for each byte of a body: the body itself, its texts as JSON, as alerts, as rows on their way into the
/// store, and what the store writes of them.
const BYTE: usize = 5;
/// For each object: its tree in JSON, or the alert with its sets of labels that is made from it, its row on the way into
/// the store, and what the store writes about it.
const OBJECT: usize = 1000;
/// For each array, while it grows.
const LIST: usize = 160;
/// For each text, besides its bytes: names and values are allocated one by one.
const TEXT: usize = 48;
/// For each further value of an array or object, while the list grows, and each line of a text.
const VALUE: usize = 64;

/// The same for a body whose alerts are read one by one: the body, what the store writes of it, and the labels of its
/// alerts as rows.
const STREAMED_BYTE: usize = 4;
/// For each object: a third of an alert on its way into the store.
const STREAMED_OBJECT: usize = 500;
/// For each value: that of the one alert that is being read.
const STREAMED_VALUE: usize = 16;

/// No JSON that is nested deeper than this is read: what follows is text and builds nothing.
const DEEPEST: usize = 128;

/// The bytes that [`Weight::count`] does not take for text.
const COUNTS: [bool; 256] = {
    let (mut counts, bytes, mut at) = ([false; 256], br#"{[}]",\"#, 0);
    while at < bytes.len() {
        counts[bytes[at] as usize] = true;
        at += 1;
    }
    counts[b'\n' as usize] = true;
    counts
};

/// Counts what a body is made of. Strings are counted as if they were structure: text that looks like it weighs more than
/// it takes, never less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    bytes: usize,
    objects: usize,
    lists: usize,
    quotes: usize,
    values: usize,
    /// Open objects and arrays.
    depth: usize,
    in_string: bool,
    escaped: bool,
    too_deep: bool,
}

impl Weight {
    /// Of a whole body.
    pub fn of(body: &[u8]) -> Self {
        let mut weight = Self::default();
        weight.add(body);
        weight
    }

    /// Adds the next piece of a body.
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len();
        let mut rest = piece;
        while !self.too_deep {
            // Most bytes are text, of which only the length counts.
            let Some(text) = rest.iter().position(|byte| COUNTS[usize::from(*byte)]) else {
                self.escaped &= rest.is_empty();
                return;
            };
            self.escaped &= text == 0;
            self.count(rest[text]);
            rest = &rest[text + 1..];
        }
    }

    fn count(&mut self, byte: u8) {
        let structure = !self.in_string;
        match byte {
            b'{' | b'[' => {
                self.objects += usize::from(byte == b'{');
                self.lists += usize::from(byte == b'[');
                self.depth += usize::from(structure);
                self.too_deep = self.depth > DEEPEST;
            }
            b'}' | b']' if structure => self.depth = self.depth.saturating_sub(1),
            b'"' => {
                self.quotes += 1;
                self.in_string ^= !self.escaped;
            }
            // Text is understood line by line.
            b',' | b'\n' => self.values += 1,
            _ => {}
        }
        self.escaped = self.in_string && byte == b'\\' && !self.escaped;
    }

    /// Bytes of the body.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of memory at the worst moment between reading and storing it.
    pub const fn memory(&self) -> usize {
        self.bytes * BYTE + self.objects * OBJECT + self.lists * LIST + self.quotes / 2 * TEXT + self.values * VALUE
    }
}

impl Weight {
    /// The same where the alerts are read one by one.
    pub const fn streamed(&self) -> usize {
        self.bytes * STREAMED_BYTE + self.objects * STREAMED_OBJECT + self.values * STREAMED_VALUE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_weigh_what_the_whole_weighs() {
        let body = br#"[{"labels":{"alertname":"x"}},{"labels":{"a":"b"}}]"#;
        let mut pieces = Weight::default();
        for piece in body.chunks(7) {
            pieces.add(piece);
        }
        assert_eq!(pieces, Weight::of(body));
        assert_eq!((pieces.bytes(), pieces.objects, pieces.lists), (body.len(), 4, 1));
        assert_eq!((pieces.quotes, pieces.values, pieces.depth), (12, 1, 0));
    }

    #[test]
    fn text_that_is_passed_over_weighs_what_it_weighs_byte_by_byte() {
        let bodies =
            [&br#"{"a\\\"b":"\u4e00[","c":[1,{"d":"x\ny"}]}"#[..], b"a line\nand \\ another, \"open", b"\"ab\\"];
        for body in bodies {
            let mut each = Weight { bytes: body.len(), ..Weight::default() };
            for byte in body {
                each.count(*byte);
            }
            assert_eq!(Weight::of(body), each, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn what_is_nested_too_deeply_to_be_read_weighs_as_text() {
        let deep = b"{\"a\":[".repeat(100_000);
        assert!(Weight::of(&deep).memory() < 6 * deep.len());
        // Brackets in strings are not nested, and an escaped quote ends no string.
        let text = format!("[\"{}\\\"{}\",{{}}]", "[".repeat(200), "[".repeat(200));
        let weight = Weight::of(text.as_bytes());
        assert_eq!((weight.too_deep, weight.depth, weight.objects), (false, 0, 1));
    }

    #[test]
    fn many_small_alerts_weigh_far_more_than_their_bytes() {
        let tiny = br#"{"labels":{"a":"b"}},"#.repeat(1000);
        assert!(Weight::of(&tiny).memory() > 40 * tiny.len());
        let text = b"a line of a log that nobody understands, with a comma\n".repeat(1000);
        assert!(Weight::of(&text).memory() < 8 * text.len());
    }
}
