//! The narrow faces: what a card shows in its few rows, and what a title and a text card keep.

use wecom::Content;
use wecom::message::TemplateCard;

use super::super::samples::{Sample, samples, target};
use super::super::{Letter, Note, Rendered, Templates, Told};
use super::checker::readable;
use crate::alert::{Alert, Labels, Notification, Status, TransitionKind, Value};
use crate::config::{Face, Language, Target, To};

fn sample(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name == name).unwrap()
}

fn render(letter: &Letter<'_>) -> Rendered {
    Templates::compile(&[]).0.render(letter)
}

fn card(rendered: &Rendered) -> &TemplateCard {
    let [Content::TemplateCard(card)] = &rendered.parts[..] else { panic!("{:?}", rendered.parts) };
    card
}

/// `key:value` of each row.
fn rows(card: &TemplateCard) -> Vec<String> {
    card.horizontal_content_list.iter().map(|row| format!("{}:{}", row.keyname, row.value)).collect()
}

/// An alert of `rule` on `host` with this severity and value.
fn alert(rule: &str, host: &str, severity: &str, value: &str, over: bool) -> Alert {
    let pattern = sample("disk").notification.alerts[0].clone();
    let mut alert = Alert { annotations: Labels::new(), values: Vec::new(), ..pattern };
    rule.clone_into(&mut alert.name);
    alert.labels = [("alertname", rule), ("instance", host), ("severity", severity)].into_iter().collect();
    if !value.is_empty() {
        alert.values = vec![Value { name: "A".to_owned(), text: value.to_owned(), tags: Labels::new() }];
    }
    if over {
        alert.status = Status::Resolved;
        alert.ends_at = alert.starts_at.map(|start| start.plus_millis(300_000));
    }
    alert
}

/// The message of `alerts` in `face`, to a webhook.
fn message(alerts: Vec<Alert>, face: Face, language: Language) -> Rendered {
    let sample = sample("disk");
    let notification = Notification { alerts, ..sample.notification.clone() };
    let told: Vec<Told<'_>> = notification
        .alerts
        .iter()
        .map(|alert| Told {
            alert,
            kind: TransitionKind::first(alert.status),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
        })
        .collect();
    let to = if matches!(face, Face::Textcard) { target(face).to } else { To::Webhook { webhook: "ops".to_owned() } };
    let target = Target { to, ..target(face) };
    let rendered = render(&Letter { notification: &notification, ..sample.letter(&told, &target, language, None) });
    assert_eq!(rendered.named.len() + rendered.counted.len(), told.len());
    rendered
}

#[test]
fn what_is_over_has_the_rows_of_a_card_that_nothing_else_needs() {
    let group = |over: usize| {
        let hosts = (0..over).map(|number| alert("磁盘将满", &format!("db-1{number}"), "critical", "", true));
        [alert("磁盘将满", "db-1", "critical", "97 %", false)].into_iter().chain(hosts).collect::<Vec<_>>()
    };
    let two = message(group(2), Face::Card, Language::Zh);
    assert_eq!(rows(card(&two)), ["主机:db-1 97 %", "已恢复:db-10（5 分钟）", "已恢复:db-11（5 分钟）", "编号:#PSVJ"]);
    assert_eq!(two.named, [0, 1, 2]);
    let many = message(group(9), Face::Card, Language::Zh);
    assert_eq!(rows(card(&many)), ["主机:db-1 97 %", "已恢复:db-10…18（均 5 分钟）", "编号:#PSVJ"]);
}

#[test]
fn a_row_of_a_card_is_not_cut_within_a_number_or_a_name_with_one() {
    let mut group = vec![alert("主机失联", "host-018", "critical", "", false)];
    for (host, value) in [("order-db-17", "96.25 %"), ("order-db-18", "91.75 %"), ("order-db-19", "90.5 %")] {
        group.push(alert("磁盘将满", host, "warning", value, false));
    }
    for language in [Language::Zh, Language::En] {
        let rendered = message(group.clone(), Face::Card, language);
        for row in &card(&rendered).horizontal_content_list {
            let Some((kept, _)) = row.value.split_once('…').filter(|(_, after)| after.is_empty()) else { continue };
            let last = kept.rsplit([' ', '、', ',']).next().unwrap();
            let is_whole =
                ["order-db-17", "order-db-18", "order-db-19", "96.25", "91.75", "90.5", "×3"].contains(&last);
            assert!(is_whole || !last.contains(|c: char| c.is_ascii_digit()), "{row:?}");
        }
    }
}

#[test]
fn rows_of_a_card_say_the_severities_that_differ() {
    let group = [("10.0.0.1", "critical"), ("10.0.0.2", "warning")]
        .map(|(host, severity)| alert("主机失联", host, severity, "", false));
    let rendered = message(group.into(), Face::Card, Language::Zh);
    assert_eq!(rows(card(&rendered)), ["主机:10.0.0.1（严重）", "主机:10.0.0.2（警告）", "编号:#PSVJ"]);
}

#[test]
fn the_title_of_several_rules_counts_the_alerts_of_the_rule_that_it_names() {
    // The sender lists the smaller rule first.
    let rule_of = |name: &str, count: usize, over: bool| {
        (0..count).map(|number| alert(name, &format!("h-{number}"), "critical", "", over)).collect::<Vec<_>>()
    };
    for over in [false, true] {
        let group: Vec<Alert> = [rule_of("主库只读", 1, over), rule_of("主机失联", 3, over)].concat();
        for (language, title) in
            [(Language::Zh, "主机失联 ×3 等 2 条规则"), (Language::En, "主机失联 ×3 and 1 more rule")]
        {
            let text = readable(&message(group.clone(), Face::Text, language).parts[0]);
            assert!(text.lines().next().unwrap().ends_with(title), "{text}");
        }
    }
    let one_each = [rule_of("主库只读", 1, true), rule_of("证书将到期", 1, true)].concat();
    let rendered = message(one_each, Face::Card, Language::Zh);
    assert_eq!(card(&rendered).main_title.as_ref().unwrap().title, "🟢 主库只读 等 2 条规则");
    assert_eq!(rows(card(&rendered)).len(), 3, "each has a row: {:?}", rows(card(&rendered)));
}

#[test]
fn no_title_ends_with_a_mark_and_no_line_below_one_within_brackets() {
    let late: &'static [Note] = vec![Note::Repeated, Note::Late { minutes: 12, told: false }].leak();
    for sample in samples() {
        for language in [Language::Zh, Language::En] {
            for notes in [&[][..], late] {
                for to in [target(Face::Card).to, target(Face::News).to] {
                    let target = Target { to, ..target(Face::Card) };
                    let told = sample.told();
                    let rendered = render(&Letter { notes, ..sample.letter(&told, &target, language, None) });
                    let card = card(&rendered);
                    let heading = card.main_title.as_ref().unwrap();
                    assert!(!heading.title.ends_with("·…"), "{}: {heading:?}", sample.name);
                    let opened = heading.desc.contains(['（', '(']);
                    assert!(!opened || heading.desc.ends_with(['）', ')']), "{}: {heading:?}", sample.name);
                    // A place that the title has no room for stands below.
                    let whole = format!("{}{}", heading.title, card.sub_title_text);
                    let news = card.vertical_content_list.iter().map(|entry| entry.desc.as_str()).collect::<String>();
                    let placed = sample.notification.alerts.iter().all(|alert| alert.labels.contains_key("business"));
                    assert!(!placed || format!("{whole}{news}").contains("订单库"), "{}: {card:?}", sample.name);
                }
            }
        }
    }
}

#[test]
fn the_blocks_of_a_text_card_follow_each_other_without_a_line_end() {
    let notes: &'static [Note] =
        vec![Note::Escalated { receiver: "dba".to_owned(), minutes: 15, unknown: false }].leak();
    for sample in samples() {
        for language in [Language::Zh, Language::En] {
            for notes in [&[][..], notes] {
                let (told, target) = (sample.told(), target(Face::Textcard));
                let rendered = render(&Letter { notes, ..sample.letter(&told, &target, language, None) });
                let Content::Textcard(card) = &rendered.parts[0] else { panic!("{:?}", rendered.parts) };
                assert!(!card.description.contains("</div>\n"), "{}: {}", sample.name, card.description);
                assert!(!card.description.contains("\n<div"), "{}: {}", sample.name, card.description);
                assert!(card.description.starts_with("<div"), "{}: {}", sample.name, card.description);
            }
        }
    }
}

#[test]
fn a_reminder_says_once_for_how_long() {
    let sample = sample("reminder");
    for (language, word, since) in
        [(Language::Zh, "仍在告警 5 小时", "自 09:02"), (Language::En, "Still firing 5 h", "since 09:02")]
    {
        for face in Face::ALL {
            let (told, target) = (sample.told(), target(face));
            let text = readable(&render(&sample.letter(&told, &target, language, None)).parts[0]);
            // Of a card's short line in English, the start goes.
            let starts = usize::from(face != Face::Card || language == Language::Zh);
            assert_eq!((text.matches(word).count(), text.matches(since).count()), (1, starts), "{face:?}: {text}");
            assert!(!text.contains("12 分") && !text.contains("12 min"), "{face:?}: {text}");
        }
    }
}

#[test]
fn a_tap_on_an_article_leads_to_the_whole_unless_it_says_all() {
    for (name, description, leads_to) in [
        ("payment", "", "https://grafana.example.com/"),
        ("payment", "请看数据库和下游。", "https://grafana.example.com/"),
        ("long", "", "https://alerts.example.com/"),
        ("many", "", "https://alerts.example.com/"),
    ] {
        let mut sample = sample(name);
        if !description.is_empty() {
            let annotations = &mut sample.notification.alerts[0].annotations;
            annotations.insert("description".to_owned(), description.to_owned());
        }
        let (told, target) = (sample.told(), target(Face::News));
        let rendered = render(&sample.letter(&told, &target, Language::Zh, None));
        let Content::News(news) = &rendered.parts[0] else { panic!("{:?}", rendered.parts) };
        let article = &news.articles[0];
        assert!(article.url.starts_with(leads_to), "{name}: {article:?}");
        assert!(article.description.contains(description), "{name}: {article:?}");
    }
}

#[test]
fn the_course_stands_in_no_title() {
    let sample = sample("payment");
    for face in Face::ALL {
        let (told, target) = (sample.told(), target(face));
        let course = Some("近 1 小时 99 → 91.3 %，在降 ▇▆▅▁ 91–99 %");
        let rendered = render(&Letter { course, ..sample.letter(&told, &target, Language::Zh, None) });
        let (title, whole) = match &rendered.parts[0] {
            Content::Textcard(card) => (card.title.clone(), card.description.clone()),
            Content::News(news) => (news.articles[0].title.clone(), news.articles[0].description.clone()),
            Content::TemplateCard(card) => (format!("{:?}", card.main_title), card.sub_title_text.clone()),
            text => {
                let text = readable(text);
                (text.lines().next().unwrap().to_owned(), text)
            }
        };
        assert!(!title.contains('→') && !title.contains('▇') && whole.contains("→ 91.3 %"), "{face:?}: {title}");
    }
}

#[test]
fn a_figure_that_becomes_a_line_keeps_its_threshold() {
    let mut sample = sample("payment");
    let annotations = &mut sample.notification.alerts[0].annotations;
    annotations.insert("expression".to_owned(), "success_percent < 99".to_owned());
    let (told, target) = (sample.told(), target(Face::Card));
    let url = "https://pictures.example.com/a.png";
    let letter = sample.letter(&told, &target, Language::Zh, None);
    let picture = super::super::Picture { url: Some(url) };
    let pictured = render(&Letter { picture, ..letter });
    assert_eq!(card(&pictured).vertical_content_list[0].title, "91.3 %（阈值 < 99 %）");
    let pressed = super::super::with_buttons(
        card(&render(&letter)).clone(),
        &super::super::Standing {
            task_id: "wg-1-2",
            taken: None,
            silenced: None,
            hides: None,
            channel: crate::config::Channel::App,
            leads: super::super::Leads::default(),
            language: Language::Zh,
            timezone: letter.timezone,
            now: letter.now,
        },
    );
    assert_eq!(rows(&pressed), ["当前值:91.3 %（阈值 < 99 %）", "编号:#PSVJ"]);
}
