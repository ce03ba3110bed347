//! The callback sender against a server of an app.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use super::xml::Element;
use super::*;
use crate::clicks::Choices;
use crate::inbox::{Channel, Message};
use crate::people;
use crate::setup::Setup;
use crate::state::Background;

const KEY: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg";
const TOKEN: &str = "simtoken01";
const CORP: &str = "wwsimcorp0000001";

/// The server of an app: the requests it got, and the answers it gives.
#[derive(Debug, Default)]
struct Server {
    /// The inner XML of each push.
    got: Vec<String>,
    /// The statuses to answer with, in order; then 200.
    statuses: Vec<u16>,
    /// The inner XML to answer with.
    reply: String,
    /// Never answers.
    hangs: bool,
    /// Appended to the plain text of a verification.
    behind: &'static str,
}

type Desk = Arc<Mutex<Server>>;

fn keys() -> Keys {
    Keys::new(TOKEN, KEY).unwrap()
}

/// Decrypts a request after comparing signature and receiver.
fn open(query: &HashMap<String, String>, encrypted: &str) -> String {
    let signature = keys().sign(&query["timestamp"], &query["nonce"], encrypted);
    assert_eq!(signature, query["msg_signature"]);
    let (text, receiveid) = keys().decrypt(encrypted).unwrap();
    assert_eq!(receiveid, CORP);
    text
}

async fn verified(State(desk): State<Desk>, Query(query): Query<HashMap<String, String>>) -> String {
    format!("{}{}", open(&query, &query["echostr"]), desk.lock().unwrap().behind)
}

async fn pushed(
    State(desk): State<Desk>,
    Query(query): Query<HashMap<String, String>>,
    body: String,
) -> (StatusCode, String) {
    let outer = Element::read(&body).unwrap();
    assert_eq!((outer.word("ToUserName"), outer.word("AgentID")), (CORP, "1000003"));
    let (hangs, answer) = {
        let mut desk = desk.lock().unwrap();
        desk.got.push(open(&query, outer.word("Encrypt")));
        let status = if desk.statuses.is_empty() { 200 } else { desk.statuses.remove(0) };
        (desk.hangs, (StatusCode::from_u16(status).unwrap(), sealed(&desk.reply)))
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    answer
}

/// A passive reply as sent.
fn sealed(inner: &str) -> String {
    if inner.is_empty() || inner.starts_with("not ") {
        return inner.into();
    }
    let encrypted = keys().encrypt(inner, CORP, [7; 16]);
    let signature = keys().sign("1", "n", &encrypted);
    format!(
        "<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
         <TimeStamp>1</TimeStamp><Nonce><![CDATA[n]]></Nonce></xml>"
    )
}

/// A world whose second app, which has no callback yet, has a server.
async fn world() -> (Shared, Desk, Badge) {
    let desk = Desk::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/wecom?x=1", listener.local_addr().unwrap());
    let router = Router::new().route("/wecom", get(verified).post(pushed)).with_state(desk.clone());
    tokio::spawn(axum::serve(listener, router).into_future());
    let mut setup = Setup::demo();
    setup.corps[0].apps[1].callback_server =
        Some(CallbackServer { url, token: TOKEN.into(), encoding_aes_key: KEY.into() });
    let mut world = World::new(setup, String::new(), Background::default());
    world.clock.freeze(true);
    world.switches.callback_retry_ms = 1;
    (Arc::new(Mutex::new(world)), desk, Badge { corp_id: CORP.into(), agent_id: 1_000_003 })
}

/// Waits until `look` returns something.
async fn waited<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it comes")
}

/// The push of that number, once it is done.
async fn done(shared: &Shared, id: u64) -> Push {
    waited(|| lock(shared).callbacks.pushes.get(id).filter(|push| push.done).cloned()).await
}

/// Sends a card with a `response_code` to zhangsan and lisi. Returns its id.
fn card(shared: &Shared, badge: &Badge) -> u64 {
    let card = json!({
        "card_type": "button_interaction", "task_id": "t1", "main_title": {"title": "磁盘将满"},
        "button_list": [{"text": "认领", "key": "ack"}],
        "action_menu": {"action_list": [{"text": "撤销", "key": "undo"}]},
    });
    let message = Message {
        channel: Channel::App,
        corp_id: Some(badge.corp_id.clone()),
        agent_id: Some(badge.agent_id),
        msgtype: "template_card".into(),
        content: card,
        receivers: vec!["zhangsan".into(), "lisi".into()],
        ..Message::default()
    };
    lock(shared).inbox.deliver(message)
}

async fn click(shared: &Shared, message: u64, key: &str) -> (u64, Push) {
    let click = people::click(shared, message, "LISI", key, &Choices::new(), true).unwrap();
    let push = lock(shared).clicks.get(click).unwrap().callback.unwrap();
    (click, done(shared, push).await)
}

#[tokio::test]
async fn a_url_counts_once_it_has_answered_with_the_bare_text() {
    let (shared, desk, badge) = world().await;
    assert!(!lock(&shared).has_callback(&badge));
    desk.lock().unwrap().behind = "\n";
    let answer = verify(&shared, badge.clone()).await.unwrap();
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(false), &json!(200)));
    assert!(!lock(&shared).has_callback(&badge));
    desk.lock().unwrap().behind = "";
    let answer = verify(&shared, badge.clone()).await.unwrap();
    assert_eq!((&answer["ok"], &answer["reason"]), (&json!(true), &json!(null)), "{answer}");
    assert!(lock(&shared).has_callback(&badge));
}

#[tokio::test]
async fn a_text_arrives_and_nothing_is_sent_to_an_unverified_url() {
    let (shared, desk, badge) = world().await;
    let told = people::tell_app(&shared, &badge, "lisi", "状态").unwrap();
    assert_eq!(told, json!({"delivered": false, "callback": null}));
    verify(&shared, badge.clone()).await.unwrap();
    let told = people::tell_app(&shared, &badge, "LISI", "<状态> & ]]>").unwrap();
    let push = done(&shared, told["callback"].as_u64().unwrap()).await;
    people::enter_app(&shared, &badge, "lisi").unwrap();
    done(&shared, 2).await;
    let desk = desk.lock().unwrap();
    let [text, enter] = &desk.got[..] else { panic!("{:?}", desk.got) };
    let xml = Element::read(text).unwrap();
    assert_eq!((xml.word("FromUserName"), xml.word("Content")), ("lisi", "<状态> & ]]>"));
    assert_eq!((push.attempts.len(), push.attempts[0].status), (1, Some(200)));
    assert_eq!(Element::read(enter).unwrap().word("Event"), "enter_agent");
}

#[tokio::test]
async fn a_push_is_tried_three_times_until_it_is_answered_200_and_repeated_on_demand() {
    let (shared, desk, badge) = world().await;
    verify(&shared, badge.clone()).await.unwrap();
    for (statuses, expected) in [(vec![500, 204], vec![500, 204, 200]), (vec![404; 5], vec![404; 3])] {
        desk.lock().unwrap().statuses = statuses;
        let told = people::tell_app(&shared, &badge, "lisi", "x").unwrap();
        let push = done(&shared, told["callback"].as_u64().unwrap()).await;
        let seen: Vec<_> = push.attempts.iter().map(|attempt| attempt.status.unwrap()).collect();
        assert_eq!(seen, expected);
    }
    {
        let mut desk = desk.lock().unwrap();
        assert_eq!(desk.got[0], desk.got[2], "the same event, also the same id");
        desk.statuses.clear();
    }
    repeat(&shared, 1).unwrap();
    waited(|| (desk.lock().unwrap().got.len() == 7).then_some(())).await;
}

#[tokio::test]
async fn a_server_that_is_late_or_gone_is_given_up() {
    let (shared, desk, badge) = world().await;
    verify(&shared, badge.clone()).await.unwrap();
    desk.lock().unwrap().hangs = true;
    lock(&shared).switches.callback_deadline_ms = 20;
    people::tell_app(&shared, &badge, "lisi", "x").unwrap();
    let push = done(&shared, 1).await;
    assert_eq!(push.attempts.len(), 3);
    assert_eq!(push.attempts[0].error.as_deref(), Some("no answer within 20 ms"));
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = CallbackServer { url: format!("http://{gone}"), token: TOKEN.into(), encoding_aes_key: KEY.into() };
    lock(&shared).setup.corps[0].apps[1].callback_server = Some(server);
    let answer = verify(&shared, badge.clone()).await.unwrap();
    assert!(answer["reason"].as_str().unwrap().starts_with("cannot connect"), "{answer}");
    assert!(!lock(&shared).has_callback(&badge), "it is not set any more");
}

#[tokio::test]
async fn a_passive_update_changes_the_card_of_the_one_who_clicked_and_uses_up_the_code() {
    let (shared, desk, badge) = world().await;
    verify(&shared, badge.clone()).await.unwrap();
    let message = card(&shared, &badge);
    desk.lock().unwrap().reply =
        "<xml><MsgType>update_button</MsgType><Button><ReplaceName><![CDATA[已认领]]></ReplaceName></Button></xml>"
            .into();
    let (number, push) = click(&shared, message, "ack").await;
    assert_eq!(push.reply["kind"], "update_button");
    let code = {
        let world = lock(&shared);
        let seen = world.inbox.by_id(message).unwrap();
        assert_eq!(seen.content_for("lisi")["replace_name"], "已认领");
        assert!(seen.content_for("zhangsan").get("replace_name").is_none());
        let click = world.clicks.get(number).unwrap();
        let how: Vec<_> = click.answers.iter().map(|answer| answer.how).collect();
        assert_eq!(how, ["callback", "update_button"]);
        click.response_code.clone().unwrap()
    };
    assert!(lock(&shared).codes.get(&code).unwrap().used);

    lock(&shared).switches.passive_reply_uses_code = false;
    desk.lock().unwrap().reply =
        "<xml><MsgType>update_template_card</MsgType><TemplateCard><CardType>text_notice</CardType>\
                                  <MainTitle><Title>已恢复</Title></MainTitle><CardAction><Type>1</Type>\
                                  <Url>https://example.com</Url></CardAction></TemplateCard></xml>"
            .into();
    let (number, _) = click(&shared, message, "undo").await;
    let world = lock(&shared);
    assert_eq!(world.inbox.by_id(message).unwrap().content_for("lisi")["main_title"]["title"], "已恢复");
    let click = world.clicks.get(number).unwrap();
    assert!(!world.codes.get(click.response_code.as_ref().unwrap()).unwrap().used);
    assert!(click.menu && click.selected.is_empty());
    assert_ne!(click.response_code, Some(code), "each click brings a code of its own");
}

#[tokio::test]
async fn a_reply_that_is_not_right_changes_nothing_and_is_noted() {
    let (shared, desk, badge) = world().await;
    verify(&shared, badge.clone()).await.unwrap();
    let message = card(&shared, &badge);
    let card_without = "<xml><MsgType>update_template_card</MsgType><TemplateCard/></xml>";
    for (reply, reason) in [("not xml", "an element"), ("<xml/>", "MsgType"), (card_without, "42031")] {
        desk.lock().unwrap().reply = reply.into();
        let (_, push) = click(&shared, message, "ack").await;
        assert!(push.reply["error"].as_str().unwrap().contains(reason), "{:?}", push.reply);
    }
    assert!(lock(&shared).inbox.by_id(message).unwrap().updated_for.is_empty());
}

#[tokio::test]
async fn the_same_event_comes_more_than_once_when_switched_so() {
    let (shared, desk, badge) = world().await;
    verify(&shared, badge.clone()).await.unwrap();
    lock(&shared).switches.duplicate_events = 2;
    people::tell_app(&shared, &badge, "lisi", "x").unwrap();
    waited(|| (desk.lock().unwrap().got.len() == 3).then_some(())).await;
    let got = desk.lock().unwrap().got.clone();
    assert!(got.iter().all(|one| *one == got[0]));
}
