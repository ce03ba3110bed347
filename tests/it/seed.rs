//! What `Wechat_grafana` did: its address, its test request, its list of people, its news messages.

use serde_json::{Value, json};

use crate::harness::World;

const PEOPLE: &str = r"
receivers:
  on-duty:
    targets:
      - { app: ops, users_file: Alarm_people.txt, face: news }
route: { receiver: on-duty }
";

const PEOPLE_AND_GROUP: &str = r"
receivers:
  on-duty:
    targets:
      - { app: ops, users_file: Alarm_people.txt, face: news }
      - { app: ops, chat: AITest, face: news }
route: { receiver: on-duty }
";

const ADDRESS: &str = "/api/model/send_sms/";
const PICTURE: &str = "http://grafana.org/assets/img/blog/mixed_styles.png";

/// A world with the people of the list.
async fn world(rest: &str) -> World {
    let world = World::new(rest).await;
    world.write("Alarm_people.txt", "daixuan\nzhangsan\n");
    world
}

/// The request by which one tries `Wechat_grafana` out: Grafana's Test button, with two values and a picture.
fn test_request() -> String {
    let matches = [("High value", 100), ("Higher Value", 200)];
    alerting("Test notification", "Someone is testing the alert notification within grafana.", &matches)
}

fn alerting(rule: &str, message: &str, matches: &[(&str, i64)]) -> String {
    let matches: Vec<Value> =
        matches.iter().map(|(metric, value)| json!({ "metric": metric, "value": value, "tags": null })).collect();
    json!({
        "title": format!("[Alerting] {rule}"), "ruleName": rule, "ruleId": 0, "state": "alerting",
        "ruleUrl": "http://localhost:3000/", "imageUrl": PICTURE, "message": message, "evalMatches": matches,
    })
    .to_string()
}

/// The one article of a news message.
fn article(message: &Value) -> &Value {
    assert_eq!(message["msgtype"], "news", "{message:#}");
    let articles = message["content"]["articles"].as_array().unwrap_or_else(|| panic!("{message:#}"));
    assert_eq!(articles.len(), 1, "{message:#}");
    &articles[0]
}

/// It has all that the test request says.
fn is_the_test(message: &Value) {
    let article = article(message);
    let text = |key: &str| article[key].as_str().unwrap_or_else(|| panic!("{article:#}"));
    assert!(text("title").contains("测试"), "{article:#}");
    for shown in ["High value", "100", "Higher Value", "200"] {
        assert!(text("description").contains(shown), "{shown} is missing: {article:#}");
    }
    assert_eq!(text("url"), "http://localhost:3000/");
    assert_eq!(text("picurl"), PICTURE);
}

#[tokio::test]
async fn the_test_request_reaches_each_person_of_the_list_as_news_with_title_values_link_and_picture() {
    let world = world(PEOPLE).await;
    let answer = world.accept(ADDRESS, test_request()).await;
    assert_eq!((&answer["alerts"], &answer["targets"], &answer["duplicate"]), (&json!(1), &json!(1), &json!(false)));
    for person in ["daixuan", "zhangsan"] {
        is_the_test(&world.arrived(&format!("user={person}"), 1).await[0]);
    }
    world.settled().await;
    assert!(world.inbox("user=lisi").await.is_empty(), "lisi is not on the list");
    assert!(world.inbox("chat=AITest").await.is_empty(), "no chat is a target");
}

#[tokio::test]
async fn with_a_chat_target_the_group_gets_the_test_request_too() {
    let world = world(PEOPLE_AND_GROUP).await;
    world.accept(ADDRESS, test_request()).await;
    for whose in ["user=daixuan", "user=zhangsan", "chat=AITest"] {
        is_the_test(&world.arrived(whose, 1).await[0]);
    }
}

#[tokio::test]
async fn the_test_button_is_news_each_time_it_is_pressed() {
    let world = world(PEOPLE).await;
    for press in 1..=2 {
        let answer = world.accept(ADDRESS, test_request()).await;
        assert_eq!(answer["duplicate"], false);
        // One that is pressed again before its message left is told once.
        world.arrived("user=daixuan", press).await;
    }
    for person in ["daixuan", "zhangsan"] {
        for message in world.arrived(&format!("user={person}"), 2).await {
            is_the_test(&message);
        }
    }
}

#[tokio::test]
async fn more_than_three_values_are_all_shown() {
    let world = world(PEOPLE_AND_GROUP).await;
    let matches = [("web-01", 91), ("web-02", 92), ("web-03", 93), ("web-04", 94), ("web-05", 95)];
    world.accept(ADDRESS, alerting("CPU 使用率高", "", &matches)).await;
    for whose in ["user=daixuan", "chat=AITest"] {
        let messages = world.arrived(whose, 1).await;
        let article = article(&messages[0]);
        assert!(article["title"].as_str().unwrap().contains("CPU 使用率高"), "{article:#}");
        let description = article["description"].as_str().unwrap();
        for (metric, value) in matches {
            assert!(description.contains(metric), "{metric} is missing: {description}");
            assert!(description.contains(&value.to_string()), "{value} is missing: {description}");
        }
    }
}

#[tokio::test]
async fn the_old_addresses_answer_as_before_with_and_without_the_last_slash() {
    let world = world(PEOPLE).await;
    for path in ["/api/model/send_sms/", "/api/model/send_sms", "/check_service", "/check_service/"] {
        let answer = world.http.get(format!("{}{path}", world.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.text().await.unwrap(), r#"{"status": "OK"}"#, "{path}");
    }
    assert!(world.inbox("user=daixuan").await.is_empty(), "asking for the status sends nothing");
    let mut sent = 0;
    for path in ["/api/model/send_sms/", "/api/model/send_sms", "/check_service/", "/check_service"] {
        for method in ["POST", "PUT"] {
            let request = world.http.request(method.parse().unwrap(), format!("{}{path}", world.url));
            let answer = request.body(test_request()).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{method} {path}");
            sent += 1;
            // Each is told by itself, since the one before it has left.
            world.arrived("user=daixuan", sent).await;
        }
    }
    assert_eq!(sent, 8);
}

#[tokio::test]
async fn a_change_of_the_list_acts_on_the_next_alert_without_a_restart() {
    let world = world(PEOPLE).await;
    world.accept(ADDRESS, test_request()).await;
    world.arrived("user=zhangsan", 1).await;
    world.write("Alarm_people.txt", "# on duty this week\ndaixuan\nlisi\n");
    world.accept(ADDRESS, test_request()).await;
    world.arrived("user=daixuan", 2).await;
    world.arrived("user=lisi", 1).await;
    world.settled().await;
    assert_eq!(world.inbox("user=zhangsan").await.len(), 1, "zhangsan is off the list");
}
