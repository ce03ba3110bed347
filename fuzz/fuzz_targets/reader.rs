//! Any tree through the general reader: each text of it is in the message, on the page, or hidden on purpose, and the same
//! body reads the same again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wegraf::internals::alert::Format;
use wegraf::internals::ingest::generic::Payloads;
use wegraf::internals::ingest::{Door, listed, read, reread};
use wegraf_fuzz::{NOW, check_again, check_notification};

static PAYLOADS: LazyLock<Payloads> = LazyLock::new(Payloads::default);

/// Names of members that hide their values.
const HIDDEN: [&str; 16] = [
    "passw",
    "secret",
    "token",
    "signature",
    "authoriz",
    "cookie",
    "credential",
    "privatekey",
    "apikey",
    "accesskey",
    "email",
    "phone",
    "mobile",
    "contacts",
    "image",
    "data",
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(notification) = read(bytes, None, Door::Webhook, &PAYLOADS, NOW) else { return };
    check_notification(&notification);
    check_again(reread(notification.format, bytes, None, &PAYLOADS, NOW), &notification);
    if notification.format != Format::Generic {
        return;
    }
    let Ok(tree) = serde_json::from_slice::<Value>(bytes) else { return };
    let listed = listed(notification.format, bytes, None);
    if listed.more || listed.hidden > 0 {
        return;
    }
    let mut texts = Vec::new();
    gather(&tree, &mut texts);
    for text in texts {
        let is_shown = listed.fields.iter().any(|field| field.value.contains(text.trim()))
            || notification.message.contains(text.trim());
        assert!(is_shown, "{text:?} is shown nowhere");
    }
});

/// Texts that are no trees themselves, as far as no name hides them.
fn gather<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text)
            if !text.trim_start().starts_with(['{', '[']) && !text.trim().is_empty() && !text.contains('\0') =>
        {
            texts.push(text);
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        Value::Object(members) => {
            for (name, value) in members {
                let plain: String = name.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
                if !HIDDEN.iter().any(|part| plain.contains(part)) {
                    gather(value, texts);
                }
            }
        }
        _ => {}
    }
}
