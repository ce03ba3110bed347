//! The vectors of docs/reference/wecom.md#callback-cipher: public ones, and those made with another implementation, and
//! attacks without the keys.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::Click;

struct Vector {
    key: &'static str,
    token: &'static str,
    timestamp: &'static str,
    nonce: &'static str,
    signature: &'static str,
    receive_id: &'static str,
    encrypt: &'static str,
}

impl Vector {
    fn keys(&self) -> CallbackKeys {
        CallbackKeys::new(self.token.into(), &self.key.into(), self.receive_id.into()).unwrap()
    }

    fn signed(&self) -> Signed {
        Signed { msg_signature: self.signature.into(), timestamp: self.timestamp.into(), nonce: self.nonce.into() }
    }

    fn now(&self) -> i64 {
        self.timestamp.parse().unwrap()
    }

    fn body(&self) -> String {
        let (to, encrypt) = (self.receive_id, self.encrypt);
        format!(
            "<xml><ToUserName><![CDATA[{to}]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
        )
    }

    fn open(&self) -> Result<Incoming, CallbackError> {
        self.keys().open(&self.signed(), self.body().as_bytes(), self.now())
    }

    fn plain(&self) -> Result<String, CallbackError> {
        self.keys().verify(&self.signed(), self.encrypt, self.now())
    }
}

const V1: Vector = Vector {
    key: "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws",
    token: "kjr2TKI8umCBfVF3wAHk8JiPwma5VBme",
    timestamp: "1583940690",
    nonce: "VHh7ymSeb0jc4lSb",
    signature: "1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011",
    receive_id: "ww6a112864f8022910",
    encrypt: "6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC/nIX3ZNt9w==",
};

const V2: Vector = Vector {
    key: "cD0d7jx4tYvVtzqrmh3Dm3QFCXe6f8SlHoMtMh3qQEP",
    token: "kz7Yx62CH8SaLN",
    timestamp: "1583995625",
    nonce: "1584392382",
    signature: "f265ae551b1932727204c3d707628d01376a6940",
    receive_id: "ww6a112864f8022910",
    encrypt: "EUCt7xMcNiyASzZj0Hjc5yDjFQrCum6AfQ3ntHiUzjGQ51xieKmbvtrZ40/EcB2W/W8yH0n4Lqx48gJl/T9HD/R309I0P/r5pIZucK3lyEn48FYMr4YdE0QdL2jIJ3xkcXUr6uzefzCxG6lMvwpAJaOyVCzN7sRRw47njfxy5EIqU6R9ZBhlTzfdnhhOhK/nTwzrZX3SoGlXFA9OBeZ6ru1NWpXFk76x9DUMe0lcxPPiUqK8ctnQcYXSGUHVqC6DfG7E7mab0OmruNN8cBZY5d3dYOBA4OgaH55Q0AJmUpdT8vNiXpXx+6TxT3TIjySXpDrHVyrsb772aYywgg/Nu4kUmGkALwFZlzhjNegR7wDwb9lr4ERXsSSS8JZ8lbBmaQ3F2Tq584xoPj5rIhXAF734ynm4no1g+SdHiNqR328=",
};

const V3: Vector = Vector {
    key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    token: "QDG6eK",
    timestamp: "1409659589",
    nonce: "263014780",
    signature: "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
    receive_id: "wx5823bf96d3bd56c7",
    encrypt: "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
};

const V4: Vector = Vector {
    timestamp: "1409659813",
    nonce: "1372623149",
    signature: "477715d11cdb4164915debcba66cb864d751f3e6",
    encrypt: "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==",
    ..V3
};

const S1: Vector = Vector {
    key: "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg",
    token: "simtoken01",
    timestamp: "1700000000",
    nonce: "nonce-xml",
    signature: "b13ac85a6ade1537ff8d9b789eeab559aae7a7a0",
    receive_id: "wwsimcorp0000001",
    encrypt: "NkQ0xBejso6Q1D6PTIoYSFb/fBjxmxEXZSP2Pgx7UU547FZu4Ah6MPQRJ9nxAnsL/drnsWZuVzmdMEmP3VwbiBGvEmVvf/BrV037bQNoM1JU5uN9cpNigssgwdAXu9WDtdFJTlN3BuYHEc0MKWctAgqFF75YmcBxalpkeFLpH23gqnv0EU8hMTodDofHJ075gtW7IzeG6goLeKj9+FjgTwsex/nIbUhcjOTVXn9O6NIqA6r3Lpd2HhxrZ/6gw3460jG2EDzaRwHRYw84QlLlMysF087q0HTXlefWGSkGLauIQH0X7VcSdMjMiU7oH8zPgf0Lc4w0fhomDSZi+bU0+gDkG5FCtVlff3iGkrEQ/GURyF8oWstTNMKYkNhA2mtq7x5nEnuXYSmSY1/7AWGgYFgnD20OODyxnceVJzkEVGf/fgk6rfdqYaspMTMveE/cp/rvWeecnqQen7+sc4ywrxU+fjSQ+l/j/MVpDbF6EDwCK6r3AwMQ/Pq2pvX5licdiulnhCs2grhUTx+veYqnY+8DiZMTW/R/FvISzvFtcr8edxeQ+n4iDTN2TksE90iKToeCFQm0KqW1lY8wfR2PSs01PtdHyFG3vYFoT6Au3rvdJYNOYF31Le9Hk6AqliCi",
};

const S2: Vector = Vector {
    timestamp: "1700000001",
    nonce: "nonce-json",
    signature: "87004f50d17e80272f797c978bd2c4c45d7beabe",
    receive_id: "",
    encrypt: "sCaIFn/N4ViImEad/eFXnhiydi0OX8y9B8nD5FzIRLjjbHt3jE/5saX1Zlr6ZDNrs6JfhnxDb6bY36BL1uS4lh9TBkPn0LsCR+UfYWSpl+jD1KHGCKDaSQoJ9+M9QiImDz8+lQ3MyfjGeA8uwhV+jZB/5ML3jpM+Qw76SIFNn7YdovyYgAQtDLGrzmNEA1VIvZ1Nlxy1B7jZ0oDGXBNa4w==",
    ..S1
};

const S3: Vector = Vector {
    timestamp: "1700000002",
    nonce: "nonce-echo",
    signature: "de8454ba99bdc97ef7d31d156b94a910f34cc96a",
    encrypt: "a979RxIrz14+EhewTDzU2YhvMrYttH2wFumVt3kXgIBiZl6fdYKB/RbWsmBNtSEtE7oaCGR/SioJ7anYyzrQ3CSJKl7R65bv+y08ppcFS+2wPxsEcbJ/19L7++Xv2VGo",
    ..S1
};

/// A push of `plain`, made with the keys of S1.
fn push(plain: &str) -> (Signed, String) {
    let sealed = S1.keys().seal(plain, S1.now(), S1.nonce, *b"0123456789abcdef");
    let envelope = xml::parse(&sealed).unwrap();
    let signed = Signed { msg_signature: envelope.text_of("MsgSignature").into(), ..S1.signed() };
    (signed, sealed)
}

fn opened(plain: &str) -> Result<Incoming, CallbackError> {
    let (signed, body) = push(plain);
    S1.keys().open(&signed, body.as_bytes(), S1.now())
}

fn click() -> Click {
    Click {
        from: "zhangsan".into(),
        key: "ack".into(),
        task_id: "alert_9f2c".into(),
        card_type: "button_interaction".into(),
        response_code: Some("RC-0001".into()),
        created_at: 1_700_000_000,
        ..Click::default()
    }
}

#[test]
fn the_checks_of_the_url_in_wecoms_samples_are_answered_with_their_words() {
    assert_eq!(V1.plain().unwrap(), "94966531020182955848408");
    assert_eq!(V3.plain().unwrap(), "1616140317555161061");
    assert_eq!(S3.plain().unwrap(), "1234567890123456789012345678");
}

#[test]
fn the_texts_in_wecoms_samples_are_read() {
    let Incoming::Text { from, content, msgid, .. } = V2.open().unwrap() else { panic!() };
    assert_eq!((&*from, &*content, &*msgid), ("foobar", "x123", "2018405441"));
    let Incoming::Text { content, .. } = V4.open().unwrap() else { panic!() };
    assert_eq!(content, "hello");
}

#[test]
fn a_click_on_a_card_is_read_with_all_that_is_known_of_it() {
    assert_eq!(S1.open().unwrap(), Incoming::Click(click()));
}

#[test]
fn a_bots_push_is_json_for_no_corp() {
    let json = r#"{"msgid":"m1","aibotid":"bot1","chattype":"single","from":{"userid":"zhangsan"},"msgtype":"text","text":{"content":"状态"}}"#;
    assert_eq!(S2.plain().unwrap(), json);
    let other = Vector { receive_id: S1.receive_id, ..S2 };
    assert_eq!(other.plain(), Err(CallbackError::Receiver));
}

#[test]
fn sealing_equals_another_implementation_byte_for_byte() {
    let randoms =
        [(S1, *b"0123456789abcdef"), (S2, *b"fedcba9876543210"), (S3, [b'0'; 16]), (V1, *b"5QMsYcwjR95t2vmC")];
    for (vector, random) in randoms {
        let sealed = vector.keys().seal(&vector.plain().unwrap(), vector.now(), vector.nonce, random);
        let (encrypt, signature) = (vector.encrypt, vector.signature);
        assert_eq!(
            sealed,
            format!(
                "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature><TimeStamp>{}</TimeStamp><Nonce><![CDATA[{}]]></Nonce></xml>",
                vector.timestamp, vector.nonce
            )
        );
    }
}

#[test]
fn a_plus_that_arrived_as_a_space_is_put_right() {
    assert!(V3.encrypt.contains('+'));
    let spaced = V3.encrypt.replace('+', " ");
    assert_eq!(V3.keys().verify(&V3.signed(), &spaced, V3.now()).unwrap(), "1616140317555161061");
}

#[test]
fn a_key_or_token_that_cannot_be_one_is_refused_in_both_languages_and_not_shown() {
    let new = |token: &str, key: &str| CallbackKeys::new(token.into(), &key.into(), String::new()).unwrap_err();
    let canary = "canary0canary0canary0canary0canary0canary0";
    assert_eq!(new("", S1.key), BadKey::Token);
    assert_eq!(new("to ken", S1.key), BadKey::Token);
    assert_eq!(new(&"a".repeat(33), S1.key), BadKey::Token);
    assert_eq!(new("a", canary), BadKey::Length(42));
    assert_eq!(new("a", &format!("{canary}==")), BadKey::Length(44));
    assert_eq!(new("a", &format!("{canary}=")), BadKey::Alphabet);
    assert_eq!(new("a", &format!("{canary}中")), BadKey::Alphabet);
    for words in [new("a", canary).to_string(), new("a", &format!("{canary}!")).to_string(), format!("{:?}", S1.keys())]
    {
        assert!(!words.contains("canary") && !words.contains(S1.token) && !words.contains(S1.key), "{words}");
    }
    let text = BadKey::Length(42).text();
    assert!(text.zh.contains("现有 42 个") && text.en.contains("has 42"), "{text}");
}

#[test]
fn a_forged_call_is_refused_before_it_is_decrypted() {
    let refused = |signed: &Signed| S1.keys().open(signed, S1.body().as_bytes(), S1.now()).unwrap_err();
    for forged in ["", "b13a", &S1.signature.to_uppercase(), &"0".repeat(40), S3.signature] {
        assert_eq!(refused(&Signed { msg_signature: forged.into(), ..S1.signed() }), CallbackError::Signature);
    }
    assert_eq!(refused(&Signed { nonce: "other".into(), ..S1.signed() }), CallbackError::Signature);
    let later = (S1.now() + 1).to_string();
    assert_eq!(refused(&Signed { timestamp: later, ..S1.signed() }), CallbackError::Signature);
    let other = Vector { token: "simtoken02", ..S1 };
    assert_eq!(other.open(), Err(CallbackError::Signature));
}

#[test]
fn a_call_of_another_time_is_stale() {
    let at = |now| S1.keys().open(&S1.signed(), S1.body().as_bytes(), now);
    for seconds in [-300, 0, 300] {
        assert!(at(S1.now() + seconds).is_ok(), "{seconds}");
    }
    for now in [S1.now() - 301, S1.now() + 301, 0, i64::MIN, i64::MAX] {
        assert_eq!(at(now), Err(CallbackError::Stale), "{now}");
    }
    for timestamp in ["", "now", "1700000000.0", " 1700000000", "99999999999999999999"] {
        let signed = Signed { timestamp: timestamp.into(), ..S1.signed() };
        assert_eq!(S1.keys().open(&signed, S1.body().as_bytes(), S1.now()), Err(CallbackError::Stale), "{timestamp}");
    }
    assert_eq!(V1.keys().verify(&V1.signed(), V1.encrypt, V1.now() + 301), Err(CallbackError::Stale));
}

#[test]
fn a_call_for_another_corp_is_refused_wherever_it_says_so() {
    let keys = |corp: &str| CallbackKeys::new(S1.token.into(), &S1.key.into(), corp.into()).unwrap();
    let open = |corp: &str, body: &str| keys(corp).open(&S1.signed(), body.as_bytes(), S1.now());
    assert_eq!(open("wwother", &S1.body()), Err(CallbackError::Receiver));
    // In the envelope, which is not signed.
    let envelope = S1.body().replace(S1.receive_id, "wwother");
    assert_eq!(open(S1.receive_id, &envelope), Err(CallbackError::Receiver));
    // In the message, which is.
    assert_eq!(
        opened("<xml><ToUserName>wwother</ToUserName><MsgType>event</MsgType><Event>x</Event></xml>"),
        Err(CallbackError::Receiver)
    );
}

#[test]
fn a_signed_message_under_another_key_is_refused() {
    let decrypted = |encrypt: &str| {
        let signature = S1.keys().crypto.signature(S1.timestamp, S1.nonce, encrypt);
        S1.keys().verify(&Signed { msg_signature: signature, ..S1.signed() }, encrypt, S1.now())
    };
    let cut = &S1.encrypt[..S1.encrypt.len() - 64];
    for encrypt in ["", "AAAA", "!", "AAAAAAAAAAAAAAAAAAAAAA==", cut, V4.encrypt, &S1.encrypt[1..]] {
        assert!(matches!(decrypted(encrypt), Err(CallbackError::Cipher(_))), "{encrypt}");
    }
    let other_key = Vector { key: V1.key, ..S1 };
    assert!(matches!(other_key.open(), Err(CallbackError::Cipher(_))));
}

#[test]
fn bodies_with_a_dtd_too_long_cut_or_of_something_else_are_refused() {
    let open = |body: &[u8]| S1.keys().open(&S1.signed(), body, S1.now()).unwrap_err();
    let body = S1.body();
    let dtd = format!("<!DOCTYPE xml [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{body}");
    assert_eq!(open(dtd.as_bytes()), CallbackError::Xml("a DTD is refused"));
    let long = format!("{body}{}", " ".repeat(CALLBACK_BODY_BYTES));
    assert_eq!(open(long.as_bytes()), CallbackError::TooLong(long.len()));
    assert_eq!(open(b"<xml/>"), CallbackError::Lacks("Encrypt"));
    assert!(matches!(open(b"\xff\xfe"), CallbackError::Xml(_)));
    for end in (0..body.len()).step_by(7) {
        assert!(matches!(open(&body.as_bytes()[..end]), CallbackError::Xml(_)), "cut at {end}");
    }
    let echo = "A".repeat(CALLBACK_BODY_BYTES + 1);
    assert_eq!(S3.keys().verify(&S3.signed(), &echo, S3.now()), Err(CallbackError::TooLong(echo.len())));
    assert!(matches!(opened("<!DOCTYPE a><xml/>"), Err(CallbackError::Xml(_))), "in the message");
}

/// The XML of an event of zhangsan's.
fn event(name: &str, inner: &str) -> String {
    let to = S1.receive_id;
    format!(
        "<xml><ToUserName>{to}</ToUserName><FromUserName>zhangsan</FromUserName><CreateTime>1700000000</CreateTime><MsgType>event</MsgType><Event>{name}</Event>{inner}</xml>"
    )
}

#[test]
fn choices_are_read_question_by_question() {
    let mut items = String::new();
    for (question, options) in [("dur", &["1h"][..]), ("who", &["a", "b"]), ("none", &[])] {
        let ids: String = options.iter().fold(String::new(), |mut ids, id| {
            write!(ids, "<OptionId><![CDATA[{id}]]></OptionId>").unwrap();
            ids
        });
        write!(items, "<SelectedItem><QuestionKey>{question}</QuestionKey><OptionIds>{ids}</OptionIds></SelectedItem>")
            .unwrap();
    }
    let fields = "<EventKey>silence</EventKey><TaskId>t</TaskId>";
    let Ok(Incoming::Click(click)) =
        opened(&event("template_card_event", &format!("{fields}<SelectedItems>{items}</SelectedItems>")))
    else {
        panic!()
    };
    assert_eq!(click.selected.len(), 3);
    assert_eq!((click.chosen("dur"), click.chosen("who"), click.chosen("none")), (Some("1h"), Some("a"), None));
    assert_eq!(click.selected[1].1, ["a", "b"]);
    assert_eq!((click.response_code, click.menu), (None, false));
    let Ok(Incoming::Click(click)) = opened(&event("template_card_menu_event", fields)) else { panic!() };
    assert!(click.menu && click.selected.is_empty());
}

#[test]
fn other_events_keep_their_names_and_incomplete_ones_are_refused() {
    assert_eq!(
        opened(&event("enter_agent", "")),
        Ok(Incoming::Entered { from: "zhangsan".into(), created_at: 1_700_000_000 })
    );
    let Ok(Incoming::Other { event: name, key, from, .. }) = opened(&event("click", "<EventKey>help</EventKey>"))
    else {
        panic!()
    };
    assert_eq!((&*name, &*key, &*from), ("click", "help", "zhangsan"));
    let image = event("", "").replace("<MsgType>event</MsgType>", "<MsgType>image</MsgType>");
    assert!(matches!(opened(&image), Ok(Incoming::Other { event, .. }) if event == "image"));
    assert_eq!(opened(&event("", "")), Err(CallbackError::Lacks("Event")));
    assert_eq!(opened(&event("template_card_event", "<TaskId>t</TaskId>")), Err(CallbackError::Lacks("EventKey")));
    assert_eq!(opened(&event("template_card_event", "<EventKey>k</EventKey>")), Err(CallbackError::Lacks("TaskId")));
    for nobody in ["", "zhang san", "a|b", &"x".repeat(65)] {
        let text = event("enter_agent", "").replace("zhangsan", nobody);
        assert_eq!(opened(&text), Err(CallbackError::Lacks("FromUserName")), "{nobody}");
    }
}

#[test]
fn replies_are_exactly_this_xml() {
    let keys = S1.keys();
    assert_eq!(
        keys.text_reply("zhangsan", "好 <b>", 7),
        "<xml><ToUserName><![CDATA[zhangsan]]></ToUserName><FromUserName><![CDATA[wwsimcorp0000001]]></FromUserName><CreateTime>7</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[好 <b>]]></Content></xml>"
    );
    assert_eq!(
        keys.button_reply("zhangsan", "已认领", 7),
        "<xml><ToUserName><![CDATA[zhangsan]]></ToUserName><FromUserName><![CDATA[wwsimcorp0000001]]></FromUserName><CreateTime>7</CreateTime><MsgType><![CDATA[update_button]]></MsgType><Button><ReplaceName><![CDATA[已认领]]></ReplaceName></Button></xml>"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sealing_round_trips(content in "[^\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u{2028}\u{fffe}\u{ffff}]{0,200}", random in any::<[u8; 16]>(), nonce in "[ -~]{0,20}") {
        let keys = S1.keys();
        let plain = event("", &format!("<MsgId>9</MsgId><Content>{}</Content>", reply::cdata(&content)))
            .replace("<MsgType>event</MsgType>", "<MsgType>text</MsgType>");
        let sealed = keys.seal(&plain, S1.now(), &nonce, random);
        let envelope = xml::parse(&sealed).unwrap();
        let signed = Signed { msg_signature: envelope.text_of("MsgSignature").into(), timestamp: S1.timestamp.into(), nonce };
        prop_assert_eq!(
            keys.open(&signed, sealed.as_bytes(), S1.now()),
            Ok(Incoming::Text { from: "zhangsan".into(), content, msgid: "9".into(), created_at: 1_700_000_000 })
        );
    }

    #[test]
    fn a_changed_byte_of_a_push_never_opens_as_something_else(at in 0_usize..2000, to in any::<u8>()) {
        let mut body = S1.body().into_bytes();
        let at = at % body.len();
        body[at] = to;
        // What does not matter may change: the name of the app, white space.
        if let Ok(incoming) = S1.keys().open(&S1.signed(), &body, S1.now()) {
            prop_assert_eq!(incoming, Incoming::Click(click()));
        }
    }
}
