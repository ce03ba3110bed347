//! The look-ups of docs/reference/wecom.md#look-ups.

use serde_json::{Value, json};

use crate::desk::{APP, Desk, SECOND_APP, assert_code};

impl Desk {
    async fn ask(&self, path: &str) -> Value {
        let token = self.token().await;
        let glue = if path.contains('?') { '&' } else { '?' };
        self.get(&format!("{path}{glue}access_token={token}")).await
    }

    async fn ask_with(&self, path: &str, body: Value) -> Value {
        let token = self.token().await;
        self.post(&format!("{path}?access_token={token}"), body).await
    }
}

#[tokio::test]
async fn mobiles_and_mail_addresses_lead_to_userids() {
    let desk = Desk::new().await;
    assert_eq!(desk.ask_with("user/getuserid", json!({"mobile": "13800000002"})).await["userid"], "zhangsan");
    assert_code(&desk.ask_with("user/getuserid", json!({"mobile": "13999999999"})).await, 46004);
    assert_code(&desk.ask_with("user/getuserid", json!({"mobile": "1"})).await, 40058);
    let mail = |address: &str, kind: i64| json!({"email": address, "email_type": kind});
    let by_mail = "user/get_userid_by_email";
    assert_eq!(desk.ask_with(by_mail, mail("LISI@sim.example", 1)).await["userid"], "lisi");
    assert_code(&desk.ask_with(by_mail, mail("lisi@sim.example", 2)).await, 46004);
}

#[tokio::test]
async fn wrong_look_ups_above_a_fifth_of_the_head_count_bar_the_corp_for_a_day() {
    let mut setup = wecom_simulator::Setup::demo();
    setup.corps[0].accounts = 10;
    let desk = Desk::with(setup).await;
    let wrong = json!({"mobile": "13999999999"});
    let right = json!({"mobile": "13800000002"});
    for _ in 0..2 {
        assert_code(&desk.ask_with("user/getuserid", wrong.clone()).await, 46004);
    }
    assert_code(&desk.ask_with("user/getuserid", right.clone()).await, 0);
    assert_code(&desk.ask_with("user/getuserid", wrong).await, 46004);
    assert_code(&desk.ask_with("user/getuserid", right.clone()).await, 45009);
    // The other API is counted by itself.
    assert_code(&desk.ask_with("user/get_userid_by_email", json!({"email": "lisi@sim.example"})).await, 0);
    desk.advance(24 * 3_600_000).await;
    assert_code(&desk.ask_with("user/getuserid", right).await, 0);
}

#[tokio::test]
async fn a_member_is_shown_without_mobile_and_mail_and_only_in_scope() {
    let desk = Desk::new().await;
    let user = desk.ask("user/get?userid=LiSi").await;
    assert_eq!((&user["userid"], &user["name"], &user["department"]), (&json!("lisi"), &json!("李四"), &json!([3])));
    assert!(user.get("mobile").is_none() && user.get("email").is_none());
    assert_code(&desk.ask("user/get?userid=ghost").await, 60111);
    assert_code(&desk.ask("user/get").await, 41009);
    let token = desk.second_token().await;
    assert_code(&desk.get(&format!("user/get?access_token={token}&userid=wangwu")).await, 60111);
}

#[tokio::test]
async fn departments_members_and_tags_are_listed() {
    let desk = Desk::new().await;
    let ids = |answer: &Value, list: &str| {
        let items = answer[list].as_array().unwrap();
        items.iter().map(|item| item["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&desk.ask("department/simplelist").await, "department_id"), [1, 2, 3]);
    assert_eq!(ids(&desk.ask("department/list?id=2").await, "department"), [2]);
    assert_code(&desk.ask("department/list?id=99").await, 60003);
    let members = desk.ask("user/simplelist?department_id=2").await;
    assert_eq!(members["userlist"][0], json!({"userid": "daixuan", "name": "戴轩", "department": [2]}));
    assert_eq!(desk.ask("tag/list").await["taglist"], json!([{"tagid": 3, "tagname": "本周值班"}]));
    assert_eq!(desk.ask("tag/get?tagid=3").await["userlist"][1]["userid"], "wangwu");
    assert_code(&desk.ask("tag/get?tagid=9").await, 40068);
}

#[tokio::test]
async fn an_app_can_ask_only_about_itself() {
    let desk = Desk::new().await;
    let agent = desk.ask(&format!("agent/get?agentid={APP}")).await;
    assert_eq!((&agent["name"], &agent["close"]), (&json!("监控告警"), &json!(0)));
    assert_eq!(agent["allow_partys"]["partyid"], json!([1]));
    assert_code(&desk.ask(&format!("agent/get?agentid={SECOND_APP}")).await, 301_002);
    assert_code(&desk.ask("agent/get?agentid=ops").await, 40056);
    assert_eq!(desk.ask("agent/list").await["agentlist"][0]["agentid"], APP);
}

#[tokio::test]
async fn the_address_lists_are_empty_on_failure() {
    let desk = Desk::new().await;
    for path in ["getcallbackip", "get_api_domain_ip"] {
        assert!(!desk.ask(path).await["ip_list"].as_array().unwrap().is_empty());
        let failed = desk.get(&format!("{path}?access_token=made-up")).await;
        assert_code(&failed, 40014);
        assert_eq!(failed["ip_list"], json!([]));
    }
}

#[tokio::test]
async fn the_sixth_debug_call_of_a_minute_is_refused() {
    let desk = Desk::new().await;
    for _ in 0..5 {
        assert_code(&desk.ask("tag/list?debug=1").await, 0);
    }
    assert_code(&desk.ask("tag/list?debug=1").await, 45009);
    assert_code(&desk.ask("tag/list").await, 0);
}
