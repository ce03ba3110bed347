//! Any bytes as WeCom's answer: only an integer 0 is success, and no secret that WeCom echoes gets into our words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::Value;
use wecom::{Api, Fault, MESSAGE_BYTES, Outcome, fuzzing::verdict};

/// Stands in the URL of the call, and in the answer for each byte 1.
const SECRET: &str = "s3cr3t/+canary=";
/// As a URL holds it; in the answer for each byte 2.
const ENCODED: &str = "s3cr3t%2F%2Bcanary%3D";

const APIS: [Api; 5] = [Api::MessageSend, Api::AppchatSend, Api::WebhookSend, Api::GetToken, Api::AppchatCreate];

/// What matters of an answer. Elsewhere in it may stand what `Value` cannot hold, a number above 10^308.
#[derive(Deserialize)]
struct Says {
    errcode: Value,
}

fuzz_target!(|input: &[u8]| {
    let Some((api, answer)) = input.split_first() else { return };
    let mut body = Vec::with_capacity(answer.len());
    for byte in answer {
        match byte {
            1 => body.extend_from_slice(SECRET.as_bytes()),
            2 => body.extend_from_slice(ENCODED.as_bytes()),
            other => body.push(*other),
        }
    }
    let outcome = verdict(APIS[usize::from(*api) % APIS.len()], &body, SECRET);
    let text = String::from_utf8_lossy(&body);
    // serde would take an array for a struct.
    let says = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Says>(&text).ok()).flatten();
    let errcode = says.and_then(|says| says.errcode.as_i64());
    match &outcome {
        Outcome::Accepted(_) => assert_eq!(errcode, Some(0)),
        Outcome::AcceptedInPart { missed, .. } => {
            assert_eq!(errcode, Some(0));
            let names = [&missed.users, &missed.parties, &missed.tags, &missed.unlicensed];
            assert!(names.iter().any(|names| !names.is_empty()));
            assert!(names.iter().all(|names| names.iter().all(|name| !name.is_empty())), "{missed:?}");
        }
        Outcome::NotSent(failure) => {
            assert!(errcode.is_some_and(|code| code != 0), "certain, and no code says so");
            assert_eq!(failure.errcode(), errcode);
        }
        Outcome::Unsure(failure) => {
            assert!(matches!(failure.fault, Fault::NotWeCom | Fault::Incomplete));
            // Of two values under one key neither can be trusted.
            let doubled = ["\"errcode\"", "\"errmsg\""].iter().any(|key| text.matches(key).count() > 1);
            let whole = serde_json::from_str::<Value>(&text).is_ok();
            assert!(doubled || !whole || errcode.is_none_or(|code| code == 0), "{errcode:?} is certain");
        }
    }
    if let Outcome::NotSent(failure) | Outcome::Unsure(failure) = &outcome {
        for message in [&failure.message.zh, &failure.message.en] {
            assert!(message.len() <= MESSAGE_BYTES && !message.contains(char::is_control), "{message}");
        }
        for words in [failure.zh(), failure.en(), format!("{failure:?}")] {
            assert!(!words.contains(SECRET) && !words.contains(ENCODED), "{words}");
            assert!(!words.contains('\n'), "two lines: {words}");
        }
    }
});
