//! Signed links, how they are tampered with, and a second reading of what they say.

use arbitrary::Arbitrary;

/// A link, how it is tampered with, and when and where it is tried.
#[derive(Debug, Arbitrary)]
pub struct Case<'a> {
    /// What signs it.
    pub key: &'a [u8],
    /// The page it is made for.
    pub page: i64,
    /// When, in Unix milliseconds.
    pub made_at: i64,
    /// For how many seconds its visitor may act, if there is something to do.
    pub acts: Option<u32>,
    /// The page it is tried at, if that is another one.
    pub tried_page: Option<i64>,
    /// How many milliseconds later.
    pub tried_after: i64,
    edits: Vec<(u8, Edit)>,
    forged: Option<&'a str>,
}

/// What happens at one place.
#[derive(Debug, Arbitrary)]
enum Edit {
    Put(u8),
    Insert(u8),
    Delete,
}

impl Case<'_> {
    /// What is tried instead of `query`: a forged one, or `query` with each edit at its place, counted round.
    pub fn tried(&self, query: &str) -> String {
        if let Some(forged) = self.forged {
            return forged.to_owned();
        }
        let mut tried = query.as_bytes().to_vec();
        for (place, edit) in &self.edits {
            let at = usize::from(*place) % tried.len().max(1);
            let one = at..(at + 1).min(tried.len());
            match edit {
                Edit::Put(byte) => drop(tried.splice(one, [*byte])),
                Edit::Insert(byte) => tried.insert(at, *byte),
                Edit::Delete => drop(tried.drain(one)),
            }
        }
        String::from_utf8(tried).unwrap_or_default()
    }
}

/// What a link says.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields {
    /// Until when it opens the page, in Unix seconds.
    pub until: i64,
    /// Until when its visitor may act, in Unix seconds.
    pub act: Option<i64>,
    signature: String,
}

/// The fields of a query, if there is exactly one `until` and one `s`, at most one `act`, and the times are numbers.
pub fn fields(query: &str) -> Option<Fields> {
    let (mut until, mut act, mut signature) = (Vec::new(), Vec::new(), Vec::new());
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match decoded(name).as_str() {
            "until" => until.push(decoded(value)),
            "act" => act.push(decoded(value)),
            "s" => signature.push(decoded(value)),
            _ => {}
        }
    }
    let ([until], [signature]) = (&until[..], &signature[..]) else { return None };
    let act = match &act[..] {
        [] => None,
        [act] => Some(act.parse().ok()?),
        _ => return None,
    };
    Some(Fields { until: until.parse().ok()?, act, signature: signature.clone() })
}

/// Percent and plus decoding, as browsers encode forms.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let mut plain = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).expect("two hex digits are a byte"));
                at += 2;
            }
            (b'+', ..) => plain.push(b' '),
            (byte, ..) => plain.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}
