//! The built program, killed, stopped, reloaded, started twice and misconfigured.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::{Wegraf, run};

const ONE_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: markdown } ] }
route: { receiver: ops }
";

/// A world with a configuration and no gateway yet.
async fn idle() -> World {
    World::idle(Setup::demo(), ONE_MEMBER).await
}

/// A world in which nothing listens at WeCom's address.
async fn without_wecom() -> World {
    let world = idle().await;
    // Nothing listens on a port that was just released.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let text = world.config_text("127.0.0.1:0", ONE_MEMBER);
    world.write("wegraf.yaml", &text.replace(&world.simulator.url(), &format!("http://{nobody}")));
    world
}

/// The messages in the record, the newest first, read by another process.
async fn record(world: &World) -> Vec<Value> {
    let answer = run(world, &["deliveries", "list", "--json"]).await.exits(0);
    answer.json()["deliveries"].as_array().unwrap().clone()
}

/// Waits until the newest message in the record is in `state`.
async fn recorded(world: &World, state: &str) -> Value {
    let begun = Instant::now();
    loop {
        let rows = record(world).await;
        if rows.first().is_some_and(|row| row["state"] == state) {
            return rows[0].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is {state}: {rows:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the simulator has seen `count` sends.
async fn sends(world: &World, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let requests = world.requests("message/send").await;
        if requests.len() >= count {
            return requests;
        }
        assert!(begun.elapsed() < PATIENCE, "only {} of {count} sends were seen", requests.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_alert_that_was_answered_200_and_not_yet_sent_survives_kill_9() {
    let mut world = without_wecom().await;
    let gateway = Wegraf::serve(&mut world).await;
    world.accept("/webhook", alertmanager("断电", &[("db-1", "firing")])).await;
    gateway.kill().await;
    assert!(world.requests("message/send").await.is_empty(), "nothing was sent before the kill");
    world.write_config(ONE_MEMBER);
    let _gateway = Wegraf::serve(&mut world).await;
    let messages = world.arrived("user=daixuan", 1).await;
    assert!(messages[0]["content"].to_string().contains("断电"), "{messages:#?}");
}

/// The control of the test above: it can fail.
#[tokio::test]
async fn without_its_database_a_killed_gateway_forgets_what_it_had_taken() {
    let mut world = without_wecom().await;
    let gateway = Wegraf::serve(&mut world).await;
    world.accept("/webhook", alertmanager("断电", &[("db-1", "firing")])).await;
    gateway.kill().await;
    for file in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("wegraf.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    world.write_config(ONE_MEMBER);
    let _gateway = Wegraf::serve(&mut world).await;
    // A second alert is delivered completely, so the first had enough time.
    world.accept("/webhook", alertmanager("第二条", &[("db-2", "firing")])).await;
    let messages = world.arrived("user=daixuan", 1).await;
    assert!(!messages[0]["content"].to_string().contains("断电"), "{messages:#?}");
}

#[tokio::test]
async fn a_message_that_was_being_sent_at_kill_9_goes_out_again_with_the_same_bytes() {
    let mut world = idle().await;
    let gateway = Wegraf::serve(&mut world).await;
    world.fault(json!({ "match": { "path": "message/send" }, "action": "hang" })).await;
    world.accept("/webhook", alertmanager("正在发送", &[("db-1", "firing")])).await;
    sends(&world, 1).await;
    gateway.kill().await;
    assert!(world.inbox("user=daixuan").await.is_empty(), "it had not arrived");
    let _gateway = Wegraf::serve(&mut world).await;
    world.arrived("user=daixuan", 1).await;
    let requests = sends(&world, 2).await;
    assert_eq!(requests[0]["body"], requests[1]["body"]);
    let row = recorded(&world, "sent").await;
    assert_eq!(row["attempts"], 2, "{row:#}");
}

#[tokio::test]
async fn a_message_that_had_just_arrived_at_kill_9_does_not_arrive_twice() {
    let mut world = idle().await;
    let gateway = Wegraf::serve(&mut world).await;
    world.fault(json!({ "match": { "path": "message/send" }, "action": "reset_after" })).await;
    world.accept("/webhook", alertmanager("刚刚送达", &[("db-1", "firing")])).await;
    world.arrived("user=daixuan", 1).await;
    gateway.kill().await;
    let _gateway = Wegraf::serve(&mut world).await;
    recorded(&world, "sent").await;
    let requests = sends(&world, 2).await;
    assert_eq!(requests[0]["body"], requests[1]["body"], "WeCom can compare them");
    assert_eq!(world.inbox("user=daixuan").await.len(), 1);
}

#[tokio::test]
async fn messages_sent_before_kill_9_are_not_sent_again() {
    let mut world = idle().await;
    let gateway = Wegraf::serve(&mut world).await;
    world.accept("/webhook", alertmanager("磁盘", &[("db-1", "firing")])).await;
    world.arrived("user=daixuan", 1).await;
    recorded(&world, "sent").await;
    gateway.kill().await;
    let _gateway = Wegraf::serve(&mut world).await;
    let answer = world.accept("/webhook", alertmanager("磁盘", &[("db-1", "firing")])).await;
    assert_eq!(answer["duplicate"], true, "{answer}");
    world.accept("/webhook", alertmanager("磁盘", &[("db-1", "resolved")])).await;
    world.arrived("user=daixuan", 2).await;
}

#[tokio::test]
async fn sigterm_lets_a_send_in_flight_end_and_exits_0() {
    let mut world = idle().await;
    let mut gateway = Wegraf::serve(&mut world).await;
    world.fault(json!({ "match": { "path": "message/send" }, "action": { "delay_ms": 1500 } })).await;
    world.accept("/webhook", alertmanager("退出", &[("db-1", "firing")])).await;
    recorded(&world, "sending").await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.log());
    assert_eq!(world.inbox("user=daixuan").await.len(), 1);
    assert_eq!(record(&world).await[0]["state"], "sent", "its outcome is on disk");
}

#[tokio::test]
async fn sigterm_lets_a_request_in_flight_end_and_takes_no_new_one() {
    let mut world = idle().await;
    let mut gateway = Wegraf::serve(&mut world).await;
    let body = alertmanager("退出", &[("db-1", "firing")]);
    let address = world.url.trim_start_matches("http://").to_owned();
    let mut sender = TcpStream::connect(&address).await.unwrap();
    let head = format!("POST /webhook HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
    sender.write_all(head.as_bytes()).await.unwrap();
    sender.write_all(&body.as_bytes()[..100]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.signal("TERM").await;
    gateway.logged("Stopping").await;
    let begun = Instant::now();
    while TcpStream::connect(&address).await.is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it still takes connections");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sender.write_all(&body.as_bytes()[100..]).await.unwrap();
    let mut answer = String::new();
    sender.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.log());
    assert_eq!(record(&world).await.len(), 1, "what was answered 200 is on disk");
}

/// The same receiver, but another person.
const ANOTHER_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [lisi], face: markdown } ] }
route: { receiver: ops }
";

#[tokio::test]
async fn a_change_of_the_configuration_and_sighup_reload_it() {
    let mut world = idle().await;
    let gateway = Wegraf::serve(&mut world).await;
    world.write_config(ANOTHER_MEMBER);
    gateway.logged("The configuration was reloaded").await;
    world.accept("/webhook", alertmanager("改文件", &[("a", "firing")])).await;
    world.arrived("user=lisi", 1).await;
    assert!(world.inbox("user=daixuan").await.is_empty());
    let before = world.metric("wegraf_config_reloads_total{result=\"ok\"}").await;
    gateway.signal("HUP").await;
    let begun = Instant::now();
    while world.metric("wegraf_config_reloads_total{result=\"ok\"}").await < before + 1.0 {
        assert!(begun.elapsed() < PATIENCE, "SIGHUP did not reload: {}", gateway.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_broken_configuration_leaves_the_old_one_in_force_and_says_so() {
    const TAKEN: &str = "wegraf_config_last_reload_successful";
    let mut world = idle().await;
    let gateway = Wegraf::serve(&mut world).await;
    assert!(world.metric(TAKEN).await > 0.5);
    world.write("wegraf.yaml", "listen: 127.0.0.1:0\nreceivres: {}\n");
    gateway.logged("the old one stays in force").await;
    assert!(gateway.log().contains("receivers"), "the log has the suggestion: {}", gateway.log());
    assert!(world.metric(TAKEN).await < 0.5);
    world.accept("/webhook", alertmanager("照常", &[("a", "firing")])).await;
    world.arrived("user=daixuan", 1).await;
    world.write_config(ANOTHER_MEMBER);
    gateway.logged("The configuration was reloaded").await;
    assert!(world.metric(TAKEN).await > 0.5);
}

#[tokio::test]
async fn a_second_process_on_the_same_database_is_refused_and_told_who_has_it() {
    let mut world = idle().await;
    let gateway = Wegraf::serve(&mut world).await;
    let second = run(&world, &["serve", "-c", "wegraf.yaml", "--listen", "127.0.0.1:0"]).await.exits(1);
    assert!(second.err.contains(&gateway.pid().to_string()), "{}", second.err);
    world.accept("/webhook", alertmanager("还在", &[("a", "firing")])).await;
    world.arrived("user=daixuan", 1).await;
}

#[tokio::test]
async fn a_wrong_configuration_shows_all_its_mistakes_at_once_and_starts_nothing() {
    let world = idle().await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    world.write(
        "wegraf.yaml",
        &format!(
            "listen: {port}\nlanguage: fr\nreceivers:\n  ops: {{ targets: [ {{ webhook: nowhere, face: textcard }} ] }}\nroute: {{ receiver: opps }}\ntimezone: Mars/Olympus\n"
        ),
    );
    let answer = run(&world, &["serve", "-c", "wegraf.yaml"]).await.exits(2);
    for mistake in ["wegraf.yaml:2:", "nowhere", "opps", "Mars/Olympus", "wegraf.yaml:6:"] {
        assert!(answer.err.contains(mistake), "{mistake} is not named: {}", answer.err);
    }
    assert!(TcpStream::connect(port).await.is_err(), "nothing listens");
    assert!(!world.folder.path().join("wegraf.db").exists(), "no database was made");
}
