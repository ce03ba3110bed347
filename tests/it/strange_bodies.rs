//! What no sane sender writes (F93–F97, docs/reference/reliability.md#hostile-input): both stores answer the same, keep
//! the same and tell the same.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::alert::Timestamp;
use xtask::postgres::Server;

use crate::harness::World;

/// Messages tell times: it is the same in both runs, 2026-11-22T13:30:00Z.
const BEGINNING: Timestamp = Timestamp(1_795_354_200_000);

const RECEIVERS: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: ops }
";

/// Alertmanager's body with this JSON as the one alert's labels and annotations; whatever it is, it is sent as it is.
fn alert(labels: &str, annotations: &str) -> Vec<u8> {
    format!(
        r#"{{"version":"4","receiver":"wegraf","status":"firing","groupKey":"{{}}","groupLabels":{{}},"commonLabels":{{}},"commonAnnotations":{{}},"externalURL":"http://am.example.com","truncatedAlerts":0,"alerts":[{{"status":"firing","labels":{labels},"annotations":{annotations},"startsAt":"2026-11-22T06:02:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example.com"}}]}}"#
    )
    .into_bytes()
}

/// What it is, the body, and what must be readable on the phone.
fn cases() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let named = |name: &str, more: &str| alert(&format!(r#"{{"alertname":"{name}"{more}}}"#), "{}");
    let many: Vec<String> = (0..20_000).map(|number| format!(r#""k{number}":"v""#)).collect();
    let latin = b"latin: caf\xe9 on db-1".to_vec();
    let mut overlong = named("过长编码", r#","instance":"XX""#);
    let at = overlong.windows(2).position(|pair| pair == b"XX").unwrap();
    overlong[at..at + 2].copy_from_slice(&[0xc0, 0xaf]);
    vec![
        ("zero in a value", named("零字符", r#","instance":"db\u0000-1""#), "零字符"),
        ("zero in a name", named("零在名里", r#","in\u0000stance":"db-1""#), "零在名里"),
        ("zero as the alert's name", named("a\\u0000b", r#","instance":"db-2""#), "b"),
        ("zero in opaque text", b"{\"text\":\"db-3 \\u0000 down\"}".to_vec(), "down"),
        ("a lone high surrogate", named("半个字符", r#","instance":"\ud800 db""#), "半个字符"),
        ("a lone low surrogate in a name", named("半个在名里", r#","\udc00k":"v""#), "半个在名里"),
        ("surrogates the wrong way round", named("颠倒", r#","instance":"\udc00\ud800""#), "颠倒"),
        ("invalid UTF-8", latin, "latin"),
        ("an overlong encoding", overlong, "过长编码"),
        ("an exponent of six digits", named("大指数", r#","value":1e400000"#), "大指数"),
        ("an integer of 2^64", named("大整数", r#","value":18446744073709551616"#), "大整数"),
        ("three hundred digits", named("三百位", &format!(r#","value":{}"#, "7".repeat(300))), "三百位"),
        ("minus zero and a fraction", named("负零", r#","a":-0,"b":-0.0"#), "负零"),
        ("not a number", named("非数", r#","value":NaN,"other":-Infinity"#), "非数"),
        ("a name twice", named("两次", r#","instance":"first","instance":"last""#), "last"),
        (
            "twenty thousand labels",
            alert(&format!(r#"{{"alertname":"很多标签",{}}}"#, many.join(",")), "{}"),
            "很多标签",
        ),
        ("a byte order mark", [b"\xef\xbb\xbf".to_vec(), named("字节序标记", "")].concat(), "字节序标记"),
        ("something behind", [named("尾巴", ""), b" {\"x\":1}".to_vec()].concat(), "尾巴"),
        ("ANSI, bidi and line ends", named("控制", r#","instance":"\u001b[31m\u202e\r\nSet-Cookie: a=b""#), "控制"),
        ("WeCom's markup", named("注入", r#","instance":"<@all><@daixuan>[bank](http://evil.example)""#), "注入"),
        ("labels that are a list", alert(r#"["alertname","清单"]"#, "{}"), "清单"),
        ("annotations that are a number", alert(r#"{"alertname":"数字注解"}"#, "1e999"), "数字注解"),
    ]
}

/// What the gateway answered, kept and told, without what differs from run to run.
async fn outcome(database: Option<&str>) -> Vec<Value> {
    let mut world = World::idle(Setup::demo(), RECEIVERS).await;
    if let Some(url) = database {
        let config = std::fs::read_to_string(world.config_path()).unwrap();
        world.write("wegraf.yaml", &config.replace("sqlite:wegraf.db", url));
    }
    world.control("PUT", "switches", json!({ "enforce_rate": false })).await;
    world.stand_still_at(BEGINNING);
    world.start().await;
    let mut seen = Vec::new();
    for (number, (what, body, readable)) in cases().into_iter().enumerate() {
        let (status, mut answer) = world.post("/webhook", body).await;
        assert_eq!(status, 200, "{what}: {answer}");
        answer.as_object_mut().unwrap().remove("id");
        let told = world.arrived("user=daixuan", number + 1).await.pop().unwrap();
        let told = told["content"]["content"].as_str().unwrap_or_else(|| panic!("{what}: {told}")).to_owned();
        assert!(told.contains(readable), "{what}: {readable:?} is not in {told:?}");
        seen.push(json!({ "what": what, "answer": answer, "told": told }));
        // A lane that is behind would fold the next one. Only after the arrival: the message tells its alert's age.
        world.pass(Duration::from_secs(5));
    }
    world.settled().await;
    for row in world.deliveries().await {
        let delivery = world.app().store().delivery(row.message).await.unwrap().unwrap();
        let kept: Vec<Value> =
            delivery.transitions.iter().map(|one| json!([one.name, one.labels_json, one.fate])).collect();
        seen.push(json!({ "name": row.name, "state": row.state, "transitions": kept }));
    }
    seen
}

#[tokio::test]
async fn both_stores_answer_store_and_tell_every_body_alike() {
    let sqlite = outcome(None).await;
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        assert!(std::env::var_os("WEGRAF_TEST_EVERYTHING").is_none(), "WEGRAF_TEST_POSTGRES is not set");
        return println!("skipped: WEGRAF_TEST_POSTGRES is not set");
    };
    let server = Server::Given(url.into_string().unwrap());
    let url = server.schema(&format!("wegraf_strange_{}", rand::random::<u64>())).unwrap();
    let postgres = outcome(Some(&url)).await;
    assert_eq!(sqlite.len(), postgres.len());
    for (one, other) in sqlite.iter().zip(&postgres) {
        assert_eq!(one, other);
    }
}
