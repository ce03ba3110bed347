//! Tokens, the shape of errors, trusted addresses.

use serde_json::json;

use crate::desk::{APP, CORP, Desk, SECRET, assert_code, text_to};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn gettoken_works_over_get_and_over_post_and_lives_two_hours() {
    let desk = Desk::new().await;
    let got = desk.gettoken(SECRET).await;
    assert_code(&got, 0);
    assert_eq!((&got["errmsg"], &got["expires_in"]), (&json!("ok"), &json!(7200)));
    let posted = desk.post(&format!("gettoken?corpid={CORP}&corpsecret={SECRET}"), json!({})).await;
    assert_code(&posted, 0);
    let token = posted["access_token"].as_str().unwrap();

    desk.advance(2 * HOUR_MS - 1).await;
    assert_code(&desk.post(&format!("message/send?access_token={token}"), text_to("lisi", "still")).await, 0);
    desk.advance(1).await;
    assert_code(&desk.post(&format!("message/send?access_token={token}"), text_to("lisi", "late")).await, 42001);
    assert_eq!(desk.messages("user=lisi").await.len(), 1);
}

#[tokio::test]
async fn a_token_can_be_invalidated_early_in_both_ways() {
    let desk = Desk::new().await;
    for variant in [40014, 42001] {
        let token = desk.token().await;
        let second = desk.second_token().await;
        let expired = desk.control("POST", "tokens/expire", json!({"app": APP, "variant": variant})).await;
        assert_eq!(expired["expired"], 1);
        assert_code(&desk.get(&format!("tag/list?access_token={token}")).await, variant);
        assert_code(&desk.get(&format!("tag/list?access_token={second}")).await, 0);
    }
    assert_code(&desk.get("tag/list?access_token=made-up").await, 40014);
    assert_code(&desk.get("tag/list").await, 41001);
}

#[tokio::test]
async fn a_second_gettoken_kills_the_older_token_unless_switched_otherwise() {
    let desk = Desk::new().await;
    let first = desk.token().await;
    let second = desk.token().await;
    assert_ne!(first, second);
    assert_code(&desk.get(&format!("tag/list?access_token={first}")).await, 40014);
    desk.switch(json!({"repeated_gettoken": "same"})).await;
    assert_eq!(desk.token().await, second);
    desk.switch(json!({"repeated_gettoken": "new_older_lives"})).await;
    assert_ne!(desk.token().await, second);
    assert_code(&desk.get(&format!("tag/list?access_token={second}")).await, 0);
}

#[tokio::test]
async fn wrong_credentials_have_the_codes_of_the_table() {
    let mut setup = wecom_simulator::Setup::demo();
    let mut other = setup.corps[0].clone();
    other.corp_id = "wwothercorp".into();
    other.apps.truncate(1);
    other.apps[0].secret = "other-secret".into();
    setup.corps.push(other);
    let desk = Desk::with(setup).await;
    assert_code(&desk.gettoken("wrong").await, 40001);
    assert_code(&desk.gettoken("other-secret").await, 40091);
    assert_code(&desk.get(&format!("gettoken?corpid=wwnone&corpsecret={SECRET}")).await, 40013);
    assert_code(&desk.get(&format!("gettoken?corpid={CORP}")).await, 41004);
    assert_code(&desk.get(&format!("gettoken?corpsecret={SECRET}")).await, 41002);
}

#[tokio::test]
async fn after_many_wrong_secrets_the_address_is_barred_for_an_hour() {
    let desk = Desk::new().await;
    desk.switch(json!({"wrong_secrets_until_ban": 3})).await;
    for _ in 0..3 {
        assert_code(&desk.gettoken("wrong").await, 40001);
    }
    assert_code(&desk.gettoken(SECRET).await, 45009);
    let elsewhere = desk
        .http
        .get(desk.at(&format!("/cgi-bin/gettoken?corpid={CORP}&corpsecret={SECRET}")))
        .header("X-Simulator-From", "203.0.113.9");
    assert_code(&elsewhere.send().await.unwrap().json().await.unwrap(), 0);
    desk.advance(HOUR_MS).await;
    assert_code(&desk.gettoken(SECRET).await, 0);
}

#[tokio::test]
async fn an_error_carries_a_hint_the_callers_address_and_a_help_link() {
    let desk = Desk::new().await;
    let answer = desk.hook("no-such-key", json!({"msgtype": "text", "text": {"content": "x"}})).await;
    assert_code(&answer, 93000);
    let text = answer["errmsg"].as_str().unwrap();
    let rest = text.strip_prefix("invalid webhook url, hint: [").unwrap();
    let (hint, rest) = rest.split_once(']').unwrap();
    assert!(hint.len() > 10 && hint.bytes().all(|b| b.is_ascii_digit()), "{hint}");
    assert_eq!(rest, ", from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=93000");
}

#[tokio::test]
async fn an_address_that_is_not_trusted_gets_60020_and_a_new_one_acts_after_a_minute() {
    let desk = Desk::new().await;
    let trust =
        |ips: serde_json::Value| json!({"corps": [{"corp_id": CORP, "apps": [{"agent_id": APP, "trusted_ips": ips}]}]});
    desk.control("PUT", "corp", trust(json!(["203.0.113.1"]))).await;
    let refused = desk.say("lisi", "hi").await;
    assert_code(&refused, 60020);
    assert!(refused["errmsg"].as_str().unwrap().contains("from ip: 127.0.0.1"));

    desk.control("PUT", "corp", trust(json!(["203.0.113.1;127.0.0.1"]))).await;
    desk.advance(59_999).await;
    assert_code(&desk.say("lisi", "too early").await, 60020);
    desk.advance(1).await;
    assert_code(&desk.say("lisi", "now").await, 0);
    assert_eq!(desk.messages("user=lisi").await.len(), 1);
    // Webhooks know no such list.
    let hook = json!({"msgtype": "text", "text": {"content": "x"}});
    desk.control("PUT", "corp", trust(json!([]))).await;
    assert_code(&desk.hook("sim-ops-group", hook).await, 0);
}

#[tokio::test]
async fn a_closed_app_is_refused_but_may_still_ask_about_itself() {
    let desk = Desk::new().await;
    let close = json!({"corps": [{"corp_id": CORP, "apps": [{"agent_id": APP, "closed": true}]}]});
    desk.control("PUT", "corp", close).await;
    assert_code(&desk.say("lisi", "hi").await, 50003);
    let token = desk.token().await;
    let agent = desk.get(&format!("agent/get?access_token={token}&agentid={APP}")).await;
    assert_code(&agent, 0);
    assert_eq!(agent["close"], 1);
}
