//! The steps of cleaning, one by one and in their order.

use super::read;
use crate::said::STEPS;

#[test]
fn each_step_of_cleaning_does_its_part() {
    for (written, left) in [
        // What templates print behind a sentence.
        ("Filling up\n  VALUE = 3.1\n  LABELS = map[a:b]", "Filling up"),
        ("Filling up (instance )", "Filling up"),
        ("Filling up (instance db-3:9100)", "Filling up"),
        ("Filling up {app=\"a\", pod=\"b\"}", "Filling up"),
        // HTML.
        ("甲<br>乙<br/>丙", "甲\n乙\n丙"),
        ("<p>甲</p><p>乙</p>", "甲\n乙"),
        ("<div>甲</div><div>乙</div>", "甲\n乙"),
        ("<ul><li>甲</li><li>乙</li></ul>", "甲\n乙"),
        (
            "<table><tr><td>主机</td><td>db-1</td></tr><tr><td>已用</td><td>96%</td></tr></table>",
            "主机: db-1\n已用: 96%",
        ),
        ("<span style=\"color:red\">甲</span><b>乙</b>", "甲乙"),
        ("甲 &amp;lt; 乙 &gt; 丙", "甲 &lt; 乙 > 丙"),
        // Markdown.
        ("**甲** `乙` 丙", "甲 乙 丙"),
        ("# 甲\n> 乙", "甲\n乙"),
        // Addresses.
        ("按 [手册](https://wiki.example.com/disk) 处理", "按 手册 处理"),
        ("看 https://wiki.example.com/codes 上的错误码", "看链接上的错误码"),
        ("Look at it. Runbook: https://wiki.example.com/disk", "Look at it."),
        // Placeholders that were not expanded.
        ("Volume <no value> is full at node seven", "Volume … is full at node seven"),
        ("Volume [no value] is full at node seven", "Volume … is full at node seven"),
        ("Volume %!f(string=x) is full at node seven", "Volume … is full at node seven"),
        ("Volume {{ $labels.volume }} is full at node seven", "Volume … is full at node seven"),
        // Blanks.
        ("甲\t乙  丙\r\n\r\n\r\n丁", "甲 乙 丙\n丁"),
        ("甲\\n乙", "甲\n乙"),
        // Blanks between Han and Latin are the author's.
        ("磁盘已用96.2%，剩8GiB", "磁盘已用96.2%，剩8GiB"),
    ] {
        let got = read("A", &[], &[("summary", "Zeitgeist of seven moons"), ("description", written)]);
        assert_eq!((got.line.as_str(), got.detail.as_str()), ("Zeitgeist of seven moons", left), "{written}");
    }
    let got =
        read("A", &[], &[("summary", "<no value> is down"), ("description", "Call the owner of that machine now")]);
    assert_eq!(
        (got.line.as_str(), got.detail.as_str()),
        ("Call the owner of that machine now", ""),
        "too little is left"
    );
}

#[test]
fn what_is_said_twice_stands_once() {
    for (summary, description, line, detail) in [
        // The name of the rule in words.
        ("Host out of memory", "Memory of this node is filling up", "Memory of this node is filling up", ""),
        // One begins with the other, or as the other does.
        ("Memory is filling up", "Memory is filling up: 3% left", "Memory is filling up: 3% left", ""),
        (
            "Kubelet on this node cannot be reached",
            "Kubelet on this node cannot answer within ten seconds",
            "Kubelet on this node cannot answer within ten seconds",
            "",
        ),
        // One contains the other.
        ("filling up", "The memory is filling up again", "The memory is filling up again", ""),
        ("The memory is filling up again", "filling up", "The memory is filling up again", ""),
        // Beyond numbers and values of labels it adds no word.
        ("Swap of the node is used up", "node db-3: swap used 97", "Swap of the node is used up", ""),
        // Equal but for a number: one is enough.
        ("Swap of this node is 97 percent", "Swap of this node is 98 percent", "Swap of this node is 97 percent", ""),
        // Two different sentences.
        ("Swap is used up", "Restart the worst process", "Swap is used up", "Restart the worst process"),
    ] {
        let annotations = [("summary", summary), ("description", description)];
        let got = read("HostOutOfMemory", &[("host", "db-3")], &annotations);
        assert_eq!((got.line.as_str(), got.detail.as_str()), (line, detail), "{summary} / {description}");
    }
}

#[test]
fn every_annotation_that_says_what_to_do_gives_steps() {
    for name in STEPS {
        let got = read("A", &[], &[("summary", "Swap is used up"), (name, "1. 看日志\n2. 重启")]);
        assert_eq!(got.steps, ["看日志", "重启"], "{name}");
        assert_eq!(got.line, "Swap is used up");
    }
    let link = read("A", &[], &[("runbook", "https://wiki.example.com/swap")]);
    assert!(link.steps.is_empty(), "an address is a link, not a step: {:?}", link.steps);
}

#[test]
fn of_a_log_its_end_and_its_telling_line_are_kept() {
    let lines: Vec<String> = (1..=42).map(|line| format!("2026-11-22 22:12:{line:02} INFO tick {line}")).collect();
    let mut log = lines.join("\n");
    log.push_str("\n2026-11-22 22:13:00 ERROR cannot write to /data: no space left on device");
    let got = read("A", &[], &[("summary", "Writes fail on this node"), ("description", &log)]);
    assert_eq!((got.evidence.lines.len(), got.evidence.tail().len()), (43, 3));
    assert!(got.evidence.telling().unwrap().contains("ERROR cannot write"));
    assert!(got.evidence.tail().iter().all(|line| line.chars().count() <= 80));
}
