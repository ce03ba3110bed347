//! Template cards and their updates.

use serde_json::{Value, json};

use crate::desk::{APP, Desk, SECOND_APP, assert_code};

fn card_to(users: &str, card: &Value) -> Value {
    json!({"touser": users, "msgtype": "template_card", "agentid": APP, "template_card": card})
}

fn text_notice() -> Value {
    json!({
        "card_type": "text_notice",
        "source": {"desc": "Grafana", "desc_color": 2},
        "main_title": {"title": "磁盘将满", "desc": "2 台"},
        "emphasis_content": {"title": "96 %", "desc": "/var"},
        "horizontal_content_list": [{"keyname": "集群", "value": "sh-1"}],
        "jump_list": [{"type": 1, "title": "静默", "url": "https://example.com"}],
        "card_action": {"type": 1, "url": "https://example.com"},
    })
}

fn news_notice() -> Value {
    json!({
        "card_type": "news_notice",
        "main_title": {"title": "磁盘将满"},
        "card_image": {"url": "https://example.com/a.png", "aspect_ratio": 2.25},
        "vertical_content_list": [{"title": "db-1", "desc": "96 %"}],
        "card_action": {"type": 1, "url": "https://example.com"},
    })
}

fn buttons() -> Value {
    json!({
        "card_type": "button_interaction",
        "task_id": "alert_9f2c@1",
        "main_title": {"title": "磁盘将满"},
        "button_selection": {"question_key": "dur", "title": "静默", "option_list": [{"id": "1h", "text": "1 小时"}]},
        "button_list": [{"text": "认领", "style": 1, "key": "ack"}, {"type": 1, "text": "面板", "url": "https://example.com"}],
    })
}

fn vote() -> Value {
    json!({
        "card_type": "vote_interaction",
        "task_id": "vote1",
        "main_title": {"title": "谁来"},
        "checkbox": {"question_key": "who", "mode": 1, "option_list": [{"id": "a", "text": "我"}]},
        "submit_button": {"text": "提交", "key": "go"},
    })
}

fn selects() -> Value {
    json!({
        "card_type": "multiple_interaction",
        "task_id": "multi1",
        "main_title": {"title": "静默多久"},
        "select_list": [{"question_key": "dur", "option_list": [{"id": "1h", "text": "1 小时"}]}],
        "submit_button": {"text": "提交", "key": "go"},
    })
}

/// The card with the value at `path` (`/a/0/b`) replaced, or taken out when it is null.
fn but(mut card: Value, path: &str, value: Value) -> Value {
    let (parent, last) = path.rsplit_once('/').unwrap();
    let parent = card.pointer_mut(parent).unwrap();
    match (last.parse::<usize>(), value) {
        (Ok(at), value) => parent[at] = value,
        (Err(_), Value::Null) => drop(parent.as_object_mut().unwrap().remove(last)),
        (Err(_), value) => parent[last] = value,
    }
    card
}

#[tokio::test]
async fn each_of_the_five_kinds_is_taken_and_the_interactive_ones_get_a_response_code() {
    let desk = Desk::new().await;
    for (card, interactive) in
        [(text_notice(), false), (news_notice(), false), (buttons(), true), (vote(), true), (selects(), true)]
    {
        let answer = desk.send(card_to("lisi", &card)).await;
        assert_code(&answer, 0);
        assert_eq!(answer["response_code"].is_string(), interactive, "{card}");
    }
    let menu = json!({"desc": "更多", "action_list": [{"text": "忽略", "key": "drop"}]});
    let with_menu = but(but(text_notice(), "/action_menu", menu), "/task_id", json!("t1"));
    assert!(desk.send(card_to("lisi", &with_menu)).await["response_code"].is_string());
    let seen = desk.messages("user=lisi").await;
    assert_eq!(seen.len(), 6);
    assert_eq!(seen[2]["content"], buttons());
}

#[tokio::test]
async fn each_fault_of_a_card_has_its_code() {
    let desk = Desk::new().await;
    let many = |n: usize, item: Value| Value::Array(vec![item; n]);
    let row = json!({"keyname": "k", "value": "v"});
    let jump = json!({"type": 1, "title": "t", "url": "https://example.com"});
    let menu = |keys: &[&str]| {
        let entries: Vec<_> = keys.iter().map(|key| json!({"text": "t", "key": key})).collect();
        but(but(text_notice(), "/task_id", json!("t")), "/action_menu", json!({"action_list": entries}))
    };
    let text = text_notice;
    let cases = [
        (but(text(), "/card_type", json!("poster")), 42031),
        (but(but(text(), "/main_title", Value::Null), "/sub_title_text", json!("")), 41016),
        (but(text(), "/card_action", Value::Null), 42045),
        (but(text(), "/card_action/type", json!(0)), 42045),
        (but(text(), "/card_action/url", Value::Null), 42028),
        (but(text(), "/card_action/url", json!("example.com")), 45034),
        (but(text(), "/card_action", json!({"type": 2})), 42030),
        (but(text(), "/horizontal_content_list", many(7, row)), 42035),
        (but(text(), "/horizontal_content_list/0/keyname", Value::Null), 42027),
        (but(text(), "/horizontal_content_list/0/type", json!(1)), 42028),
        (but(text(), "/horizontal_content_list/0/type", json!(2)), 42029),
        (but(text(), "/horizontal_content_list/0/type", json!(3)), 42050),
        (but(text(), "/jump_list", many(4, jump)), 42042),
        (but(text(), "/jump_list/0/title", json!("")), 42033),
        (but(text(), "/jump_list/0/url", Value::Null), 42028),
        (but(text(), "/task_id", json!("white space")), 42014),
        (but(text(), "/task_id", json!("x".repeat(129))), 42014),
        (but(text(), "/quote_area", json!({"type": 1})), 42028),
        (but(menu(&["a"]), "/task_id", Value::Null), 42014),
        (menu(&["a", "a"]), 42051),
        (menu(&["a", "b", "c", "d"]), 40058),
        (menu(&[""]), 42019),
        (but(news_notice(), "/main_title/title", json!("")), 41016),
        (but(news_notice(), "/card_image", Value::Null), 42044),
        (but(news_notice(), "/card_image/url", json!("no-scheme")), 42044),
        (but(news_notice(), "/card_image/aspect_ratio", json!(3.0)), 42044),
        (but(news_notice(), "/vertical_content_list", many(5, json!({"title": "t"}))), 42036),
        (but(news_notice(), "/vertical_content_list/0/title", Value::Null), 42033),
        (but(buttons(), "/task_id", Value::Null), 42014),
        (but(buttons(), "/button_list", json!([])), 42038),
        (but(buttons(), "/button_list", many(7, json!({"text": "t", "key": "k"}))), 40058),
        (but(buttons(), "/button_list/0/text", Value::Null), 42038),
        (but(buttons(), "/button_list/0/key", Value::Null), 42039),
        (but(buttons(), "/button_list/0/key", json!("k".repeat(1025))), 42039),
        (but(buttons(), "/button_list/1", json!({"text": "twice", "key": "ack"})), 42039),
        (but(buttons(), "/button_list/1/url", Value::Null), 42028),
        (but(buttons(), "/button_selection/question_key", Value::Null), 42043),
        (but(buttons(), "/button_selection/option_list", json!([])), 42037),
        (but(buttons(), "/button_selection/option_list/0/id", json!("i".repeat(129))), 42040),
        (but(buttons(), "/button_selection/option_list/0/text", json!("")), 42041),
        (but(vote(), "/checkbox", Value::Null), 42043),
        (but(vote(), "/submit_button/text", Value::Null), 42049),
        (but(vote(), "/submit_button/key", Value::Null), 42046),
        (but(selects(), "/select_list", json!([])), 42047),
        (but(selects(), "/select_list/0/question_key", Value::Null), 42043),
    ];
    for (card, code) in cases {
        let answer = desk.send(card_to("lisi", &card)).await;
        assert_eq!(answer["errcode"], code, "{card} {answer}");
    }
    assert!(desk.messages("").await.is_empty());
}

#[tokio::test]
async fn an_interactive_card_of_an_app_without_callback_is_43012_and_a_plain_one_is_not() {
    let desk = Desk::new().await;
    let token = desk.second_token().await;
    let send = |card: Value| {
        let mut body = card_to("lisi", &card);
        body["agentid"] = json!(SECOND_APP);
        let url = format!("message/send?access_token={token}");
        let desk = &desk;
        async move { desk.post(&url, body).await }
    };
    assert_code(&send(buttons()).await, 43012);
    assert_code(&send(text_notice()).await, 0);
}

#[tokio::test]
async fn a_response_code_updates_a_card_once_and_answers_with_an_array() {
    let desk = Desk::new().await;
    let code = desk.send(card_to("lisi|wangwu", &buttons())).await["response_code"].clone();
    let token = desk.token().await;
    let update = |body: Value| {
        let url = format!("message/update_template_card?access_token={token}");
        let desk = &desk;
        async move { desk.post(&url, body).await }
    };
    let to = |users: Value| json!({"userids": users, "agentid": APP, "response_code": code, "button": {"replace_name": "李四 已认领"}});

    let mut both = to(json!(["lisi"]));
    both["template_card"] = text_notice();
    assert_code(&update(both).await, 40058);
    assert_code(&update(to(json!([]))).await, 82101);
    assert_code(&update(to(json!(["daixuan"]))).await, 82102);
    let answer = update(to(json!(["LiSi", "Ghost", "daixuan"]))).await;
    assert_code(&answer, 0);
    assert_eq!(answer["invaliduser"], json!(["ghost", "daixuan"]));
    assert!(answer["response_code"].is_null());
    assert_eq!(desk.messages("user=lisi").await[0]["content"]["replace_name"], "李四 已认领");
    assert_eq!(desk.messages("user=wangwu").await[0]["content"], buttons());

    assert_code(&update(to(json!(["lisi"]))).await, 60140);
    let mut unknown = to(json!(["lisi"]));
    unknown["response_code"] = json!("made-up");
    assert_code(&update(unknown).await, 60140);
}

#[tokio::test]
async fn an_update_for_all_replaces_the_card_of_everyone_who_got_it() {
    let desk = Desk::new().await;
    desk.switch(json!({"update_gives_code": true})).await;
    let code = desk.send(card_to("lisi|wangwu", &buttons())).await["response_code"].clone();
    let token = desk.token().await;
    let update = |card: Value, code: &Value| {
        let body = json!({"atall": 1, "agentid": APP, "response_code": code, "template_card": card});
        let url = format!("message/update_template_card?access_token={token}");
        let desk = &desk;
        async move { desk.post(&url, body).await }
    };
    let mut wrong = text_notice();
    wrong["card_action"] = Value::Null;
    assert_code(&update(wrong, &code).await, 42045);
    let answer = update(text_notice(), &code).await;
    assert_eq!((&answer["errcode"], &answer["invaliduser"]), (&json!(0), &json!([])));
    for user in ["lisi", "wangwu"] {
        assert_eq!(desk.messages(&format!("user={user}")).await[0]["content"], text_notice());
    }
    let further = answer["response_code"].clone();
    assert_code(&update(news_notice(), &further).await, 0);
    assert_eq!(desk.messages("user=lisi").await[0]["content"], news_notice());
}

#[tokio::test]
async fn a_response_code_dies_after_72_hours_and_is_no_use_to_another_app() {
    let desk = Desk::new().await;
    let code = desk.send(card_to("lisi", &buttons())).await["response_code"].clone();
    let mut body = json!({"atall": 1, "agentid": SECOND_APP, "response_code": code, "button": {"replace_name": "ok"}});
    let second = desk.second_token().await;
    assert_code(&desk.post(&format!("message/update_template_card?access_token={second}"), body.clone()).await, 42015);
    desk.advance(72 * 3_600_000).await;
    body["agentid"] = json!(APP);
    let token = desk.token().await;
    assert_code(&desk.post(&format!("message/update_template_card?access_token={token}"), body).await, 60140);
}

#[tokio::test]
async fn a_repeated_task_id_is_refused_only_when_switched_so() {
    let desk = Desk::new().await;
    assert_code(&desk.send(card_to("lisi", &buttons())).await, 0);
    assert_code(&desk.send(card_to("lisi", &buttons())).await, 0);
    desk.switch(json!({"repeated_task_id": "refuse"})).await;
    assert_code(&desk.send(card_to("lisi", &buttons())).await, 42014);
}
