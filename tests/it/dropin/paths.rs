//! What stands around a known path does not count.

use super::{World, alerts, answer};

const OPS: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  dba: { targets: [ { webhook: dba-group, face: text } ] }
route: { receiver: ops }
";

#[tokio::test]
async fn slashes_and_prefixes_lead_where_the_plain_path_leads() {
    let world = World::new(OPS).await;
    for (path, expected) in [
        ("/webhook/dba/", None),
        ("//webhook//dba", None),
        ("/alertmanager/api/v2/alerts", Some("")),
        ("/api/v2/alerts/", Some("")),
        ("/a/b/api/v1/alerts", Some(r#"{"status":"success"}"#)),
        ("/webhook/dba/api/v1/alerts/", Some(r#"{"status":"success"}"#)),
        ("/x/webhook/dba/api/v2/alerts", Some("")),
    ] {
        let (status, body) = answer(&world, "POST", path, alerts(path)).await;
        assert_eq!(status, 200, "{path}: {body}");
        if let Some(expected) = expected {
            assert_eq!(body, expected, "{path}");
        }
    }
    world.arrived("webhook=sim-dba-group", 3).await;
    let told = world.arrived("user=daixuan", 4).await;
    assert!(told.iter().any(|message| message["content"].to_string().contains("/x/webhook/dba")), "{told:#?}");
}

#[tokio::test]
async fn who_asks_after_an_alertmanager_is_answered() {
    let world = World::new(OPS).await;
    for path in ["/-/ready", "/am/-/ready/", "/-/healthy", "/am/-/healthy"] {
        assert_eq!(answer(&world, "GET", path, "").await, (200, "OK".to_owned()), "{path}");
    }
    let (status, body) = answer(&world, "GET", "/prefix/api/v2/status", "").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["cluster"]["status"]), (200, &"disabled".into()));
}

#[tokio::test]
async fn the_old_api_says_what_is_wrong_in_its_own_form() {
    let world = World::new(OPS).await;
    let (status, body) = answer(&world, "POST", "/api/v1/alerts", "{}").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["status"], &body["errorType"]), (400, &"error".into(), &"bad_data".into()));
    assert!(body["error"].is_string(), "{body}");
    assert_eq!(answer(&world, "POST", "/api/v1/alerts", "[]").await, (200, r#"{"status":"success"}"#.to_owned()));
    assert_eq!(answer(&world, "POST", "/api/v2/alerts", "[]").await, (200, String::new()));
}

#[tokio::test]
async fn a_notification_may_stand_in_the_query_with_the_same_proof() {
    let source = "sources: { falcon: { query: { name: token, value: query-token-0123456789abcdef } } }\n";
    let world = World::new(&format!("{source}{OPS}")).await;
    let path = "/webhook/dba?token=query-token-0123456789abcdef&title=%E7%A3%81%E7%9B%98%E5%B0%86%E6%BB%A1&text=db-3";
    let (status, body) = answer(&world, "GET", path, "").await;
    assert_eq!(status, 200, "{body}");
    let told = world.arrived("webhook=sim-dba-group", 1).await;
    let text = told[0]["content"].to_string();
    assert!(text.contains("磁盘将满") && !text.contains("query-token"), "{text}");
    assert_eq!(answer(&world, "GET", "/webhook/dba?title=x", "").await.0, 401);
    // Probes, which tell nothing.
    assert_eq!(answer(&world, "GET", "/webhook/dba?token=query-token-0123456789abcdef", "").await.0, 200);
    assert_eq!(answer(&world, "HEAD", path, "").await.0, 200);
    assert_eq!(world.inbox("webhook=sim-dba-group").await.len(), 1);
}
