//! What a click gives, over the whole life of a card.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::desk::{APP, Desk, SECOND_APP, assert_code};
use crate::socket::card;

impl Desk {
    /// A card to lisi and wangwu: the answer, and the message.
    async fn card(&self) -> (Value, Value) {
        let body =
            json!({"touser": "lisi|wangwu", "msgtype": "template_card", "agentid": APP, "template_card": card("t1")});
        let answer = self.send(body).await;
        assert_code(&answer, 0);
        (answer, self.messages("user=lisi").await.pop().unwrap())
    }

    async fn update(&self, code: &Value, change: Value) -> Value {
        let token = self.token().await;
        let mut body = json!({"atall": 1, "agentid": APP, "response_code": code});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post(&format!("message/update_template_card?access_token={token}"), body).await
    }

    /// A call of the control API that must be refused, and why.
    async fn mistake(&self, path: &str, body: Value) -> String {
        let answer = self.http.post(self.at(&format!("/_simulator/{path}"))).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        answer.json::<Value>().await.unwrap()["error"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn each_click_brings_a_code_of_its_own_good_for_one_update_within_72_hours() {
    let desk = Desk::new().await;
    let (sent, message) = desk.card().await;
    let first = desk.click(&message, "lisi", "ack", json!({})).await;
    let second = desk.click(&message, "wangwu", "silence", json!({"dur": ["4h"]})).await;
    assert_eq!((&first["selected"], &second["selected"]), (&json!({"dur": ["1h"]}), &json!({"dur": ["4h"]})));
    assert_eq!(first["delivered"], false, "the demo's app has no server");
    let codes = [&sent["response_code"], &first["response_code"], &second["response_code"]];
    assert!(codes.iter().all(|code| code.is_string()) && codes[0] != codes[1] && codes[1] != codes[2]);

    assert_code(&desk.update(codes[1], json!({"template_card": card("t1")})).await, 0);
    assert_code(&desk.update(codes[1], json!({"template_card": card("t1")})).await, 60140);
    let answers = desk.clicked(&first).await["answers"].clone();
    assert_eq!((&answers[0]["how"], &answers[0]["errcode"]), (&json!("message/update_template_card"), &json!(0)));
    desk.advance(72 * 3_600_000).await;
    assert_code(&desk.update(codes[2], json!({"button": {"replace_name": "x"}})).await, 60140);
    let third = desk.click(&message, "lisi", "ack", json!({})).await;
    assert_code(&desk.update(&third["response_code"], json!({"button": {"replace_name": "李四 已认领"}})).await, 0);
}

#[tokio::test]
async fn an_impossible_press_is_refused_with_a_reason() {
    let desk = Desk::new().await;
    let (sent, message) = desk.card().await;
    let click = |user: &str, key: &str| json!({"message": message["id"], "user": user, "key": key});
    assert!(desk.mistake("clicks", click("daixuan", "ack")).await.contains("did not get"));
    assert!(desk.mistake("clicks", click("lisi", "dance")).await.contains("no button"));
    let mut other = click("lisi", "ack");
    other["selected"] = json!({"dur": ["9h"]});
    assert!(desk.mistake("clicks", other).await.contains("no option"));
    desk.update(&sent["response_code"], json!({"button": {"replace_name": "已认领"}})).await;
    assert!(desk.mistake("clicks", click("lisi", "ack")).await.contains("已认领"));
    desk.say("lisi", "x").await;
    let text = desk.messages("user=lisi").await.pop().unwrap();
    let on_text = json!({"message": text["id"], "user": "lisi", "key": "ack"});
    assert!(desk.mistake("clicks", on_text).await.contains("not a card"));
    assert!(desk.mistake("says", json!({"user": "lisi", "text": "x"})).await.contains("exactly one"));
    let unseen = json!({"user": "wangwu", "text": "x", "agent_id": SECOND_APP});
    assert!(desk.mistake("says", unseen).await.contains("does not see"));
}

#[tokio::test]
async fn a_server_given_by_the_corp_counts_only_after_its_verification() {
    let desk = Desk::new().await;
    let server = json!({"url": "http://127.0.0.1:9/", "token": "t", "encoding_aes_key": "a".repeat(43)});
    let patch = json!({"corps": [{"corp_id": crate::desk::CORP, "apps": [{"agent_id": SECOND_APP, "callback_server": server}]}]});
    desk.control("PUT", "corp", patch).await;
    let verified = desk.control("POST", "callbacks/verify", json!({"agent_id": SECOND_APP})).await;
    assert_eq!(verified["ok"], false, "{verified}");
    let token = desk.second_token().await;
    let body =
        json!({"touser": "lisi", "msgtype": "template_card", "agentid": SECOND_APP, "template_card": card("t1")});
    assert_code(&desk.post(&format!("message/send?access_token={token}"), body).await, 43012);
    let short =
        json!({"agent_id": SECOND_APP, "callback_server": {"url": "http://x", "token": "t", "encoding_aes_key": "a"}});
    assert!(desk.mistake("callbacks/verify", short).await.contains("43"));
}
