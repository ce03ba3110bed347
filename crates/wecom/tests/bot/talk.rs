//! What people press and write, what they get back, and files.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::json;
use wecom::message::TemplateCard;
use wecom::{BotEvent, Class, MediaKind, Network, Outcome};

use super::server::{Bench, QUICK, Server};
use super::{body, not_sent, soon};

fn card() -> TemplateCard {
    TemplateCard { card_type: "text_notice".into(), task_id: "T".into(), ..TemplateCard::default() }
}

#[tokio::test]
async fn a_click_is_answered_before_all_pushes_that_wait() {
    let server = Server::start().await;
    let mut bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    bench.live().await;
    // More than may be under way at once, so that some wait to be written.
    let pushes: Vec<_> = (0..60)
        .map(|n| {
            let bot = bench.bot.clone();
            tokio::spawn(async move { bot.send(body(&n.to_string()), soon()).await })
        })
        .collect();
    let mut pushed = Vec::new();
    for _ in 0..32 {
        pushed.push(peer.frame().await);
    }
    assert!(pushed.iter().all(|frame| frame["cmd"] == "aibot_send_msg"));
    peer.click("C1").await;
    let BotEvent::Click { req_id, click, .. } = bench.event().await else { panic!() };
    assert_eq!((&*req_id, &*click.key, &*click.from), ("C1", "ack", "zhangsan"));
    let bot = bench.bot.clone();
    let update = tokio::spawn(async move { bot.respond_update(&req_id, &card(), &[]).await });
    let frame = peer.frame().await;
    assert_eq!((&frame["cmd"], &frame["headers"]["req_id"]), (&json!("aibot_respond_update_msg"), &json!("C1")));
    assert_eq!(frame["body"]["response_type"], "update_template_card");
    peer.ok(&frame).await;
    assert!(matches!(update.await.unwrap(), Outcome::Accepted(_)));
    for frame in pushed {
        peer.ok(&frame).await;
    }
    for _ in 32..60 {
        let frame = peer.frame().await;
        peer.ok(&frame).await;
    }
    for push in pushes {
        assert!(matches!(push.await.unwrap(), Outcome::Accepted(_)));
    }
}

#[tokio::test]
async fn answers_with_one_req_id_go_out_one_after_another() {
    let server = Server::start().await;
    let mut bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    peer.message("R1", "状态").await;
    let BotEvent::Text { req_id, .. } = bench.event().await else { panic!() };
    let answers = join_all(["1", "2", "3"].map(|text| bench.bot.respond(&req_id, text)));
    let other = bench.bot.send(body("other"), soon());
    let served = async {
        let first = peer.frame().await;
        assert_eq!(first["headers"]["req_id"], "R1");
        assert_eq!((&first["body"]["msgtype"], &first["body"]["stream"]["finish"]), (&json!("stream"), &json!(true)));
        // The push was asked for last and overtakes the answers that wait for the first.
        let push = peer.frame().await;
        assert_eq!(push["cmd"], "aibot_send_msg");
        peer.ok(&push).await;
        peer.ok(&first).await;
        let second = peer.frame().await;
        peer.answer(&second, 846_605, "too old", json!(null)).await;
        let third = peer.frame().await;
        peer.ok(&third).await;
        [first, second, third].map(|frame| frame["body"]["stream"]["content"].clone())
    };
    let (answers, other, written) = tokio::join!(answers, other, served);
    assert_eq!(written, ["1", "2", "3"]);
    assert!(matches!(other, Outcome::Accepted(_)));
    let [Outcome::Accepted(_), Outcome::NotSent(second), Outcome::Accepted(_)] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!((second.errcode(), second.class), (Some(846_605), Class::Refused));
}

#[tokio::test]
async fn a_user_who_opens_the_chat_is_greeted() {
    let server = Server::start().await;
    let mut bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    peer.event("E1", json!({"eventtype": "enter_chat"})).await;
    let BotEvent::Entered { req_id, from } = bench.event().await else { panic!() };
    assert_eq!(from, "zhangsan");
    let (outcome, frame) = tokio::join!(bench.bot.welcome(&req_id, "你好"), async {
        let frame = peer.frame().await;
        peer.ok(&frame).await;
        frame
    });
    assert!(matches!(outcome, Outcome::Accepted(_)));
    assert_eq!((&frame["cmd"], &frame["headers"]["req_id"]), (&json!("aibot_respond_welcome_msg"), &json!("E1")));
    assert_eq!(frame["body"], json!({"msgtype": "text", "text": {"content": "你好"}}));
}

#[tokio::test]
async fn a_caller_who_takes_no_events_stops_nothing_and_loses_none() {
    let server = Server::start().await;
    let network = Network::new("http://unused.example.com");
    let mut bench = Bench::open(format!("ws://{}", server.addr()), network, QUICK, 1);
    let mut peer = server.subscribed().await;
    let names: Vec<String> = (0..500).map(|n| format!("C{n}")).collect();
    for name in &names {
        peer.click(name).await;
    }
    let (outcome, ()) = tokio::join!(bench.bot.send(body("x"), soon()), async {
        let frame = peer.frame().await;
        peer.ok(&frame).await;
    });
    assert!(matches!(outcome, Outcome::Accepted(_)));
    for name in names {
        let BotEvent::Click { req_id, .. } = bench.event().await else { panic!() };
        assert_eq!(req_id, name);
    }
}

#[tokio::test]
async fn a_file_goes_up_in_pieces_two_at_a_time_and_a_lost_piece_again() {
    let server = Server::start().await;
    let bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    let file: bytes::Bytes = (0..1_600_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect::<Vec<_>>().into();
    let upload = bench.bot.upload(MediaKind::File, "报告.txt", file.clone());
    let served = async {
        let begin = peer.frame().await;
        assert_eq!(begin["cmd"], "aibot_upload_media_init");
        let about = &begin["body"];
        assert_eq!((&about["type"], &about["filename"]), (&json!("file"), &json!("报告.txt")));
        assert_eq!((&about["total_size"], &about["total_chunks"]), (&json!(1_600_000), &json!(4)));
        peer.answer(&begin, 0, "ok", json!({"upload_id": "U1"})).await;
        let mut pieces = BTreeMap::new();
        let mut waiting = vec![peer.frame().await];
        let mut failed = false;
        while pieces.len() < 4 {
            if waiting.len() < 2 && pieces.len() + waiting.len() < 4 {
                waiting.push(peer.frame().await);
            }
            // The newer of the two is answered first: any order is right.
            let frame = waiting.pop().unwrap();
            assert_eq!(
                (&frame["cmd"], &frame["body"]["upload_id"]),
                (&json!("aibot_upload_media_chunk"), &json!("U1"))
            );
            let index = frame["body"]["chunk_index"].as_u64().unwrap();
            if index == 1 && !failed {
                failed = true;
                peer.answer(&frame, -1, "system busy", json!(null)).await;
                waiting.push(peer.frame().await);
                continue;
            }
            pieces.insert(index, STANDARD.decode(frame["body"]["base64_data"].as_str().unwrap()).unwrap());
            peer.ok(&frame).await;
        }
        let finish = peer.frame().await;
        assert_eq!(
            (&finish["cmd"], &finish["body"]),
            (&json!("aibot_upload_media_finish"), &json!({"upload_id": "U1"}))
        );
        let done = json!({"type": "file", "media_id": "M1", "created_at": "1700000000"});
        peer.answer(&finish, 0, "ok", done).await;
        (pieces, failed)
    };
    let (media, (pieces, failed)) = tokio::join!(upload, served);
    let media = media.unwrap();
    assert_eq!((&*media.media_id, media.created_at), ("M1", Some(1_700_000_000)));
    assert!(failed && pieces.keys().eq(&[0, 1, 2, 3]));
    assert_eq!(pieces.into_values().flatten().collect::<Vec<u8>>(), file);
}

#[tokio::test]
async fn a_file_that_cannot_be_one_or_is_refused_is_not_uploaded() {
    let server = Server::start().await;
    let bench = Bench::new(&server);
    let mut peer = server.subscribed().await;
    let svg = bench.bot.upload(MediaKind::Image, "x.svg", "<svg/> is text".into()).await.unwrap_err();
    assert_eq!((svg.failure().class, svg.failure().errcode()), (Class::Refused, None));
    let (upload, ()) = tokio::join!(bench.bot.upload(MediaKind::File, "", "12345".into()), async {
        let begin = peer.frame().await;
        assert_eq!(begin["body"]["filename"], "file");
        peer.answer(&begin, 45009, "freq", json!(null)).await;
    });
    let failure = not_sent(upload.unwrap_err().into());
    assert_eq!((failure.errcode(), failure.class), (Some(45009), Class::BackOff));
}
