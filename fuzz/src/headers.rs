//! Headers that a caller sends to prove who it is, and a second judgement of what they prove.

use arbitrary::Arbitrary;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;
use std::time::Duration;
use wegraf::internals::config::{Algorithm, Carrier, Encoding, Part, Proof, SignedTime, Signing, Source, TimeUnit};
use wegraf::internals::subject::Taught;

use crate::NOW;

const SECRET: &str = "pa:ss 密码";
/// `am:` and the secret in base64.
const BASIC: &[u8] = b"YW06cGE6c3Mg5a+G56CB";

/// What a caller sends.
#[derive(Debug, Arbitrary)]
pub struct Case<'a> {
    authorization: Vec<&'a [u8]>,
    time: Time<'a>,
    signature: Signature<'a>,
    /// What is signed.
    pub body: &'a [u8],
}

#[derive(Debug, Arbitrary)]
enum Time<'a> {
    None,
    /// So many seconds after now.
    After(i16),
    Text(&'a [u8]),
}

#[derive(Debug, Arbitrary)]
enum Signature<'a> {
    Genuine {
        over_time: bool,
    },
    /// With one bit of one character turned over.
    Bent {
        at: u8,
        bit: u8,
    },
    Text(&'a [u8]),
}

/// One source for each way to prove it, and one whose secret is empty.
pub fn sources() -> Vec<Source> {
    let bearer = |token: &str| Proof::Bearer { scheme: "Bearer".to_owned(), token: token.into() };
    let hmac = |timestamp_header: Option<&str>| {
        let time = timestamp_header.map(|header| SignedTime {
            carrier: Carrier::Header(header.to_owned()),
            unit: TimeUnit::S,
            tolerance: Duration::from_mins(5),
        });
        let over_time = [Part::Timestamp, Part::Text(":".to_owned())];
        Proof::Hmac(Box::new(Signing {
            secret: SECRET.as_bytes().to_vec().into(),
            key: vec![Part::Secret],
            signed: over_time.into_iter().filter(|_| time.is_some()).chain([Part::Body]).collect(),
            algorithm: Algorithm::Sha256,
            signature: Carrier::Header("x-signature".to_owned()),
            prefix: String::new(),
            encoding: Encoding::Hex,
            several: None,
            time,
        }))
    };
    [
        ("bearer", bearer(SECRET)),
        ("basic", Proof::Basic { username: "am".to_owned(), password: SECRET.into() }),
        ("hmac", hmac(None)),
        ("timed", hmac(Some("x-time"))),
        ("empty", bearer("")),
    ]
    .map(|(name, proof)| Source {
        name: name.to_owned(),
        proofs: vec![proof],
        addresses: Vec::new(),
        receivers: None,
        watchdog: None,
        taught: Taught::default(),
    })
    .into()
}

impl Case<'_> {
    /// The headers, and which of [`sources`] they prove.
    pub fn headers(&self) -> (HeaderMap, [bool; 5]) {
        let time = match self.time {
            Time::None => Vec::new(),
            Time::After(seconds) => (NOW.0 / 1000 + i64::from(seconds)).to_string().into_bytes(),
            Time::Text(text) => text.to_vec(),
        };
        let (plain, timed) = (sign(&[self.body]), sign(&[time.trim_ascii(), b":", self.body]));
        let signature = match self.signature {
            Signature::Genuine { over_time: true } => timed.clone(),
            Signature::Genuine { over_time: false } => plain.clone(),
            Signature::Bent { at, bit } => {
                let mut bent = timed.clone();
                bent[usize::from(at) % timed.len()] ^= 1 << (bit % 8);
                bent
            }
            Signature::Text(text) => text.to_vec(),
        };
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &[u8]| {
            HeaderValue::from_bytes(value).map(|value| headers.append(name, value)).is_ok()
        };
        for value in &self.authorization {
            put("authorization", value);
        }
        let time_is_sent = !matches!(self.time, Time::None) && put("x-time", &time);
        let signature = if put("x-signature", &signature) { signature.trim_ascii() } else { &[] };
        let digits =
            str::from_utf8(time.trim_ascii()).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let seconds = digits.and_then(|text| text.parse::<i64>().ok());
        let in_time = time_is_sent && seconds.is_some_and(|seconds| seconds.abs_diff(NOW.0 / 1000) <= 300);
        let given = headers.get("authorization").map_or(&[][..], HeaderValue::as_bytes);
        let bearer = credentials(given, "bearer") == Some(SECRET.as_bytes());
        let basic = credentials(given, "basic") == Some(BASIC);
        let proven = [
            bearer,
            basic,
            signature.eq_ignore_ascii_case(&plain),
            in_time && signature.eq_ignore_ascii_case(&timed),
            false,
        ];
        (headers, proven)
    }
}

fn credentials<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let value = value.trim_ascii();
    let at = value.iter().position(|byte| *byte == b' ')?;
    value[..at].eq_ignore_ascii_case(scheme.as_bytes()).then(|| value[at..].trim_ascii())
}

/// HMAC-SHA256 in lower-case hex.
fn sign(parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}
