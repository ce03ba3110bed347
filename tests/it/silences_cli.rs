//! `wegraf silences` and `wegraf doctor` as a person meets them, with a real Alertmanager.

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::harness::{EVERY_CHANNEL, World};
use crate::process::run;
use crate::programs::{Server, alert, until};
use crate::silences::NO_NOTIFIER;

/// A world whose configuration has these upstreams.
async fn idle(upstreams: &str) -> World {
    World::idle(Setup::demo(), &format!("{EVERY_CHANNEL}upstreams:\n{upstreams}")).await
}

async fn with_alertmanager(more: &str) -> Option<(World, Server)> {
    let world = idle("").await;
    let server = Server::alertmanager(world.folder.path(), NO_NOTIFIER).await?;
    let am = format!("  am: {{ kind: alertmanager, url: '{}' }}\n{more}", server.url);
    world.write_config(&format!("{EVERY_CHANNEL}upstreams:\n{am}"));
    Some((world, server))
}

#[tokio::test]
async fn a_silence_is_made_listed_extended_and_ended_by_command() {
    let Some((world, server)) = with_alertmanager("").await else { return };
    run(&world, &["silences", "list"]).await.exits(0).says(&["no silences"]);
    let labels = json!({ "alertname": "主机失联", "instance": "web-1" });
    server.fire(&[alert(&labels, "没有心跳", false)]).await;
    until("it fires", async || server.get("/api/v2/alerts").await.filter(|alerts| alerts.contains("web-1"))).await;

    let create = ["silences", "create", "--for", "1h", "--author", "张三", "--comment", "正在修"];
    let matchers = ["alertname=主机失联", "instance=~web-.*"];
    let made = run(&world, &[&create[..], &matchers].concat()).await.exits(0);
    made.says(&["✓ am", "silenced until", "hides 1 alert now"]);
    let list = run(&world, &["silences", "list"]).await.exits(0);
    let list = list.says(&["● ", "am", "alertname=\"主机失联\"", "instance=~\"web-.*\"", "张三: 正在修 (wegraf:cli-"]);
    assert!(!list.out.contains("no silences"));
    let rows = run(&world, &["silences", "list", "--json", "alertname=主机失联"]).await.exits(0).json();
    let silence = rows["silences"][0].clone();
    assert_eq!(
        (&silence["upstream"], &silence["state"], &silence["author"]),
        (&json!("am"), &json!("active"), &json!("张三"))
    );
    run(&world, &["silences", "list", "alertname=别的"]).await.exits(0).says(&["no silences"]);

    let id = silence["id"].as_str().unwrap();
    let shorter = run(&world, &["silences", "extend", id, "--for", "30m"]).await.exits(2);
    assert!(shorter.err.contains("expire ends it"), "{}", shorter.err);
    let extended = run(&world, &["silences", "extend", id, "--for", "4h", "--json"]).await.exits(0).json();
    let act = &extended["done"][0];
    assert_eq!((&act["act"], &act["id"]), (&json!("extend"), &json!(id)));
    let later = act["ends_at"].as_i64().unwrap() - silence["ends_at"].as_i64().unwrap();
    assert!((10_700_000..10_900_000).contains(&later), "three hours later: {later}");

    run(&world, &["silences", "expire", id]).await.exits(0).says(&["✓ am", id, "ended"]);
    run(&world, &["silences", "list"]).await.exits(0).says(&["no silences"]);
    run(&world, &["silences", "list", "--all"]).await.exits(0).says(&["× ", id]);
    let morning = ["silences", "create", "--for", "morning", "--morning", "8:30", "--json", "alertname=x"];
    let act = run(&world, &morning).await.exits(0).json()["done"][0].clone();
    let shanghai = 8 * 3_600_000;
    let of_day = (act["ends_at"].as_i64().unwrap() + shanghai) % 86_400_000;
    assert_eq!((of_day, &act["hides"]), (8 * 3_600_000 + 1_800_000, &json!(0)));
}

#[tokio::test]
async fn impossible_requests_are_refused_before_upstream_is_asked() {
    let Some((world, server)) = with_alertmanager("").await else { return };
    for (arguments, words) in [
        (&["create", "--for", "1h", "alertname"][..], "LABEL=VALUE"),
        (&["create", "--for", "40d", "a=b"], "1m to 30d"),
        (&["create", "--for", "morning", "--morning", "25:00", "a=b"], "08:30"),
        (&["create", "--for", "1h"], "LABEL=VALUE"),
        (&["create", "--for", "1h", "a=~.*"], "all alerts would be hidden"),
        (&["create", "--for", "1h", "a=\"b"], "a quote is not closed"),
        (&["create", "--for", "1h", "a=~("], "the pattern is invalid"),
        (&["create", "--for", "1h", "--upstream", "nobody", "a=b"], "no upstream `nobody`"),
    ] {
        let answer = run(&world, &[&["silences"], arguments].concat()).await.exits(2);
        assert!(answer.err.contains(words), "{arguments:?}: {}", answer.err);
    }
    let gone = "00000000-0000-4000-8000-000000000000";
    let answer = run(&world, &["silences", "expire", gone]).await.exits(1);
    assert!(answer.err.contains("✗ 上游 am") && answer.err.contains("no such silence"), "{}", answer.err);
    let answer = run(&world, &["--lang", "en", "silences", "expire", gone]).await.exits(1);
    assert!(answer.err.contains("no such silence") && !answer.err.contains("上游"), "one language: {}", answer.err);
    assert_eq!(server.get("/api/v2/silences").await.as_deref().map(str::trim), Some("[]"));
    let none = World::idle(Setup::demo(), EVERY_CHANNEL).await;
    let answer = run(&none, &["silences", "list"]).await.exits(2);
    assert!(answer.err.contains("there are no `upstreams`"), "{}", answer.err);
}

#[tokio::test]
async fn an_upstream_that_is_down_hides_neither_the_others_nor_itself() {
    let down = "  down: { kind: grafana, url: 'http://127.0.0.1:9', token: glsa_notHere0 }\n";
    let Some((world, _server)) = with_alertmanager(down).await else { return };
    let create = ["silences", "create", "--for", "1h", "--json", "alertname=x"];
    let which = run(&world, &create).await.exits(2);
    assert!(which.err.contains("--upstream: am down"), "{}", which.err);
    let made = run(&world, &[&create[..], &["--upstream", "am"]].concat()).await.exits(0).json();
    let id = made["done"][0]["id"].as_str().unwrap().to_owned();
    let list = run(&world, &["silences", "list"]).await.exits(1);
    let list = list.says(&[&id, "✗ 上游 down", "cannot be reached"]);
    assert!(!list.out.contains("glsa_") && !list.err.contains("glsa_"));
    let rows: Value = run(&world, &["silences", "list", "--json"]).await.exits(1).json();
    assert_eq!((rows["silences"].as_array().unwrap().len(), &rows["errors"][0]["problem"]), (1, &json!("unreachable")));
    run(&world, &["silences", "extend", &id, "--for", "2h"]).await.exits(0).says(&["✓ am"]);
    run(&world, &["silences", "expire", &id]).await.exits(0).says(&["✓ am"]);
    // Not in the one that answers; the other one may have it.
    let gone = run(&world, &["silences", "expire", "00000000-0000-4000-8000-000000000000"]).await.exits(1);
    assert!(gone.err.contains("上游 down"), "{}", gone.err);
    let doctor = run(&world, &["doctor"]).await.exits(1);
    let doctor = doctor.says(&["✓ 上游 am", "0 in force", "✗ 上游 down", "cannot be reached"]);
    doctor.says(&["版本 0", "up for 0 h", "alerts ✓, silences ✓", "cannot be seen before 0.28"]);
}
