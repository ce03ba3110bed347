//! Files over the socket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::desk::{Desk, assert_code};
use crate::socket::Client;

fn pieces() -> [Vec<u8>; 3] {
    [vec![1; 512 * 1024], vec![2; 512 * 1024], vec![3; 7]]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn start() -> Value {
    let all = pieces().concat();
    json!({
        "type": "file", "filename": "报告.txt", "total_size": all.len(), "total_chunks": 3,
        "md5": hex(&Md5::digest(&all)),
    })
}

async fn chunk(client: &mut Client, id: &Value, index: usize, piece: &[u8]) -> Value {
    let body = json!({"upload_id": id, "chunk_index": index, "base64_data": STANDARD.encode(piece)});
    client.ask("aibot_upload_media_chunk", body).await
}

#[tokio::test]
async fn pieces_come_in_any_order_twice_and_numbered_from_zero_or_one() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    desk.tell_bot("lisi", "x").await;
    client.next().await;
    for from in [0, 1] {
        let id = client.ask("aibot_upload_media_init", start()).await["body"]["upload_id"].clone();
        let [first, second, third] = pieces();
        for (at, piece) in [(2, &third), (0, &first), (0, &first)] {
            assert_code(&chunk(&mut client, &id, from + at, piece).await, 0);
        }
        assert_code(&client.ask("aibot_upload_media_finish", json!({"upload_id": id})).await, 40058);
        assert_code(&chunk(&mut client, &id, from + 1, &second).await, 0);
        let finished = client.ask("aibot_upload_media_finish", json!({"upload_id": id})).await;
        assert_code(&finished, 0);
        assert_eq!((&finished["body"]["type"], finished["body"]["created_at"].is_string()), (&json!("file"), true));
        let media = json!({"media_id": finished["body"]["media_id"]});
        assert_code(&client.push("lisi", "file", media.clone()).await, 0);
        assert_code(&client.push("lisi", "image", media).await, 40007);
    }
    let seen = &desk.messages("bot=sim-bot/lisi").await[1]["content"];
    assert_eq!((&seen["name"], &seen["bytes"]), (&json!("报告.txt"), &json!(1_048_583)));
}

#[tokio::test]
async fn an_upload_is_measured_checked_and_dies_after_thirty_minutes() {
    let desk = Desk::new().await;
    let mut client = Client::subscribed(&desk).await;
    let but = |field: &str, value: Value| {
        let mut body = start();
        body[field] = value;
        body
    };
    let cases = [
        (but("type", json!("text")), 40005),
        (but("filename", json!("x".repeat(257))), 40058),
        (but("total_size", json!(4)), 40006),
        (but("total_size", json!(21 * 1024 * 1024)), 45001),
        (but("total_chunks", json!(2)), 40058),
        (but("total_chunks", json!(101)), 40058),
    ];
    for (body, code) in cases {
        assert_code(&client.ask("aibot_upload_media_init", body).await, code);
    }
    let wrong = but("md5", json!("0".repeat(32)));
    let id = client.ask("aibot_upload_media_init", wrong).await["body"]["upload_id"].clone();
    assert_code(&chunk(&mut client, &id, 0, &vec![0; 512 * 1024 + 1]).await, 40006);
    assert_code(&chunk(&mut client, &id, 4, &[0]).await, 40058);
    for (at, piece) in pieces().iter().enumerate() {
        assert_code(&chunk(&mut client, &id, at, piece).await, 0);
    }
    assert_code(&client.ask("aibot_upload_media_finish", json!({"upload_id": id})).await, 301_019);
    desk.advance(30 * 60_000).await;
    assert_code(&chunk(&mut client, &id, 0, &[0]).await, 40058);
}
