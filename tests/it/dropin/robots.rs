//! Robots of other chats that sign, and Slack: each answers as it would, byte for byte.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use super::{World, answer};

const SOURCES: &str = r"
sources:
  ding: { dingtalk: { tokens: { ops: ding-token-0123456789abcdef }, secret: SECexample0000, mention_all: true } }
  lark: { feishu: { tokens: { ops: lark-token-0123456789abcdef }, secret: example0000 } }
  slack: { slack: { tokens: { ops: slack-token-0123456789abcdef } } }
receivers:
  ops: { targets: [ { webhook: ops-group, face: text } ] }
route: { receiver: ops }
";

fn mac(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn dingtalk_and_feishu_take_what_is_signed() {
    let world = World::new(SOURCES).await;
    let now = world.app().now().0;
    let sign = mac("SECexample0000", &format!("{now}\nSECexample0000"));
    let sign = sign.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let path = format!("/robot/send?access_token=ding-token-0123456789abcdef&timestamp={now}&sign={sign}");
    let body = json!({ "msgtype": "text", "text": { "content": "磁盘将满 db-3" },
        "at": { "atMobiles": ["13800001111"], "isAtAll": true } });
    let ok = (200, r#"{"errcode":0,"errmsg":"ok"}"#.to_owned());
    assert_eq!(answer(&world, "POST", &path, body.to_string()).await, ok);
    let told = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(told[0]["content"].to_string().contains("磁盘将满"), "{told:#?}");
    assert_eq!(told[0]["content"]["mentioned_list"], json!(["@all"]));
    assert_eq!(told[0]["content"]["mentioned_mobile_list"], json!(["13800001111"]));
    let unsigned = "/robot/send?access_token=ding-token-0123456789abcdef";
    let refused = (200, r#"{"errcode":310000,"errmsg":"sign not match"}"#.to_owned());
    assert_eq!(answer(&world, "POST", unsigned, body.to_string()).await, refused);
    let refused = (200, r#"{"errcode":300005,"errmsg":"token is not exist"}"#.to_owned());
    assert_eq!(answer(&world, "POST", "/robot/send?access_token=x", body.to_string()).await, refused);

    let seconds = now / 1000;
    let sign = mac(&format!("{seconds}\nexample0000"), "");
    let body = json!({ "timestamp": seconds.to_string(), "sign": sign, "msg_type": "text", "content": { "text": "飞书来的告警" } });
    let path = "/open-apis/bot/v2/hook/lark-token-0123456789abcdef";
    let ok = r#"{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}"#;
    assert_eq!(answer(&world, "POST", path, body.to_string()).await, (200, ok.to_owned()));
    let told = world.arrived("webhook=sim-ops-group", 2).await;
    assert!(told[1]["content"].to_string().contains("飞书来的告警"), "{told:#?}");
    let (_, refused) = answer(&world, "POST", path, r#"{"msg_type":"text","content":{"text":"x"}}"#).await;
    assert!(refused.starts_with(r#"{"code":19021,"#), "{refused}");
    let (_, refused) = answer(&world, "POST", "/open-apis/bot/v2/hook/x", body.to_string()).await;
    assert!(refused.starts_with(r#"{"code":19001,"#), "{refused}");
}

#[tokio::test]
async fn slack_is_answered_ok_and_nothing_else() {
    let world = World::new(SOURCES).await;
    let body = json!({ "text": "*Disk* is full on db-3" }).to_string();
    let path = "/services/T000/B000/slack-token-0123456789abcdef";
    assert_eq!(answer(&world, "POST", path, body.clone()).await, (200, "ok".to_owned()));
    let told = world.arrived("webhook=sim-ops-group", 1).await;
    assert!(told[0]["content"].to_string().contains("full on db-3"), "{told:#?}");
    assert_eq!(answer(&world, "POST", "/services/T/B/x", body).await, (403, "invalid_token".to_owned()));
}
