//! Public vectors V1–V4 and made-up ones S1–S3 (docs/reference/wecom.md#callback-cipher).

use super::*;
use crate::callback::event::{Event, What};

struct Vector {
    key: &'static str,
    token: &'static str,
    timestamp: &'static str,
    nonce: &'static str,
    signature: &'static str,
    receiveid: &'static str,
    encrypted: &'static str,
}

impl Vector {
    fn keys(&self) -> Keys {
        Keys::new(self.token, self.key).unwrap()
    }

    /// Decrypts the text after comparing signature and receiver.
    fn open(&self) -> String {
        assert_eq!(self.keys().sign(self.timestamp, self.nonce, self.encrypted), self.signature);
        let (text, receiveid) = self.keys().decrypt(self.encrypted).unwrap();
        assert_eq!(receiveid, self.receiveid);
        text
    }
}

const V1: Vector = Vector {
    key: "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws",
    token: "kjr2TKI8umCBfVF3wAHk8JiPwma5VBme",
    timestamp: "1583940690",
    nonce: "VHh7ymSeb0jc4lSb",
    signature: "1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011",
    receiveid: "ww6a112864f8022910",
    encrypted: "6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC/nIX3ZNt9w==",
};

const V2: Vector = Vector {
    key: "cD0d7jx4tYvVtzqrmh3Dm3QFCXe6f8SlHoMtMh3qQEP",
    token: "kz7Yx62CH8SaLN",
    timestamp: "1583995625",
    nonce: "1584392382",
    signature: "f265ae551b1932727204c3d707628d01376a6940",
    receiveid: "ww6a112864f8022910",
    encrypted: "EUCt7xMcNiyASzZj0Hjc5yDjFQrCum6AfQ3ntHiUzjGQ51xieKmbvtrZ40/EcB2W/W8yH0n4Lqx48gJl/T9HD/R309I0P/r5pIZu\
        cK3lyEn48FYMr4YdE0QdL2jIJ3xkcXUr6uzefzCxG6lMvwpAJaOyVCzN7sRRw47njfxy5EIqU6R9ZBhlTzfdnhhOhK/nTwzrZX3S\
        oGlXFA9OBeZ6ru1NWpXFk76x9DUMe0lcxPPiUqK8ctnQcYXSGUHVqC6DfG7E7mab0OmruNN8cBZY5d3dYOBA4OgaH55Q0AJmUpdT\
        8vNiXpXx+6TxT3TIjySXpDrHVyrsb772aYywgg/Nu4kUmGkALwFZlzhjNegR7wDwb9lr4ERXsSSS8JZ8lbBmaQ3F2Tq584xoPj5r\
        IhXAF734ynm4no1g+SdHiNqR328=",
};

const V3: Vector = Vector {
    key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    token: "QDG6eK",
    timestamp: "1409659589",
    nonce: "263014780",
    signature: "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
    receiveid: "wx5823bf96d3bd56c7",
    encrypted: "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
};

const V4: Vector = Vector {
    timestamp: "1409659813",
    nonce: "1372623149",
    signature: "477715d11cdb4164915debcba66cb864d751f3e6",
    encrypted: "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg\
        3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+k\
        DZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6ti\
        WSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p\
        8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==",
    ..V3
};

const S1: Vector = Vector {
    key: "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg",
    token: "simtoken01",
    timestamp: "1700000000",
    nonce: "nonce-xml",
    signature: "b13ac85a6ade1537ff8d9b789eeab559aae7a7a0",
    receiveid: "wwsimcorp0000001",
    encrypted: "NkQ0xBejso6Q1D6PTIoYSFb/fBjxmxEXZSP2Pgx7UU547FZu4Ah6MPQRJ9nxAnsL/drnsWZuVzmdMEmP3VwbiBGvEmVvf/BrV037\
        bQNoM1JU5uN9cpNigssgwdAXu9WDtdFJTlN3BuYHEc0MKWctAgqFF75YmcBxalpkeFLpH23gqnv0EU8hMTodDofHJ075gtW7IzeG\
        6goLeKj9+FjgTwsex/nIbUhcjOTVXn9O6NIqA6r3Lpd2HhxrZ/6gw3460jG2EDzaRwHRYw84QlLlMysF087q0HTXlefWGSkGLauI\
        QH0X7VcSdMjMiU7oH8zPgf0Lc4w0fhomDSZi+bU0+gDkG5FCtVlff3iGkrEQ/GURyF8oWstTNMKYkNhA2mtq7x5nEnuXYSmSY1/7\
        AWGgYFgnD20OODyxnceVJzkEVGf/fgk6rfdqYaspMTMveE/cp/rvWeecnqQen7+sc4ywrxU+fjSQ+l/j/MVpDbF6EDwCK6r3AwMQ\
        /Pq2pvX5licdiulnhCs2grhUTx+veYqnY+8DiZMTW/R/FvISzvFtcr8edxeQ+n4iDTN2TksE90iKToeCFQm0KqW1lY8wfR2PSs01\
        PtdHyFG3vYFoT6Au3rvdJYNOYF31Le9Hk6AqliCi",
};

const S2: Vector = Vector {
    timestamp: "1700000001",
    nonce: "nonce-json",
    signature: "87004f50d17e80272f797c978bd2c4c45d7beabe",
    receiveid: "",
    encrypted: "sCaIFn/N4ViImEad/eFXnhiydi0OX8y9B8nD5FzIRLjjbHt3jE/5saX1Zlr6ZDNrs6JfhnxDb6bY36BL1uS4lh9TBkPn0LsCR+Uf\
        YWSpl+jD1KHGCKDaSQoJ9+M9QiImDz8+lQ3MyfjGeA8uwhV+jZB/5ML3jpM+Qw76SIFNn7YdovyYgAQtDLGrzmNEA1VIvZ1Nlxy1\
        B7jZ0oDGXBNa4w==",
    ..S1
};

const S3: Vector = Vector {
    timestamp: "1700000002",
    nonce: "nonce-echo",
    signature: "de8454ba99bdc97ef7d31d156b94a910f34cc96a",
    encrypted: "a979RxIrz14+EhewTDzU2YhvMrYttH2wFumVt3kXgIBiZl6fdYKB/RbWsmBNtSEtE7oaCGR/SioJ7anYyzrQ3CSJKl7R65bv+y08\
        ppcFS+2wPxsEcbJ/19L7++Xv2VGo",
    ..S1
};

#[test]
fn the_public_vectors_open_also_where_the_key_has_bits_left_over() {
    assert_eq!(V1.open(), "94966531020182955848408");
    let text = V2.open();
    for part in ["foobar", "x123", "2018405441", "1000002"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(V3.open(), "1616140317555161061");
    assert!(V4.open().contains("hello"));
}

#[test]
fn encryption_equals_other_implementations_byte_for_byte() {
    assert_eq!(V1.keys().encrypt(&V1.open(), V1.receiveid, *b"5QMsYcwjR95t2vmC"), V1.encrypted);
    let click = Event { corp_id: "wwsimcorp0000001", user: "zhangsan", now_s: 1_700_000_000, agent_id: 1_000_002 };
    let what = What::Card {
        menu: false,
        key: "ack",
        task_id: "alert_9f2c",
        card_type: "button_interaction",
        response_code: "RC-0001",
        selected: None,
    };
    let text = click.xml(&what);
    assert_eq!((text.len(), &text), (430, &S1.open()));
    assert_eq!(S1.keys().encrypt(&text, S1.receiveid, *b"0123456789abcdef"), S1.encrypted);
    assert!(S2.open().contains("状态"));
    assert_eq!(S2.keys().encrypt(&S2.open(), "", *b"fedcba9876543210"), S2.encrypted);
    assert_eq!(S3.open(), "1234567890123456789012345678");
    assert_eq!(S3.keys().encrypt(&S3.open(), S3.receiveid, [b'0'; 16]), S3.encrypted);
}

#[test]
fn a_wrong_key_a_cut_and_a_lie_about_the_length_are_refused() {
    let keys = S1.keys();
    assert!(V1.keys().decrypt(S1.encrypted).is_err());
    assert!(keys.decrypt(&S1.encrypted[..S1.encrypted.len() - 4]).is_err());
    assert!(keys.decrypt("").is_err() && keys.decrypt("ä").is_err());
    assert!(Keys::new("simtoken01", &S1.key[1..]).is_err() && Keys::new("", S1.key).is_err());
}
