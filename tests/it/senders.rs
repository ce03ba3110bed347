//! Senders without a key: what is one alert and what is another, which end is whose, what is only worth knowing.

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::alert::Format;
use xtask::postgres::Server;

use crate::harness::World;

const ONE_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: ops }
levels: { 红灯: critical }
";

/// Sends, waits for the message it makes, and gives its text.
async fn told(world: &World, body: Value, count: usize) -> String {
    world.accept("/webhook", body.to_string()).await;
    let messages = world.arrived("user=daixuan", count).await;
    // The newest is first or last, whatever the simulator does: it is the one not seen before.
    messages.iter().map(|message| message["content"].to_string()).collect::<Vec<_>>().join("\n")
}

async fn open(world: &World) -> usize {
    world.settled().await;
    let rows = world.deliveries().await;
    let (on, over): (i64, i64) = rows.iter().fold((0, 0), |(on, over), row| (on + row.firing, over + row.resolved));
    usize::try_from(on - over).unwrap_or_default()
}

fn zabbix(subject: &str, message: &str) -> Value {
    json!({ "To": "ops", "Subject": subject, "Message": message })
}

#[tokio::test]
async fn two_hosts_of_one_trigger_are_both_told_and_end_apart() {
    let world = World::new(ONE_MEMBER).await;
    told(&world, zabbix("Problem: 磁盘空间不足 /data", "主机 db-1 剩余 4%"), 1).await;
    let both = told(&world, zabbix("Problem: 磁盘空间不足 /data", "主机 db-2 剩余 2%"), 2).await;
    assert!(both.contains("db-1") && both.contains("db-2"), "{both}");
    let ended = told(&world, zabbix("Resolved: 磁盘空间不足 /data", "主机 db-1 恢复"), 3).await;
    assert!(ended.contains("已恢复") && !ended.contains("无法确定"), "{ended}");
    let rows = world.deliveries().await;
    assert_eq!((rows[2].thread, rows[2].resolved), (rows[0].thread, 1), "the end bears the short id of its beginning");
    assert_eq!(open(&world).await, 1);
    told(&world, zabbix("Resolved: 磁盘空间不足 /data", "主机 db-2 恢复"), 4).await;
    assert_eq!(world.deliveries().await[3].thread, rows[1].thread);
}

#[tokio::test]
async fn an_end_that_may_mean_several_ends_none_and_says_so() {
    let world = World::new(ONE_MEMBER).await;
    told(&world, json!({ "title": "备份失败", "content": "db-1 退出码 2" }), 1).await;
    told(&world, json!({ "title": "备份失败", "content": "db-2 退出码 2" }), 2).await;
    let unclear = told(&world, json!({ "title": "备份失败", "status": "resolved" }), 3).await;
    assert!(unclear.contains("无法确定对应哪一条"), "{unclear}");
    let rows = world.deliveries().await;
    assert!(unclear.contains(&format!("#{}", rows[0].thread)) && unclear.contains(&format!("#{}", rows[1].thread)));
    assert!((world.metric("wegraf_recovery_unmatched_total{reason=\"several\"}").await - 1.0).abs() < f64::EPSILON);
    let first = told(&world, json!({ "title": "备份失败", "status": "resolved", "content": "db-1 重跑成功" }), 4).await;
    assert!(first.contains("db-1"), "{first}");
    assert_eq!(world.deliveries().await[3].thread, rows[0].thread);
}

#[tokio::test]
async fn two_errors_under_one_subject_of_a_topic_are_two_alerts() {
    let world = World::new(ONE_MEMBER).await;
    let error = |text: &str, id: &str| {
        json!({ "Type": "Notification", "MessageId": id, "TopicArn": "arn:aws:sns:x:0:app", "Subject": "应用错误",
            "Message": text, "Timestamp": "2026-11-28T03:10:13.300Z" })
    };
    told(&world, error("订单服务: 连接池耗尽 error", "1"), 1).await;
    let both = told(&world, error("支付服务: 回调超时 error", "2"), 2).await;
    assert!(both.contains("连接池耗尽") && both.contains("回调超时"), "{both}");
    // The topic's retry of the same message is a repeat, and is counted.
    let again = world.accept("/webhook", error("支付服务: 回调超时 error", "2").to_string()).await;
    assert_eq!(again["duplicate"], true);
}

#[tokio::test]
async fn a_macro_that_was_not_expanded_is_no_key() {
    let world = World::new(ONE_MEMBER).await;
    for (count, key) in ["{EVENT.ID}", "${id}", "{{ .ID }}", "%EVENTID%"].iter().enumerate() {
        let body =
            |title: &str| json!({ "title": title, "content": format!("第 {count} 组"), "key": key, "level": "红灯" });
        told(&world, body("CPU 过高"), 2 * count + 1).await;
        told(&world, body("内存不足"), 2 * count + 2).await;
    }
    assert!(world.deliveries().await.iter().all(|row| row.critical), "the user's word is critical");
}

#[tokio::test]
async fn a_body_without_trouble_is_a_notice_that_opens_nothing() {
    let world = World::new(ONE_MEMBER).await;
    let notice = json!({ "title": "夜间报表", "content": "共 12 张" });
    let text = told(&world, notice.clone(), 1).await;
    assert!(text.contains("📨") || text.contains("通知"), "{text}");
    assert!(!text.contains("🔴") && text.contains("共 12 张"), "{text}");
    let row = &world.deliveries().await[0];
    assert_eq!((row.firing, row.resolved, row.notices), (0, 0, 1));
    let again = world.accept("/webhook", notice.to_string()).await;
    assert_eq!(again["duplicate"], true);
    world.settled().await;
    assert_eq!(world.app().store().audit().await.unwrap().repeated, 1);
    assert_eq!(world.deliveries().await[0].repeated, 1);
    assert!((world.metric("wegraf_alerts_repeated_total{source=\"anonymous\"}").await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn good_news_is_never_red() {
    let world = World::new(ONE_MEMBER).await;
    for (count, body) in [
        json!({ "msgtype": "text", "text": { "content": "✅ 支付网关 is up! \nThe service is up again" } }),
        json!({ "title": "支付网关", "status": "✅ Up" }),
        json!({ "msgtype": "markdown", "markdown": { "content": "构建 <font color=\"info\">成功</font>，项目 order-api #42" } }),
        json!({ "schemaId": "azureMonitorCommonAlertSchema", "data": { "essentials": { "alertRule": "CPU", "monitorCondition": "Resolved", "alertId": "a" } } }),
    ]
    .into_iter()
    .enumerate()
    {
        let text = told(&world, body, count + 1).await;
        assert!(!text.contains("🔴") && !text.contains("[告警]"), "{text}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_and_told_honestly() {
    let world = World::new(ONE_MEMBER).await;
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xd8\xff\xe0\0".to_vec();
    world.accept("/webhook", picture.clone()).await;
    let messages = world.arrived("user=daixuan", 1).await;
    assert!(messages[0]["content"].to_string().contains(&format!("{} 字节", picture.len())), "{messages:?}");
    let row = &world.deliveries().await[0];
    assert_eq!(world.delivery(row.message, |_| true).await.format, Format::Opaque);
}

/// The same world on each store.
async fn on_both() -> Vec<World> {
    let mut worlds = vec![World::new(ONE_MEMBER).await];
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        assert!(std::env::var_os("WEGRAF_TEST_EVERYTHING").is_none(), "WEGRAF_TEST_POSTGRES is not set");
        return worlds;
    };
    let server = Server::Given(url.into_string().unwrap());
    let url = server.schema(&format!("wegraf_senders_{}", rand::random::<u64>())).unwrap();
    let mut world = World::idle(Setup::demo(), ONE_MEMBER).await;
    let text = std::fs::read_to_string(world.config_path()).unwrap();
    world.write("wegraf.yaml", &text.replace("sqlite:wegraf.db", &url));
    world.start().await;
    worlds.push(world);
    worlds
}

/// Sends what must make no message: a later one comes first.
async fn quietly(world: &World, body: Value, count: usize) {
    let answer = world.accept("/webhook", body.to_string()).await;
    assert_eq!(answer["duplicate"], true, "{answer}");
    world.settled().await;
    world.arrived("user=daixuan", count).await;
}

#[tokio::test]
async fn a_repeat_with_another_value_is_the_same_alert_and_ends_with_it() {
    for world in on_both().await {
        let cpu = |host: &str, value: &str| json!({ "title": "CPU 过高", "content": format!("{host} CPU {value}，端口 3306") });
        told(&world, cpu("web-1", "91%"), 1).await;
        quietly(&world, cpu("web-1", "95%"), 1).await;
        quietly(&world, json!({ "title": "CPU 过高", "content": "web-1 CPU 99.5%，端口 3306" }), 1).await;
        // Controls: another host, another port.
        told(&world, cpu("web-2", "91%"), 2).await;
        told(&world, json!({ "title": "CPU 过高", "content": "web-1 CPU 91%，端口 3307" }), 3).await;
        assert_eq!(open(&world).await, 3);
        let end = json!({ "title": "CPU 过高", "status": "resolved", "content": "web-1 CPU 20%，端口 3306" });
        let ended = told(&world, end, 4).await;
        assert!(!ended.contains("无法确定") && !ended.contains("没有找到"), "{ended}");
        let rows = world.deliveries().await;
        assert_eq!((rows[3].thread, rows[3].resolved), (rows[0].thread, 1));
        assert_eq!(open(&world).await, 2);
    }
}

#[tokio::test]
async fn an_end_ends_all_alerts_that_differ_in_value_and_level_only() {
    for world in on_both().await {
        let full =
            |level: &str, value: &str| json!({ "title": "磁盘水位", "host": "db-1", "level": level, "value": value });
        told(&world, full("warning", "82%"), 1).await;
        told(&world, full("critical", "96%"), 2).await;
        told(&world, json!({ "title": "磁盘水位", "host": "db-2", "level": "warning", "value": "82%" }), 3).await;
        assert_eq!(open(&world).await, 3);
        told(&world, json!({ "title": "磁盘水位", "host": "db-1", "status": "resolved", "value": "40%" }), 4).await;
        assert_eq!(open(&world).await, 1, "both of db-1 are over, and db-2 is not");
        let rows = world.deliveries().await;
        assert_eq!(rows[3].resolved, 2, "one message tells the end of both");
    }
}

#[tokio::test]
async fn a_later_time_of_the_report_begins_no_episode() {
    for world in on_both().await {
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        let report = |name: &str, ago: i64| json!({ "title": "备份失败", "key": "bk/9", "status": "firing", "level": "critical", name: now - ago });
        for (place, name) in ["time", "timestamp", "eventTime"].into_iter().enumerate() {
            let sent = 4 * place;
            told(&world, report(name, 900), sent + 1).await;
            quietly(&world, report(name, 600), sent + 1).await;
            quietly(&world, report(name, 300), sent + 1).await;
            told(&world, json!({ "title": "备份失败", "key": "bk/9", "status": "resolved", name: now }), sent + 2)
                .await;
            assert_eq!(open(&world).await, 0, "{name}");
            // A control: a start that is named as one.
            told(&world, report("startsAt", 200 - i64::try_from(place).unwrap()), sent + 3).await;
            let end = json!({ "title": "备份失败", "key": "bk/9", "status": "resolved" });
            told(&world, end, sent + 4).await;
        }
        told(&world, report("startsAt", 100), 13).await;
        told(&world, report("startsAt", 50), 14).await;
    }
}

#[tokio::test]
async fn an_end_of_no_alert_says_so() {
    for world in on_both().await {
        let end = json!({ "title": "核心交换机离线", "host": "sw-1", "status": "resolved" });
        let alone = told(&world, end, 1).await;
        assert!(alone.contains("没有找到它对应的告警"), "{alone}");
        let rows = world.deliveries().await;
        assert_eq!(rows[0].note_json.as_deref(), Some(r#"{"Unmatched":{"ends":1,"all":true}}"#));
        // Controls: an alert, and its end.
        let both = told(&world, json!({ "title": "核心交换机离线", "host": "sw-2" , "status": "firing" }), 2).await;
        let ended = told(&world, json!({ "title": "核心交换机离线", "host": "sw-2", "status": "resolved" }), 3).await;
        assert_eq!(both.matches("没有找到").count(), 1);
        assert_eq!(ended.matches("没有找到").count(), 1, "{ended}");
        // From a sender of a fixed shape, too.
        let grafana = crate::harness::alertmanager("HostDown", &[("db-9", "resolved")]);
        world.accept("/webhook", grafana).await;
        let all = world.arrived("user=daixuan", 4).await;
        let texts = all.iter().map(|message| message["content"].to_string()).collect::<String>();
        assert_eq!(texts.matches("没有找到").count(), 2, "{texts}");
    }
}
