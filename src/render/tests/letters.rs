//! Letters one by one: which face, who is called, what is named, and what a user's template can do.

use std::time::{Duration, Instant};

use wecom::Content;
use wecom::message::TEXT_BYTES;

use super::super::samples::{Sample, samples, target};
use super::super::{Letter, Note, Picture, Rendered, TemplateProblem, Templates};
use super::checker::readable;
use crate::config::{Face, Language, Target, TemplateFile, To};
use crate::names::LaneKey;

fn sample(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name == name).unwrap()
}

fn shipped() -> Templates {
    Templates::compile(&[]).0
}

fn file(name: &str, source: &str) -> TemplateFile {
    TemplateFile { path: format!("templates/{name}.j2").into(), name: name.to_owned(), source: source.to_owned() }
}

/// Renders `sample` to `target` in Chinese, after `change` had its way with the letter.
fn send(templates: &Templates, sample: &Sample, target: &Target, change: impl FnOnce(&mut Letter<'_>)) -> Rendered {
    let told = sample.told();
    let mut letter = sample.letter(&told, target, Language::Zh, None);
    change(&mut letter);
    templates.render(&letter)
}

fn webhook(face: Face) -> Target {
    Target { to: To::Webhook { webhook: "ops".to_owned() }, mention: vec!["zhangsan".to_owned()], ..target(face) }
}

fn chat(face: Face) -> Target {
    Target { to: To::Chat { app: "ops".to_owned(), chat: "c".to_owned() }, ..webhook(face) }
}

fn email(face: Face) -> Target {
    Target { to: To::Email { to: vec!["ops@example.com".to_owned()] }, ..webhook(face) }
}

#[test]
fn mail_tells_the_whole_of_what_wecom_has_no_room_for() {
    let storm = sample("many");
    let everywhere = |target: &Target| send(&shipped(), &storm, target, |letter| letter.details_url = None);
    let (mail, members) = (everywhere(&email(Face::Text)), everywhere(&target(Face::Text)));
    assert_eq!((mail.bytes_allowed, members.bytes_allowed), (65_536, TEXT_BYTES));
    assert_eq!(mail.named.len(), 45);
    assert!(mail.bytes_used > 2 * members.bytes_used, "mail has a line for each");
    let [Content::Text(text)] = &mail.parts[..] else { panic!("{:?}", mail.parts) };
    assert!(text.mentioned_list.is_empty(), "mail mentions no one");
}

#[test]
fn a_face_that_needs_a_link_falls_back_to_text_if_there_is_none() {
    for face in [Face::Textcard, Face::News, Face::Card] {
        let rendered = send(&shipped(), &sample("bare"), &target(face), |letter| letter.details_url = None);
        assert_eq!(rendered.face, Face::Text, "{face:?}");
        assert_eq!(rendered.parts[0].msgtype(), "text");
        let rendered = send(&shipped(), &sample("bare"), &target(face), |_| {});
        assert_eq!(rendered.face, face, "the page with the whole is a link");
    }
}

#[test]
fn a_face_that_the_channel_does_not_know_becomes_its_neighbour() {
    for (face, channel, used) in [
        (Face::MarkdownV2, chat(Face::MarkdownV2), Face::Markdown),
        (Face::Card, chat(Face::Card), Face::Textcard),
        (Face::Textcard, webhook(Face::Textcard), Face::Markdown),
        (Face::News, email(Face::News), Face::Text),
    ] {
        assert_eq!(send(&shipped(), &sample("disk"), &channel, |_| {}).face, used, "{face:?}");
    }
}

#[test]
fn people_are_called_where_the_face_can_and_in_a_small_text_where_it_cannot() {
    let markdown = send(&shipped(), &sample("disk"), &webhook(Face::Markdown), |_| {});
    assert!(readable(&markdown.parts[0]).ends_with("<@zhangsan> `#PSVJ`"));
    assert_eq!(markdown.parts.len(), 1);

    for target in [webhook(Face::MarkdownV2), webhook(Face::News), webhook(Face::Card), chat(Face::Textcard)] {
        let rendered = send(&shipped(), &sample("disk"), &target, |_| {});
        let Content::Text(text) = &rendered.parts[1] else { panic!("{:?}", rendered.parts) };
        assert_eq!(
            (text.content.as_str(), text.mentioned_list.as_slice()),
            ("🔴 磁盘将满 ×3 · 订单库 #PSVJ", &["zhangsan".to_owned()][..])
        );
    }

    let everybody = Target {
        mention: vec!["@all".to_owned()],
        mention_mobiles: vec!["13800000000".to_owned()],
        ..webhook(Face::Markdown)
    };
    let rendered = send(&shipped(), &sample("disk"), &everybody, |_| {});
    assert!(!readable(&rendered.parts[0]).contains("<@"), "markdown cannot mention all");
    let Content::Text(text) = &rendered.parts[1] else { panic!("{:?}", rendered.parts) };
    assert_eq!(text.mentioned_list, ["@all"]);
    assert_eq!(text.mentioned_mobile_list, ["13800000000"]);

    let text = send(&shipped(), &sample("disk"), &webhook(Face::Text), |_| {});
    let [Content::Text(text)] = text.parts.as_slice() else { panic!("{:?}", text.parts) };
    assert_eq!(text.mentioned_list, ["zhangsan"]);
}

#[test]
fn a_resolved_alert_mentions_no_one() {
    for face in [Face::Text, Face::Markdown, Face::MarkdownV2] {
        let rendered = send(&shipped(), &sample("resolved"), &webhook(face), |_| {});
        assert_eq!(rendered.parts.len(), 1);
        assert!(!serde_json::to_string(&rendered.parts).unwrap().contains("zhangsan"));
    }
}

#[test]
fn a_message_says_whether_it_shows_a_picture() {
    let url = "https://pictures.example.com/a.png";
    for (face, address, shows) in [
        (Face::News, url, true),
        (Face::MarkdownV2, url, true),
        (Face::Text, url, false),
        (Face::Markdown, url, false),
        // An address inside the network is never passed on.
        (Face::News, "http://10.0.0.1/a.png", false),
        (Face::MarkdownV2, "http://10.0.0.1/a.png", false),
    ] {
        let picture = Picture { url: Some(address) };
        let rendered = send(&shipped(), &sample("payment"), &target(face), |letter| letter.picture = picture);
        assert_eq!(rendered.shows_picture(Some(address)), shows, "{face:?} {address}");
        assert_eq!(readable(&rendered.parts[0]).contains(address), shows);
        assert_eq!(rendered.parts.len(), 1);
    }
}

#[test]
fn a_long_message_is_split_at_alerts_and_numbered() {
    let parts = Target { parts: 3, ..target(Face::Text) };
    let rendered = send(&shipped(), &wordy(), &parts, |_| {});
    assert_eq!(rendered.named.len(), 45, "all are named once there is room");
    let texts: Vec<String> = rendered.parts.iter().map(readable).collect();
    assert!(texts.len() > 1);
    for (index, text) in texts.iter().enumerate() {
        let title = format!("[严重] 磁盘将满 ×45 · 订单库 ({}/{})", index + 1, texts.len());
        assert!(text.starts_with(&title), "{text}");
        assert!(text.ends_with("#PSVJ") && text.len() <= TEXT_BYTES);
        assert_eq!(text.contains("https://"), index + 1 == texts.len(), "links come last");
    }
    for number in 1..=45 {
        let name = format!("n{number:02}-");
        assert_eq!(texts.iter().filter(|text| text.contains(&name)).count(), 1, "{name}");
    }
}

/// Forty-five hosts whose names are too long for one message and have no common end.
fn wordy() -> Sample {
    let mut sample = sample("many");
    for (number, alert) in (1..).zip(&mut sample.notification.alerts) {
        let name = format!("n{number:02}-{}", format!("{:x}", number * 7919).repeat(9));
        alert.labels.insert("instance".to_owned(), name);
    }
    sample
}

#[test]
fn a_long_text_of_unknown_shape_is_split_at_lines() {
    let mut sample = sample("opaque");
    let lines: Vec<String> = (1..=150).map(|line| format!("line {line:03} of the log")).collect();
    sample.notification.message = lines.join("\n");
    let parts = Target { parts: 3, ..target(Face::Text) };
    let rendered = send(&shipped(), &sample, &parts, |_| {});
    let texts: Vec<String> = rendered.parts.iter().map(readable).collect();
    assert_eq!(texts.len(), 2);
    let all = texts.join("\n");
    for line in 1..=150 {
        assert_eq!(all.matches(&format!("line {line:03} of the log")).count(), 1, "{line}");
    }
}

#[test]
fn alerts_left_out_by_upstream_are_never_shown_as_resolved() {
    for language in [Language::Zh, Language::En] {
        for face in Face::ALL {
            let (sample, target) = (sample("truncated"), target(face));
            let told = sample.told();
            let rendered = shipped().render(&sample.letter(&told, &target, language, None));
            let text = readable(&rendered.parts[0]);
            assert!(text.contains('3'), "{text}");
            assert!(!text.contains("🟢") && !text.contains("[已恢复]") && !text.contains("[Resolved]"), "{text}");
        }
    }
}

#[test]
fn a_rule_that_cannot_be_judged_shows_neither_a_value_nor_its_sentence_about_one() {
    for name in ["no-data", "query-error"] {
        let mut sample = sample(name);
        for (annotation, text) in [("summary", "积压 -1 条，超过 5000"), ("description", "当前 -1")] {
            sample.notification.alerts[0].annotations.insert(annotation.to_owned(), text.to_owned());
        }
        for face in Face::ALL {
            let text = readable(&send(&shipped(), &sample, &target(face), |_| {}).parts[0]);
            assert!(text.contains("无法判断") && !text.contains("-1"), "{text}");
        }
    }
}

#[test]
fn one_alerts_description_does_not_stand_under_the_names_of_all() {
    let mut sample = sample("alertmanager");
    sample.notification.alerts[0].annotations.insert("description".to_owned(), "only mine".to_owned());
    for face in Face::ALL {
        let text = readable(&send(&shipped(), &sample, &target(face), |_| {}).parts[0]);
        assert!(!text.contains("only mine"), "{text}");
    }
}

#[test]
fn grave_alerts_are_named_before_light_ones() {
    let mut sample = sample("many");
    sample.notification.alerts[44].labels.insert("severity".to_owned(), "critical".to_owned());
    for alert in &mut sample.notification.alerts[..44] {
        alert.labels.insert("severity".to_owned(), "warning".to_owned());
    }
    let rendered = send(&shipped(), &sample, &target(Face::News), |_| {});
    assert!(rendered.named.contains(&44), "{:?}", rendered.named);
}

/// The page about templates in both languages.
const DOCUMENTATION: [(Language, &str); 2] = [
    (Language::Zh, include_str!("../../../docs/templates.md")),
    (Language::En, include_str!("../../../docs/templates.en.md")),
];

#[test]
fn the_examples_of_the_documentation_render() {
    for (language, documentation) in DOCUMENTATION {
        let examples: Vec<TemplateFile> = documentation
            .split("`templates/duty")
            .skip(1)
            .map(|section| {
                let (name, rest) = section.split_once(".j2`").unwrap();
                let source = rest.split_once("```jinja\n").unwrap().1.split_once("```").unwrap().0;
                file(&format!("duty{name}"), source)
            })
            .collect();
        assert_eq!(examples.len(), 2);
        let (templates, problems) = Templates::compile(&examples);
        assert_eq!(problems, []);
        assert_eq!(templates.check(), []);
        let sent = |target: &Target| {
            send(&templates, &sample("disk"), target, |letter| {
                letter.template = Some("duty");
                letter.language = language;
            })
        };
        let (logs, title) = match language {
            Language::Zh => ("日志", "【生产】严重 磁盘将满 ×3"),
            Language::En => ("logs", "[生产] CRIT 磁盘将满 ×3"),
        };
        let text = readable(&sent(&webhook(Face::Markdown)).parts[0]);
        let lines = format!("> db-1 96.2 % [{logs}](https://logs.example.com/?q=db-1)\n> db-2");
        assert!(text.replace("96.2%", "96.2 %").contains(&lines), "{text}");
        assert!(text.ends_with("<@zhangsan> `#PSVJ`"), "{text}");
        let news = readable(&sent(&target(Face::News)).parts[0]);
        assert!(news.contains(title), "{news}");
        assert!(news.replace("91.8%", "91.8 %").contains("db-7 91.8 %"), "the description is the shipped one: {news}");
    }
}

#[test]
fn every_documented_variable_exists() {
    let headings = [
        ["### 整条消息", "### 每条告警", "### 函数和过滤器"],
        ["### The message", "### Each alert", "### Functions and filters"],
    ];
    for ((_, documentation), [whole, each, functions]) in DOCUMENTATION.into_iter().zip(headings) {
        let table = |from: &str, to: &str| -> Vec<String> {
            let section = documentation.split_once(from).unwrap().1.split_once(to).unwrap().0;
            let cells =
                section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
            cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
        };
        let (whole, each) = (table(whole, each), table(each, functions));
        assert!(whole.len() > 30 && each.len() > 10);
        let printed = |prefix: &str, names: &[String]| -> String {
            names.iter().fold(String::new(), |all, name| all + "{{ " + prefix + name + " }}\n")
        };
        for name in super::super::variables::NAMES {
            assert!(whole.iter().any(|known| known == name), "the page about templates lacks {name}");
        }
        let (whole, each) = (printed("", &whole), printed("alert.", &each));
        let source = format!("{whole}{{% for alert in alerts %}}{each}{{% endfor %}}");
        let (templates, problems) = Templates::compile(&[file("all", &source)]);
        assert_eq!(problems, []);
        let rendered = send(&templates, &sample("disk"), &target(Face::Text), |letter| letter.template = Some("all"));
        assert_eq!(rendered.problems, []);
    }
}

/// Every variable of a message with the value that the sample `payment` gives it, as the documentation lists them.
#[test]
fn the_documentation_lists_every_variable_with_the_samples_value() {
    let line = |name: &&str| format!("{name} = {{{{ {name}|string|replace('\\n', ' / ') }}}}");
    let source = super::super::variables::NAMES.iter().map(line).collect::<Vec<_>>().join("\n");
    let (templates, problems) = Templates::compile(&[file("all", &source)]);
    assert_eq!(problems, []);
    for (language, documentation) in DOCUMENTATION {
        let rendered = send(&templates, &sample("payment"), &email(Face::Text), |letter| {
            letter.template = Some("all");
            letter.language = language;
        });
        assert_eq!(rendered.problems, []);
        let printed = readable(&rendered.parts[0]);
        let listed = documentation.split_once("```text\n").unwrap().1.split_once("\n```").unwrap().0;
        assert!(listed.trim() == printed.trim(), "the page about templates should list:\n{printed}");
    }
}

/// The problems of `source` as a user's template, and how long the message took.
fn hostile(source: &str) -> (Vec<TemplateProblem>, Duration) {
    let (templates, _) = Templates::compile(&[file("bad", source)]);
    let began = Instant::now();
    let rendered = send(&templates, &sample("many"), &webhook(Face::Markdown), |letter| letter.template = Some("bad"));
    let took = began.elapsed();
    assert!(readable(&rendered.parts[0]).contains("磁盘将满 ×45"), "the shipped template takes over");
    (rendered.problems, took)
}

#[test]
fn a_hostile_template_ends_soon_and_the_shipped_one_takes_over() {
    let deep = format!("{}x{}", "{% if true %}".repeat(2000), "{% endif %}".repeat(2000));
    for (source, line) in [
        ("{% for i in range(1000000000) %}{{ i }}{% endfor %}", Some(1)),
        ("\n{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", Some(2)),
        ("{{ 'x' * 2000000000 }}", Some(1)),
        (
            "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
            Some(1),
        ),
        (
            "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
            Some(1),
        ),
        (
            "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}\n{{ bold(ns.s) }}",
            Some(2),
        ),
        ("{{ [1] * 100000000 }}", Some(1)),
        ("{{ [[[]] * 90000000] }}", Some(1)),
        ("{{ ([1] * 100000000)|list|length }}", Some(1)),
        ("{{ ([1] * 100000000)|map('string')|join }}", Some(1)),
        ("{{ ([1] * 100000000)|sort(reverse=true)|first }}", Some(1)),
        (
            "{% set ns = namespace(s=[1]) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}",
            Some(1),
        ),
        ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", Some(1)),
        ("{% include 'bad' %}", Some(1)),
        ("{% include '/etc/passwd' %}", Some(1)),
        ("{% extends '../../secret' %}", Some(1)),
        ("one\n{{ sumary }}", Some(2)),
        ("{{ title|safe }}", Some(1)),
        ("{{ labels|tojson }}", Some(1)),
        ("{{ range(90000)|join('xxxxxxxxxx') }}", Some(1)),
        ("{{ fenced(['x'] * 9000000) }}", Some(1)),
        ("{{ table(['a'], [['x']] * 9000000) }}", Some(1)),
        ("{{ table(['a'] * 9000000, []) }}", Some(1)),
        ("{{ title", Some(1)),
        ("{% for x in alerts %}", Some(1)),
        (deep.as_str(), Some(1)),
    ] {
        let (problems, took) = hostile(source);
        let shown: String = source.chars().take(60).collect();
        assert_eq!(problems.len(), 1, "{shown}: {problems:?}");
        assert_eq!(problems[0].template, "templates/bad.j2", "{shown}");
        assert_eq!(problems[0].line, line, "{shown}: {}", problems[0]);
        assert!(!problems[0].reason.zh.is_empty() && !problems[0].reason.en.contains(|c: char| c >= '\u{2e80}'));
        // Some 10 ms; the bound only tells "soon" from "never", also on a busy machine.
        assert!(took < Duration::from_secs(5), "{shown} took {took:?}");
    }
    let (problems, _) = hostile(&"x".repeat(70_000));
    assert!(problems[0].reason.en.contains("65536"), "{}", problems[0]);
}

#[test]
fn a_template_cannot_call_people_and_loses_neither_id_nor_count() {
    let (templates, _) = Templates::compile(&[file("rude", "<@all> <@lisi> {{ title }}")]);
    let rendered = send(&templates, &sample("many"), &webhook(Face::Markdown), |letter| letter.template = Some("rude"));
    let text = readable(&rendered.parts[0]);
    assert_eq!(text, "＜@all> ＜@lisi> 🔴 磁盘将满 ×45 · 订单库\n另 42 项 <@zhangsan> `#PSVJ`");
    assert_eq!((rendered.named.len(), rendered.counted.len()), (0, 45));
}

#[test]
fn a_template_that_prints_too_much_is_cut_with_its_end_kept() {
    let source =
        "{{ title }} {{ firing[0].what }}\n{% for i in range(400) %}**line {{ i }}** of {{ name }}\n{% endfor %}";
    let (templates, _) = Templates::compile(&[file("long", source)]);
    let rendered = send(&templates, &sample("disk"), &webhook(Face::Markdown), |letter| letter.template = Some("long"));
    let text = readable(&rendered.parts[0]);
    assert!(text.len() <= 4096);
    assert!(text.ends_with("\n[全部详情](https://alerts.example.com/n/41) <@zhangsan> `#PSVJ`"), "{text}");
    assert!(text.contains('…'), "{text}");
    assert_eq!(text.matches("**").count() % 2, 0);
}

#[test]
fn a_template_without_the_object_or_the_state_gives_way_to_the_shipped_one() {
    for (source, sample_name, lacks) in [
        ("{{ name }} {{ word }} {{ severity }}", "payment", Some("告警对象")),
        ("{{ name }} {{ object }} {{ when }}", "payment", Some("状态")),
        ("{{ name }} {{ object }} {{ when }}", "resolved", Some("状态")),
        ("{{ name }} {{ object }} 恢复", "resolved", None),
        ("{{ name }}", "resolved-group", Some("告警对象")),
        ("✅ {% for alert in alerts %}{{ alert.what }} {% endfor %}", "resolved-group", None),
        ("{{ icon }} {{ name }} {{ object }}", "payment", None),
        ("{{ title }}", "many", None),
        ("{{ title }}", "several-rules", None),
        ("{{ message }}", "opaque", None),
        ("hello", "test", None),
    ] {
        let (templates, problems) = Templates::compile(&[file("mine", source)]);
        assert_eq!(problems, []);
        let rendered =
            send(&templates, &sample(sample_name), &webhook(Face::Markdown), |letter| letter.template = Some("mine"));
        let reasons: Vec<&str> = rendered.problems.iter().map(|problem| &*problem.reason.zh).collect();
        match lacks {
            None => assert!(reasons.is_empty(), "{source}: {reasons:?}"),
            Some(what) => {
                assert!(reasons.len() == 1 && reasons[0].contains(what), "{source}: {reasons:?}");
                assert!(readable(&rendered.parts[0]).contains("**"), "the shipped one is sent: {:?}", rendered.parts);
            }
        }
    }
}

#[test]
fn a_title_alone_is_a_message() {
    let (templates, _) = Templates::compile(&[file("duty", "{{ title }}")]);
    assert_eq!(templates.check(), []);
}

#[test]
fn the_most_special_template_of_a_name_wins() {
    let files = [
        file("t", "A {{ title }}"),
        file("t.text", "B {{ title }}"),
        file("t.en.text", "C {{ title }}"),
        file("t.en", "D {{ title }}"),
    ];
    let (templates, _) = Templates::compile(&files);
    let sample = sample("disk");
    let first = |face, language| {
        let (told, target) = (sample.told(), webhook(face));
        readable(&templates.render(&sample.letter(&told, &target, language, Some("t"))).parts[0]).remove(0)
    };
    assert_eq!(first(Face::Text, Language::Zh), 'B');
    assert_eq!(first(Face::Text, Language::En), 'C');
    assert_eq!(first(Face::Markdown, Language::En), 'D');
    assert_eq!(first(Face::Markdown, Language::Zh), 'A');
}

fn rerouted(missed: &[&str]) -> Vec<Note> {
    vec![
        Note::Repeated,
        Note::Fallback {
            lane: LaneKey::stored("app/ops/zhangsan|lisi"),
            reason: "应用不在可见范围内。".to_owned(),
            missed: missed.iter().map(|name| (*name).to_owned()).collect(),
        },
        Note::Merged { changes: 3 },
    ]
}

#[test]
fn notes_on_the_message_come_first_on_every_face() {
    let notes: &'static [Note] = rerouted(&["zhangsan"]).leak();
    for name in ["disk", "many", "long", "opaque", "resolved", "test"] {
        for face in Face::ALL {
            let rendered = send(&shipped(), &sample(name), &target(face), |letter| letter.notes = notes);
            let text = readable(&rendered.parts[0]);
            assert!(rendered.bytes_used <= rendered.bytes_allowed, "{text}");
            assert!(text.contains("【可能重复】"), "{text}");
            assert!(text.contains("转自 应用 ops（zhangsan、lisi）：zhangsan 未收到，应用不在可见范围内"), "{text}");
            assert!(text.contains("含此前未发出的 3 次变化"), "{text}");
        }
    }
    let first = |face, at: usize| {
        let rendered = send(&shipped(), &sample("payment"), &target(face), |letter| letter.notes = notes);
        readable(&rendered.parts[0]).lines().nth(at).unwrap().to_owned()
    };
    assert_eq!(first(Face::Text, 0), "【可能重复】[严重] 支付成功率低 · payment-api 91.3 %");
    assert_eq!(
        first(Face::Markdown, 0),
        "【可能重复】<font color=\"warning\">**🔴 严重**</font> **支付成功率低 · payment-api**"
    );
    assert_eq!(first(Face::MarkdownV2, 0), "### 【可能重复】🔴 支付成功率低 · payment-api 91.3 %");
    assert!(first(Face::MarkdownV2, 1).starts_with("转自 "));
}

#[test]
fn no_template_of_the_users_can_lose_what_a_reader_must_know() {
    let notes: &'static [Note] = rerouted(&[]).leak();
    for source in [
        "",
        "{{ name }}",
        "> {{ name }}\n> second",
        "| a |\n|---|\n| {{ name }} |",
        "```\n{{ name }}\n```",
        "- {{ name }}\n- b",
        "## {{ name }}",
        "{% for i in range(900) %}long {{ i }} {% endfor %}",
        "{% for i in range(900) %}{{ name }}\n{% endfor %}",
        "{% block title %}x{% endblock %}{% block description %}{% endblock %}{% block rows %}{% endblock %}",
    ] {
        let (templates, problems) = Templates::compile(&[file("mine", source)]);
        assert_eq!(problems, []);
        for face in Face::ALL {
            let rendered = send(&templates, &sample("disk"), &target(face), |letter| {
                letter.template = Some("mine");
                letter.notes = notes;
            });
            let text = readable(&rendered.parts[0]);
            assert!(text.contains("【可能重复】") && text.contains("转自 应用 ops"), "{source}: {text}");
            assert!(rendered.bytes_used <= rendered.bytes_allowed, "{source}: {text}");
        }
    }
    let (templates, _) = Templates::compile(&[file("mine", "| a |\n|---|\n| {{ name }} |")]);
    let table = send(&templates, &sample("disk"), &webhook(Face::MarkdownV2), |letter| {
        letter.template = Some("mine");
        letter.notes = notes;
    });
    let text = readable(&table.parts[0]);
    assert!(
        text.starts_with("【可能重复】\n转自 ") && text.contains("\n\n| a |"),
        "words in front of a table undo it: {text}"
    );
}

#[test]
fn of_many_missed_recipients_a_few_are_named_and_all_are_counted() {
    let names: Vec<String> = (0..300).map(|number| format!("member-{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let notes: &'static [Note] = rerouted(&names).leak();
    for face in Face::ALL {
        let rendered = send(&shipped(), &sample("many"), &target(face), |letter| letter.notes = notes);
        let text = readable(&rendered.parts[0]);
        assert!(text.contains("member-000") && text.contains(" 等 300 人未收到"), "{text}");
        assert!(!rendered.named.is_empty(), "alerts keep the most of the room: {text}");
    }
}

#[test]
fn every_part_of_a_split_message_says_that_it_may_be_a_copy() {
    let notes: &'static [Note] = rerouted(&["zhangsan"]).leak();
    let parts = Target { parts: 3, ..target(Face::Text) };
    let rendered = send(&shipped(), &wordy(), &parts, |letter| letter.notes = notes);
    let texts: Vec<String> = rendered.parts.iter().map(readable).collect();
    assert!(texts.len() > 1 && texts.iter().all(|text| text.starts_with("【可能重复】[严重]")), "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.contains("转自")).count(), 1);
    let called = send(&shipped(), &sample("disk"), &webhook(Face::Card), |letter| letter.notes = notes);
    assert!(readable(&called.parts[1]).starts_with("【可能重复】🔴 磁盘将满"), "the text that calls people too");
}
