//! Titles of many senders, taken apart.

use super::*;

#[test]
fn titles_are_taken_apart() {
    use Word::{Firing, Resolved};
    for (line, text, state, level) in [
        ("Resolved in 12m 3s: CPU 过高", "CPU 过高", Some(Resolved), None),
        ("【告警恢复】磁盘使用率", "磁盘使用率", Some(Resolved), None),
        ("[FIRING:1, RESOLVED:2] HostDown", "HostDown", Some(Firing), None),
        ("[RESOLVED:2] HostDown", "HostDown", Some(Resolved), None),
        ("[P1][PROBLEM][web-9] CPU", "[web-9] CPU", Some(Firing), Some("P1")),
        ("API is still down.", "API is still down.", Some(Firing), None),
        ("Service is not up", "Service is not up", None, None),
        ("支付成功率跌到 82%", "支付成功率跌到 82%", None, None),
        ("请尽快恢复", "请尽快恢复", None, None),
        ("服务恢复失败", "服务恢复失败", Some(Firing), None),
        ("磁盘空间不足，已恢复", "磁盘空间不足，已恢复", Some(Resolved), None),
        ("测试告警", "测试告警", None, None),
        ("重要告警: 库存", "库存", Some(Firing), Some("重要告警")),
        ("[重要告警]库存", "库存", Some(Firing), Some("重要告警")),
        ("✅ 支付网关 is up!", "支付网关 is up!", Some(Resolved), None),
        ("*order-api* 部署失败 :x:", "order-api 部署失败", Some(Firing), None),
        ("Problem: 磁盘空间不足 /data", "磁盘空间不足 /data", Some(Firing), None),
        ("恢复: 订单主机 CPU 过高", "订单主机 CPU 过高", Some(Resolved), None),
        ("NAS 磁盘健康告警", "NAS 磁盘健康告警", Some(Firing), None),
        (
            "vzdump backup status (pve1.example.com): backup failed",
            "vzdump backup status (pve1.example.com): backup failed",
            Some(Firing),
            None,
        ),
        ("构建 成功，项目 order-api #42", "构建 成功，项目 order-api #42", Some(Resolved), None),
        ("订单服务 OOM", "订单服务 OOM", Some(Firing), None),
        ("订单库主从延迟", "订单库主从延迟", None, None),
        ("告警信息:", "告警信息:", None, None),
        ("HostOutOfMemory order-web-01 (warning)", "HostOutOfMemory order-web-01", None, Some("warning")),
        ("Backup job completed", "Backup job completed", Some(Resolved), None),
        ("🔥", "🔥", Some(Firing), None),
        ("[Critical][Resolved] Disk full", "Disk full", Some(Resolved), Some("Critical")),
        ("[已恢复][严重] 磁盘将满", "磁盘将满", Some(Resolved), Some("严重")),
        ("✅ 磁盘将满", "磁盘将满", Some(Resolved), None),
        ("🔴 磁盘将满", "磁盘将满", Some(Firing), None),
        ("恢复 - 磁盘将满", "磁盘将满", Some(Resolved), None),
        ("恢复-磁盘将满", "磁盘将满", Some(Resolved), None),
        ("RESOLVED | Disk failed", "Disk failed", Some(Resolved), None),
        ("PROBLEM - api", "api", Some(Firing), None),
        ("web - api down", "web - api down", Some(Firing), None),
        ("恢复：【P1】磁盘将满", "磁盘将满", Some(Resolved), Some("P1")),
        ("CRITICAL: db-3 disk 96%", "db-3 disk 96%", Some(Firing), Some("CRITICAL")),
        ("严重：支付超时", "支付超时", Some(Firing), Some("严重")),
        ("[Critical] 磁盘空间不足，已恢复", "磁盘空间不足，已恢复", Some(Resolved), Some("Critical")),
        ("[P2] [Recovered on {host:db-3}] Disk usage high", "Disk usage high", Some(Resolved), Some("P2")),
        ("[P3] [Re-No Data on {host:db-3}] Lag", "Lag", Some(Word::NoData), Some("P3")),
        ("[Warn on {host:db-3}] Lag", "Lag", Some(Firing), Some("Warn")),
    ] {
        let title = read(line);
        assert_eq!((title.text.as_str(), title.says(), title.level.as_deref()), (text, state, level), "{line}");
    }
    assert_eq!(read("API is still down.").core, "api");
    assert_eq!(read("✅ 支付网关 is up!").core, "支付网关");
    for line in [
        "监控告警",
        "【恢复】",
        "🔥 Firing",
        "S1 Recovered",
        "告警恢复通知",
        "***** Nagios *****",
        "OK",
        "[P1] PROBLEM",
        "严重告警",
        "Prometheus恢复信息",
        "====END====",
    ] {
        assert!(is_bare(line), "{line}");
    }
    for line in
        ["宕机告警", "设备离线", "磁盘恢复", "HostDown", "支付告警", "12", "", "web-1 OK", "服务异常", "主机: db-3"]
    {
        assert!(!is_bare(line), "{line}");
    }
    for line in [
        "无异常",
        "磁盘检查未发现异常",
        "未发现任何异常",
        "没有失败",
        "消息队列不再堆积",
        "巡检：异常 0 项",
        "失败：0",
        "0 errors",
        "no new failures on db-3",
        "端口 3306 已关闭",
        "支付通道已关闭",
        "请关闭",
    ] {
        assert_eq!(read(line).says(), None, "{line}");
    }
    for (line, word) in [
        ("数据库备份完成，失败 0 个", Word::Resolved),
        ("backup of db-3 completed, 0 errors", Word::Resolved),
        ("0 failed, 12 passed", Word::Resolved),
        ("告警已关闭", Word::Resolved),
        ("工单 12：问题已关闭", Word::Resolved),
        // Controls.
        ("失败 10 个", Word::Firing),
        ("10 errors", Word::Firing),
        ("发现异常", Word::Firing),
        ("队列堆积", Word::Firing),
        ("无法连接，超时", Word::Firing),
        ("12 passed, 1 failed", Word::Firing),
    ] {
        assert_eq!(read(line).says(), Some(word), "{line}");
    }
    // What may be the name of a rule is no word of its sender.
    for line in ["磁盘将满", "API is down", "CPU 告警", "backup failed"] {
        assert_eq!((read(line).state, read(line).implied), (None, Some(Word::Firing)), "{line}");
    }
    for (line, numbers) in [
        ("10.0.0.1 宕机", "#0=10 #1=0 #2=0 #3=1"),
        ("磁盘 95% 已满 on db-12", "#1=12"),
        ("机柜 12 掉电", "#0=12"),
        ("端口3306不通", "#0=3306"),
        ("工单 #4711 超时", "#0=4711"),
        ("订单库主从延迟 312 秒", ""),
        ("load 12.5 > 10, 2026-11-30 14:02:11", ""),
        ("延迟 1000ms 超过 500", ""),
        ("web-9s 离线", "#0=9"),
    ] {
        assert_eq!(read(line).numbers.join(" "), numbers, "{line}");
    }
    assert_eq!(read("Updated problem in 3m: x").state, Some(Word::Notice));
    assert_eq!(read("磁盘 95% 已满 on db-12").core, read("磁盘 97% 已满 on db-13").core);
}
