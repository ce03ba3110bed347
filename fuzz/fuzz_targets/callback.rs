//! Anything that calls itself a push of WeCom: who lacks the keys gets nothing in, and who has them brings whole
//! messages or none.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wecom::fuzzing::{sealed_bytes, signed};
use wecom::{CallbackError, CallbackKeys, Click, Incoming, Signed};

const NOW: i64 = 1_700_000_000;
const CORP: &str = "wwsimcorp0000001";

/// Stands in a message for each byte 1, so that the corp need not be guessed.
const HEAD: &str = "<xml><ToUserName>wwsimcorp0000001</ToUserName><FromUserName>zhangsan</FromUserName><CreateTime>1700000000</CreateTime>";

static KEYS: LazyLock<CallbackKeys> = LazyLock::new(|| {
    let key = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg".into();
    CallbackKeys::new("simtoken01".into(), &key, CORP.into()).expect("they are keys")
});

#[derive(Debug, Arbitrary)]
enum Case<'a> {
    /// A body from a sender without the token.
    Forged(&'a [u8], &'a str),
    /// Signed, but not encrypted.
    Cipher(&'a [u8]),
    /// Signed and encrypted: blocks of any bytes.
    Blocks(&'a [u8]),
    /// A message, whole.
    Message(&'a str),
    /// What the check of the URL brings.
    Echo(&'a str, &'a str),
}

fuzz_target!(|case: Case<'_>| {
    match case {
        Case::Forged(body, signature) => {
            let forged = Signed { msg_signature: signature.into(), timestamp: NOW.to_string(), nonce: "n".into() };
            assert!(KEYS.open(&forged, body, NOW).is_err(), "a forged push was taken");
        }
        Case::Cipher(bytes) => {
            let encrypt = String::from_utf8_lossy(bytes);
            if let Err(error) = KEYS.verify(&signed(&KEYS, NOW, "n", &encrypt.replace(' ', "+")), &encrypt, NOW) {
                let of_the_text = matches!(error, CallbackError::Cipher(_) | CallbackError::TooLong(_));
                assert!(of_the_text || error == CallbackError::Receiver, "{error:?}");
            }
        }
        Case::Blocks(bytes) => {
            let bytes = &bytes[..bytes.len() / 16 * 16];
            let encrypt = sealed_bytes(&KEYS, bytes);
            let opened = KEYS.verify(&signed(&KEYS, NOW, "n", &encrypt), &encrypt, NOW);
            // Length and padding must fit to the byte.
            if let Ok(text) = opened {
                assert!(bytes[20..].starts_with(text.as_bytes()));
                assert!(bytes[20 + text.len()..].starts_with(CORP.as_bytes()));
                let pad = bytes.len() - 20 - text.len() - CORP.len();
                assert!((1..=32).contains(&pad), "{pad} bytes of padding");
            }
        }
        Case::Message(text) => message(&text.replace('\u{1}', HEAD)),
        Case::Echo(echo, timestamp) => {
            let stale = Signed { msg_signature: "0".repeat(40), timestamp: timestamp.into(), nonce: "n".into() };
            assert!(KEYS.verify(&stale, echo, NOW).is_err(), "nobody signed it");
        }
    }
});

/// What is sealed opens as it was, and is a whole message or refused.
fn message(text: &str) {
    let sealed = KEYS.seal(text, NOW, "n", [7; 16]);
    let between = |start: &str| {
        let rest = sealed.split_once(start).expect("it is sealed").1;
        rest.split_once("]]>").expect("it is sealed").0.to_owned()
    };
    let encrypt = between("<Encrypt><![CDATA[");
    let signed =
        Signed { msg_signature: between("<MsgSignature><![CDATA["), timestamp: NOW.to_string(), nonce: "n".into() };
    let opened = KEYS.open(&signed, sealed.as_bytes(), NOW);
    match KEYS.verify(&signed, &encrypt, NOW) {
        Ok(words) => assert_eq!(words, text),
        Err(error) => assert!(matches!(error, CallbackError::TooLong(_)), "{error:?}"),
    }
    match opened {
        Ok(Incoming::Text { from, msgid, content, .. }) => {
            named_person(&from);
            assert!(!msgid.is_empty() && content.len() <= text.len());
        }
        Ok(Incoming::Click(click)) => {
            let Click { from, key, task_id, response_code, selected, .. } = &click;
            named_person(from);
            assert!(!key.is_empty() && !task_id.is_empty() && response_code.as_deref() != Some(""));
            assert!(selected.iter().all(|(question, _)| !question.is_empty()));
        }
        Ok(Incoming::Entered { from, .. }) => named_person(&from),
        Ok(Incoming::Other { event, .. }) => assert!(!event.is_empty()),
        Err(CallbackError::Signature | CallbackError::Stale | CallbackError::Cipher(_)) => {
            panic!("it is ours and just made")
        }
        Err(_) => {}
    }
}

fn named_person(from: &str) {
    assert!((1..=64).contains(&from.len()) && !from.contains(char::is_whitespace), "{from:?}");
}
