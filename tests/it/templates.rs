//! The user's own templates: used, and when they fail replaced, so that the alert still goes out.

use serde_json::Value;
use wecom_simulator::Setup;

use crate::harness::{World, alertmanager};
use crate::process::run;

const FAILURES: &str = "wegraf_template_failures_total";

const MINE: &str = r"
templates: [mine/*.j2]
receivers:
  ops: { template: duty, targets: [ { app: ops, users: [daixuan], face: text }, { webhook: ops-group, face: markdown } ] }
route: { receiver: ops }
";

/// A configuration with the template `duty`, and no gateway yet.
async fn idle(template: &str) -> World {
    let world = World::idle(Setup::demo(), MINE).await;
    std::fs::create_dir(world.folder.path().join("mine")).unwrap();
    world.write("mine/duty.j2", template);
    world
}

async fn with(template: &str) -> World {
    let mut world = idle(template).await;
    world.start().await;
    world
}

fn text(message: &Value) -> &str {
    message["content"]["content"].as_str().unwrap_or_else(|| panic!("{message:#}"))
}

/// What the member reads of a firing alert called 磁盘将满.
async fn told(world: &World) -> String {
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    let messages = world.arrived("user=daixuan", 1).await;
    world.arrived("webhook=sim-ops-group", 1).await;
    world.settled().await;
    text(&messages[0]).to_owned()
}

#[tokio::test]
async fn a_template_of_the_users_writes_the_message() {
    let world = with(
        "值班同学请看：{{ subject }} {{ word }}\n{% for alert in alerts %}→ {{ alert.labels.instance }}\n{% endfor %}",
    )
    .await;
    let text = told(&world).await;
    assert!(text.starts_with("值班同学请看：磁盘将满 · db-1 警告\n→ db-1"), "{text}");
    assert!(text.contains('#'), "the short id is there whatever the template does: {text}");
    assert!(world.metric(FAILURES).await < 0.5);
}

#[tokio::test]
async fn a_template_for_one_face_leaves_the_others_alone() {
    let world = idle("一般{{ word }}：{{ subject }}").await;
    world.write("mine/duty.markdown.j2", "群里{{ word }}：{{ subject }}");
    let mut world = world;
    world.start().await;
    assert!(told(&world).await.starts_with("一般警告：磁盘将满"));
    let group = world.inbox("webhook=sim-ops-group").await;
    assert!(text(&group[0]).starts_with("群里警告：磁盘将满"), "{group:#?}");
}

/// Templates that fail, and where; one that prints too much does so everywhere.
const BROKEN: &[(&str, &str)] = &[
    ("第一行\n{% if %}", "duty.j2:2:"),
    ("{{ subject }}\n\n{{ nosuchthing }}", "duty.j2:3:"),
    ("{{ subject|nosuchfilter }}", "duty.j2:1:"),
    ("{{ subject }}\n{% include 'nowhere' %}", "duty.j2:2:"),
    ("{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}", "duty.j2:1:"),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "duty.j2:1:"),
    ("{% for a in range(9000) %}0123456789abcdef0123456789abcdef{% endfor %}", "duty.j2:"),
    // Nothing tells whether it is on or over.
    ("{{ name }} {{ object }}", "duty.j2: 消息里没有"),
];

#[tokio::test]
async fn an_alert_whose_template_fails_goes_out_in_the_shipped_one_and_the_failure_counts() {
    for (template, _) in BROKEN {
        let world = with(template).await;
        let begun = std::time::Instant::now();
        let text = told(&world).await;
        assert!(text.contains("磁盘将满") && text.contains("警告") && text.contains("db-1"), "{template}: {text}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{template} took {:?}", begun.elapsed());
        assert!(world.metric(FAILURES).await > 0.5, "{template} is not counted");
    }
}

#[tokio::test]
async fn check_finds_a_template_that_fails_and_names_its_line() {
    for (template, place) in BROKEN {
        let world = idle(template).await;
        let answer = run(&world, &["check", "--json"]).await.exits(1).json();
        assert_eq!(answer["ok"], false);
        assert!(answer["templates"].to_string().contains(place), "{answer}");
    }
    let (template, place) = BROKEN[0];
    let answer = run(&idle(template).await, &["check"]).await.exits(1);
    assert!(answer.out.contains(place), "{place} is not named: {}", answer.out);
    run(&idle("{{ title }} {% for alert in alerts %}{{ alert.what }}{% endfor %}").await, &["check"]).await.exits(0);
}

#[tokio::test]
async fn a_template_cannot_make_markup_or_mentions_of_an_alerts_text() {
    let world = with("{{ word }} {{ subject }} {% for alert in alerts %}{{ alert.labels.instance }}{% endfor %}").await;
    world
        .accept(
            "/webhook",
            alertmanager("磁盘 [here](http://evil.example.com) <@all>", &[("<@lisi> `x` **y**", "firing")]),
        )
        .await;
    let group = world.arrived("webhook=sim-ops-group", 1).await;
    assert_eq!(group[0]["mentions"], serde_json::json!([]), "{group:#?}");
    let seen = text(&group[0]);
    assert!(!seen.contains("](http") && !seen.contains("<@"), "{seen}");
}
