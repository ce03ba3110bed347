//! What is read first, what goes first, and what is never cut: for every state and every face.

use wecom::Content;

use super::super::level::LEVELS;
use super::super::samples::{Sample, samples, target};
use super::super::{Letter, Rendered, Templates};
use super::checker::readable;
use crate::alert::{Status, TransitionKind};
use crate::config::{Face, Language};

fn sample(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name == name).unwrap()
}

fn rendered(sample: &Sample, face: Face, language: Language, change: impl FnOnce(&mut Letter<'_>)) -> Rendered {
    let (told, target) = (sample.told(), target(face));
    let mut letter = sample.letter(&told, &target, language, None);
    change(&mut letter);
    Templates::compile(&[]).0.render(&letter)
}

#[test]
fn each_state_has_its_sign_its_word_and_its_colour() {
    // sample, its severity; sign, word in Chinese and English, colour of markdown, colour of a card's source
    for (name, severity, sign, zh, en, font, source) in [
        ("payment", "critical", "🔴", "严重", "CRIT", "warning", 2),
        ("payment", "warning", "🟡", "警告", "WARN", "", 1),
        ("payment", "info", "🔵", "提示", "INFO", "comment", 0),
        ("partly", "critical", "🟠", "部分恢复", "PART", "warning", 1),
        ("partly", "warning", "🟠", "部分恢复", "PART", "", 1),
        ("resolved", "critical", "🟢", "已恢复", "OK", "info", 3),
        ("no-data", "", "⚪", "无数据", "NO DATA", "comment", 0),
        ("query-error", "", "⚪", "查询失败", "QUERY", "comment", 0),
        ("opaque", "", "📨", "通知", "NOTE", "", 0),
        ("reminder", "critical", "🔴", "仍在告警 5 小时", "Still firing 5 h", "warning", 2),
    ] {
        let mut sample = sample(name);
        for alert in sample.notification.alerts.iter_mut().filter(|_| !severity.is_empty()) {
            alert.labels.insert("severity".to_owned(), severity.to_owned());
        }
        for (language, word) in [(Language::Zh, zh), (Language::En, en)] {
            let text = |face| readable(&rendered(&sample, face, language, |_| {}).parts[0]);
            for face in [Face::Text, Face::News] {
                let text = text(face);
                assert!(text.contains(&format!("[{word}] ")), "{name} {face:?}: {text}");
            }
            let bold = format!("**{sign} {word}**");
            let coloured = if font.is_empty() { bold } else { format!("<font color=\"{font}\">{bold}</font>") };
            assert!(text(Face::Markdown).starts_with(&format!("{coloured} ")), "{name}: {}", text(Face::Markdown));
            assert!(text(Face::MarkdownV2).starts_with(&format!("### {sign} ")), "{name}: {}", text(Face::MarkdownV2));
            let card = rendered(&sample, Face::Card, language, |_| {});
            let Content::TemplateCard(card) = &card.parts[0] else { panic!("{:?}", card.parts) };
            assert_eq!(card.source.as_ref().unwrap().desc_color, source, "{name}");
            assert!(card.main_title.as_ref().unwrap().title.starts_with(sign), "{name}: {card:?}");
        }
    }
}

#[test]
fn a_notice_says_that_it_is_one() {
    let mut sample = sample("payment");
    sample.notification.alerts[0].status = Status::Notice;
    let told: Vec<_> = sample
        .told()
        .into_iter()
        .map(|told| super::super::Told { kind: TransitionKind::first(Status::Notice), ..told })
        .collect();
    let target = target(Face::Text);
    let letter = sample.letter(&told, &target, Language::Zh, None);
    let text = readable(&Templates::compile(&[]).0.render(&letter).parts[0]);
    assert!(text.starts_with("[通知] 支付成功率低"), "{text}");
}

#[test]
fn the_least_telling_goes_first() {
    // The first level at which each is given up, in the order of what a reader misses least.
    let first = |gone: &dyn Fn(&super::super::level::Level) -> bool| LEVELS.iter().position(gone).unwrap();
    let order = [
        ("evidence beyond its line", first(&|level| level.evidence <= 1)),
        ("the description after its first sentence", first(&|level| level.description <= 120)),
        ("steps after the first", first(&|level| level.steps <= 230)),
        ("places beyond the two widest", first(&|level| level.places <= 2)),
        ("durations in rows", first(&|level| !level.durations)),
        ("links beyond two", first(&|level| level.links <= 2)),
        ("most of the summary", first(&|level| level.summary <= 100)),
        ("folds", first(&|level| level.fold == 0)),
        ("the threshold", first(&|level| !level.limit)),
        ("the kind of trouble", first(&|level| level.places == 0)),
    ];
    assert!(order.is_sorted_by_key(|(_, level)| *level), "{order:?}");
}

#[test]
fn a_step_is_whole_or_counted_in_every_face() {
    let step = format!("{}完", "先登录跳板机再看磁盘".repeat(20));
    assert!(step.len() > 600);
    let mut sample = sample("payment");
    let first = "df -h 确认挂载点，再清理 /data/log 里的归档";
    sample.notification.alerts[0].annotations.insert("action".to_owned(), format!("1. {first}\n2. {step}\n3. 扩容"));
    for face in Face::ALL {
        let text = readable(&rendered(&sample, face, Language::Zh, |_| {}).parts[0]);
        let long = text.contains("先登录跳板机");
        assert!(text.contains(first), "{face:?}: {text}");
        assert!(!long || text.contains(&step), "{face:?}: {text}");
        assert!(long || text.contains("另 2 步"), "{face:?}: {text}");
    }
}

#[test]
fn a_text_without_a_full_stop_is_cut_and_its_whole_is_linked() {
    let mut sample = sample("payment");
    sample.notification.alerts[0].annotations.insert("description".to_owned(), "磁".repeat(4000));
    for face in Face::ALL {
        let rendered = rendered(&sample, face, Language::Zh, |_| {});
        let text = readable(&rendered.parts[0]);
        assert!(rendered.bytes_used <= rendered.bytes_allowed, "{face:?}");
        assert!(text.contains("payment-api") && text.contains("91.3 %"), "{face:?}: {text}");
        assert!(serde_json::to_string(&rendered.parts[0]).unwrap().contains("https://"), "{face:?}");
    }
}
