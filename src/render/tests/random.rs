//! A million hostile alerts, in every face, on every channel, in both languages: with pictures, short links and rewritten
//! ones, with buttons, and with the text for people who read in personal WeChat beside the face of the others.

use std::collections::BTreeSet;

use jiff::tz::{Offset, TimeZone};

use super::super::{
    Hides, Letter, Mark, Note, Offer, Picture, Rendered, Standing, Templates, Told, long_links, with_buttons,
};
use super::checker::{Allowed, fault, readable};
use crate::alert::{
    Alert, Asked, Format, Health, Labels, Links, Notification, Status, ThreadId, Timestamp, TransitionKind, Value,
};
use crate::config::{Channel, Face, Language, LinkRewrite, Target, TemplateFile, To};
use crate::names::{Discriminator, LaneKey};

/// `SplitMix64`: small, seeded, the same everywhere.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const PIECES: [&str; 78] = [
    "磁盘将满",
    "order-db-1",
    "10.0.0.1:9100",
    "payment-api",
    "96.4%",
    "91.3",
    "critical",
    "warning",
    "disk_used",
    "{path=\"/var\"}",
    "rate(http_requests_total[5m]) > 3",
    "a < b",
    "预计 40 分钟后写满",
    "上海一区",
    " ",
    " ",
    "\n",
    "\r\n",
    "\t",
    "<@EVIL>",
    "<@all>",
    "<@zhangsan>",
    "@all",
    "@所有人",
    "[EVIL](http://evil.example/EVIL)",
    "[",
    "]",
    "](",
    "(",
    ")",
    "](http://evil.example)",
    "![EVIL](http://evil.example/x.png)",
    "<font color=\"warning\">",
    "</font>",
    "<font",
    "<a href=\"http://evil.example\">EVIL</a>",
    "<div class=\"gray\">",
    "</div>",
    "<br>",
    "<",
    ">",
    "<@",
    "@",
    "**",
    "*",
    "***",
    "_",
    "__",
    "~~",
    "`",
    "```",
    "\n```\n",
    "\n# HEADED",
    "\n## HEADED",
    "\n> QUOTED",
    "\n- LISTED",
    "\n* LISTED",
    "\n+ LISTED",
    "\n1. NUMBERED",
    "|",
    "\n| a | b |\n|---|---|\n",
    "---",
    "\n===",
    "\\",
    "$userName=EVIL$",
    "$departmentName=1$",
    "&lt;@EVIL&gt;",
    "&#60;",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\0",
    "\u{7}",
    "👨‍👩‍👧",
    "🇨🇳",
    "e\u{301}",
    "مرحبا",
    "http://evil.example/EVIL",
];

const NAMES: [&str; 22] = [
    "instance",
    "host",
    "pod",
    "node",
    "service",
    "cluster",
    "env",
    "region",
    "namespace",
    "team",
    "severity",
    "level",
    "job",
    "prometheus",
    "grafana_folder",
    "mountpoint",
    "topic",
    "实例组",
    "bad-name",
    "a.b",
    "<@EVIL>",
    "|x|",
];

impl Dice {
    pub(super) fn text(&mut self, most: usize) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(most) {
            match self.below(12) {
                0 => text.push(char::from_u32(u32::try_from(self.below(0x11_0000)).unwrap()).unwrap_or('?')),
                1 => text.push_str(&self.below(100_000).to_string()),
                _ => text.push_str(self.pick(&PIECES)),
            }
        }
        if self.one_in(200) {
            text = text.repeat(1 + self.below(60));
        }
        text
    }

    fn url(&mut self) -> String {
        match self.below(9) {
            0..=3 => String::new(),
            // Only its own cluster can open it.
            8 => format!("{INSIDE}/graph?g0.expr={}", self.text(3)),
            4 => format!("https://ok.example/d/{}?a={}", self.below(99), self.text(3)),
            5 => format!("https://ok.example/{}", "x".repeat(self.below(1200))),
            _ => format!("https://ok.example/d/{}", self.below(3)),
        }
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        match self.below(12) {
            0 => None,
            1 => Some(Timestamp(self.pick(&[0, i64::MIN, i64::MAX, -62_135_596_800_000, 253_402_300_799_000]))),
            _ => Some(Timestamp(NOW.0 - i64::try_from(self.below(100_000_000)).unwrap())),
        }
    }

    fn alert(&mut self, like: Option<&Alert>) -> Alert {
        let mut alert = match like {
            // Most groups are of one rule and differ in a label or two.
            Some(like) if !self.one_in(6) => like.clone(),
            _ => Alert {
                status: Status::Firing,
                name: self.text(3),
                health: Health::Normal,
                labels: (0..self.below(7)).map(|_| (self.pick(&NAMES).to_owned(), self.text(3))).collect(),
                annotations: Labels::new(),
                starts_at: self.time(),
                ends_at: None,
                lapses_at: None,
                fingerprint: String::new(),
                discriminator: Discriminator::default(),
                values: Vec::new(),
                asked: Asked::default(),
                links: Links {
                    rule: self.url(),
                    silence: self.url(),
                    dashboard: self.url(),
                    panel: self.url(),
                    runbook: self.url(),
                    image: String::new(),
                },
                level: None,
                kin: None,
            },
        };
        if alert.name.trim().is_empty() {
            alert.name.push('x');
        }
        alert.labels.insert("instance".to_owned(), self.text(2));
        for name in ["summary", "description", "Error", "grafana_state_reason"] {
            if self.one_in(3) {
                let text = self.text(8);
                alert.annotations.insert(name.to_owned(), text);
            }
        }
        alert.health =
            self.pick(&[Health::Normal, Health::Normal, Health::Normal, Health::Normal, Health::NoData, Health::Error]);
        alert.values = if alert.health == Health::Normal {
            (0..self.below(3)).map(|_| Value { name: self.text(1), text: self.text(1), tags: Labels::new() }).collect()
        } else {
            Vec::new()
        };
        if self.one_in(4) {
            alert.status = Status::Resolved;
            alert.ends_at = self.time();
        }
        if self.one_in(500) {
            alert.labels.extend((0..300).map(|number| (format!("label{number}"), "v".repeat(50))));
        }
        alert
    }

    fn notification(&mut self) -> Notification {
        let count = match self.below(20) {
            0..=4 => 1,
            5..=10 => 2 + self.below(8),
            11..=15 => 10 + self.below(30),
            _ => 40 + self.below(200),
        };
        let mut alerts: Vec<Alert> = Vec::with_capacity(count);
        for _ in 0..count {
            let like = alerts.first().cloned();
            alerts.push(self.alert(like.as_ref()));
        }
        let formats = [Format::Grafana, Format::GrafanaLegacy, Format::Alertmanager, Format::Generic, Format::Opaque];
        Notification {
            format: self.pick(&formats),
            upstream_receiver: String::new(),
            group_key: String::new(),
            group_labels: Labels::new(),
            external_url: self.url(),
            title: if self.one_in(2) { self.text(3) } else { String::new() },
            message: if self.one_in(2) { self.text(40) } else { String::new() },
            truncated: if self.one_in(5) { self.roll() % 50 } else { 0 },
            test: self.one_in(30),
            alerts,
        }
    }

    /// None most of the time, else some of all kinds, whatever a lane, a userid or an error is made of.
    pub(super) fn notes(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        if !self.one_in(3) {
            return notes;
        }
        if self.one_in(2) {
            notes.push(Note::Repeated);
        }
        if self.one_in(2) {
            let lane =
                self.pick(&["webhook/", "app/ops/", "app/ops/chat/", "email/", "hook/"]).to_owned() + &self.text(3);
            let missed = (0..self.below(4) * self.below(40)).map(|_| self.text(2)).collect();
            notes.push(Note::Fallback { lane: LaneKey::stored(lane), reason: self.text(6), missed });
        }
        if self.one_in(4) {
            notes.push(Note::Resent { times: 1 });
        }
        if self.one_in(4) {
            notes.push(Note::Late { minutes: self.roll() % 10_000, told: self.one_in(2) });
        }
        if self.one_in(3) {
            notes.push(Note::Merged { changes: self.roll() % 100_000 });
        }
        notes
    }

    pub(super) fn target(&mut self) -> Target {
        let to = match self.below(6) {
            0 => To::Members {
                app: "ops".to_owned(),
                users: vec!["a".to_owned()],
                users_file: None,
                on_call: None,
                parties: Vec::new(),
                tags: Vec::new(),
            },
            1 => To::Chat { app: "ops".to_owned(), chat: "c".to_owned() },
            2 => To::Webhook { webhook: "w".to_owned() },
            3 => To::Email { to: vec!["ops@example.com".to_owned()] },
            4 => To::Bot { bot: "b".to_owned(), chat: "c".to_owned() },
            _ => To::Hook { hook: "h".to_owned() },
        };
        let mention = if self.one_in(2) { vec!["zhangsan".to_owned(), "@all".to_owned()] } else { Vec::new() };
        let mobiles = if self.one_in(3) { vec!["13800000000".to_owned()] } else { Vec::new() };
        Target {
            to,
            face: self.pick(&Face::ALL),
            mention,
            mention_from: Vec::new(),
            mention_mobiles: mobiles,
            image: self.one_in(3),
            parts: self.pick(&[1, 1, 1, 2, 3, 9]),
        }
    }
}

/// A host that phones cannot open, unless it is rewritten.
const INSIDE: &str = "http://pod-1:9090";
/// Beginnings of the addresses that alerts link to. The last stands only where a face must have a link and there is no other.
const OURS: [&str; 2] = ["https://ok.example", INSIDE];

pub(super) const NOW: Timestamp = Timestamp(1_789_193_640_000);
pub(super) const THREAD: ThreadId = ThreadId(41);

/// Draws and renders one notification; its number of alerts, and what is wrong with the result.
fn trial(dice: &mut Dice, templates: &Templates, template: Option<&str>) -> (usize, Option<String>) {
    let notification = dice.notification();
    let told: Vec<Told<'_>> = notification
        .alerts
        .iter()
        .filter_map(|alert| {
            let kind = match alert.status {
                Status::Resolved => TransitionKind::Resolved,
                Status::Firing if dice.one_in(5) => TransitionKind::Reminder,
                Status::Firing => TransitionKind::Firing,
                Status::Notice => TransitionKind::Notice,
            };
            let told = Told { alert, kind, starts_at: alert.starts_at.or_else(|| dice.time()), ends_at: None };
            (!dice.one_in(8)).then_some(told)
        })
        .collect();
    let count = notification.alerts.len();
    if told.is_empty() {
        return (count, None);
    }
    let target = dice.target();
    let notes = dice.notes();
    let zone = TimeZone::fixed(Offset::constant(8));
    let rewrites = [LinkRewrite { from: INSIDE.to_owned(), to: "https://ok.example/prometheus".to_owned() }];
    let letter = Letter {
        notification: &notification,
        told: &told,
        target: &target,
        language: dice.pick(&[Language::Zh, Language::En]),
        timezone: &zone,
        template,
        now: NOW,
        thread: THREAD,
        details_url: dice.pick(&[None, Some("https://ok.example/n/41"), Some("javascript:alert(1)")]),
        offer: dice.pick(&[Offer::Nothing, Offer::Acknowledge, Offer::Silence]),
        picture: Picture {
            url: dice.pick(&[None, Some("https://ok.example/a.png"), Some("http://169.254.169.254/a.png")]),
        },
        course: dice.pick(&[None, Some("近 1 小时 91 → 96 %，仍在升")]),
        notes: &notes,
        link_rewrites: if dice.one_in(2) { &rewrites } else { &[] },
        known_hosts: &[],
        short: &[],
        taught: crate::subject::Taught::NOTHING,
    };
    let shipped = template.is_none();
    // The people in `plain` get a text, everybody else the face.
    let twin = Target { face: Face::Text, ..target.clone() };
    let twins = [&target, &twin];
    let targets = if target.channel() == Channel::App && target.face != Face::Text { &twins[..] } else { &twins[..1] };
    let shortens = dice.one_in(2);
    let wrong = targets.iter().find_map(|target| {
        let letter = Letter { target, ..letter };
        let long = if shortens { long_links(&letter) } else { Vec::new() };
        let code = |(at, url): (usize, String)| (url, format!("https://ok.example/l/7K2Q{at}"));
        let short: Vec<(String, String)> = long.into_iter().enumerate().map(code).collect();
        let letter = Letter { short: &short, ..letter };
        let rendered = templates.render(&letter);
        let wrong = wrong(&letter, &rendered, shipped)
            .or_else(|| (shortens && shipped).then(|| long_link(&rendered)).flatten())
            .or_else(|| pressed(dice, &letter, &rendered));
        wrong.map(|wrong| format!("{wrong}\n{target:?}\n{:#?}", rendered.parts))
    });
    (count, wrong)
}

/// An address of an alert that a text prints in full although it is long.
fn long_link(rendered: &Rendered) -> Option<String> {
    let texts = rendered.parts.iter().filter_map(|part| match part {
        wecom::Content::Text(text) => Some(text.content.as_str()),
        _ => None,
    });
    // Mail and hooks have room.
    if rendered.bytes_allowed > 4096 {
        return None;
    }
    let words = texts.flat_map(|text| text.split(|c: char| c.is_whitespace() || c == '"'));
    let long = |word: &&str| word.starts_with("https://ok.example/") && word.len() > 60;
    words.into_iter().find(long).map(|word| format!("{} bytes of address", word.len()))
}

/// What is wrong with the card once it can be pressed.
fn pressed(dice: &mut Dice, letter: &Letter<'_>, rendered: &Rendered) -> Option<String> {
    let channel = letter.target.channel();
    let [wecom::Content::TemplateCard(card)] = &rendered.parts[..] else { return None };
    if !matches!(channel, Channel::App | Channel::Bot) {
        return None;
    }
    let mut mark = || dice.one_in(3).then(|| Mark { person: dice.text(2), at: NOW });
    let (taken, silenced) = (mark(), mark());
    let hides = dice.one_in(2).then(|| Hides { conditions: dice.text(9), count: dice.roll() % 50 });
    let card = with_buttons(
        (**card).clone(),
        &Standing {
            task_id: "wg-1-2",
            taken,
            silenced,
            hides,
            channel,
            leads: rendered.leads.clone(),
            language: letter.language,
            timezone: letter.timezone,
            now: NOW,
        },
    );
    let allowed = Allowed { channel, mentions: BTreeSet::new(), urls: OURS.to_vec() };
    let has_id = card.horizontal_content_list.last().is_some_and(|row| row.value.contains(&format!("#{THREAD}")));
    let wrong = fault(&wecom::Content::TemplateCard(Box::new(card)), &allowed);
    wrong.or_else(|| (!has_id).then(|| "the last row is not the id".to_owned()))
}

fn wrong(letter: &Letter<'_>, rendered: &Rendered, shipped: bool) -> Option<String> {
    let channel = letter.target.channel();
    let mut mentions: BTreeSet<String> = letter.target.mention.iter().cloned().collect();
    if !matches!(channel, Channel::Chat | Channel::Webhook) {
        mentions.clear();
    }
    if channel == Channel::Webhook {
        mentions.extend(letter.target.mention_mobiles.iter().cloned());
    }
    let allowed = Allowed { channel, mentions, urls: OURS.to_vec() };
    if let Some(fault) = rendered.parts.iter().find_map(|part| fault(part, &allowed)) {
        return Some(fault);
    }
    if !rendered.face.fits(channel) {
        return Some(format!("{:?} cannot be sent there", rendered.face));
    }
    let mut all: Vec<usize> = rendered.named.iter().chain(&rendered.counted).copied().collect();
    all.sort_unstable();
    if all != (0..letter.told.len()).collect::<Vec<_>>() {
        return Some("an alert is neither named nor counted, or both".to_owned());
    }
    if rendered.bytes_used > rendered.bytes_allowed {
        return Some("more used than allowed".to_owned());
    }
    let texts: Vec<String> = rendered.parts.iter().map(readable).collect();
    if texts.iter().any(|text| !text.contains(&format!("#{THREAD}"))) {
        return Some("a part without the id".to_owned());
    }
    if let Some(fault) = note_fault(letter.notes, &texts) {
        return Some(fault);
    }
    if !shipped {
        return None;
    }
    if !rendered.problems.is_empty() {
        return Some(format!("{:?}", rendered.problems));
    }
    let counted = rendered.counted.len();
    let opaque = letter.notification.format == Format::Opaque;
    // What is not named is counted: as a whole, or line by line.
    let said = [format!("另 {counted} 项"), format!("{counted} more")];
    let whole = texts.iter().any(|text| said.iter().any(|said| text.contains(said)));
    let lines: usize = texts.iter().map(|text| in_lines(text)).fold(0, usize::saturating_add);
    if counted > 0 && !opaque && !whole && lines < counted {
        return Some(format!("{counted} are counted, but not shown"));
    }
    let said_once: usize = texts.iter().map(|text| once(text)).fold(0, usize::saturating_add);
    let running = rendered.parts.iter().all(|part| {
        matches!(part, wecom::Content::Text(_) | wecom::Content::Markdown(_) | wecom::Content::MarkdownV2(_))
    });
    let firing = letter.notification.alerts.len() + usize::try_from(letter.notification.truncated).unwrap();
    if running && !opaque && letter.notes.is_empty() && said_once > firing {
        return Some(format!("{said_once} are counted of {firing}: some twice"));
    }
    None
}

/// The sum of the figures of a text without its first line; in a line with `×`, further figures belong to the first.
fn once(text: &str) -> usize {
    let figure = |text: &str| {
        text.chars()
            .take_while(|c| c.is_ascii_digit() || *c == ',')
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap_or(0)
    };
    let line = |line: &str| -> usize {
        let times = line.split_once('×').map_or(0, |(_, times)| figure(times));
        if times > 0 { times } else { line.split("另 ").skip(1).map(figure).sum() }
    };
    without_powers(text).lines().skip(1).map(line).fold(0, usize::saturating_add)
}

/// A value far out of any range is written as `3.7×10²¹`, which counts nothing.
fn without_powers(text: &str) -> String {
    "⁻⁰¹²³⁴⁵⁶⁷⁸⁹".chars().fold(text.to_owned(), |text, power| text.replace(&format!("×10{power}"), " "))
}

/// The sum of the numbers behind `×`, `另 ` and before ` more`, without the first line's.
fn in_lines(text: &str) -> usize {
    let figure = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().ok();
    let text = without_powers(text);
    let body = text.split_once('\n').map_or(text.as_str(), |(_, body)| body);
    let times = body.split('×').skip(1).chain(body.split("另 ").skip(1)).filter_map(figure);
    let before = |text: &str| {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        figure(&text[digits..])
    };
    let more = body.split(" more").filter_map(before);
    times.chain(more).fold(0, usize::saturating_add)
}

/// A note that the first of `texts` does not say, or says at the wrong place.
pub(super) fn note_fault(notes: &[Note], texts: &[String]) -> Option<String> {
    let first = &texts[0];
    let head: String = first.trim_start_matches(|c: char| !c.is_alphanumeric()).chars().take(80).collect();
    let said = |zh: &str, en: &str| first.contains(zh) || first.contains(en);
    let missing = notes.iter().find(|note| match note {
        // In JSON the names of a few fields come first.
        Note::Repeated => {
            !texts.iter().all(|text| ["可能重复", "Possible copy", "Copy?"].iter().any(|said| text.contains(said)))
        }
        Note::Fallback { .. } | Note::Overdue { .. } => !said("转自 ", "Rerouted from "),
        Note::Late { .. } => !said("迟到", "Late"),
        Note::Resent { .. } => !said("人工重发", "esent"),
        Note::Escalated { .. } => !said("升级：", "scalated"),
        Note::Shown { .. } => !said("仍在告警", "still firing"),
        Note::Unclear { .. } => !said("无法确定对应哪一条", "cannot tell which"),
        Note::Unmatched { .. } => !said("没有找到", "no open alert here"),
        Note::Merged { changes } => *changes > 0 && !said(" 次变化", "earlier change"),
    })?;
    Some(format!("{missing:?} is not said: {head}"))
}

/// Trials until `alerts` alerts were drawn, on two threads; the first thing that went wrong, with its seed.
fn run(alerts: usize, seed: u64, templates: &Templates, template: Option<&str>) -> Option<String> {
    let half = |seed: u64| {
        let mut drawn = 0;
        let mut trial_seed = seed;
        while drawn < alerts.div_ceil(2) {
            let (count, wrong) = trial(&mut Dice(trial_seed), templates, template);
            if let Some(wrong) = wrong {
                return Some(format!("seed {trial_seed}: {wrong}"));
            }
            drawn += count;
            trial_seed = trial_seed.wrapping_add(2);
        }
        None
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(seed + 1));
        half(seed).or_else(|| other.join().unwrap())
    })
}

#[test]
fn hostile_alerts_neither_break_nor_bend_a_message() {
    let (templates, _) = Templates::compile(&[]);
    if let Some(wrong) = run(100_000, 1, &templates, None) {
        panic!("{wrong}");
    }
}

#[test]
#[ignore = "takes more than a minute on two cores: cargo test --lib a_million_hostile -- --ignored"]
fn a_million_hostile_alerts_render_valid_messages() {
    let (templates, _) = Templates::compile(&[]);
    if let Some(wrong) = run(1_000_000, 1, &templates, None) {
        panic!("{wrong}");
    }
}

#[test]
fn a_careless_template_of_the_users_cannot_break_a_message_either() {
    let source = "{{ title }}\n**{{ name }}** {{ summary }}\n{% for alert in alerts %}- {{ alert.labels.instance }} \
                  {{ alert.annotations.description }} {{ alert.labels }}\n{% endfor %}<@lisi> {{ message }}";
    let file = TemplateFile { path: "mine.j2".into(), name: "mine".to_owned(), source: source.to_owned() };
    let (templates, problems) = Templates::compile(&[file]);
    assert_eq!(problems, []);
    if let Some(wrong) = run(20_000, 7, &templates, Some("mine")) {
        panic!("{wrong}");
    }
}

/// The negative control: what the hostile alerts prove, they can also deny.
#[test]
fn without_neutralising_the_checker_goes_red() {
    let (templates, _) = Templates::compile(&[]);
    super::super::neutral::OFF.set(true);
    let mut red = 0;
    for seed in 0..100 {
        red += usize::from(trial(&mut Dice(seed), &templates, None).1.is_some());
    }
    super::super::neutral::OFF.set(false);
    assert!(red > 80, "only {red} of 100 were seen");
}
