//! Files.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::desk::{APP, Desk, assert_code};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and whatever follows";
const MB: usize = 1024 * 1024;

fn amr(seconds: usize) -> Vec<u8> {
    let mut bytes = b"#!AMR\n".to_vec();
    for _ in 0..seconds * 50 {
        bytes.push(0x3c);
        bytes.extend([0; 31]);
    }
    bytes
}

impl Desk {
    async fn upload(&self, path: &str, name: &'static str, bytes: Vec<u8>) -> Value {
        let form = Form::new().part("media", Part::bytes(bytes).file_name(name));
        let request = self.http.post(self.at(&format!("/cgi-bin/{path}"))).multipart(form);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// `media/upload` of a kind.
    async fn put(&self, kind: &str, name: &'static str, bytes: Vec<u8>) -> Value {
        let token = self.token().await;
        self.upload(&format!("media/upload?access_token={token}&type={kind}"), name, bytes).await
    }

    /// A multipart body written by hand, for what a library would not send.
    async fn put_by_hand(&self, disposition: &str, bytes: &[u8]) -> Value {
        let token = self.token().await;
        let mut body =
            format!("--b\r\nContent-Disposition: {disposition}\r\nContent-Type: image/png\r\n\r\n").into_bytes();
        body.extend(bytes);
        body.extend(b"\r\n--b--\r\n");
        let url = self.at(&format!("/cgi-bin/media/upload?access_token={token}&type=image"));
        let request = self.http.post(url).header("content-type", "multipart/form-data; boundary=b").body(body);
        request.send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn a_file_can_be_uploaded_with_and_without_filelength() {
    let desk = Desk::new().await;
    let length = PNG.len();
    for disposition in [
        format!("form-data; name=\"media\"; filename=\"a.png\"; filelength={length}"),
        "form-data; name=\"media\"; filename=\"图表.png\"".to_owned(),
    ] {
        let answer = desk.put_by_hand(&disposition, PNG).await;
        assert_code(&answer, 0);
        assert_eq!((&answer["type"], &answer["created_at"]), (&json!("image"), &json!("1760000000")));
    }
    let wrong = format!("form-data; name=\"media\"; filename=\"a.png\"; filelength={}", length + 1);
    assert_code(&desk.put_by_hand(&wrong, PNG).await, 40123);
    assert_code(&desk.put_by_hand("form-data; name=\"file\"; filename=\"a.png\"", PNG).await, 44001);
}

#[tokio::test]
async fn sizes_and_formats_are_checked_by_kind() {
    let desk = Desk::new().await;
    let big = |head: &[u8], size: usize| {
        let mut bytes = head.to_vec();
        bytes.resize(size, 0);
        bytes
    };
    let mp4: &[u8] = b"\0\0\0\x20ftypisom....";
    let cases = [
        ("file", vec![], 44001),
        ("file", vec![1; 4], 40006),
        ("file", vec![1; 5], 0),
        ("image", PNG[..5].to_vec(), 40006),
        ("image", big(PNG, 10 * MB), 0),
        ("image", big(PNG, 10 * MB + 1), 40009),
        ("image", b"plain text".to_vec(), 40123),
        ("voice", amr(60), 0),
        ("voice", amr(61), 45007),
        ("voice", b"ID3 is not AMR".to_vec(), 301_017),
        ("voice", big(b"#!AMR\n", 2 * MB + 1), 45001),
        ("video", mp4.to_vec(), 0),
        ("video", b"not a video".to_vec(), 40004),
        ("video", big(mp4, 10 * MB + 1), 40011),
        ("file", vec![1; 20 * MB], 0),
        ("file", vec![1; 20 * MB + 1], 45001),
        ("poster", PNG.to_vec(), 40005),
    ];
    for (kind, bytes, code) in cases {
        let size = bytes.len();
        let answer = desk.put(kind, "a.bin", bytes).await;
        assert_eq!(answer["errcode"], code, "{kind} of {size} bytes: {answer}");
    }
}

#[tokio::test]
async fn a_media_id_serves_all_apps_of_the_corp_for_three_days_and_many_messages() {
    let desk = Desk::new().await;
    let id = desk.put("image", "a.png", PNG.to_vec()).await["media_id"].clone();
    let image = json!({"touser": "lisi", "msgtype": "image", "agentid": APP, "image": {"media_id": id}});
    assert_code(&desk.send(image.clone()).await, 0);
    assert_code(&desk.send(image.clone()).await, 0);
    let as_file = json!({"touser": "lisi", "msgtype": "file", "agentid": APP, "file": {"media_id": id}});
    assert_code(&desk.send(as_file).await, 40007);

    let second = desk.second_token().await;
    let get = |token: String| {
        desk.http.get(desk.at(&format!("/cgi-bin/media/get?access_token={token}&media_id={}", id.as_str().unwrap())))
    };
    let response = get(second).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.bytes().await.unwrap(), PNG);

    desk.advance(3 * 24 * 3_600_000 - 1).await;
    assert_code(&desk.send(image.clone()).await, 0);
    desk.advance(1).await;
    assert_code(&desk.send(image).await, 40007);
    assert_code(&get(desk.token().await).send().await.unwrap().json().await.unwrap(), 40007);
    // What was once received is still shown.
    let shown = desk.messages("user=lisi").await[0]["content"]["url"].as_str().unwrap().to_owned();
    assert_eq!(desk.http.get(desk.at(&shown)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_file_of_a_webhook_serves_only_that_webhook() {
    let desk = Desk::new().await;
    let answer =
        desk.upload("webhook/upload_media?key=sim-ops-group&type=file", "log.txt", b"a long log".to_vec()).await;
    assert_code(&answer, 0);
    let file = json!({"msgtype": "file", "file": {"media_id": answer["media_id"]}});
    assert_code(&desk.hook("sim-ops-group", file.clone()).await, 0);
    assert_code(&desk.hook("sim-dba-group", file).await, 40007);
    let own = desk.put("file", "b.txt", b"of the corp".to_vec()).await["media_id"].clone();
    assert_code(&desk.hook("sim-ops-group", json!({"msgtype": "file", "file": {"media_id": own}})).await, 40007);
    let image = desk.upload("webhook/upload_media?key=sim-ops-group&type=image", "a.png", PNG.to_vec()).await;
    assert_code(&image, 40005);
    assert_eq!(desk.messages("webhook=sim-ops-group").await[0]["content"]["name"], "log.txt");
}

#[tokio::test]
async fn an_uploaded_image_has_an_address_that_does_not_expire() {
    let desk = Desk::new().await;
    let token = desk.token().await;
    let url = format!("media/uploadimg?access_token={token}");
    let answer = desk.upload(&url, "a.png", PNG.to_vec()).await;
    assert_code(&answer, 0);
    let mut large = PNG.to_vec();
    large.resize(2 * MB + 1, 0);
    assert_code(&desk.upload(&url, "a.png", large).await, 40009);
    desk.advance(30 * 24 * 3_600_000).await;
    let shown = desk.http.get(answer["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(shown.bytes().await.unwrap(), PNG);
}
