//! The pages of a person and of a rota: budgets, why something was not received, a substitution, the load of the last weeks.

use wecom_simulator::Setup;
use wegraf::internals::names::Scope;
use wegraf::internals::store::{Breaker, BreakerChange};

use crate::console::Visitor;
use crate::harness::{World, alertmanager};
use crate::witness_alertmanager::holds;

const REST: &str = "
external_url: http://console.example.com
allow_anonymous: true
receivers:
  ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] }
  dba: { targets: [ { app: ops, on_call: dba, face: text } ] }
route: { receiver: ops, routes: [ { matchers: ['alertname=\"主库只读\"'], receiver: dba } ] }
rotas: { dba: rota.yaml }
console: { may_look: { users: [daixuan] } }
";
const ROTA: &str =
    "timezone: Asia/Shanghai\nhandover: \"09:00\"\nevery: 1w\nstart: 2026-01-05\npeople: [[lisi], [wangwu]]\n";

async fn world() -> World {
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("rota.yaml", ROTA);
    world.write_config(REST);
    world.start().await;
    for body in [alertmanager("磁盘将满", &[("db-1", "firing")]), alertmanager("主库只读", &[("order-db", "firing")])]
    {
        world.accept("/webhook", body).await;
        world.settled().await;
    }
    world
}

#[tokio::test]
async fn a_person_s_page_has_the_budgets_and_says_where_an_alert_was_lost() {
    let world = world().await;
    let rows = world.deliveries().await;
    let of = |name: &str| rows.iter().find(|row| row.name == name).unwrap().thread.to_string();
    let (disk, base) = (of("磁盘将满"), of("主库只读"));
    let mut looker = Visitor::signed_in(&world, "daixuan").await;
    let (status, html) = looker.opens("/people/zhangsan").await;
    assert_eq!(status, 200);
    holds(&html, &["额度", "<meter min=\"0\" max=\"24\" high=\"18\"", "这一分钟 1/24", "为什么没收到"]);
    // It arrived; then why another did not; then one that nobody knows.
    let (_, html) = looker.opens(&format!("/people/zhangsan?short={disk}")).await;
    holds(&html, &["按路由到了 ops", "ops 现在能到 zhangsan", "送达", "没有已读回执"]);
    assert!(!html.contains("就是这里"), "nothing broke: {html}");
    let (_, html) = looker.opens(&format!("/people/zhangsan?short=%23{base}")).await;
    holds(&html, &["按路由到了 dba", "都到不了 zhangsan", "就是这里"]);
    let (_, html) = looker.opens("/people/zhangsan?short=%3Cb%3E7").await;
    holds(&html, &["记录里没有", "就是这里"]);
    assert!(!html.contains("<b>7") && !html.contains("<B>7"), "{html}");
    // One's own page does not tell of an alert of others.
    let mut own = Visitor::signed_in(&world, "zhangsan").await;
    let (_, html) = own.opens(&format!("/people/zhangsan?short={base}")).await;
    holds(&html, &["记录里没有"]);
    assert!(!html.contains("主库只读"), "{html}");

    // A message that waits for a way that is paused.
    let now = world.app().now();
    let open = Breaker {
        scope: Scope::stored("app/ops"),
        reason: "configuration".to_owned(),
        errcode: Some(60_020),
        error: "来源 IP 不可信\u{1f}the address is not trusted".to_owned(),
        opened_at: now,
        probe_at: now.plus_millis(300_000),
        failures: 1,
    };
    world.app().store().change_breaker(BreakerChange::Open(open)).await.unwrap();
    world.accept("/webhook", alertmanager("排队的", &[("db-7", "firing")])).await;
    let rows = world.deliveries().await;
    let short = rows.iter().find(|row| row.name == "排队的").unwrap().thread.to_string();
    let (_, html) = looker.opens(&format!("/people/zhangsan?short={short}")).await;
    holds(&html, &["app/ops 暂停着：来源 IP 不可信", "就是这里"]);
}

#[tokio::test]
async fn a_rota_s_page_writes_a_substitution_and_tells_the_load_to_those_on_it() {
    let world = world().await;
    let mut looker = Visitor::signed_in(&world, "daixuan").await;
    let path = "/duty/dba?away=lisi&by=zhaoliu&from=2026-12-01T18:00&to=2026-12-03T09:00";
    let (status, html) = looker.opens(path).await;
    assert_eq!(status, 200);
    holds(
        &html,
        &["替班", "{ from: 2026-12-01 18:00, to: 2026-12-03 09:00, person: zhaoliu, for: lisi }", "加上以后当班的人"],
    );
    let (_, html) =
        looker.opens("/duty/dba?away=lisi&by=x%3A%20%7D%3Cb%3E&from=2026-12-01T18:00&to=2026-12-03T09:00").await;
    holds(&html, &["写替班人的 userid"]);
    assert!(!html.contains("person: x") && !html.contains("<b>\""), "{html}");
    holds(&looker.opens("/duty/dba").await.1, &["近 4 周", "当班小时", "people/lisi", "people/wangwu"]);
    assert!(!looker.opens("/duty").await.1.contains("近 4 周"), "of one rota only");
    let mut on_it = Visitor::signed_in(&world, "lisi").await;
    holds(&on_it.opens("/duty/dba").await.1, &["近 4 周"]);
    let mut other = Visitor::signed_in(&world, "zhangsan").await;
    let (_, html) = other.opens("/duty/dba").await;
    assert!(html.contains("替班") && !html.contains("近 4 周"), "what others got is not told: {html}");
}
