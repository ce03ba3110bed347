//! Texts as they are found, and what is left of them.

mod steps;

use super::*;

fn read(name: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Sentences {
    let map =
        |pairs: &[(&str, &str)]| -> Labels { pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect() };
    Sentences::read(name, &map(labels), &map(annotations))
}

#[test]
fn sentences_are_left_of_what_templates_print() {
    for (name, labels, summary, description, line, detail) in [
        (
            "HostOutOfMemory",
            &[("instance", "10.31.4.11:9100")][..],
            "Host out of memory (instance 10.31.4.11:9100)",
            "Node memory is filling up (< 10% left)\n  VALUE = 6.3\n  LABELS = map[instance:10.31.4.11:9100 job:node]",
            "Node memory is filling up (< 10% left)",
            "",
        ),
        (
            "KubePodCrashLooping",
            &[("pod", "api-0")],
            "Pod is crash looping.",
            "Pod pay/api-0 (app) is in waiting state (reason: \"CrashLoopBackOff\") on cluster sh.",
            "Pod pay/api-0 (app) is in waiting state (reason: \"CrashLoopBackOff\") on cluster sh.",
            "",
        ),
        (
            "磁盘将满",
            &[("host", "db-3")],
            "磁盘将满",
            "db-3 的 /data 只剩 3.8%。请清理日志。",
            "db-3 的 /data 只剩 3.8%。",
            "请清理日志。",
        ),
        (
            "A",
            &[],
            "Disk on db-3 is nearly full",
            "Disk on db-3 is nearly full: 96.2% of 2 TiB.",
            "Disk on db-3 is nearly full: 96.2% of 2 TiB.",
            "",
        ),
        (
            "A",
            &[],
            "Queue pay.notify has 1843 ready messages now",
            "ready messages",
            "Queue pay.notify has 1843 ready messages now",
            "",
        ),
        ("A", &[("instance", "x")], "Down (instance )", "", "Down", ""),
        ("A", &[], "<b>主机</b>: db-1<br/>已用: 96%", "", "主机: db-1 已用: 96%", ""),
        ("A", &[], "**严重** 第一行\\n第二行", "", "严重 第一行 第二行", ""),
        ("A", &[], "", "### 标题\n> 引用 `code` 与 **粗体**\n\n\n末行", "标题", "引用 code 与 粗体\n末行"),
        ("A", &[], "Pod {{ $labels.pod }} restarts often on this node", "", "Pod … restarts often on this node", ""),
        ("A", &[], "{{ $labels.pod }} down", "", "", ""),
        ("A", &[], "", "{instance=\"a\", job=\"b\"}", "", ""),
        ("A", &[], "down", "{app=\"a\", pod=\"b\"}", "down", ""),
        ("HighCPU", &[], "High CPU", "", "", ""),
    ] {
        let got = read(name, labels, &[("summary", summary), ("description", description)]);
        assert_eq!((got.line.as_str(), got.detail.as_str()), (line, detail), "{summary} / {description}");
    }
}

#[test]
fn addresses_leave_the_text_and_are_kept() {
    let got = read(
        "A",
        &[],
        &[
            ("summary", "Disk full, see https://grafana.example.com/d/abc?x=1."),
            ("description", "Runbook: https://wiki.example.com/disk\n[日志](https://kibana.example.com/app) 里有报错"),
        ],
    );
    let kinds: Vec<(LinkKind, &str)> = got.links.iter().map(|link| (link.kind, link.url.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (LinkKind::Dashboard, "https://grafana.example.com/d/abc?x=1"),
            (LinkKind::Runbook, "https://wiki.example.com/disk"),
            (LinkKind::Logs, "https://kibana.example.com/app"),
        ]
    );
    assert!(!format!("{}{}", got.line, got.detail).contains("http"), "{got:?}");
    assert_eq!(got.detail, "日志 里有报错");
    let got = read("A", &[], &[("summary", "磁盘满，见http://wiki.example.com/disk处理")]);
    assert_eq!((got.line.as_str(), got.links[0].url.as_str()), ("磁盘满，见链接处理", "http://wiki.example.com/disk"));
}

#[test]
fn steps_stay_whole() {
    for (text, steps) in [
        ("1. 登录主机\n2. df -h 查看\n3. 清理 /data/log", &["登录主机", "df -h 查看", "清理 /data/log"][..]),
        ("1）确认；2）扩容；3）1.5 倍以上再扩", &["确认", "扩容", "1.5 倍以上再扩"]),
        ("① 重启 ② 观察 10 分钟", &["重启", "观察 10 分钟"]),
        ("1) check the disk 2) free space. 3) call 110", &["check the disk", "free space", "call 110"]),
        ("重启服务", &["重启服务"]),
        ("version 1.2 and 3.4", &["version 1.2 and 3.4"]),
    ] {
        let got = read("A", &[], &[("action", text)]);
        assert_eq!(got.steps, steps, "{text}");
    }
    let got = read("A", &[], &[("description", "磁盘快满了，处理步骤：\n1. 看\n2. 删")]);
    assert_eq!((got.line.as_str(), got.steps.len()), ("磁盘快满了", 2));
}

#[test]
fn logs_are_evidence() {
    let trace =
        "服务报错\njava.lang.NullPointerException: x\n\tat a.b.C(C.java:1)\n\tat a.b.D(D.java:2)\n\tat a.b.E(E.java:3)";
    let got = read("A", &[], &[("description", trace)]);
    assert_eq!((got.line.as_str(), got.detail.as_str()), ("服务报错", ""));
    assert_eq!((got.evidence.lines.len(), got.evidence.tail().len()), (4, 3));
    assert_eq!(got.evidence.telling().unwrap(), "java.lang.NullPointerException: x");
    let got = read("A", &[], &[("description", "body:\n{\"code\": 500, \"error\": \"x\"}")]);
    assert_eq!((got.evidence.lines.len(), got.line.as_str()), (1, "body:"));
    let got = read("A", &[], &[("description", "see\n```\nline 1\n```\nend")]);
    assert_eq!(
        (got.evidence.lines.as_slice(), got.line.as_str(), got.detail.as_str()),
        (&["line 1".to_owned()][..], "see", "end")
    );
}

#[test]
fn long_and_odd_texts_do_no_harm() {
    let han = "磁".repeat(40_000);
    let got = read("A", &[], &[("description", &han)]);
    assert!(got.line.len() <= LONGEST);
    for text in ["```", "(instance", "LABELS = map[", "1. 2. 3.", "①", "VALUE =", "\\", "{\"", "[a](http://", "http://"]
    {
        let _ = read("A", &[("a", ""), ("b", "1")], &[("summary", text), ("description", text), ("action", text)]);
    }
}

#[test]
fn what_is_cut_for_search_holds_no_dump() {
    for (text, left) in [
        ("x is bad\n  VALUE = 3\n  LABELS = map[a:b c:d]", "x is bad"),
        ("Down (instance 10.0.0.1:9100)", "Down"),
        ("Restarts {pod=\"a\", ns=\"b\"}", "Restarts"),
        ("free memory (< 10% left)", "free memory (< 10% left)"),
        ("VALUE = 3", ""),
    ] {
        assert_eq!(cut(text), left);
    }
}

#[test]
fn a_line_that_only_lists_labels_is_no_sentence() {
    let labels = [("Hostname", "gpu-03"), ("gpu", "5"), ("alertname", "GpuHot")];
    for (text, left) in [
        ("tags_json: Hostname=gpu-03, gpu=5", ""),
        ("The card is throttled.\ntags: [gpu=5;Hostname=\"gpu-03\"]", "The card is throttled."),
        ("Hostname=gpu-03,gpu=5", ""),
        // It says more than the labels.
        ("tags: Hostname=gpu-03, limit=85", "tags: Hostname=gpu-03, limit=85"),
        ("Hostname=gpu-04", "Hostname=gpu-04"),
        ("Hostname is gpu-03, gpu=5", "Hostname is gpu-03, gpu=5"),
    ] {
        let said = read("GPU 温度过高", &labels, &[("description", text)]);
        let told = [said.line, said.detail].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        assert_eq!(told, left, "{text}");
        if left.is_empty() {
            assert_eq!(read("GPU 温度过高", &labels, &[("summary", text)]).line, "", "{text}");
        }
    }
}
