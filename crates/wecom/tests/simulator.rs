//! The client against the simulator, which was written from WeCom's documentation alone: where the two disagree, one
//! of them has misread it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wecom::message::{
    Article, CardAction, CardImage, CardRow, CardSource, CardTitle, Image, Markdown, News, TemplateCard, Text, Textcard,
};
use wecom::{
    About, Account, App, Channel, ChatChange, Class, Client, Content, Duplicates, Failure, Fault, MediaKind, Network,
    NewChat, Options, Outcome, Person, Recipients, SendRequest, StoredToken, TokenStore, Webhook, appchat_send_body,
    errcode, inline_image, message_send_body, webhook_send_body,
};
use wecom_simulator::{Setup, Simulator, User};

const START: i64 = 1_760_000_000_000;
const AGENT: i64 = 1_000_002;
const PNG: &[u8] = include_bytes!("../../wecom-simulator/assets/sample.png");

/// A simulator, a client before it, and one clock for both.
struct Bench {
    simulator: Simulator,
    client: Arc<Client>,
    now: Arc<AtomicI64>,
    control: reqwest::Client,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Setup::demo(), None).await
    }

    async fn with(setup: Setup, store: Option<TokenStore>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = Simulator::start(listener, setup).await;
        let now = Arc::new(AtomicI64::new(START));
        let client = Arc::new(client(&simulator, &now, store));
        let control = reqwest::Client::builder().no_proxy().build().unwrap();
        let bench = Self { simulator, client, now, control };
        bench.post("clock", json!({"frozen": true, "now_ms": START})).await;
        bench
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/_simulator/{path}", self.simulator.url());
        let answer = self.control.post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {body}");
        answer.json().await.unwrap()
    }

    async fn look(&self, path: &str) -> Value {
        let url = format!("{}/_simulator/{path}", self.simulator.url());
        self.control.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// The next call of `path` suffers `action`.
    async fn fault(&self, path: &str, action: Value) {
        self.post("faults", json!({"match": {"path": path}, "action": action})).await;
    }

    async fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, SeqCst);
        self.post("clock", json!({"advance_ms": seconds * 1000})).await;
    }

    async fn gettokens(&self) -> u64 {
        self.look("counters").await["gettoken"].as_u64().unwrap()
    }

    async fn delivered(&self, to: &str) -> usize {
        self.look(&format!("messages?{to}")).await["messages"].as_array().unwrap().len()
    }

    async fn send(&self, request: &SendRequest) -> Outcome {
        self.client.send(&Account::App(app()), request).await
    }
}

fn client(simulator: &Simulator, now: &Arc<AtomicI64>, store: Option<TokenStore>) -> Client {
    let now = Arc::clone(now);
    let network = Network { deadline: Duration::from_millis(500), ..Network::new(simulator.url()) };
    Client::new(Options { store, ..Options::new(network, Arc::new(move || now.load(SeqCst))) }).unwrap()
}

fn app() -> App {
    App { corp_id: "wwsimcorp0000001".into(), agent_id: AGENT, secret: "sim-app-secret".into() }
}

fn second_app() -> App {
    App { corp_id: "wwsimcorp0000001".into(), agent_id: 1_000_003, secret: "sim-second-secret".into() }
}

fn webhook() -> Account {
    Account::Webhook(Webhook { key: "sim-ops-group".into() })
}

fn text(content: &str) -> Content {
    Content::Text(Text { content: content.into(), ..Text::default() })
}

fn users(users: &[&str]) -> Recipients {
    Recipients { users: users.iter().map(|user| (*user).to_owned()).collect(), ..Recipients::default() }
}

fn to(recipients: &Recipients, content: &Content) -> SendRequest {
    let body = message_send_body(AGENT, recipients, content, Duplicates::Check { interval_secs: 14_400 });
    SendRequest { channel: Channel::App, body: body.into() }
}

fn into_group(content: &Content) -> SendRequest {
    SendRequest { channel: Channel::Webhook, body: webhook_send_body(content).into() }
}

fn not_sent(outcome: Outcome) -> Failure {
    let Outcome::NotSent(failure) = outcome else { panic!("{outcome:?}") };
    failure
}

fn unsure(outcome: Outcome) -> Failure {
    let Outcome::Unsure(failure) = outcome else { panic!("{outcome:?}") };
    failure
}

#[tokio::test]
async fn every_code_of_the_table_gets_its_class_and_a_stale_token_costs_no_message() {
    let bench = Bench::new().await;
    for row in errcode::all().iter().filter(|row| row.code != 0) {
        bench.pass(120).await;
        bench.fault("message/send", json!({"errcode": row.code})).await;
        let outcome = bench.send(&to(&users(&["zhangsan"]), &text(&format!("code {}", row.code)))).await;
        if row.class == Class::Token {
            assert!(matches!(outcome, Outcome::Accepted(_)), "{}: {outcome:?}", row.code);
            continue;
        }
        let failure = not_sent(outcome);
        assert_eq!((failure.errcode(), failure.class, failure.about()), (Some(row.code), row.class, row.about));
        assert!(!failure.message.en.is_empty() && failure.zh().contains(row.remedy_zh), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_killed_early_costs_one_more_gettoken_under_a_hundred_parallel_sends() {
    let bench = Bench::new().await;
    assert!(matches!(bench.send(&to(&users(&["zhangsan"]), &text("first"))).await, Outcome::Accepted(_)));
    for (kill, variant) in [40014, 42001].into_iter().enumerate() {
        bench.pass(120).await;
        bench.post("tokens/expire", json!({"app": AGENT, "variant": variant})).await;
        let mut sends = JoinSet::new();
        for n in 0..100 {
            let client = Arc::clone(&bench.client);
            let request = to(&users(&["zhangsan"]), &text(&format!("{variant} {n}")));
            sends.spawn(async move { client.send(&Account::App(app()), &request).await });
        }
        for outcome in sends.join_all().await {
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        }
        assert_eq!(bench.gettokens().await, 2 + u64::try_from(kill).unwrap());
    }
}

#[tokio::test]
async fn a_delivery_before_a_broken_connection_is_unsure_and_its_retry_makes_no_copy() {
    let bench = Bench::new().await;
    for (n, action) in [json!("reset_after"), json!("truncate")].into_iter().enumerate() {
        let request = to(&users(&["lisi"]), &text(&format!("copy {n}")));
        bench.fault("message/send", action).await;
        assert_eq!(unsure(bench.send(&request).await).class, Class::Transient);
        assert_eq!(bench.delivered("user=lisi").await, n + 1);
        assert!(matches!(bench.send(&request).await, Outcome::Accepted(_)));
        assert_eq!(bench.delivered("user=lisi").await, n + 1);
    }
}

#[tokio::test]
async fn a_request_that_might_not_end_in_time_is_not_started() {
    let bench = Bench::new().await;
    let (account, request) = (Account::App(app()), to(&users(&["lisi"]), &text("late")));
    bench.fault("gettoken", json!({"delay_ms": 300})).await;
    // Enough for a call of 500 ms, but not for the token before it as well.
    let end = Instant::now() + Duration::from_millis(700);
    let failure = not_sent(bench.client.send_by(&account, &request, Some(end)).await);
    assert_eq!((failure.fault, failure.class), (Fault::TooLate, Class::Transient));
    assert_eq!(bench.look("requests?path=message/send").await["requests"], json!([]));
    let end = Instant::now() + Duration::from_mins(1);
    assert!(matches!(bench.client.send_by(&account, &request, Some(end)).await, Outcome::Accepted(_)));
}

#[tokio::test]
async fn whatever_is_no_answer_of_wecoms_is_unsure() {
    let bench = Bench::new().await;
    for (action, fault) in [
        (json!("reset_before"), Fault::Broken),
        (json!("hang"), Fault::Timeout),
        (json!({"delay_ms": 2000}), Fault::Timeout),
        (json!({"raw": "<html>login</html>"}), Fault::NotWeCom),
        (json!({"raw": ""}), Fault::NotWeCom),
        (json!({"raw": "{\"errcode\":\"0\"}"}), Fault::NotWeCom),
        (json!({"http": {"status": 502, "body": "Bad Gateway"}}), Fault::Status(502)),
        (json!({"http": {"status": 302}}), Fault::Status(302)),
    ] {
        bench.fault("webhook/send", action.clone()).await;
        let outcome = bench.client.send(&webhook(), &into_group(&text("x"))).await;
        assert_eq!(unsure(outcome).fault, fault, "{action}");
    }
}

#[tokio::test]
async fn without_a_server_nothing_was_sent() {
    let bench = Bench::new().await;
    let client = Arc::clone(&bench.client);
    bench.simulator.stop().await;
    let failure = not_sent(client.send(&webhook(), &into_group(&text("x"))).await);
    assert_eq!((failure.fault, failure.class), (Fault::Connect, Class::Transient));
}

#[tokio::test]
async fn those_who_were_not_reached_are_named_and_the_others_got_it() {
    let bench = Bench::new().await;
    let recipients = Recipients {
        users: vec!["ZhangSan".into(), "Nobody".into(), "ghost".into()],
        parties: vec![2, 99],
        tags: vec![3, 98],
    };
    let Outcome::AcceptedInPart { receipt, missed } = bench.send(&to(&recipients, &text("x"))).await else { panic!() };
    assert!(receipt.msgid.is_some());
    assert_eq!(missed.users, ["nobody", "ghost"]);
    assert_eq!((missed.parties, missed.tags), (vec!["99".to_owned()], vec!["98".to_owned()]));
    for user in ["zhangsan", "daixuan", "wangwu"] {
        assert_eq!(bench.delivered(&format!("user={user}")).await, 1, "{user}");
    }
    let nobody = not_sent(bench.send(&to(&users(&["ghost"]), &text("x"))).await);
    assert_eq!((nobody.errcode(), nobody.about(), nobody.class), (Some(81013), About::Receiver, Class::Refused));
}

#[tokio::test]
async fn an_address_that_is_not_trusted_is_shown_so_that_it_can_be() {
    let mut setup = Setup::demo();
    setup.corps[0].apps[0].trusted_ips = Some(vec!["203.0.113.1".into()]);
    let bench = Bench::with(setup, None).await;
    let failure = not_sent(bench.send(&to(&users(&["lisi"]), &text("x"))).await);
    assert_eq!((failure.errcode(), failure.class), (Some(60020), Class::Configuration));
    assert_eq!(failure.egress_ip, Some("127.0.0.1".parse().unwrap()));
    assert!(failure.zh().contains("企业可信IP"), "{}", failure.zh());
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once_in_five_minutes_however_many_messages_wait() {
    let bench = Bench::new().await;
    let wrong = Account::App(App { secret: "wrong-secret".into(), ..app() });
    for _ in 0..50 {
        let failure = not_sent(bench.client.send(&wrong, &to(&users(&["lisi"]), &text("x"))).await);
        assert_eq!((failure.api.path(), failure.class), ("gettoken", Class::Configuration));
        assert!(failure.errcode().is_some() && !format!("{failure:?}").contains("wrong-secret"));
    }
    assert_eq!(bench.gettokens().await, 1);
    // Another secret is not held for the fault of the wrong one.
    assert!(matches!(bench.send(&to(&users(&["lisi"]), &text("x"))).await, Outcome::Accepted(_)));
    bench.pass(301).await;
    not_sent(bench.client.send(&wrong, &to(&users(&["lisi"]), &text("x"))).await);
    assert_eq!(bench.gettokens().await, 3);
}

#[tokio::test]
async fn two_thousand_people_get_one_message_each_in_batches() {
    let mut setup = Setup::demo();
    let names: Vec<String> = (0..2001).map(|n| format!("user{n}")).collect();
    setup.corps[0].accounts = 10_000;
    setup.corps[0].users = names
        .iter()
        .map(|name| User {
            userid: name.clone(),
            name: name.clone(),
            mobile: String::new(),
            email: String::new(),
            personal_email: String::new(),
            status: 1,
            departments: vec![2],
        })
        .collect();
    let bench = Bench::with(setup, None).await;
    let everybody = Recipients { users: names, ..Recipients::default() };
    let batches = everybody.batches();
    assert_eq!(batches.len(), 3);
    for batch in &batches {
        assert!(matches!(bench.send(&to(batch, &text("x"))).await, Outcome::Accepted(_)));
    }
    for user in ["user0", "user999", "user1000", "user2000"] {
        assert_eq!(bench.delivered(&format!("user={user}")).await, 1, "{user}");
    }
    assert_eq!(not_sent(bench.send(&to(&everybody, &text("x"))).await).errcode(), Some(40032));
}

#[tokio::test]
async fn a_token_outlives_the_process_that_fetched_it() {
    let shelf = Arc::new(Mutex::new(None::<(String, StoredToken)>));
    let store = || {
        let (loading, saving) = (Arc::clone(&shelf), Arc::clone(&shelf));
        TokenStore {
            load: Box::new(move |key| {
                let kept = loading.lock().unwrap().clone().filter(|kept| kept.0 == key);
                Box::pin(std::future::ready(kept.map(|kept| kept.1)))
            }),
            save: Box::new(move |key, token| {
                assert!(!key.contains("sim-app-secret"));
                *saving.lock().unwrap() = Some((key, token));
                Box::pin(std::future::ready(()))
            }),
        }
    };
    let bench = Bench::with(Setup::demo(), Some(store())).await;
    assert!(matches!(bench.send(&to(&users(&["lisi"]), &text("1"))).await, Outcome::Accepted(_)));
    let restarted = client(&bench.simulator, &bench.now, Some(store()));
    let request = to(&users(&["lisi"]), &text("2"));
    assert!(matches!(restarted.send(&Account::App(app()), &request).await, Outcome::Accepted(_)));
    assert_eq!(bench.gettokens().await, 1);
}

fn card(card_type: &str) -> TemplateCard {
    TemplateCard {
        card_type: card_type.into(),
        source: Some(CardSource { desc: "Grafana".into(), desc_color: 2 }),
        main_title: Some(CardTitle { title: "磁盘已满".into(), desc: "db-3".into() }),
        horizontal_content_list: vec![CardRow { keyname: "集群".into(), value: "sh-1".into(), ..CardRow::default() }],
        card_action: Some(CardAction { kind: 1, url: "https://grafana.example.com/d/1".into() }),
        ..TemplateCard::default()
    }
}

fn contents() -> Vec<Content> {
    let url = "https://grafana.example.com/d/1".to_owned();
    let picture = CardImage { url: "https://grafana.example.com/1.png".into(), aspect_ratio: 1.3 };
    vec![
        text("磁盘已满 <db-3> & \"更多\""),
        Content::Markdown(Markdown { content: "# 磁盘已满\n<font color=\"warning\">db-3</font>".into() }),
        Content::Textcard(Textcard {
            title: "磁盘已满".into(),
            description: "db-3".into(),
            url: url.clone(),
            ..Textcard::default()
        }),
        Content::News(News { articles: vec![Article { title: "磁盘已满".into(), url, ..Article::default() }] }),
        Content::TemplateCard(Box::new(TemplateCard { sub_title_text: "96 %".into(), ..card("text_notice") })),
        Content::TemplateCard(Box::new(TemplateCard { card_image: Some(picture), ..card("news_notice") })),
        Content::MarkdownV2(Markdown { content: "|实例|值|\n|--|--|\n|db-3|96 %|".into() }),
        Content::Image(inline_image(PNG).unwrap()),
    ]
}

#[tokio::test]
async fn every_kind_of_content_is_taken_where_it_belongs() {
    let bench = Bench::new().await;
    for content in contents() {
        let inline = matches!(content, Content::Image(_) | Content::MarkdownV2(_));
        let is_card = matches!(content, Content::TemplateCard(_));
        if !inline {
            let outcome = bench.send(&to(&users(&["lisi"]), &content)).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{content:?}: {outcome:?}");
        }
        if !inline && !is_card {
            let request = SendRequest { channel: Channel::Chat, body: appchat_send_body("AITest", &content).into() };
            let outcome = bench.send(&request).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{content:?}: {outcome:?}");
        }
        if !matches!(content, Content::Textcard(_)) {
            let outcome = bench.client.send(&webhook(), &into_group(&content)).await;
            assert!(matches!(outcome, Outcome::Accepted(_)), "{content:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn refusals_of_content_route_and_limit_are_told_apart() {
    let bench = Bench::new().await;
    let empty = not_sent(bench.client.send(&webhook(), &into_group(&text(""))).await);
    assert_eq!((empty.errcode(), empty.about()), (Some(44004), About::Content));
    let long = Content::Markdown(Markdown { content: "长".repeat(2000) });
    let long = not_sent(bench.client.send(&webhook(), &into_group(&long)).await);
    assert_eq!((long.errcode(), long.about().worth_plain_text()), (Some(40058), true));
    let no_link = Content::TemplateCard(Box::new(TemplateCard { card_action: None, ..card("text_notice") }));
    let no_link = not_sent(bench.send(&to(&users(&["lisi"]), &no_link)).await);
    assert_eq!((no_link.errcode(), no_link.about()), (Some(42045), About::Card));
    let gone = Account::Webhook(Webhook { key: "no-such-key".into() });
    let gone = not_sent(bench.client.send(&gone, &into_group(&text("x"))).await);
    assert_eq!((gone.errcode(), gone.about(), gone.class), (Some(93000), About::Route, Class::Configuration));
    let chat = SendRequest { channel: Channel::Chat, body: appchat_send_body("NoSuchChat", &text("x")).into() };
    let chat = not_sent(bench.send(&chat).await);
    assert_eq!((chat.about(), chat.class), (About::Route, Class::Configuration));
    bench.pass(120).await;
    for n in 0..20 {
        let outcome = bench.client.send(&webhook(), &into_group(&text(&n.to_string()))).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{n}: {outcome:?}");
    }
    let limit = not_sent(bench.client.send(&webhook(), &into_group(&text("21"))).await);
    assert_eq!((limit.class, limit.retry_after), (Class::BackOff, Some(Duration::from_mins(1))));
}

#[tokio::test]
async fn a_group_chat_is_made_changed_read_and_written_to() {
    let bench = Bench::new().await;
    let new = NewChat {
        name: Some("告警".into()),
        owner: Some("lisi".into()),
        members: vec!["lisi".into(), "zhangsan".into()],
        chatid: Some("ops7".into()),
    };
    assert_eq!(bench.client.create_chat(&app(), &new).await.unwrap(), "ops7");
    let again = bench.client.create_chat(&app(), &new).await.unwrap_err();
    assert_eq!(again.failure().errcode(), Some(86215));
    let change = ChatChange {
        name: Some("值班".into()),
        owner: Some("zhangsan".into()),
        add: vec!["wangwu".into()],
        remove: vec!["lisi".into()],
    };
    bench.client.change_chat(&app(), "ops7", &change).await.unwrap();
    let chat = bench.client.chat(&app(), "ops7").await.unwrap();
    assert_eq!((chat.chatid.as_str(), chat.name.as_str(), chat.owner.as_str()), ("ops7", "值班", "zhangsan"));
    assert_eq!(chat.members, ["zhangsan", "wangwu"]);
    let request = SendRequest { channel: Channel::Chat, body: appchat_send_body("ops7", &text("x")).into() };
    assert!(matches!(bench.send(&request).await, Outcome::Accepted(_)));
    assert_eq!(bench.delivered("chat=ops7").await, 1);
    // An app whose scope is not the root may not.
    let narrow = bench.client.chat(&second_app(), "ops7").await.unwrap_err();
    assert_eq!((narrow.failure().errcode(), narrow.failure().class), (Some(48002), Class::Configuration));
}

#[tokio::test]
async fn pictures_and_files_are_uploaded_and_sent() {
    let bench = Bench::new().await;
    let picture = Bytes::from_static(PNG);
    let media = bench.client.upload_media(&app(), MediaKind::Image, "面板.png", picture.clone()).await.unwrap();
    assert_eq!(media.created_at, Some(START / 1000));
    let image = Content::Image(Image::Media { media_id: media.media_id });
    assert!(matches!(bench.send(&to(&users(&["lisi"]), &image)).await, Outcome::Accepted(_)));
    let file = bench.client.upload_media(&app(), MediaKind::File, "a.csv", "名,值\n".into()).await.unwrap();
    assert!(!file.media_id.is_empty());
    let url = bench.client.upload_image(&app(), "a.png", picture).await.unwrap();
    assert!(url.starts_with("http"), "{url}");
    let hook = Webhook { key: "sim-ops-group".into() };
    assert!(bench.client.upload_webhook_file(&hook, "a.csv", "名,值\n".into()).await.is_ok());
    let uploads = bench.look("requests?path=media/upload").await;
    assert!(uploads["requests"][0]["body"].as_str().unwrap().contains(&format!("filelength={}", PNG.len())));
    // What is no picture never leaves.
    let error = bench.client.upload_image(&app(), "a.png", "<svg/> is text".into()).await.unwrap_err();
    assert_eq!(error.failure().fault, Fault::Invalid);
    assert_eq!(bench.look("requests?path=media/uploadimg").await["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_app_and_its_members_are_read() {
    let bench = Bench::new().await;
    let agent = bench.client.agent(&app()).await.unwrap();
    assert_eq!((agent.name.as_str(), agent.closed, agent.parties), ("监控告警", false, vec![1]));
    let other = App { agent_id: 1_000_003, ..app() };
    assert_eq!(bench.client.agent(&other).await.unwrap_err().failure().errcode(), Some(301_002));
    let member = bench.client.member(&app(), "ZhangSan").await.unwrap();
    assert_eq!((member.userid.as_str(), member.name.as_str(), member.status), ("zhangsan", "张三", 1));
    assert_eq!(bench.client.member(&app(), "ghost").await.unwrap_err().failure().errcode(), Some(60111));
}

#[tokio::test]
async fn people_are_found_by_number_and_mail_without_walking_into_the_lock_out() {
    let bench = Bench::new().await;
    let mobile = |n: u32| Person::Mobile(format!("1380000{n:04}"));
    let find = async |person: Person| bench.client.find_userid(&app(), &person).await;
    // What was not even looked up is not unsuccessful.
    let refused = json!({"match": {"path": "user/getuserid"}, "times": 10, "action": {"errcode": -1}});
    bench.post("faults", refused).await;
    for _ in 0..10 {
        assert_eq!(find(mobile(2)).await.unwrap_err().failure().errcode(), Some(-1));
    }
    assert_eq!(find(mobile(2)).await.unwrap().as_deref(), Some("zhangsan"));
    assert_eq!(find(Person::CorpMail("lisi@sim.example".into())).await.unwrap().as_deref(), Some("lisi"));
    for _ in 0..10 {
        assert_eq!(find(mobile(9000)).await.unwrap(), None);
        assert_eq!(find(mobile(2)).await.unwrap().as_deref(), Some("zhangsan"));
    }
    for n in 9001..9050 {
        if let Err(error) = find(mobile(n)).await {
            assert_eq!(error.failure().fault, Fault::LookupBudget);
        }
    }
    let counters = bench.look("counters").await;
    assert_eq!(counters["by_path"]["/cgi-bin/user/getuserid"], 10 + 1 + 5);
}
