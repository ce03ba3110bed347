//! Things that go wrong on purpose.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::desk::{APP, Desk, assert_code, text_to};

impl Desk {
    /// Sends a text to lisi and tells what the client makes of it: status and body, or a failure.
    async fn try_send(&self) -> Result<(u16, String), reqwest::Error> {
        let token = self.token().await;
        let url = self.at(&format!("/cgi-bin/message/send?access_token={token}"));
        let response = self.http.post(url).json(&text_to("lisi", "x")).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    async fn delivered(&self) -> usize {
        self.messages("user=lisi").await.len()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "called with literals")]
fn at_send(action: Value) -> Value {
    json!({"match": {"path": "message/send"}, "action": action})
}

#[tokio::test]
async fn an_errcode_comes_once_in_its_usual_shape_and_then_all_is_well() {
    let desk = Desk::new().await;
    for code in [-1, 45033] {
        desk.fault(at_send(json!({"errcode": code}))).await;
        let answer = desk.say("lisi", "x").await;
        assert_code(&answer, code);
        assert!(answer["errmsg"].as_str().unwrap().contains(&format!("devtool/query?e={code}")));
    }
    assert_eq!(desk.delivered().await, 0);
    assert_code(&desk.say("lisi", "x").await, 0);
    assert_eq!(desk.delivered().await, 1);
}

#[tokio::test]
async fn faults_are_picky_wait_and_stay_as_told() {
    let desk = Desk::new().await;
    desk.fault(json!([
        {"match": {"path": "message/send", "user": "LISI", "app": APP}, "after": 1, "times": 2, "action": {"errcode": -1}},
        {"match": {"key": "sim-dba-group"}, "times": "forever", "action": {"errcode": 45009}},
        {"match": {"chat": "AITest"}, "action": {"errcode": 86003}},
    ]))
    .await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(desk.say("zhangsan|lisi", "x").await["errcode"].as_i64().unwrap());
    }
    assert_eq!(codes, [0, -1, -1, 0]);
    assert_code(&desk.say("zhangsan", "x").await, 0);
    let text = json!({"msgtype": "text", "text": {"content": "x"}});
    for _ in 0..3 {
        assert_code(&desk.hook("sim-dba-group", text.clone()).await, 45009);
    }
    assert_code(&desk.hook("sim-ops-group", text.clone()).await, 0);
    let token = desk.token().await;
    assert_code(&desk.get(&format!("appchat/get?access_token={token}&chatid=AITest")).await, 86003);
    assert_eq!(desk.look("faults").await["faults"].as_array().unwrap().len(), 1);
    desk.control("DELETE", "faults", Value::Null).await;
    assert_code(&desk.hook("sim-dba-group", text).await, 0);
}

#[tokio::test]
async fn http_502_and_a_body_that_is_not_json_come_as_told_and_deliver_nothing() {
    let desk = Desk::new().await;
    desk.fault(at_send(json!({"http": {"status": 502, "body": "<h1>Bad Gateway</h1>"}}))).await;
    assert_eq!(desk.try_send().await.unwrap(), (502, "<h1>Bad Gateway</h1>".into()));
    desk.fault(at_send(json!({"raw": "<html>portal</html>"}))).await;
    assert_eq!(desk.try_send().await.unwrap(), (200, "<html>portal</html>".into()));
    assert_eq!(desk.delivered().await, 0);
}

#[tokio::test]
async fn a_slow_reply_comes_late_but_comes() {
    let desk = Desk::new().await;
    desk.fault(at_send(json!({"delay_ms": 300}))).await;
    let begun = Instant::now();
    assert_eq!(desk.try_send().await.unwrap().0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(desk.delivered().await, 1);
}

#[tokio::test]
async fn a_delayed_call_is_delivered_although_the_client_has_hung_up() {
    let desk = Desk::new().await;
    desk.fault(at_send(json!({"delay_ms": 200}))).await;
    tokio::time::timeout(Duration::from_millis(100), desk.try_send()).await.unwrap_err();
    let begun = Instant::now();
    while desk.delivered().await == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it was forgotten with its client");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_reset_before_acceptance_delivers_nothing_and_one_after_it_delivers() {
    let desk = Desk::new().await;
    desk.fault(at_send(json!("reset_before"))).await;
    assert!(desk.try_send().await.unwrap_err().is_request());
    assert_eq!(desk.delivered().await, 0);
    desk.fault(at_send(json!("reset_after"))).await;
    assert!(desk.try_send().await.unwrap_err().is_request());
    assert_eq!(desk.delivered().await, 1);
    let requests = desk.look("requests?path=message/send").await;
    assert_eq!(requests["requests"][1]["fault"], "reset_after");
    assert_eq!((&requests["requests"][1]["status"], &requests["requests"][1]["errcode"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_after_the_message_is_delivered() {
    let desk = Desk::new().await;
    desk.fault(at_send(json!("truncate"))).await;
    let error = desk.try_send().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "the head arrives, the body does not: {error:?}");
    assert_eq!(desk.delivered().await, 1);
}

#[tokio::test]
async fn a_hanging_call_gives_no_answer_and_ends_with_the_simulator() {
    let desk = Desk::new().await;
    desk.fault(at_send(json!("hang"))).await;
    let patient = tokio::time::timeout(Duration::from_millis(300), desk.try_send()).await;
    assert!(patient.is_err(), "no answer may come");
    desk.fault(at_send(json!("hang"))).await;
    let (sent, ()) = tokio::join!(desk.try_send(), async {
        while desk.look("requests?path=message/send").await["requests"].as_array().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        desk.simulator.clone().stop().await;
    });
    assert!(sent.is_err());
}

#[tokio::test]
async fn gettoken_can_fail_for_one_app_only() {
    let desk = Desk::new().await;
    desk.fault(json!({"match": {"path": "gettoken", "app": APP}, "action": {"errcode": 40001}})).await;
    assert_code(&desk.gettoken(crate::desk::SECOND_SECRET).await, 0);
    assert_code(&desk.gettoken(crate::desk::SECRET).await, 40001);
    assert_code(&desk.gettoken(crate::desk::SECRET).await, 0);
}
