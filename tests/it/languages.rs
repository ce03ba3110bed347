//! One reader meets one language: what commands and pages say to a reader of English holds no Chinese besides names, and
//! to a reader of Chinese no English sentence besides what WeCom answered.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::json;
use wecom_simulator::Setup;

use crate::console::{Visitor, hidden};
use crate::harness::{World, alertmanager};
use crate::process::{Answer, Wegraf, run};

/// A refused app, a list of people that vanishes, a recipient that does not exist, a bot that does not connect.
const BROKEN: &str = "
external_url: http://console.example.com
sources: { prometheus: { bearer: abcdefghijklmnop } }
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
  listed: { targets: [ { app: ops, users_file: people.txt, face: text } ] }
  group: { targets: [ { webhook: ops-group, face: markdown_v2 } ] }
route: { receiver: ops, routes: [ { matchers: [ 'team=\"never\"' ], receiver: listed } ] }
console: { may_change: { users: [daixuan] } }
";

static TAGS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)<script.*?</script>|<style.*?</style>|<title.*?</title>|<[^>]*>").unwrap());
/// What is quoted: code, commands, the console's own words, what WeCom answered.
static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"`[^`]*`|“[^”]*”|（[^）]*）|wegraf(?: [a-z-]+)+").unwrap());
static SENTENCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b").unwrap());
static HAN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\p{Han}").unwrap());

/// The lines in the other language.
fn foreign(text: &str, language: &str) -> Vec<String> {
    let of_the_other = match language {
        "en" => &HAN,
        _ => &SENTENCE,
    };
    // The frozen bytes of a message are in the language of its receiver.
    let own: Vec<&str> = text.lines().filter(|line| !line.contains("msgtype")).collect();
    let own = own.join("\n");
    let text = TAGS.replace_all(&own, "\n");
    let lines = text.lines().filter(|line| of_the_other.is_match(&QUOTED.replace_all(line, "")));
    // The names of the languages, and the name of wegraf's own alert, which is in that of the configuration.
    let fine = ["中文", "English", "wegraf 发送受阻"];
    lines.map(str::trim).filter(|line| !fine.iter().any(|fine| line.contains(fine))).map(str::to_owned).collect()
}

#[test]
fn a_line_in_the_other_language_is_found() {
    assert_eq!(foreign("<b>the disk is full</b><i>磁盘满了</i>", "zh"), ["the disk is full"]);
    assert_eq!(foreign("<b>the disk is full</b><i>磁盘满了</i>", "en"), ["磁盘满了"]);
    assert_eq!(foreign("磁盘满了（the disk is full），见 `df -h for all of it`", "zh"), [""; 0]);
}

#[tokio::test]
async fn what_is_said_of_troubles_is_in_the_language_of_the_reader() {
    let mut setup = Setup::demo();
    setup.corps[0].apps[0].trusted_ips = Some(vec!["192.0.2.1".to_owned()]);
    let mut world = World::idle(setup, BROKEN).await;
    world.write("people.txt", "lisi\n");
    world.stand_still();
    world.start().await;
    std::fs::remove_file(world.folder.path().join("people.txt")).unwrap();
    world
        .fault(json!({ "match": { "path": "webhook/send" }, "action": { "errcode": 93000 }, "times": "forever" }))
        .await;
    let bearer = |path: &str, name: &str| {
        let request = world.http.post(format!("{}{path}", world.url)).bearer_auth("abcdefghijklmnop");
        request.body(alertmanager(name, &[("db-1", "firing")])).send()
    };
    for (path, name) in [("/webhook/ops", "DiskFull"), ("/webhook/listed", "HostDown"), ("/webhook/group", "SlowQuery")]
    {
        assert_eq!(bearer(path, name).await.unwrap().status(), 200);
    }
    world.post("/webhook", "refused").await;
    let mut rows = world.deliveries().await;
    while rows.iter().any(|row| row.attempts == 0 && row.receiver != "listed") {
        tokio::time::sleep(Duration::from_millis(10)).await;
        rows = world.deliveries().await;
    }
    world.pass(Duration::from_mins(5));
    let ids: Vec<String> = rows.iter().map(|row| row.message.to_string()).collect();

    let mut wrong = Vec::new();
    let mut commands: Vec<Vec<&str>> = [
        "deliveries list",
        "deliveries audit",
        "doctor",
        "acts list",
        "bots list",
        "console token list",
        "report",
        "silences list",
        "route DiskFull",
        "links rotate --help",
        "deliveries show 999",
        "chat show AITest",
    ]
    .map(|command| command.split(' ').collect())
    .into();
    commands.extend(ids.iter().map(|id| vec!["deliveries", "show", id]));
    for command in commands {
        for language in ["zh", "en"] {
            let Answer { out, err, .. } = run(&world, &[&["--lang", language][..], &command].concat()).await;
            let lines = foreign(&format!("{out}\n{err}"), language);
            wrong.extend(lines.into_iter().map(|line| format!("{language} {}: {line}", command.join(" "))));
        }
    }
    let visitor = Visitor::signed_in(&world, "daixuan").await;
    let mut pages: Vec<String> = [
        "/now",
        "/m",
        "/state",
        "/silences",
        "/routes",
        "/senders",
        "/noise",
        "/templates",
        "/duty",
        "/audit",
        "/me",
        "/people/daixuan",
    ]
    .map(str::to_owned)
    .into();
    pages.extend(ids.iter().map(|id| format!("/m/{id}")));
    for path in pages {
        for language in ["zh", "en"] {
            let answer = visitor.asks(&path).header("accept-language", language).send().await.unwrap();
            let lines = foreign(&answer.text().await.unwrap(), language);
            wrong.extend(lines.into_iter().map(|line| format!("{language} {path}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A gateway answers in the language of its configuration, whatever the locale of its service manager.
#[tokio::test]
async fn a_gateway_answers_senders_in_the_language_of_its_configuration() {
    for (language, says) in [("en", "credentials"), ("zh", "凭证")] {
        let mut world = World::idle(Setup::demo(), "").await;
        let rest =
            format!("language: {language}\n{BROKEN}").replace("app: ops, users_file: people.txt", "webhook: ops-group");
        world.write_config(&rest);
        let gateway = Wegraf::serve_in_locale(&mut world, "de_DE.UTF-8").await;
        let answer = world.http.post(format!("{}/webhook", world.url)).body("{}").send().await.unwrap();
        let said = answer.text().await.unwrap();
        assert_eq!((foreign(&said, language), said.contains(says)), (vec![], true), "{language}: {said}");
        drop(gateway);
    }
}

/// English is the language of one receiver and of one reader of the console; the configuration is in Chinese.
const MIXED: &str = "
external_url: http://console.example.com
receivers:
  ops: { language: en, targets: [ { app: ops, users: [daixuan], face: text } ] }
  group: { targets: [ { webhook: ops-group, face: text } ] }
route:
  receiver: ops
  routes: [ { matchers: [ 'alertname=~\".+\"' ], receiver: group, continue: true }, { matchers: [ 'alertname=~\".+\"' ], receiver: ops } ]
";

#[tokio::test]
async fn an_act_and_its_failure_are_told_to_each_in_their_own_language() {
    let world = World::new(MIXED).await;
    world.accept("/webhook", alertmanager("DiskFull", &[("db-1", "firing")]).replace("不好了", "87%")).await;
    world.settled().await;
    let path = format!("/i/{}?lang=", world.deliveries().await[0].thread);
    let mut visitor = Visitor::signed_in(&world, "daixuan").await;
    // No upstream is configured: a silence fails after it was recorded, and its reason is read by both.
    let cannot = [("en", "it is not known which Alertmanager"), ("zh", "不知道这条告警来自哪个")];
    let taken = [("en", "Acknowledged by you"), ("zh", "已经认领")];
    let asked = cannot.map(|said| ("silence", said)).into_iter().chain(taken.map(|said| ("acknowledge", said)));
    for (wish, (language, says)) in asked {
        let path = format!("{path}{language}");
        let (_, page) = visitor.opens(&path).await;
        let [nonce, proof, message] = ["nonce", "proof", "message"].map(|name| hidden(&page, name).to_owned());
        let fields = [("nonce", &*nonce), ("proof", &proof), ("message", &message), ("do", wish), ("span", "1h")];
        let (status, html) = visitor.posts(&path, &fields).await;
        assert_eq!((status, foreign(&html, language)), (200, vec![]), "{wish}: {html}");
        assert!(html.contains(says), "{says}: {html}");
    }
    for (whose, language) in [("user=daixuan", "en"), ("webhook=sim-ops-group", "zh")] {
        let messages = world.arrived(whose, 2).await;
        let said: Vec<&str> = messages.iter().map(|one| one["content"]["content"].as_str().unwrap()).collect();
        assert_eq!(foreign(&said.join("\n").replace("戴轩", ""), language), [""; 0], "{said:#?}");
    }
}
