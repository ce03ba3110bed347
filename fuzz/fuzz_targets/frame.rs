//! Any text on a bot's socket: it is left unread, or it is what it says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wecom::fuzzing::{FromSocket, from_socket};
use wecom::{BotEvent, Conversation};

fuzz_target!(|text: &str| {
    let read = from_socket(text);
    // Raw control characters are left out; between words they are spaces.
    let clean: String = text
        .chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c => (!c.is_ascii_control()).then_some(c),
        })
        .collect();
    assert_eq!(from_socket(&clean), read);
    match read {
        FromSocket::Unread => {}
        FromSocket::Reply { req_id, errcode } => {
            // Elsewhere in it may stand what `Value` cannot hold, a number above 10^308.
            if let Ok(frame) = serde_json::from_str::<Value>(&clean) {
                assert_eq!(frame["errcode"].as_i64(), Some(errcode));
                assert_eq!(frame["headers"]["req_id"].as_str().unwrap_or_default(), req_id);
                assert!(frame["cmd"].as_str().unwrap_or_default().is_empty());
            }
        }
        FromSocket::Event(event) => check(&event),
    }
});

fn check(event: &BotEvent) {
    match event {
        BotEvent::Text { from, chat, msgid, .. } => {
            named_person(from);
            somewhere(chat);
            assert!(!msgid.is_empty());
        }
        BotEvent::Click { click, chat, .. } => {
            named_person(&click.from);
            somewhere(chat);
            assert!(!click.key.is_empty() && !click.task_id.is_empty() && click.response_code.is_none());
            assert!(click.selected.iter().all(|(question, _)| !question.is_empty()));
        }
        BotEvent::Entered { from, .. } => named_person(from),
        BotEvent::Evicted => {}
        BotEvent::Other { kind, chat, .. } => {
            assert!((1..=64).contains(&kind.chars().count()), "{kind}");
            chat.iter().for_each(somewhere);
        }
    }
}

fn named_person(from: &str) {
    assert!((1..=64).contains(&from.len()) && !from.contains(char::is_whitespace), "{from:?}");
}

fn somewhere(chat: &Conversation) {
    assert!((1..=256).contains(&chat.id().len()), "{chat:?}");
}
