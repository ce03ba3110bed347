//! App messages, and the clients of Alertmanager and Grafana.

use serde_json::{Value, json};

use crate::desk::{APP, Desk, SECOND_APP, assert_code, text_to};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[tokio::test]
async fn receivers_are_lists_with_bars_and_everyone_named_twice_gets_it_once() {
    let desk = Desk::new().await;
    let body = json!({
        "touser": "daixuan|ZhangSan", "toparty": "3", "totag": 3, "msgtype": "text", "agentid": APP,
        "text": {"content": "hello"},
    });
    let answer = desk.send(body).await;
    assert_code(&answer, 0);
    assert!(answer["msgid"].is_string() && answer["invaliduser"].is_null() && answer["response_code"].is_null());
    let messages = desk.messages("").await;
    assert_eq!(messages.len(), 1);
    assert_eq!(names(&messages[0]["receivers"]), ["daixuan", "zhangsan", "lisi", "wangwu"]);
    assert_eq!(messages[0]["sender"], "监控告警");
}

#[tokio::test]
async fn invalid_receivers_come_back_in_lower_case_while_the_others_get_the_message() {
    let desk = Desk::new().await;
    let body = json!({
        "touser": "lisi|NoBody|Ghost", "toparty": "2|77", "totag": "3|9", "msgtype": "text", "agentid": APP,
        "text": {"content": "hello"},
    });
    let answer = desk.send(body).await;
    assert_code(&answer, 0);
    assert_eq!(answer["invaliduser"], "nobody|ghost");
    assert_eq!((&answer["invalidparty"], &answer["invalidtag"]), (&json!("77"), &json!("9")));
    assert_eq!(desk.messages("user=lisi").await.len(), 1);
    // Outside the visible scope is as good as unknown.
    let token = desk.second_token().await;
    let body = json!({
        "touser": "lisi|wangwu", "msgtype": "text", "agentid": SECOND_APP, "text": {"content": "from the second app"},
    });
    let answer = desk.post(&format!("message/send?access_token={token}"), body).await;
    assert_eq!((&answer["errcode"], &answer["invaliduser"]), (&json!(0), &json!("wangwu")));
}

#[tokio::test]
async fn no_recipient_is_82001_and_none_reached_is_81013() {
    let desk = Desk::new().await;
    let to = |users: &str| text_to(users, "x");
    assert_code(&desk.send(to("")).await, 82001);
    assert_code(&desk.send(to("ghost|phantom")).await, 81013);
    assert!(desk.messages("").await.is_empty());
}

#[tokio::test]
async fn at_all_reaches_the_visible_scope_and_overrides_the_other_lists() {
    let desk = Desk::new().await;
    let mut body = text_to("@all", "everyone");
    body["toparty"] = json!("77");
    let answer = desk.send(body).await;
    assert_code(&answer, 0);
    assert!(answer["invalidparty"].is_null(), "{answer}");
    assert_eq!(desk.messages("").await[0]["receivers"].as_array().unwrap().len(), 4);
    let token = desk.second_token().await;
    let mut body = text_to("@all", "everyone it sees");
    body["agentid"] = json!(SECOND_APP);
    desk.post(&format!("message/send?access_token={token}"), body).await;
    assert_eq!(names(&desk.messages("").await[1]["receivers"]), ["zhangsan", "lisi"]);
}

#[tokio::test]
async fn the_lists_hold_1000_users_100_parties_and_100_tags() {
    let desk = Desk::new().await;
    let list = |n: usize| (0..n).map(|i| format!("u{i}")).collect::<Vec<_>>().join("|");
    let base = json!({"msgtype": "text", "agentid": APP, "text": {"content": "x"}});
    for (field, most, code) in [("touser", 1000, 40032), ("toparty", 100, 82002), ("totag", 100, 82003)] {
        let mut body = base.clone();
        body[field] = json!(list(most));
        assert_code(&desk.send(body.clone()).await, 81013);
        body[field] = json!(list(most + 1));
        assert_code(&desk.send(body).await, code);
    }
}

#[tokio::test]
async fn the_agentid_must_be_the_tokens_own() {
    let desk = Desk::new().await;
    let mut body = text_to("lisi", "x");
    body["agentid"] = json!(SECOND_APP);
    assert_code(&desk.send(body.clone()).await, 301_002);
    body["agentid"] = json!("ops");
    assert_code(&desk.send(body.clone()).await, 40056);
    body.as_object_mut().unwrap().remove("agentid");
    assert_code(&desk.send(body).await, 41011);
}

#[tokio::test]
async fn a_text_above_2048_bytes_is_cut_without_a_word_at_a_character() {
    let desk = Desk::new().await;
    let long = format!("{}{}", "a".repeat(2047), "中文");
    assert_code(&desk.say("lisi", &long).await, 0);
    assert_eq!(desk.messages("user=lisi").await[0]["content"]["content"], "a".repeat(2047));
    desk.switch(json!({"cut_at": "byte"})).await;
    assert_code(&desk.say("lisi", &long).await, 0);
    let seen = &desk.messages("user=lisi").await[1]["content"]["content"];
    assert!(seen.as_str().unwrap().ends_with("a\u{fffd}"), "{seen}");
    let fits = "中".repeat(682); // 2046 bytes
    assert_code(&desk.say("lisi", &fits).await, 0);
    assert_eq!(desk.messages("user=lisi").await[2]["content"]["content"], fits);
}

#[tokio::test]
async fn app_markdown_above_2048_bytes_is_refused_or_cut_as_switched() {
    let desk = Desk::new().await;
    let body = json!({
        "touser": "lisi", "msgtype": "markdown", "agentid": APP, "markdown": {"content": "b".repeat(2049)},
    });
    let refused = desk.send(body.clone()).await;
    assert_code(&refused, 40058);
    assert!(refused["errmsg"].as_str().unwrap().starts_with("markdown.content exceed max length 2048. invalid"));
    desk.switch(json!({"app_markdown_over": "refuse_too_long"})).await;
    assert_code(&desk.send(body.clone()).await, 45002);
    desk.switch(json!({"app_markdown_over": "cut"})).await;
    assert_code(&desk.send(body).await, 0);
    assert_eq!(desk.messages("user=lisi").await[0]["content"]["content"].as_str().unwrap().len(), 2048);
}

#[tokio::test]
async fn the_31st_message_in_a_minute_to_a_member_vanishes_with_errcode_0() {
    let desk = Desk::new().await;
    let token = desk.token().await;
    let send = |user: &'static str, n: usize| {
        let body = text_to(user, &format!("no {n}"));
        let url = format!("message/send?access_token={token}");
        let desk = &desk;
        async move { desk.post(&url, body).await }
    };
    for n in 1..=31 {
        let answer = send("lisi", n).await;
        assert_code(&answer, 0);
        assert!(answer["msgid"].is_string());
    }
    // Another member's budget is another's; together they get what is left to each.
    assert_code(&send("lisi|wangwu", 32).await, 0);
    let seen = desk.messages("user=lisi").await;
    assert_eq!(seen.len(), 30);
    assert_eq!(seen[29]["content"]["content"], "no 30");
    assert_eq!(names(&desk.messages("user=wangwu").await[0]["receivers"]), ["wangwu"]);

    let dropped = desk.look("dropped").await;
    assert_eq!(dropped["count"], 2);
    assert_eq!(dropped["dropped"][0]["content"]["content"], "no 31");
    let counters = desk.look("counters").await;
    assert_eq!(counters["silent_drops"], 2);
    assert_eq!(counters["max_per_minute"]["members"]["1000002/lisi"], 32);

    desk.advance(60_000).await;
    send("lisi", 33).await;
    assert_eq!(desk.messages("user=lisi").await.len(), 31);
    desk.switch(json!({"member_per_minute": 1})).await;
    send("lisi", 33).await;
    assert_eq!(desk.messages("user=lisi").await.len(), 31);
    desk.switch(json!({"enforce_rate": false})).await;
    for n in 34..=70 {
        send("lisi", n).await;
    }
    assert_eq!(desk.messages("user=lisi").await.len(), 68);
}

#[tokio::test]
async fn the_1001st_message_in_an_hour_to_a_member_vanishes() {
    let desk = Desk::new().await;
    let token = desk.token().await;
    let url = format!("message/send?access_token={token}");
    for minute in 0..34 {
        for _ in 0..30 {
            desk.post(&url, text_to("lisi", &format!("minute {minute}"))).await;
        }
        desk.advance(60_000).await;
    }
    assert_eq!(desk.messages("user=lisi").await.len(), 1000);
    assert_eq!(desk.look("dropped").await["count"], 20);
}

#[tokio::test]
async fn over_the_daily_ceiling_messages_vanish_or_are_refused_as_switched_until_midnight_in_china() {
    let mut setup = wecom_simulator::Setup::demo();
    setup.corps[0].accounts = 1; // 200 person-messages a day
    let desk = Desk::with(setup).await;
    // 2025-10-09 23:59:00 in China.
    desk.control("POST", "clock", json!({"now_ms": 1_760_025_540_000_i64})).await;
    let token = desk.token().await;
    let url = format!("message/send?access_token={token}");
    for user in ["lisi", "wangwu", "zhangsan", "daixuan"] {
        for _ in 0..25 {
            desk.post(&url, text_to(user, "x")).await;
        }
    }
    for _ in 0..25 {
        assert_code(&desk.post(&url, text_to("@all", "x")).await, 0);
    }
    let before = desk.messages("").await.len();
    assert_code(&desk.post(&url, text_to("lisi", "one too many")).await, 0);
    assert_eq!(desk.messages("").await.len(), before);
    desk.switch(json!({"daily_ceiling": "error"})).await;
    assert_code(&desk.post(&url, text_to("lisi", "one too many")).await, 45009);
    desk.advance(60_000).await;
    assert_code(&desk.post(&url, text_to("lisi", "a new day")).await, 0);
    assert_eq!(desk.messages("").await.len(), before + 1);
}

#[tokio::test]
async fn a_checked_duplicate_is_answered_with_errcode_0_and_not_delivered() {
    let desk = Desk::new().await;
    let mut body = text_to("lisi", "same");
    body["enable_duplicate_check"] = json!(1);
    body["duplicate_check_interval"] = json!(60);
    let first = desk.send(body.clone()).await;
    let again = desk.send(body.clone()).await;
    assert_eq!((&again["errcode"], &again["msgid"]), (&json!(0), &first["msgid"]));
    desk.switch(json!({"duplicate_reply": "no_msgid"})).await;
    assert!(desk.send(body.clone()).await["msgid"].is_null());
    desk.switch(json!({"duplicate_reply": "new_msgid"})).await;
    assert_ne!(desk.send(body.clone()).await["msgid"], first["msgid"]);
    assert_eq!(desk.messages("user=lisi").await.len(), 1);
    desk.advance(60_000).await;
    desk.send(body).await;
    assert_eq!(desk.messages("user=lisi").await.len(), 2);
    // Without the flag nothing is held back.
    desk.say("lisi", "same").await;
    desk.say("lisi", "same").await;
    assert_eq!(desk.messages("user=lisi").await.len(), 4);
}

#[tokio::test]
async fn contents_are_refused_with_the_codes_of_the_table() {
    let desk = Desk::new().await;
    let card = |field: &str| {
        let mut card = json!({"title": "t", "description": "d", "url": "https://example.com"});
        card.as_object_mut().unwrap().remove(field);
        card
    };
    let article = json!({"title": "t", "url": "https://example.com"});
    let cases = [
        ("text", json!({"content": ""}), 44004),
        ("text", json!({}), 44004),
        ("markdown", json!({"content": ""}), 44004),
        ("markdown_v2", json!({"content": "x"}), 40008),
        ("carrier_pigeon", json!({}), 40008),
        ("interactive_taskcard", json!({}), 48005),
        ("textcard", card("title"), 41016),
        ("textcard", card("description"), 41033),
        ("textcard", card("url"), 41010),
        ("textcard", json!({"title": "t", "description": "d", "url": "example.com/x"}), 45034),
        ("textcard", json!({"title": "t", "description": "d", "url": format!("https://{}", "x".repeat(2048))}), 40039),
        ("news", json!({"articles": []}), 40063),
        ("news", json!({"articles": vec![article.clone(); 9]}), 45008),
        ("news", json!({"articles": [{"title": "t"}]}), 41010),
        ("news", json!({"articles": [{"url": "https://example.com"}]}), 41016),
        ("image", json!({}), 41006),
        ("image", json!({"media_id": "gone"}), 40007),
        ("miniprogram_notice", json!({"title": "four"}), 90207),
    ];
    for (msgtype, object, code) in cases {
        let mut body = json!({"touser": "lisi", "msgtype": msgtype, "agentid": APP});
        body[msgtype] = object;
        let answer = desk.send(body.clone()).await;
        assert_eq!(answer["errcode"], code, "{body} {answer}");
    }
    let safe_news = json!({
        "touser": "lisi", "msgtype": "news", "agentid": APP, "safe": 1, "news": {"articles": [article]},
    });
    assert_code(&desk.send(safe_news).await, 40074);
    assert!(desk.messages("").await.is_empty());
}

#[tokio::test]
async fn titles_and_descriptions_are_cut_to_128_and_512_bytes() {
    let desk = Desk::new().await;
    let long = "中".repeat(300);
    let body = json!({"touser": "lisi", "msgtype": "textcard", "agentid": APP, "textcard": {
        "title": long, "description": long, "url": "https://example.com", "btntxt": "看看详情吧",
    }});
    assert_code(&desk.send(body).await, 0);
    let body = json!({"touser": "lisi", "msgtype": "news", "agentid": APP, "news": {"articles": [
        {"title": long, "description": long, "url": "https://example.com"},
    ]}});
    assert_code(&desk.send(body).await, 0);
    let seen = desk.messages("user=lisi").await;
    for card in [&seen[0]["content"], &seen[1]["content"]["articles"][0]] {
        assert_eq!(card["title"].as_str().unwrap(), "中".repeat(42));
        assert_eq!(card["description"].as_str().unwrap(), "中".repeat(170));
    }
    assert_eq!(seen[0]["content"]["btntxt"], "看看详情");
}

#[tokio::test]
async fn broken_json_is_40058_with_a_warning_and_ascii_escapes_are_decoded() {
    let desk = Desk::new().await;
    let token = desk.token().await;
    let raw = |body: &'static str| {
        let request = desk.http.post(desk.at(&format!("/cgi-bin/message/send?access_token={token}"))).body(body);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let broken = raw("{\"touser\": ").await;
    assert_code(&broken, 40058);
    assert!(broken["errmsg"].as_str().unwrap().contains("Warning: wrong json format."));
    let escaped = r#"{"touser":"lisi","msgtype":"markdown","agentid":1000002,
        "markdown":{"content":"\u003cfont color=\"info\"\u003eok\u003c/font\u003e \u4e2d"}}"#;
    assert_code(&raw(escaped).await, 0);
    assert_eq!(desk.messages("user=lisi").await[0]["content"]["content"], r#"<font color="info">ok</font> 中"#);
    desk.switch(json!({"non_ascii_escapes": "refuse"})).await;
    assert_code(&raw(escaped).await, 40033);
}

#[tokio::test]
async fn a_message_as_alertmanager_sends_it_is_taken() {
    let desk = Desk::new().await;
    let body = json!({
        "text": {"content": ""}, "markdown": {"content": "**hi**"}, "touser": "lisi", "toparty": "", "totag": "",
        "agentid": "1000002", "safe": "0", "msgtype": "markdown",
    });
    assert_code(&desk.send(body).await, 0);
    assert_eq!(desk.messages("user=lisi").await[0]["content"], json!({"content": "**hi**"}));
}

#[tokio::test]
async fn an_unknown_path_is_told_apart_from_a_refused_call() {
    let desk = Desk::new().await;
    let answer = desk.get("message/sned").await;
    assert_code(&answer, 48002);
    assert!(answer["errmsg"].as_str().unwrap().contains("does not know /cgi-bin/message/sned"));
}
