//! `wegraf demo` shows the same screen at each run, and opens it where the alerts are.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::harness::{PATIENCE, crypto};
use crate::process::PROGRAM;

/// Runs that are compared; more by hand: `WEGRAF_TEST_RUNS=20`.
const RUNS: usize = 3;

/// What differs from run to run: times, ports, short ids and what is drawn by lot.
fn settled(text: &str) -> String {
    let digits = regex::Regex::new(r"[0-9]+").unwrap();
    let ids = regex::Regex::new(
        r#"#[0-9A-Z]{4}\b|/(d|i|c)/[^ "\\]+|s=[A-Za-z0-9_-]+|stream_[0-9a-f_]+|media/[0-9a-f]+|/l/[0-9A-Z]+"#,
    )
    .unwrap();
    // A time gets its day once midnight has passed.
    let days = regex::Regex::new("(?:昨天|0月0日) ").unwrap();
    days.replace_all(&digits.replace_all(&ids.replace_all(text, "ID"), "0"), "").into_owned()
}

/// The screen of one run: what stands in each conversation, in its order.
async fn screen() -> Vec<(String, Vec<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["demo", "--lang", "zh"])
        .env_clear()
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let phone = loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it goes on").unwrap();
        let line = line.expect("it runs until it is ended");
        if let Some((_, url)) = line.split_once("打开手机页面") {
            break url.trim().to_owned();
        }
    };
    let (base, open) = phone.split_once("/#").expect("a conversation is open");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let said: Value = http.get(format!("{base}/_simulator/messages")).send().await.unwrap().json().await.unwrap();
    let messages = said["messages"].as_array().unwrap();
    let place = |message: &Value| {
        let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
        match message["channel"].as_str().unwrap() {
            "webhook" => format!("webhook/{}", text("webhook")),
            "chat" => format!("chat/{}", text("chat")),
            "bot" => format!("bot/{}", text("bot")),
            _ => format!("user/{}", message["receivers"]),
        }
    };
    let mut shown = std::collections::BTreeMap::<String, Vec<String>>::new();
    for message in messages {
        shown.entry(place(message)).or_default().push(settled(&message["content"].to_string()));
    }
    assert!(shown[open].len() >= 5, "{open} is where the alerts are: {shown:#?}");
    child.kill().await.unwrap();
    shown.into_iter().collect()
}

#[tokio::test]
async fn every_run_of_the_demo_shows_the_same_and_opens_on_the_alerts() {
    crypto();
    let runs = std::env::var_os("WEGRAF_TEST_RUNS").and_then(|runs| runs.to_str()?.parse().ok()).unwrap_or(RUNS);
    let first = screen().await;
    for _ in 1..runs {
        let next = screen().await;
        for (one, other) in first.iter().zip(&next) {
            assert_eq!(one, other);
        }
        assert_eq!(first.len(), next.len());
    }
}
