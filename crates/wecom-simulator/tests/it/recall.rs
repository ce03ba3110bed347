//! Recall, and the statistics.

use serde_json::json;

use crate::desk::{APP, Desk, assert_code};

#[tokio::test]
async fn a_recalled_message_is_gone_from_the_inbox_of_its_receivers() {
    let desk = Desk::new().await;
    let msgid = desk.say("lisi|wangwu", "oops").await["msgid"].clone();
    let token = desk.token().await;
    assert_code(&desk.post(&format!("message/recall?access_token={token}"), json!({"msgid": msgid})).await, 0);
    let seen = &desk.messages("user=lisi").await[0];
    assert_eq!((&seen["recalled"], &seen["content"]), (&json!(true), &json!(null)));
}

#[tokio::test]
async fn recall_is_refused_after_24_hours_to_other_apps_and_without_a_known_msgid() {
    let desk = Desk::new().await;
    let msgid = desk.say("lisi", "oops").await["msgid"].clone();
    let (token, second) = (desk.token().await, desk.second_token().await);
    let recall = |token: &str, msgid: serde_json::Value| {
        let url = format!("message/recall?access_token={token}");
        let desk = &desk;
        async move { desk.post(&url, json!({"msgid": msgid})).await }
    };
    assert_code(&recall(&second, msgid.clone()).await, 40058);
    assert_code(&recall(&token, json!("made-up")).await, 40058);
    desk.advance(24 * 3_600_000).await;
    assert_code(&recall(&desk.token().await, msgid).await, 42052);
    assert_eq!(desk.messages("user=lisi").await[0]["recalled"], false);
}

#[tokio::test]
async fn statistics_count_the_messages_of_today_and_yesterday_in_china() {
    let desk = Desk::new().await;
    desk.say("lisi", "one").await;
    desk.say("lisi", "two").await;
    let count = |time_type: i64| {
        let desk = &desk;
        async move {
            let token = desk.token().await;
            let url = format!("message/get_statistics?access_token={token}");
            desk.post(&url, json!({"time_type": time_type})).await["statistics"][0].clone()
        }
    };
    assert_eq!(count(0).await, json!({"agentid": APP, "app_name": "监控告警", "count": 2}));
    desk.advance(24 * 3_600_000).await;
    assert_eq!((count(0).await["count"].clone(), count(1).await["count"].clone()), (json!(0), json!(2)));
    desk.switch(json!({"statistics": false})).await;
    let token = desk.token().await;
    assert_code(&desk.post(&format!("message/get_statistics?access_token={token}"), json!({})).await, 48005);
}

#[tokio::test]
async fn an_update_does_not_bring_a_recalled_card_back() {
    let desk = Desk::new().await;
    let card = json!({
        "card_type": "button_interaction", "task_id": "t1", "main_title": {"title": "磁盘将满"},
        "button_list": [{"text": "认领", "key": "ack"}],
    });
    let sent = json!({"touser": "lisi", "msgtype": "template_card", "agentid": APP, "template_card": card});
    let sent = desk.send(sent).await;
    let token = desk.token().await;
    desk.post(&format!("message/recall?access_token={token}"), json!({"msgid": sent["msgid"]})).await;
    let update = json!({"atall": 1, "agentid": APP, "response_code": sent["response_code"], "template_card": card});
    assert_code(&desk.post(&format!("message/update_template_card?access_token={token}"), update).await, 0);
    let seen = &desk.messages("user=lisi").await[0];
    assert_eq!((&seen["recalled"], &seen["content"]), (&json!(true), &json!(null)));
}
