//! The socket of a bot against a server that says whatever a test wants: answers, silence, nonsense, the end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod server;
mod talk;
mod way;

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use wecom::message::Markdown;
use wecom::{
    BotEnd, BotEvent, BotPace, BotState, ChatType, Class, Content, Conversation, Failure, Fault, Outcome, Receipt,
    bot_send_body,
};

use server::{Bench, QUICK, SECRET, Server};

fn body(text: &str) -> bytes::Bytes {
    let content = Content::Markdown(Markdown { content: text.into() });
    bot_send_body("G1", Some(ChatType::Group), &content).into()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(8)
}

fn not_sent(outcome: Outcome) -> Failure {
    let Outcome::NotSent(failure) = outcome else { panic!("{outcome:?}") };
    shows_no_secret(failure)
}

fn unsure(outcome: Outcome) -> Failure {
    let Outcome::Unsure(failure) = outcome else { panic!("{outcome:?}") };
    shows_no_secret(failure)
}

fn shows_no_secret(failure: Failure) -> Failure {
    for text in [format!("{failure:?}"), failure.zh(), failure.en()] {
        assert!(!text.contains("canary"), "{text}");
    }
    failure
}

#[tokio::test]
async fn it_subscribes_first_and_then_sends_what_was_frozen() {
    let server = Server::start().await;
    let bench = Bench::new(&server);
    let mut peer = server.accept().await;
    let frame = peer.frame().await;
    assert_eq!(frame["cmd"], "aibot_subscribe");
    assert_eq!(frame["body"], json!({"bot_id": "bot1", "secret": SECRET}));
    assert!(frame["headers"]["req_id"].as_str().unwrap().starts_with("aibot_subscribe_1700000000000_"));
    assert_eq!(*bench.bot.state().borrow(), BotState::Connecting);
    peer.ok(&frame).await;
    assert_eq!(bench.until(|state| *state != BotState::Connecting).await, BotState::Live { since: 1_700_000_000_000 });

    let sent = bench.bot.send(body("磁盘已满 #7K2Q"), soon());
    let answered = async {
        let frame = peer.frame().await;
        assert_eq!(frame["cmd"], "aibot_send_msg");
        let wanted =
            json!({"chatid": "G1", "chat_type": 2, "msgtype": "markdown", "markdown": {"content": "磁盘已满 #7K2Q"}});
        assert_eq!(frame["body"], wanted);
        peer.ok(&frame).await;
    };
    assert_eq!(tokio::join!(sent, answered).0, Outcome::Accepted(Receipt::default()));
}

#[tokio::test]
async fn a_no_is_certain_and_has_its_class() {
    let server = Server::start().await;
    let bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    let cases = [
        (93006, Class::Configuration),
        (45009, Class::BackOff),
        (846_605, Class::Refused),
        (40001, Class::Configuration),
        (-1, Class::Transient),
    ];
    for (errcode, class) in cases {
        let sent = bench.bot.send(body("x"), soon());
        let answered = async {
            let frame = peer.frame().await;
            peer.answer(&frame, errcode, &format!("no, {SECRET}"), json!(null)).await;
        };
        let failure = not_sent(tokio::join!(sent, answered).0);
        assert_eq!((failure.errcode(), failure.class), (Some(errcode), class));
        assert_eq!(failure.message.en, "no, ***");
    }
}

#[tokio::test]
async fn a_written_frame_without_an_answer_is_unsure() {
    let server = Server::start().await;
    let bench = Bench::with(&server, BotPace { answer: Duration::from_millis(200), ..QUICK });
    let mut peer = server.subscribed().await;
    let (outcome, frame) = tokio::join!(bench.bot.send(body("x"), soon()), peer.frame());
    assert_eq!(unsure(outcome).fault, Fault::Timeout);
    // The late answer does no harm.
    peer.ok(&frame).await;
    let (outcome, ()) = tokio::join!(bench.bot.send(body("y"), soon()), async {
        peer.frame().await;
        drop(peer);
    });
    assert_eq!(unsure(outcome).fault, Fault::Broken);
}

#[tokio::test]
async fn an_unwritten_frame_is_certainly_not_sent() {
    let server = Server::start().await;
    let bench = Bench::new(&server);
    let failure = not_sent(bench.bot.send("no JSON".into(), soon()).await);
    assert_eq!((failure.fault, failure.class), (Fault::Invalid, Class::Refused));
    // The socket does not open in time; when it does, what was given up with or without a word is not written.
    let outcome = bench.bot.send(body("given up"), Instant::now() + QUICK.answer + Duration::from_millis(50)).await;
    assert_eq!(not_sent(outcome).fault, Fault::Connect);
    let dropped = tokio::time::timeout(Duration::from_millis(20), bench.bot.send(body("dropped"), soon())).await;
    assert!(dropped.is_err());
    let mut peer = server.subscribed().await;
    bench.live().await;
    // It would have to have ended already.
    let failure = not_sent(bench.bot.send(body("too late"), Instant::now()).await);
    assert_eq!((failure.fault, failure.class), (Fault::TooLate, Class::Transient));
    let (outcome, frame) = tokio::join!(bench.bot.send(body("next"), soon()), async {
        let frame = peer.frame().await;
        peer.ok(&frame).await;
        frame
    });
    assert!(matches!(outcome, Outcome::Accepted(_)));
    assert_eq!(frame["body"]["markdown"]["content"], "next");
}

#[tokio::test]
async fn a_newer_connection_ends_it_and_it_does_not_come_back() {
    let server = Server::start().await;
    let mut bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    peer.click("C1").await;
    peer.event("E", json!({"eventtype": "disconnected_event"})).await;
    assert!(matches!(bench.event().await, BotEvent::Click { .. }), "what came before is not lost");
    assert_eq!(bench.event().await, BotEvent::Evicted);
    assert_eq!(bench.ended().await, BotEnd::Evicted);
    assert_eq!(*bench.bot.state().borrow(), BotState::Evicted);
    let failure = not_sent(bench.bot.send(body("x"), soon()).await);
    assert_eq!((failure.fault, failure.class), (Fault::Connect, Class::Transient));
    assert!(peer.any().await.is_none(), "the connection is closed");
}

#[tokio::test]
async fn a_refused_secret_is_tried_again_slowly_and_turns_everything_away_meanwhile() {
    let server = Server::start().await;
    let bench = Bench::new(&server);
    let mut peer = server.accept().await;
    let waiting = bench.bot.send(body("waits for the answer"), soon());
    let refused = async {
        let frame = peer.frame().await;
        peer.answer(&frame, 853_000, &format!("signature is incorrect {SECRET}"), json!(null)).await;
    };
    let failure = not_sent(tokio::join!(waiting, refused).0);
    let begun = Instant::now();
    assert_eq!((failure.errcode(), failure.class), (Some(853_000), Class::Configuration));
    let BotState::Refused(seen) = bench.until(|state| matches!(state, BotState::Refused(_))).await else { panic!() };
    assert_eq!(seen, failure);
    assert!(seen.zh().contains("bot_id") && seen.en().contains("bot id"), "{seen}");
    assert_eq!(not_sent(bench.bot.send(body("x"), soon()).await), failure);
    let _peer = server.subscribed().await;
    assert!(begun.elapsed() + Duration::from_millis(50) >= QUICK.refused, "hammered after {:?}", begun.elapsed());
    bench.live().await;
}

#[tokio::test]
async fn a_busy_wecom_is_not_taken_for_a_refusal() {
    let server = Server::start().await;
    let bench = Bench::with(&server, BotPace { refused: Duration::from_hours(1), ..QUICK });
    let mut peer = server.accept().await;
    let frame = peer.frame().await;
    peer.answer(&frame, -1, "system busy", json!(null)).await;
    let _peer = server.subscribed().await;
    bench.live().await;
}

#[tokio::test]
async fn two_heartbeats_without_an_answer_end_the_connection_and_it_comes_back() {
    let server = Server::start().await;
    let bench = Bench::with(&server, BotPace { ping: Duration::from_millis(100), ..QUICK });
    let mut peer = server.subscribed().await;
    // Answered heartbeats keep it alive.
    for _ in 0..5 {
        let ping = peer.any().await.unwrap();
        assert_eq!((&ping["cmd"], ping.get("body")), (&json!("ping"), None));
        peer.ok(&ping).await;
    }
    let mut silent = 0;
    while peer.any().await.is_some() {
        silent += 1;
    }
    assert_eq!(silent, 2);
    let _peer = server.subscribed().await;
    bench.live().await;
}

#[tokio::test]
async fn a_connection_that_breaks_again_and_again_is_opened_ever_more_slowly() {
    let server = Server::start().await;
    let pace = BotPace { first: Duration::from_millis(50), most: Duration::from_millis(400), ..QUICK };
    let bench = Bench::with(&server, pace);
    let begun = Instant::now();
    for _ in 0..5 {
        drop(server.subscribed().await);
        bench.until(|state| matches!(state, BotState::Lost(_) | BotState::Connecting)).await;
    }
    // 50, 100, 200 and 400 ms, of which chance takes half at most.
    assert!(begun.elapsed() >= Duration::from_millis(375), "{:?}", begun.elapsed());
    let _peer = server.subscribed().await;
    bench.live().await;
}

#[tokio::test]
async fn nonsense_and_frames_out_of_order_harm_nothing() {
    let server = Server::start().await;
    let mut bench = Bench::new(&server);
    let mut peer = server.accept().await;
    let frame = peer.frame().await;
    // An answer to nothing, and a message before the bot was told that it may.
    peer.send(json!({"headers": {"req_id": "nobody's"}, "errcode": 853_000, "errmsg": "no"})).await;
    peer.message("R0", "early").await;
    peer.ok(&frame).await;
    peer.ok(&frame).await;
    for text in
        ["", "{", "[]", "null", "{}", "{\"cmd\":7}", "{\"cmd\":\"unknown\"}", "{\"cmd\":\"aibot_event_callback\"}"]
    {
        peer.text(text).await;
    }
    peer.text(format!("{{\"cmd\":\"{}\"}}", "x".repeat(300 * 1024))).await;
    peer.text("[".repeat(100_000)).await;
    peer.binary(vec![0xff; 1000]).await;
    peer.text("{\"cmd\":\"aibot_msg_callback\",\"headers\":{\"req_id\":\"R1\"},\"body\":{\"msgid\":\"m\u{1}\",\"from\":{\"userid\":\"lisi\"},\"msgtype\":\"text\",\"text\":{\"content\":\"a\nb\"}}}").await;
    let BotEvent::Text { content, chat, .. } = bench.event().await else { panic!() };
    assert_eq!((&*content, chat), ("early", Conversation::Group("G1".into())));
    let BotEvent::Text { content, chat, .. } = bench.event().await else { panic!() };
    assert_eq!((&*content, chat), ("a b", Conversation::Single("lisi".into())));
    // What is longer than any frame ends this connection, and no more than this one.
    peer.text("x".repeat(2 * 1024 * 1024)).await;
    let _peer = server.subscribed().await;
    bench.live().await;
}

#[tokio::test]
async fn it_stops_when_it_is_told_to_whatever_it_is_doing() {
    let server = Server::start().await;
    let mut bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    bench.live().await;
    peer.protocol_ping().await;
    bench.stop.cancel();
    assert_eq!(bench.ended().await, BotEnd::Stopped);
    assert!(peer.any().await.is_none());
    assert_eq!(*bench.bot.state().borrow(), BotState::Stopped);
    assert_eq!(not_sent(bench.bot.send(body("x"), soon()).await).fault, Fault::Connect);

    // While it waits for the handshake.
    let mut bench = Bench::new(&server);
    let mut silent = server.tcp().await;
    bench.stop.cancel();
    assert_eq!(bench.ended().await, BotEnd::Stopped);
    drop(silent.read_to_end(&mut Vec::new()).await);
    // While it waits for its subscription to be taken.
    let mut bench = Bench::new(&server);
    let mut peer = server.accept().await;
    peer.frame().await;
    bench.stop.cancel();
    assert_eq!(bench.ended().await, BotEnd::Stopped);
    // While it stays away.
    let mut bench = Bench::with(&server, BotPace { refused: Duration::from_hours(1), ..QUICK });
    let mut peer = server.accept().await;
    let frame = peer.frame().await;
    peer.answer(&frame, 40001, "no", json!(null)).await;
    bench.until(|state| matches!(state, BotState::Refused(_))).await;
    bench.stop.cancel();
    assert_eq!(bench.ended().await, BotEnd::Stopped);
}
