//! The control API and the page.

use serde_json::{Value, json};

use crate::desk::{CORP, Desk, SECRET, assert_code, text_to};

impl Desk {
    /// A call of the control API that must be refused; the reason.
    async fn refused(&self, method: &str, path: &str, body: Value) -> String {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, self.at(&format!("/_simulator/{path}"))).json(&body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400);
        response.json::<Value>().await.unwrap()["error"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn every_request_is_on_record_with_what_was_answered() {
    let desk = Desk::new().await;
    desk.say("lisi", "hello").await;
    desk.hook("no-such-key", json!({"msgtype": "text"})).await;
    let all = desk.look("requests").await["requests"].clone();
    assert_eq!(all[0]["path"], "/cgi-bin/gettoken");
    assert_eq!(all[0]["query"], json!({"corpid": CORP, "corpsecret": SECRET}));
    assert_eq!(all[1]["body"], text_to("lisi", "hello"));
    assert_eq!((&all[1]["method"], &all[1]["status"]), (&json!("POST"), &json!(200)));
    assert_eq!(all[1]["answer"]["errmsg"], "ok");
    assert_eq!(all[2]["errcode"], 93000);
    let sends = desk.look("requests?path=webhook/send").await["requests"].clone();
    assert_eq!(sends.as_array().unwrap().len(), 1);
    let counters = desk.look("counters").await;
    assert_eq!((&counters["gettoken"], &counters["requests"]), (&json!(1), &json!(3)));
    assert_eq!(counters["by_errcode"], json!({"0": 2, "93000": 1}));
    assert_eq!(counters["max_per_minute"]["members"], json!({"1000002/lisi": 1}));
}

#[tokio::test]
async fn messages_can_be_asked_for_since_an_id() {
    let desk = Desk::new().await;
    for n in 1..=3 {
        desk.say("lisi", &n.to_string()).await;
    }
    let first = desk.messages("user=lisi").await[0]["id"].clone();
    let later = desk.messages(&format!("user=LISI&since={first}")).await;
    assert_eq!(later.len(), 2);
    assert_eq!(later[0]["content"]["content"], "2");
}

#[tokio::test]
async fn a_reset_forgets_messages_tokens_switches_and_takes_another_corp() {
    let desk = Desk::new().await;
    desk.say("lisi", "old").await;
    desk.switch(json!({"enforce_rate": false})).await;
    let token = desk.token().await;
    let setup = json!({"corps": [{"corp_id": "wwtiny", "apps": [{"agent_id": 7, "secret": "s"}]}], "webhooks": []});
    desk.control("POST", "reset", setup).await;
    assert!(desk.messages("").await.is_empty());
    assert_eq!(desk.look("switches").await["enforce_rate"], true);
    assert_code(&desk.get(&format!("tag/list?access_token={token}")).await, 40014);
    assert_code(&desk.get("gettoken?corpid=wwtiny&corpsecret=s").await, 0);
    desk.control("POST", "reset", Value::Null).await;
    assert_code(&desk.say("lisi", "new").await, 0);
}

#[tokio::test]
async fn a_member_can_be_added_changed_and_taken_out() {
    let desk = Desk::new().await;
    let edit = |users: Value| json!({"corps": [{"corp_id": CORP, "users": users}]});
    let corp =
        desk.control("PUT", "corp", edit(json!([{"userid": "newbie", "name": "新人", "departments": [3]}]))).await;
    assert_eq!(corp["corps"][0]["users"].as_array().unwrap().len(), 5);
    assert_code(&desk.say("newbie", "welcome").await, 0);
    desk.control("PUT", "corp", edit(json!([{"userid": "newbie", "status": 5}]))).await;
    assert_code(&desk.say("newbie", "gone").await, 81013);
    let corp = desk.control("PUT", "corp", edit(json!([{"userid": "newbie", "remove": true}]))).await;
    assert_eq!(corp["corps"][0]["users"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn mistakes_in_the_control_api_are_named() {
    let desk = Desk::new().await;
    let cases = [
        ("PUT", "switches", json!({"enforce_rat": true}), "enforce_rat"),
        ("PUT", "switches", json!({"webhook_window": "round"}), "round"),
        ("PUT", "corp", json!({"corps": [{"corp_id": CORP, "apps": [{"agent_id": "x"}]}]}), "\"x\""),
        ("POST", "faults", json!({"action": "explode"}), "explode"),
        ("POST", "faults", json!({"match": {"pth": "x"}, "action": "hang"}), "pth"),
        ("POST", "faults", json!({"action": {"http": {"status": 99}}}), "99"),
        ("POST", "clock", json!({"advance": 1}), "advance"),
        ("POST", "tokens/expire", json!({"variant": 40001}), "40001"),
        ("GET", "messages?usr=lisi", json!(null), "usr"),
        ("GET", "requests?since=yesterday", json!(null), "since"),
    ];
    for (method, path, body, word) in cases {
        let reason = desk.refused(method, path, body).await;
        assert!(reason.contains(word), "{path}: {reason}");
    }
}

#[tokio::test]
async fn the_clock_runs_stands_still_and_jumps() {
    let desk = Desk::new().await;
    let still = desk.look("clock").await;
    assert_eq!(still, json!({"now_ms": 1_760_000_000_000_i64, "frozen": true}));
    let moved = desk.control("POST", "clock", json!({"advance_ms": 5})).await;
    assert_eq!(moved["now_ms"], 1_760_000_000_005_i64);
    let running = desk.control("POST", "clock", json!({"frozen": false})).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let later = desk.look("clock").await;
    assert!(later["now_ms"].as_i64() > running["now_ms"].as_i64());
    assert!(later["now_ms"].as_i64().unwrap() < 1_760_000_060_000, "it runs on from where it stood");
}

#[tokio::test]
async fn a_page_shows_messages_and_changes_as_they_happen() {
    let desk = Desk::new().await;
    let mut events = desk.http.get(desk.at("/_simulator/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut next = async || String::from_utf8(events.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(next().await.starts_with("event: hello\n"));
    let msgid = desk.say("lisi", "line one\nline two").await["msgid"].clone();
    let event = next().await;
    let data = event.strip_prefix("event: message\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap()["content"]["content"], "line one\nline two");
    let token = desk.token().await;
    desk.post(&format!("message/recall?access_token={token}"), json!({"msgid": msgid})).await;
    assert!(next().await.starts_with("event: change\n"));
    desk.control("POST", "reset", Value::Null).await;
    assert!(next().await.starts_with("event: reset\n"));
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let desk = Desk::new().await;
    let response = desk.http.get(desk.simulator.url()).send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"));
    let page = response.text().await.unwrap();
    assert!(page.contains("</html>"));
    for foreign in ["src=\"http", "href=\"http", "@import", "innerHTML", "insertAdjacentHTML", "document.write"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[tokio::test]
async fn a_text_cannot_end_the_script_element_that_carries_it() {
    let desk = Desk::new().await;
    let elements = |page: &str| (page.matches("<script").count(), page.matches("</script").count());
    let empty = desk.http.get(desk.simulator.url()).send().await.unwrap().text().await.unwrap();
    desk.say("lisi", "</script><script>alert(1)</script><!--").await;
    let page = desk.http.get(desk.simulator.url()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(r"\u003c/script>"), "the message is in the page");
    assert_eq!(elements(&page), elements(&empty));
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_named() {
    let desk = Desk::new().await;
    let response = desk.http.get(desk.at("/_simulator/mesages")).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(response.text().await.unwrap().contains("/_simulator/mesages"));
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_simulator() {
    let desk = Desk::new().await;
    let url = desk.simulator.url();
    let http = desk.http.clone();
    drop(desk);
    for _ in 0..200 {
        if http.get(&url).send().await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{url} still answers");
}
