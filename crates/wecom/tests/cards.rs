//! Cards with buttons and what becomes of them after they were sent, against the simulator.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wecom::message::{
    CardAction, CardButton, CardMenu, CardMenuEntry, CardOption, CardQuote, CardRow, CardSelection, CardTitle,
    TemplateCard,
};
use wecom::{
    About, Account, App, CallError, CardChange, CardUpdate, Channel, Class, Client, Content, Duplicates, Failure,
    Network, Options, Outcome, Readers, Receipt, Recipients, SendRequest, card_update_body, message_send_body,
};
use wecom_simulator::{Setup, Simulator};

const START: i64 = 1_760_000_000_000;

struct Bench {
    simulator: Simulator,
    client: Client,
    now: Arc<AtomicI64>,
}

impl Bench {
    async fn new() -> Self {
        let simulator = Simulator::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), Setup::demo()).await;
        let now = Arc::new(AtomicI64::new(START));
        let clock = Arc::clone(&now);
        let options = Options::new(Network::new(simulator.url()), Arc::new(move || clock.load(SeqCst)));
        let bench = Self { client: Client::new(options).unwrap(), simulator, now };
        bench.control("clock", &json!({"frozen": true, "now_ms": START})).await;
        bench
    }

    async fn control(&self, path: &str, body: &Value) {
        let url = format!("{}/_simulator/{path}", self.simulator.url());
        let control = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(control.post(url).json(body).send().await.unwrap().status(), 200);
    }

    async fn pass(&self, hours: i64) {
        self.now.fetch_add(hours * 3_600_000, SeqCst);
        self.control("clock", &json!({"advance_ms": hours * 3_600_000})).await;
    }

    async fn send(&self, card: TemplateCard) -> Receipt {
        let to = Recipients { users: vec!["zhangsan".into(), "lisi".into()], ..Recipients::default() };
        let content = Content::TemplateCard(Box::new(card));
        let body = message_send_body(app().agent_id, &to, &content, Duplicates::Off).into();
        let request = SendRequest { channel: Channel::App, body };
        match self.client.send(&Account::App(app()), &request).await {
            Outcome::Accepted(receipt) => receipt,
            other => panic!("{other:?}"),
        }
    }

    async fn update(&self, response_code: &str, readers: Readers, change: CardChange) -> Outcome {
        self.client.update_card(&app(), &CardUpdate { response_code: response_code.into(), readers, change }).await
    }
}

fn app() -> App {
    App { corp_id: "wwsimcorp0000001".into(), agent_id: 1_000_002, secret: "sim-app-secret".into() }
}

fn second_app() -> App {
    App { corp_id: "wwsimcorp0000001".into(), agent_id: 1_000_003, secret: "sim-second-secret".into() }
}

/// A card with everything that is pressed.
fn interactive(task_id: &str) -> TemplateCard {
    TemplateCard {
        card_type: "button_interaction".into(),
        task_id: task_id.into(),
        action_menu: Some(CardMenu {
            desc: "更多".into(),
            action_list: vec![CardMenuEntry { text: "撤销认领".into(), key: "undo".into() }],
        }),
        main_title: Some(CardTitle { title: "磁盘已满".into(), desc: "db-3".into() }),
        quote_area: Some(CardQuote { quote_text: "95 %".into(), ..CardQuote::default() }),
        sub_title_text: "/var 96 %".into(),
        horizontal_content_list: vec![CardRow {
            kind: 3,
            keyname: "值班".into(),
            value: "张三".into(),
            userid: "zhangsan".into(),
            ..CardRow::default()
        }],
        button_selection: Some(CardSelection {
            question_key: "dur".into(),
            title: "静默时长".into(),
            selected_id: "1h".into(),
            option_list: vec![
                CardOption { id: "1h".into(), text: "1 小时".into() },
                CardOption { id: "morning".into(), text: "到明早".into() },
            ],
            ..CardSelection::default()
        }),
        button_list: vec![
            CardButton { text: "认领".into(), style: 1, key: "ack".into(), ..CardButton::default() },
            CardButton { text: "静默".into(), style: 2, key: "silence".into(), ..CardButton::default() },
            CardButton {
                kind: 1,
                text: "面板".into(),
                url: "https://grafana.example.com/".into(),
                ..CardButton::default()
            },
        ],
        ..TemplateCard::default()
    }
}

fn notice() -> TemplateCard {
    TemplateCard {
        card_type: "text_notice".into(),
        main_title: Some(CardTitle { title: "已恢复".into(), desc: "db-3".into() }),
        card_action: Some(CardAction { kind: 1, url: "https://grafana.example.com/".into() }),
        ..TemplateCard::default()
    }
}

fn not_sent(outcome: Outcome) -> Failure {
    let Outcome::NotSent(failure) = outcome else { panic!("{outcome:?}") };
    failure
}

#[tokio::test]
async fn a_card_with_buttons_is_taken_and_its_code_is_good_for_one_update() {
    let bench = Bench::new().await;
    let code = bench.send(interactive("alert_1")).await.response_code.unwrap();
    let label = || CardChange::Label("张三 已认领".into());
    assert!(matches!(bench.update(&code, Readers::All, label()).await, Outcome::Accepted(_)));
    let again = not_sent(bench.update(&code, Readers::All, label()).await);
    assert_eq!((again.errcode(), again.class, again.about()), (Some(60140), Class::Refused, About::Card));
}

#[tokio::test]
async fn frozen_bytes_of_an_update_are_sent_as_any_message_is() {
    let bench = Bench::new().await;
    let code = bench.send(interactive("alert_2")).await.response_code.unwrap();
    let change = CardChange::Card(Box::new(TemplateCard { replace_text: "已恢复".into(), ..notice() }));
    let update = CardUpdate { response_code: code, readers: Readers::All, change };
    let request = SendRequest { channel: Channel::CardUpdate, body: card_update_body(app().agent_id, &update).into() };
    let outcome = bench.client.send_by(&Account::App(app()), &request, None).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    let webhook = Account::Webhook(wecom::Webhook { key: "sim-ops-group".into() });
    assert_eq!(not_sent(bench.client.send(&webhook, &request).await).errcode(), None, "no webhook can");
    let bot = SendRequest { channel: Channel::Bot, ..request };
    assert_eq!(not_sent(bench.client.send(&Account::App(app()), &bot).await).errcode(), None, "nor this a bot");
}

#[tokio::test]
async fn readers_who_never_got_the_card_are_told_of_and_a_late_or_foreign_update_is_refused() {
    let bench = Bench::new().await;
    let code = bench.send(interactive("alert_3")).await.response_code.unwrap();
    let users = |users: &[&str]| Readers::Users(users.iter().map(|user| (*user).to_owned()).collect());
    let card = || CardChange::Card(Box::new(notice()));
    let nobody = not_sent(bench.update(&code, users(&["wangwu"]), card()).await);
    assert_eq!((nobody.errcode(), nobody.class), (Some(82102), Class::Refused));
    let Outcome::AcceptedInPart { missed, .. } = bench.update(&code, users(&["lisi", "wangwu"]), card()).await else {
        panic!()
    };
    assert_eq!(missed.users, ["wangwu"]);

    let code = bench.send(interactive("alert_4")).await.response_code.unwrap();
    let update = CardUpdate { response_code: code.clone(), readers: Readers::All, change: card() };
    let foreign = not_sent(bench.client.update_card(&second_app(), &update).await);
    assert_eq!(foreign.errcode(), Some(42015));
    bench.pass(72).await;
    assert_eq!(not_sent(bench.update(&code, Readers::All, card()).await).errcode(), Some(60140));
}

#[tokio::test]
async fn a_message_is_taken_back_within_a_day_by_the_app_that_sent_it() {
    let bench = Bench::new().await;
    let first = bench.send(notice()).await.msgid.unwrap();
    let Err(CallError::NotDone(foreign)) = bench.client.recall(&second_app(), &first).await else { panic!() };
    assert_eq!(foreign.errcode(), Some(40058));
    assert_eq!(bench.client.recall(&app(), &first).await, Ok(()));
    let second = bench.send(notice()).await.msgid.unwrap();
    bench.pass(25).await;
    let Err(CallError::NotDone(late)) = bench.client.recall(&app(), &second).await else { panic!() };
    assert_eq!((late.errcode(), late.class), (Some(42052), Class::Refused));
}
