//! Every errcode that matters to a sender (docs/reference/wecom.md#error-codes), answered by WeCom, gets the reaction
//! of its class.
//!
//! The list is written by hand, independently of the client's table: two readings of WeCom's pages that must agree.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_simulator::{App, Chat, Setup, User, Webhook};
use wegraf::internals::names::LaneKey;
use wegraf::internals::store::{Breaker, Delivery, State};

use crate::harness::{World, alertmanager};

/// The required reaction to a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    /// The same bytes again, soon; but not within this many milliseconds.
    Again(i64),
    /// Its way is not used for a minute; the message keeps its place.
    BackOff,
    /// Its way is not used until a person has repaired something, and probed after a minute at the earliest; the
    /// message keeps its place.
    Held,
    /// Once more as plain text, and then dead.
    Plainer,
    /// Dead at once.
    Dead,
}
use Reaction::{Again, BackOff, Dead, Held, Plainer};

/// The message that gets a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    App,
    Card,
    Chat,
    Webhook,
}

/// The codes of docs/reference/wecom.md#error-codes without those of a stale token, which have tests of their own.
const CODES: &[(Door, Reaction, &[i64])] = &[
    // System, credentials, rights.
    (Door::App, Again(0), &[-1, 6000]),
    (Door::App, Held, &[40013, 40056, 40091, 43009, 45031, 48001, 48002, 48004, 48006, 48009, 50001, 50003, 50006]),
    (Door::App, Held, &[60020, 60031, 301_002, 301_007, 301_042, 2_000_002]),
    (Door::App, Dead, &[41002, 41004, 41011, 48005, 50002, 60011, 60030, 701_008, 701_099]),
    (Door::Card, Plainer, &[43012]),
    (Door::App, BackOff, &[81026]),
    // Limits.
    (Door::App, BackOff, &[45009]),
    (Door::App, Again(1000), &[45033]),
    (Door::App, Plainer, &[40206]),
    // Receivers.
    (Door::App, Dead, &[40003, 40031, 40032, 40035, 40066, 40068, 40070, 41009, 41017, 43004, 46004, 60003, 60123]),
    (Door::App, Dead, &[60021, 60111, 81011, 81012, 81013, 82001, 82002, 82003, 92000, 301_021]),
    // Content.
    (Door::App, Plainer, &[40008, 40033, 40039, 40058, 40063, 40074, 40094, 45034, 40201, 40204, 41010, 41016, 41033]),
    (Door::App, Plainer, &[44004, 45002, 45008, 45032, 60206, 60207, 60208, 82004]),
    (Door::App, Plainer, &[90201, 90202, 90203, 90204, 90206, 90207, 90208]),
    // Media.
    (Door::App, Plainer, &[40004, 40005, 40006, 40009, 40011, 40007, 40123, 41006, 44001, 45001, 45007, 301_017]),
    (Door::App, Plainer, &[301_019]),
    // Cards and updates.
    (Door::Card, Plainer, &[42014, 42015, 42016, 42017, 42018, 42019, 42020, 42027, 42028, 42029, 42030, 42031]),
    (Door::Card, Plainer, &[42033, 42035, 42036, 42037, 42038, 42039, 42040, 42041, 42042, 42043, 42044, 42045]),
    (Door::Card, Plainer, &[42046, 42047, 42049, 42050, 42051, 42052, 60140, 82101, 82102]),
    // Chats and webhooks.
    (Door::Chat, Held, &[40050, 86003, 49008, 86008, 86101]),
    (Door::Chat, Dead, &[86001, 86004, 86005, 86006, 86007, 86201, 86202, 86203, 86204, 86205, 86206, 86207]),
    (Door::Chat, Dead, &[86214, 86215, 86216, 86217, 86220, 86224]),
    (Door::Webhook, Held, &[93000, 93001, 93004, 93006, 93008, 93019]),
    (Door::Webhook, Plainer, &[93017, 93018]),
    // A code that the list does not have is retried, not treated as a rejection.
    (Door::App, Again(0), &[987_654]),
];

/// A code, with a member, a chat or a webhook of its own.
#[derive(Debug, Clone, Copy)]
struct Case {
    door: Door,
    reaction: Reaction,
    code: i64,
}

impl Case {
    fn all() -> Vec<Self> {
        let cases = |(door, reaction, codes): &(Door, Reaction, &[i64])| {
            let (door, reaction) = (*door, *reaction);
            codes.iter().map(move |&code| Self { door, reaction, code }).collect::<Vec<_>>()
        };
        CODES.iter().flat_map(cases).collect()
    }

    fn name(self) -> String {
        format!("c{}", self.code.unsigned_abs())
    }

    /// A code that opens an app's breaker blocks all messages of that app, so such a case has an app of its own.
    fn own_app(self) -> bool {
        matches!((self.door, self.reaction), (Door::App | Door::Card, BackOff | Held))
    }

    fn app(self) -> String {
        if self.own_app() { format!("app{}", self.code) } else { "ops".to_owned() }
    }

    /// The scope of its breaker.
    fn scope(self) -> String {
        match self.door {
            Door::App | Door::Card => format!("app/{}", self.app()),
            Door::Chat | Door::Webhook => self.lane(),
        }
    }

    fn target(self) -> String {
        let (name, app) = (self.name(), self.app());
        match self.door {
            Door::App => format!("{{ app: {app}, users: [{name}], face: markdown }}"),
            Door::Card => format!("{{ app: {app}, users: [{name}], face: card }}"),
            Door::Chat => format!("{{ app: ops, chat: {name}, face: markdown }}"),
            Door::Webhook => format!("{{ webhook: {name}, face: markdown_v2 }}"),
        }
    }

    fn lane(self) -> String {
        match self.door {
            Door::App | Door::Card => format!("app/{}/{}", self.app(), self.name()),
            Door::Chat => format!("app/ops/chat/{}", self.name()),
            Door::Webhook => format!("webhook/{}", self.name()),
        }
    }

    fn fault(self) -> Value {
        let name = self.name();
        let matches = match self.door {
            Door::App | Door::Card => json!({ "path": "message/send", "user": name }),
            Door::Chat => json!({ "path": "appchat/send", "chat": name }),
            Door::Webhook => json!({ "path": "webhook/send", "key": key(&name) }),
        };
        let times = if matches!(self.reaction, Again(_)) { json!(1) } else { json!("forever") };
        json!({ "match": matches, "action": { "errcode": self.code }, "times": times })
    }

    /// The lane is at rest, for good or until its next try.
    fn is_settled(self, delivery: &Delivery) -> bool {
        match self.reaction {
            Again(_) => delivery.row.state == State::Sent,
            BackOff | Held => delivery.row.state == State::Queued && delivery.attempts.len() == 1,
            Plainer | Dead => delivery.row.state == State::Dead,
        }
    }

    fn check(self, delivery: &Delivery, breaker: Option<&Breaker>) {
        let Delivery { row, attempts, frozen, transitions, .. } = delivery;
        let told = || format!("{self:?}: {delivery:#?}");
        assert_eq!(attempts[0].errcode, Some(self.code), "{}", told());
        assert_eq!(breaker.is_some(), matches!(self.reaction, BackOff | Held), "{breaker:?}: {}", told());
        if let Some(breaker) = breaker {
            let wait = breaker.probe_at.millis_since(attempts[0].at);
            assert!((59_000..75_000).contains(&wait), "it is probed after {wait} ms: {}", told());
            let reason = if self.reaction == BackOff { "limit" } else { "configuration" };
            assert_eq!((breaker.errcode, breaker.reason.as_str()), (Some(self.code), reason), "{}", told());
            assert_eq!(row.attempts, 1, "{}", told());
        }
        let error = attempts[0].errmsg.as_deref().unwrap_or_default();
        match self.reaction {
            Again(least) => {
                assert_eq!(attempts.len(), 2, "{}", told());
                let pause = attempts[1].at.millis_since(attempts[0].at);
                assert!(pause >= least.max(50), "it came back after {pause} ms: {}", told());
                assert_eq!(frozen.len(), 1, "the bytes stay the same: {}", told());
            }
            BackOff => {}
            Held => assert!(error.contains("请"), "no remedy is given: {}", told()),
            Plainer => {
                assert_eq!(attempts.len(), 2, "{}", told());
                let kinds: Vec<Value> = frozen.iter().map(|part| body(&part.body)["msgtype"].clone()).collect();
                assert!(kinds[0] != "text" && kinds[1] == "text", "{kinds:?}: {}", told());
                assert_eq!(attempts[1].version, 2, "{}", told());
            }
            Dead => assert_eq!(attempts.len(), 1, "{}", told()),
        }
        if matches!(self.reaction, Plainer | Dead) {
            let reason = transitions[0].reason.clone();
            assert_eq!(reason, Some(format!("refused:{}", self.code)), "{}", told());
        }
    }
}

fn body(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn key(name: &str) -> String {
    format!("key-of-{name}")
}

/// The demo corp, and for each case a member for it.
fn corp_of(cases: &[Case]) -> Setup {
    let mut setup = Setup::demo();
    let corp = &mut setup.corps[0];
    let model = corp.users[0].clone();
    for case in cases {
        let name = case.name();
        if case.own_app() {
            let model = corp.apps[0].clone();
            corp.apps.push(App { agent_id: 2_000_000 + case.code, secret: format!("secret{}", case.code), ..model });
        }
        match case.door {
            Door::App | Door::Card => corp.users.push(User { userid: name, mobile: String::new(), ..model.clone() }),
            Door::Chat => corp.chats.push(Chat { chatid: name, ..corp.chats[0].clone() }),
            Door::Webhook => {
                let model = setup.webhooks[0].clone();
                setup.webhooks.push(Webhook { key: key(&name), ..model });
            }
        }
    }
    setup
}

#[tokio::test]
async fn every_errcode_of_the_list_gets_the_reaction_of_its_class() {
    let cases = Case::all();
    let targets: Vec<String> = cases.iter().map(|case| format!("      - {}\n", case.target())).collect();
    let webhooks: Vec<String> = cases
        .iter()
        .filter(|case| case.door == Door::Webhook)
        .map(|case| format!("    {}: {{ key: {} }}\n", case.name(), key(&case.name())))
        .collect();
    let (webhooks, targets) = (webhooks.concat(), targets.concat());
    // The accounts come first in the file, and the webhooks last among them. Alarms about dead messages go to another
    // receiver.
    let rest = format!(
        "{webhooks}receivers:\n  duty: {{ targets: [ {{ webhook: dba-group }} ] }}\n  all:\n    targets:\n{targets}route: {{ receiver: all }}\nalarm: {{ receiver: duty }}\n"
    );
    let mut world = World::idle(corp_of(&cases), &rest).await;
    let apps: Vec<String> = cases
        .iter()
        .filter(|case| case.own_app())
        .map(|case| {
            let (app, code) = (case.app(), case.code);
            let agent_id = 2_000_000 + code;
            format!("    {app}: {{ corp_id: wwsimcorp0000001, agent_id: {agent_id}, secret: secret{code} }}\n")
        })
        .collect();
    let apps = apps.concat();
    let text = world.config_text("127.0.0.1:0", &rest);
    world.write("wegraf.yaml", &text.replacen("  webhooks:\n", &format!("{apps}  webhooks:\n"), 1));
    world.start().await;
    let faults: Vec<Value> = cases.iter().map(|case| case.fault()).collect();
    world.fault(json!(faults)).await;
    let answer = world.accept("/webhook", alertmanager("错误码", &[("db-1", "firing")])).await;
    assert_eq!(answer["targets"], cases.len());
    let rows = world.deliveries().await;
    for case in cases {
        let row =
            rows.iter().find(|row| row.lane == LaneKey::stored(case.lane())).unwrap_or_else(|| panic!("{case:?}"));
        let delivery = world.delivery(row.message, |delivery| case.is_settled(delivery)).await;
        let breakers = world.app().store().breakers().await.unwrap();
        case.check(
            &delivery,
            breakers.iter().find(|breaker| {
                wegraf::internals::deliver::called(&world.app().config(), &breaker.scope) == case.scope()
            }),
        );
    }
    let breakers = world.app().store().breakers().await.unwrap();
    let closing = Case::all().iter().filter(|case| matches!(case.reaction, BackOff | Held)).count();
    assert_eq!(breakers.len(), closing, "a breaker was opened without a case for it: {breakers:#?}");
}

/// The only breaker that is open.
async fn only_breaker(world: &World) -> Breaker {
    let mut breakers = world.app().store().breakers().await.unwrap();
    assert_eq!(breakers.len(), 1, "{breakers:#?}");
    breakers.remove(0)
}

const ONE_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: markdown } ] }
route: { receiver: ops }
";

/// A world in which WeCom has given a token for the first message.
async fn with_a_token(rest: &str) -> World {
    let world = World::new(rest).await;
    world.accept("/webhook", alertmanager("第一条", &[("a", "firing")])).await;
    world.settled().await;
    assert_eq!(world.requests("gettoken").await.len(), 1);
    world
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once_and_the_same_bytes_go_out() {
    // 41001 means that a token is missing, which never is our doing: only a fresh token can help.
    for code in [40001, 40014, 41001, 42001] {
        let world = with_a_token(ONE_MEMBER).await;
        world.fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": code } })).await;
        world.accept("/webhook", alertmanager("第二条", &[("b", "firing")])).await;
        world.arrived("user=daixuan", 2).await;
        world.settled().await;
        assert_eq!(world.requests("gettoken").await.len(), 2, "{code}");
        let sends = world.requests("message/send").await;
        assert_eq!(sends.len(), 3, "{code}");
        assert_eq!(sends[1]["body"], sends[2]["body"], "{code}");
        assert_ne!(sends[1]["query"]["access_token"], sends[2]["query"]["access_token"], "{code}");
        assert_eq!(world.deliveries().await[1].attempts, 1, "{code}: it is one attempt");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_again_is_a_fault_for_a_person_and_not_a_loop() {
    let world = with_a_token(ONE_MEMBER).await;
    world
        .fault(json!({ "match": { "path": "message/send" }, "action": { "errcode": 40014 }, "times": "forever" }))
        .await;
    world.accept("/webhook", alertmanager("第二条", &[("b", "firing")])).await;
    let message = world.deliveries().await[1].message;
    let delivery = world.delivery(message, |delivery| delivery.row.errcode.is_some()).await;
    assert_eq!(delivery.row.state, State::Queued);
    let breaker = only_breaker(&world).await;
    assert_eq!((breaker.scope.as_str(), breaker.errcode), ("app/ops", Some(40014)));
    assert_eq!(breaker.reason, "configuration", "a fresh token that is refused is no matter of tokens");
    assert!(breaker.probe_at.millis_since(delivery.attempts[0].at) >= 59_000, "{breaker:#?}");
    // Longer than the interval of looking at a waiting lane.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.requests("gettoken").await.len(), 2);
    assert_eq!(world.requests("message/send").await.len(), 3);
    assert_eq!(world.deliveries().await[1].attempts, 1, "what waits for its way uses up no attempt");
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once_for_all_waiting_messages() {
    let people = ["daixuan", "zhangsan", "lisi", "wangwu"];
    let targets: Vec<String> =
        people.iter().map(|user| format!("{{ app: ops, users: [{user}], face: text }},")).collect();
    let targets = targets.concat();
    let world =
        World::new(&format!("receivers:\n  ops: {{ targets: [ {targets} ] }}\nroute: {{ receiver: ops }}\n")).await;
    world.fault(json!({ "match": { "path": "gettoken" }, "action": { "errcode": 40001 }, "times": "forever" })).await;
    world.accept("/webhook", alertmanager("密钥错误", &[("a", "firing")])).await;
    let begun = std::time::Instant::now();
    while world.app().store().breakers().await.unwrap().is_empty() {
        assert!(begun.elapsed() < crate::harness::PATIENCE, "nothing closes the way");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.accept("/webhook", alertmanager("更多消息", &[("b", "firing")])).await;
    // Longer than the interval of looking at a waiting lane.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let breaker = only_breaker(&world).await;
    assert_eq!((breaker.scope.as_str(), breaker.reason.as_str()), ("app/ops", "configuration"));
    assert_eq!(breaker.errcode, Some(40001));
    let rows = world.deliveries().await;
    assert_eq!(rows.len(), 2 * people.len());
    for row in &rows {
        assert_eq!(row.state, State::Queued, "{row:#?}");
        // At most the one that was in flight when the answer came.
        assert!(row.attempts <= 1, "{row:#?}");
    }
    assert!(rows[people.len()..].iter().all(|row| row.attempts == 0), "what came later is not tried: {rows:#?}");
    let wait = breaker.probe_at.millis_since(breaker.opened_at);
    assert_eq!(wait, 300_000, "WeCom bars the address of who hammers with a wrong secret");
    assert_eq!(world.requests("gettoken").await.len(), 1);
    assert!(world.requests("message/send").await.is_empty());
}

#[tokio::test]
async fn a_token_killed_early_costs_exactly_one_more_gettoken_under_a_hundred_parallel_sends() {
    let mut setup = Setup::demo();
    let model = setup.corps[0].users[0].clone();
    let names: Vec<String> = (0..100).map(|number| format!("member{number}")).collect();
    let members = names.iter().map(|name| User { userid: name.clone(), mobile: String::new(), ..model.clone() });
    setup.corps[0].users.extend(members);
    let targets: Vec<String> =
        names.iter().map(|name| format!("      - {{ app: ops, users: [{name}], face: text }}\n")).collect();
    let targets = targets.concat();
    let rest = format!(
        "receivers:\n  one: {{ targets: [ {{ app: ops, users: [daixuan], face: text }} ] }}\n  all:\n    targets:\n{targets}route: {{ receiver: all }}\n"
    );
    let world = World::with(setup, &rest).await;
    world.accept("/webhook/one", alertmanager("第一条", &[("a", "firing")])).await;
    world.settled().await;
    assert_eq!(world.requests("gettoken").await.len(), 1);
    let expired = world.control("POST", "tokens/expire", json!({ "variant": 40014 })).await;
    assert!(expired["expired"].as_u64() > Some(0), "{expired}");
    world.accept("/webhook", alertmanager("一百条", &[("b", "firing")])).await;
    world.settled().await;
    for name in &names {
        assert_eq!(world.inbox(&format!("user={name}")).await.len(), 1, "{name}");
    }
    assert_eq!(world.requests("gettoken").await.len(), 2, "exactly one more");
    assert!(world.deliveries().await.iter().all(|row| row.attempts == 1), "no message needed a second attempt");
}

#[tokio::test]
async fn an_answer_that_is_not_wecoms_leaves_the_outcome_unknown_and_the_same_bytes_go_out_again() {
    let actions = [
        json!({ "http": { "status": 502, "body": "<html>502 Bad Gateway</html>" } }),
        json!({ "raw": "<html>please log in</html>" }),
        json!({ "raw": "{\"errcode\":\"0\",\"errmsg\":\"ok\"}" }),
        json!("truncate"),
        json!("reset_after"),
    ];
    for action in actions {
        let world = World::new(ONE_MEMBER).await;
        world.fault(json!({ "match": { "path": "message/send" }, "action": action })).await;
        world.accept("/webhook", alertmanager("代理坏了", &[("a", "firing")])).await;
        world.settled().await;
        // Delivered once, also where the first request arrived: WeCom compares the bytes.
        assert_eq!(world.inbox("user=daixuan").await.len(), 1, "{action}");
        let sends = world.requests("message/send").await;
        assert_eq!(sends.len(), 2, "{action}");
        assert_eq!(sends[0]["body"], sends[1]["body"], "{action}");
        let message = world.deliveries().await[0].message;
        let delivery = world.delivery(message, |_| true).await;
        assert_eq!(delivery.attempts[0].outcome.as_deref(), Some("unsure"), "{action}: {delivery:#?}");
        assert_eq!(delivery.attempts[1].outcome.as_deref(), Some("accepted"), "{action}: {delivery:#?}");
    }
}

#[tokio::test]
async fn missed_recipients_are_recorded_and_the_others_have_the_message() {
    let rest = "receivers:\n  ops: { targets: [ { app: ops, users: [daixuan, ghost], face: text } ] }\nroute: { receiver: ops }\n";
    let world = World::new(rest).await;
    world.accept("/webhook", alertmanager("部分送达", &[("a", "firing")])).await;
    world.arrived("user=daixuan", 1).await;
    world.settled().await;
    let message = world.deliveries().await[0].message;
    let delivery = world.delivery(message, |delivery| delivery.row.state == State::Sent).await;
    assert_eq!(delivery.attempts[0].outcome.as_deref(), Some("accepted_in_part"));
    assert_eq!(body(delivery.attempts[0].invalid_json.as_deref().unwrap())["users"], json!(["ghost"]));
    let parts = "wegraf_attempts_total{channel=\"app\",outcome=\"accepted_in_part\"}";
    assert!((world.metric(parts).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_target_that_is_gone_does_not_delay_the_others() {
    let rest = "receivers:\n  ops: { targets: [ { webhook: gone, face: text }, { app: ops, users: [daixuan], face: text } ] }\nroute: { receiver: ops }\n";
    let world = World::new(rest).await;
    for alert in ["a", "b", "c"] {
        world.accept("/webhook", alertmanager(alert, &[("x", "firing")])).await;
    }
    world.arrived("user=daixuan", 3).await;
    let rows = world.deliveries().await;
    let gone: Vec<_> = rows.iter().filter(|row| row.lane == LaneKey::stored("webhook/gone")).collect();
    let first = world.delivery(gone[0].message, |delivery| delivery.row.errcode == Some(93000)).await;
    assert_eq!(first.row.state, State::Queued, "it waits for a repair");
    assert_eq!(world.requests("webhook/send").await.len(), 1, "what is behind it in the lane does not try either");
    assert!(gone[1..].iter().all(|row| row.attempts == 0));
}

#[tokio::test]
async fn a_target_that_hangs_does_not_delay_the_others_and_is_served_when_it_is_back() {
    let world = World::new(crate::harness::EVERY_CHANNEL).await;
    world.fault(json!({ "match": { "path": "webhook/send" }, "action": "hang" })).await;
    let begun = std::time::Instant::now();
    world.accept("/webhook", alertmanager("挂起", &[("a", "firing")])).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "the sender does not wait for WeCom");
    world.arrived("user=daixuan", 1).await;
    world.arrived("chat=AITest", 1).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "the others do not wait for the one that hangs");
    assert!(world.inbox("webhook=sim-ops-group").await.is_empty());
    world.arrived("webhook=sim-ops-group", 1).await;
    world.settled().await;
    let row = world.deliveries().await.into_iter().find(|row| row.lane.as_str().starts_with("webhook/")).unwrap();
    let delivery = world.delivery(row.message, |_| true).await;
    assert_eq!(delivery.attempts[0].outcome.as_deref(), Some("unsure"), "{delivery:#?}");
}
