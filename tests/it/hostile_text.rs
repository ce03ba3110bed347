//! Text from outside on a terminal, in the log and in files: it moves no cursor, forges no line, runs no formula.

use serde_json::Value;

use crate::harness::{EVERY_CHANNEL, World};
use crate::process::run;

/// A name that clears the screen, forges a row and turns the reading order round.
const HOSTILE: &str = "=cmd\u{1b}[2J\u{1b}]0;x\u{7}\n     9  #FAKE  ✓ sent forged\u{9b}31m\u{7f}\u{202e}\u{2066}\u{200b}\u{feff}\u{85}\u{2028}";

fn alert(name: &str) -> String {
    serde_json::json!({
        "version": "4", "status": "firing", "receiver": "x", "groupKey": name, "externalURL": "http://am.example.com",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "truncatedAlerts": 0,
        "alerts": [{
            "status": "firing", "startsAt": "2026-11-22T06:02:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "labels": { "alertname": name, "instance": name, "severity": "critical" },
            "annotations": { "summary": name }, "generatorURL": "",
        }],
    })
    .to_string()
}

fn controls(text: &str) -> Option<char> {
    text.chars().find(|c| {
        *c != '\n' && *c != '\r' && *c != '\u{feff}' && c.is_control()
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[tokio::test]
async fn no_command_prints_what_controls_a_terminal() {
    let mut world = World::new(EVERY_CHANNEL).await;
    world.accept("/webhook", alert(HOSTILE)).await;
    world.accept("/webhook/nowhere", alert(HOSTILE)).await;
    world.settled().await;
    world.stop().await;
    world.write("alert.json", &alert(HOSTILE));
    for arguments in [
        &["deliveries", "list"][..],
        &["deliveries", "show", "1"],
        &["deliveries", "export"],
        &["deliveries", "export", "--format", "jsonl"],
        &["deliveries", "audit"],
        &["deliveries", "resend", "1"],
        &["deliveries", "show", HOSTILE],
        &["acts", "list"],
        &["acts", "list", "--by", HOSTILE],
        &["preview", "--payload", "alert.json"],
        &["preview", HOSTILE],
        &["send", "group", "--payload", "alert.json"],
        &["send", HOSTILE],
        &["route", &format!("team={HOSTILE}")],
        &["duty", HOSTILE],
        &["doctor"],
        &["bots", "list"],
        &["check"],
    ] {
        let answer = run(&world, arguments).await;
        assert_eq!(controls(&answer.out), None, "{arguments:?}: {:?}", answer.out);
        assert_eq!(controls(&answer.err), None, "{arguments:?}: {:?}", answer.err);
        let forged = answer.out.lines().any(|line| line.trim_start().starts_with("9  #FAKE"));
        assert!(!forged, "{arguments:?} has a forged row: {}", answer.out);
    }
    let list = run(&world, &["deliveries", "list"]).await.exits(0).out;
    assert!(list.contains("=cmd␛[2J"), "that it was there is shown: {list}");
}

#[tokio::test]
async fn json_is_escaped_and_keeps_the_text() {
    let world = World::new(EVERY_CHANNEL).await;
    world.accept("/webhook/group", alert(HOSTILE)).await;
    world.settled().await;
    let answer = run(&world, &["deliveries", "list", "--json"]).await.exits(0);
    assert_eq!(controls(&answer.out), None);
    assert_eq!(answer.json()["deliveries"][0]["name"], HOSTILE);
    let lines = run(&world, &["deliveries", "export", "--format", "jsonl"]).await.exits(0).out;
    let row: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((controls(&lines), &row["name"]), (None, &HOSTILE.into()));
    let csv = run(&world, &["deliveries", "export"]).await.exits(0).out;
    assert!(csv.contains(",'=cmd␛[2J"), "{csv}");
}
