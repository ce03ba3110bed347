//! Silences in a Grafana, which is played by a stand-in: see `grafana_stand_in.rs`.

use serde_json::json;
use wegraf::internals::alert::Alert;
use wegraf::internals::config::{Credential, Upstream, UpstreamKind};
use wegraf::internals::ingest::generic::Payloads;
use wegraf::internals::ingest::{Door, read};
use wegraf::internals::upstream::{Client, Made, Problem, SilenceState, UpstreamError, Wanted, matchers_for};

use crate::grafana_stand_in::{Fault, Grafana, Rights, TOKEN};
use crate::harness::{crypto, payload};
use crate::silences::{upstream, wanted};

fn known(grafana: &Grafana, token: &str, org_id: Option<i64>) -> Upstream {
    let credential = Some(Credential::Bearer(token.into()));
    Upstream { credential, org_id, ..upstream(UpstreamKind::Grafana, &grafana.url) }
}

async fn world() -> (Grafana, Client) {
    crypto();
    let grafana = Grafana::start().await;
    let client = Client::new(&known(&grafana, TOKEN, Some(2))).unwrap();
    (grafana, client)
}

fn alert() -> Alert {
    let body = payload("grafana-firing.json");
    read(body.as_bytes(), None, Door::Webhook, &Payloads::default(), wegraf::internals::alert::Timestamp(0))
        .unwrap()
        .alerts
        .remove(0)
}

/// The silence of the sample alert, as a click on its card wants it.
fn of_the_alert(grafana: &Grafana, act: &str) -> Wanted {
    let matchers = matchers_for(&known(grafana, TOKEN, None), &alert()).unwrap();
    Wanted { matchers, ..wanted(&[], act) }
}

fn fails(result: Result<Made, UpstreamError>, problem: Problem, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.problem, problem, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
    assert!(!format!("{error:?}").contains("glsa_"), "the token shows: {error:?}");
}

#[tokio::test]
async fn the_silence_of_an_alert_is_made_moved_and_ended() {
    let (grafana, client) = world().await;
    let wanted = of_the_alert(&grafana, "1");
    let made = client.silence(&wanted).await.unwrap();
    let [stored] = &grafana.in_force()[..] else { panic!("one") };
    assert_eq!(stored["createdBy"], "张三 (zhangsan)");
    let rule = json!({ "name": "__alert_rule_uid__", "value": "dsk4fullprod", "isRegex": false, "isEqual": true });
    assert!(stored["matchers"].as_array().unwrap().contains(&rule), "{stored:#}");
    assert_eq!(client.made(&wanted).await.unwrap(), Some(made.clone()));
    assert_eq!(client.list(&wanted.matchers).await.unwrap().len(), 1);

    let later = wanted.ends_at.plus_millis(3_600_000);
    assert_eq!(client.extend(&made.id, later).await.unwrap(), made);
    assert_eq!(client.get(&made.id).await.unwrap().ends_at, later);
    client.expire(&made.id).await.unwrap();
    assert_eq!(client.get(&made.id).await.unwrap().state, SilenceState::Expired);
    let again = client.extend(&made.id, later).await.unwrap();
    assert_ne!(again, made, "one that has ended is made anew");
    assert_eq!(grafana.in_force().len(), 1);
    assert_eq!(client.about().await, [Ok(None)]);
}

#[tokio::test]
async fn an_alert_of_a_rule_is_seen_firing_by_the_matchers_of_its_silence() {
    let (grafana, client) = world().await;
    let wanted = of_the_alert(&grafana, "1");
    assert!(client.firing(&wanted.matchers).await.unwrap().is_empty());
    let labels = wanted.matchers.iter().map(|matcher| (matcher.name.clone(), matcher.value.clone().into()));
    grafana.fire(&serde_json::Value::Object(labels.collect()));
    grafana.fire(&json!({ "alertname": "另一条" }));
    let [firing] = &client.firing(&wanted.matchers).await.unwrap()[..] else { panic!("one") };
    assert_eq!(firing.labels["__alert_rule_uid__"], "dsk4fullprod");
    assert_eq!(firing.state, "active");
}

#[tokio::test]
async fn a_missing_right_is_named_with_what_cures_it() {
    let (grafana, client) = world().await;
    let whole = of_the_alert(&grafana, "1");
    grafana.grant(Rights::Viewer);
    let words = ["403", "alert.instances:create", "Editor"];
    fails(client.silence(&whole).await, Problem::Forbidden, &words);
    grafana.grant(Rights::Folder);
    let narrow = wanted(&["alertname=磁盘将满"], "2");
    fails(client.silence(&narrow).await, Problem::Forbidden, &["403", "__alert_rule_uid__", "文件夹"]);
    let made = client.silence(&whole).await.expect("it names the rule");
    grafana.grant(Rights::Viewer);
    fails(client.extend(&made.id, whole.ends_at).await, Problem::Forbidden, &["alert.instances:write"]);
    assert_eq!(client.expire(&made.id).await.unwrap_err().problem, Problem::Forbidden);
    assert_eq!(grafana.in_force().len(), 1, "nothing was made twice or ended");
}

#[tokio::test]
async fn permission_to_silence_is_checked_without_making_a_silence() {
    let (grafana, client) = world().await;
    for rights in [Rights::Editor, Rights::Folder] {
        grafana.grant(rights);
        assert_eq!(client.check().await, Ok(0), "{rights:?}");
    }
    grafana.grant(Rights::Viewer);
    let error = client.check().await.unwrap_err();
    assert_eq!(error.problem, Problem::Forbidden, "{error}");
    grafana.grant(Rights::Editor);
    grafana.starting(true);
    assert_eq!(client.check().await.unwrap_err().problem, Problem::NotReady);
    grafana.starting(false);
    grafana.fail(&[Fault::LoginPage]);
    assert_eq!(client.check().await.unwrap_err().problem, Problem::Unsure);
    assert!(grafana.in_force().is_empty());
}

#[tokio::test]
async fn a_wrong_token_another_organisation_and_a_start_are_told_apart() {
    let (grafana, client) = world().await;
    let wanted = of_the_alert(&grafana, "1");
    let wrong = Client::new(&known(&grafana, "glsa_wrong", None)).unwrap();
    fails(wrong.silence(&wanted).await, Problem::Unknown, &["401", "check `token`"]);
    let other = Client::new(&known(&grafana, TOKEN, Some(1))).unwrap();
    fails(other.silence(&wanted).await, Problem::Unknown, &["组织 1", "`org_id`"]);
    grafana.starting(true);
    fails(client.silence(&wanted).await, Problem::NotReady, &["409", "nothing was done"]);
    grafana.starting(false);
    client.silence(&wanted).await.unwrap();
    fails(client.silence(&self::wanted(&[], "2")).await, Problem::Refused, &["400", "at least one matcher"]);
    fails(
        client.extend("00000009-0000-4000-8000-000000000000", wanted.ends_at).await,
        Problem::NotFound,
        &["没有这条静默"],
    );
    assert_eq!(grafana.in_force().len(), 1);
}

#[tokio::test]
async fn a_silence_whose_answer_was_lost_is_found_and_not_made_again() {
    let (grafana, client) = world().await;
    let wanted = of_the_alert(&grafana, "1");
    grafana.fail(&[Fault::TakenThen502]);
    let made = client.silence(&wanted).await.unwrap();
    assert_eq!((grafana.in_force().len(), grafana.changes()), (1, 1));
    assert_eq!(grafana.in_force()[0]["id"], made.id.as_str());
    // The same silence by another act is another one.
    client.silence(&of_the_alert(&grafana, "10")).await.unwrap();
    assert_eq!(grafana.in_force().len(), 2);

    let later = wanted.ends_at.plus_millis(60_000);
    grafana.fail(&[Fault::TakenThen502]);
    assert_eq!(client.extend(&made.id, later).await.unwrap(), made);
    assert_eq!((grafana.in_force().len(), grafana.changes()), (2, 3));
}

#[tokio::test]
async fn an_unaccepted_request_is_repeated_once() {
    let (grafana, client) = world().await;
    let wanted = of_the_alert(&grafana, "1");
    grafana.fail(&[Fault::Only502]);
    let made = client.silence(&wanted).await.unwrap();
    assert_eq!((grafana.in_force().len(), grafana.changes()), (1, 2));
    grafana.fail(&[Fault::Only502]);
    assert_eq!(client.extend(&made.id, wanted.ends_at.plus_millis(60_000)).await.unwrap(), made);
    grafana.fail(&[Fault::Only502, Fault::Only502]);
    fails(client.silence(&of_the_alert(&grafana, "2")).await, Problem::Unsure, &["502", "不知道做成没有"]);
    assert_eq!((grafana.in_force().len(), grafana.changes()), (1, 6));
}

#[tokio::test]
async fn a_silence_that_is_taken_late_does_not_stay_beside_the_second() {
    let (grafana, client) = world().await;
    grafana.fail(&[Fault::LateThen502]);
    let made = client.silence(&of_the_alert(&grafana, "1")).await.unwrap();
    let [left] = &grafana.in_force()[..] else { panic!("two silences stayed: {:#?}", grafana.in_force()) };
    assert_eq!(left["id"], made.id.as_str());
}

#[tokio::test]
async fn a_login_page_is_not_taken_for_a_silence() {
    let (grafana, client) = world().await;
    grafana.fail(&[Fault::LoginPage, Fault::LoginPage]);
    fails(client.silence(&of_the_alert(&grafana, "1")).await, Problem::Unsure, &["不知道做成没有"]);
    assert!(grafana.in_force().is_empty());
}
