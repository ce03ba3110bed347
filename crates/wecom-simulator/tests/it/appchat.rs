//! Group chats of an app.

use serde_json::{Value, json};

use crate::desk::{Desk, assert_code};

impl Desk {
    async fn chat(&self, call: &str, body: Value) -> Value {
        let token = self.token().await;
        self.post(&format!("appchat/{call}?access_token={token}"), body).await
    }

    async fn chat_info(&self, chatid: &str) -> Value {
        let token = self.token().await;
        self.get(&format!("appchat/get?access_token={token}&chatid={chatid}")).await
    }
}

fn say(chatid: &str, content: &str) -> Value {
    json!({"chatid": chatid, "msgtype": "text", "text": {"content": content}})
}

#[tokio::test]
async fn a_group_is_made_changed_shown_and_spoken_into() {
    let desk = Desk::new().await;
    let name = "群".repeat(60);
    let made =
        desk.chat("create", json!({"name": name, "owner": "LISI", "userlist": ["lisi", "ZhangSan"], "chatid": "Ops1"}));
    assert_eq!(made.await["chatid"], "Ops1");
    let info = desk.chat_info("Ops1").await["chat_info"].clone();
    assert_eq!((&info["owner"], &info["userlist"]), (&json!("lisi"), &json!(["lisi", "zhangsan"])));
    assert_eq!(info["name"], "群".repeat(50));
    let change = json!({"chatid": "Ops1", "name": "运维", "owner": "wangwu", "add_user_list": ["wangwu"], "del_user_list": ["lisi"]});
    assert_code(&desk.chat("update", change).await, 0);
    let info = desk.chat_info("Ops1").await["chat_info"].clone();
    assert_eq!(info["userlist"], json!(["zhangsan", "wangwu"]));

    let mut body = say("Ops1", "<@WangWu> look");
    body["text"]["mentioned_list"] = json!(["zhangsan", "stranger"]);
    let answer = desk.chat("send", body).await;
    assert_eq!(answer, json!({"errcode": 0, "errmsg": "ok"}));
    let seen = desk.messages("chat=Ops1").await;
    assert_eq!(seen[0]["receivers"], json!(["zhangsan", "wangwu"]));
    assert_eq!(seen[0]["mentions"], json!(["zhangsan", "wangwu"]));
    assert!(desk.messages("user=zhangsan").await.is_empty(), "a group is a conversation of its own");
    desk.switch(json!({"appchat_msgid": true})).await;
    assert!(desk.chat("send", say("Ops1", "x")).await["msgid"].is_string());
    let generated = desk.chat("create", json!({"userlist": ["lisi", "wangwu"]})).await;
    assert_eq!(generated["chatid"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn each_fault_of_a_group_has_its_code() {
    let desk = Desk::new().await;
    let pair = json!(["lisi", "wangwu"]);
    let cases = [
        ("create", json!({}), 86204),
        ("create", json!({"userlist": ["lisi"]}), 86006),
        ("create", json!({"userlist": ["lisi", "LISI"]}), 86006),
        ("create", json!({"userlist": ["lisi", "ghost"]}), 86007),
        ("create", json!({"userlist": ["lisi", "bad name"]}), 86216),
        ("create", json!({"userlist": pair, "owner": "ghost"}), 86005),
        ("create", json!({"userlist": pair, "owner": "zhangsan"}), 86207),
        ("create", json!({"userlist": pair, "chatid": "x".repeat(33)}), 86205),
        ("create", json!({"userlist": pair, "chatid": "with-dash"}), 86001),
        ("create", json!({"userlist": pair, "chatid": "AITest"}), 86215),
        ("update", json!({}), 86201),
        ("update", json!({"chatid": "nowhere"}), 86003),
        ("update", json!({"chatid": "AITest", "del_user_list": ["daixuan"]}), 86207),
        ("update", json!({"chatid": "AITest", "del_user_list": ["zhangsan", "lisi"]}), 86006),
        ("send", json!({"msgtype": "text", "text": {"content": "x"}}), 86201),
        ("send", say("nowhere", "x"), 86003),
        ("send", say("AITest", ""), 44004),
        ("send", json!({"chatid": "AITest", "msgtype": "template_card", "template_card": {}}), 40008),
    ];
    for (call, body, code) in cases {
        let answer = desk.chat(call, body.clone()).await;
        assert_eq!(answer["errcode"], code, "{call} {body} {answer}");
    }
    assert_code(&desk.chat_info("nowhere").await, 86003);
}

#[tokio::test]
async fn a_group_belongs_to_the_app_that_made_it_until_it_is_dissolved() {
    let desk = Desk::new().await;
    let token = desk.second_token().await;
    let url = format!("appchat/send?access_token={token}");
    assert_code(&desk.post(&url, say("AITest", "x")).await, 48002);
    let widen = json!({"corps": [{"corp_id": "wwsimcorp0000001", "apps": [{"agent_id": 1_000_003, "visible": {"parties": [1]}}]}]});
    desk.control("PUT", "corp", widen).await;
    assert_code(&desk.post(&url, say("AITest", "x")).await, 86008);
    let dissolve =
        json!({"corps": [{"corp_id": "wwsimcorp0000001", "chats": [{"chatid": "AITest", "dissolved": true}]}]});
    desk.control("PUT", "corp", dissolve).await;
    assert_code(&desk.chat("send", say("AITest", "x")).await, 49008);
}

#[tokio::test]
async fn the_201st_message_in_a_minute_to_a_member_vanishes_over_all_groups() {
    let desk = Desk::new().await;
    desk.chat("create", json!({"userlist": ["lisi", "wangwu"], "chatid": "Other"})).await;
    let token = desk.token().await;
    let url = format!("appchat/send?access_token={token}");
    for n in 1..=200 {
        assert_code(&desk.post(&url, say("AITest", &n.to_string())).await, 0);
    }
    assert_code(&desk.post(&url, say("Other", "lisi misses this")).await, 0);
    assert_eq!(desk.messages("chat=Other").await[0]["receivers"], json!(["wangwu"]));
    assert_code(&desk.post(&url, say("AITest", "201")).await, 0);
    assert_eq!(desk.messages("chat=AITest").await.len(), 200);
    let dropped = desk.look("dropped").await;
    assert_eq!(dropped["count"], 4);
    assert_eq!(dropped["dropped"][1]["users"], json!(["daixuan", "zhangsan", "lisi"]));
    assert_eq!(desk.look("counters").await["max_per_minute"]["chat_members"]["1000002/lisi"], 202);
}

#[tokio::test]
async fn the_1001st_group_of_a_day_is_refused() {
    let desk = Desk::new().await;
    let token = desk.token().await;
    let url = format!("appchat/create?access_token={token}");
    for _ in 0..1000 {
        assert_code(&desk.post(&url, json!({"userlist": ["lisi", "wangwu"]})).await, 0);
    }
    assert_code(&desk.post(&url, json!({"userlist": ["lisi", "wangwu"]})).await, 45009);
}
