//! Hostile letters: alerts, target and surroundings as no sane sender would make them.

use arbitrary::{Arbitrary, Result, Unstructured};
use jiff::tz::{Offset, TimeZone};
use wegraf::internals::alert::{
    Alert, Asked, Format, Health, Labels, Links, Notification, Status, ThreadId, Timestamp, TransitionKind, Value,
};
use wegraf::internals::config::{Face, Language, Target, To};
use wegraf::internals::names::Discriminator;
use wegraf::internals::render::{Letter, Offer, Picture, Told};

use crate::NOW;

/// The id of every letter.
pub const THREAD: ThreadId = ThreadId(41);

/// Everything a [`Letter`] borrows.
#[derive(Debug)]
pub struct Case {
    /// What came in.
    pub notification: Notification,
    /// Whom it goes to; the face and the channel are set for each try.
    pub target: Target,
    language: Language,
    details_url: Option<&'static str>,
    picture_url: Option<&'static str>,
    course: Option<&'static str>,
    zone: TimeZone,
}

impl Case {
    /// What is news: each alert as its status has it.
    pub fn told(&self) -> Vec<Told<'_>> {
        let told = |alert: &'_ Alert| match alert.status {
            Status::Firing | Status::Notice => TransitionKind::Firing,
            Status::Resolved => TransitionKind::Resolved,
        };
        let alerts = &self.notification.alerts;
        alerts.iter().map(|alert| Told { alert, kind: told(alert), starts_at: None, ends_at: None }).collect()
    }

    /// The letter about `told` to `target`.
    pub fn letter<'a>(&'a self, told: &'a [Told<'a>], target: &'a Target) -> Letter<'a> {
        Letter {
            notification: &self.notification,
            told,
            target,
            language: self.language,
            timezone: &self.zone,
            template: None,
            now: NOW,
            thread: THREAD,
            details_url: self.details_url,
            offer: Offer::Silence,
            picture: Picture { url: self.picture_url },
            course: self.course,
            notes: &[],
            link_rewrites: &[],
            known_hosts: &[],
            short: &[],
            taught: wegraf::internals::subject::Taught::NOTHING,
        }
    }
}

/// One address of each channel.
pub fn addresses() -> [To; 6] {
    let (app, users) = ("ops".to_owned(), vec!["a".to_owned()]);
    [
        To::Members { app: app.clone(), users, users_file: None, on_call: None, parties: Vec::new(), tags: Vec::new() },
        To::Chat { app, chat: "c".to_owned() },
        To::Webhook { webhook: "w".to_owned() },
        To::Email { to: vec!["ops@ok.example".to_owned()] },
        To::Hook { hook: "h".to_owned() },
        To::Bot { bot: "b".to_owned(), chat: "c".to_owned() },
    ]
}

/// Markup, mentions, and text that a client or spreadsheet would act on.
const PIECES: &[&str] = &[
    "磁盘将满",
    "order-db-1",
    "96.4%",
    "critical",
    "{path=\"/var\"}",
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
    "\n> QUOTED",
    "\n- LISTED",
    "\n* LISTED",
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
    "：",
    "→",
    "#",
];

const NAMES: &[&str] = &[
    "instance",
    "host",
    "pod",
    "service",
    "cluster",
    "env",
    "namespace",
    "team",
    "severity",
    "job",
    "mountpoint",
    "alertname",
    "实例组",
    "bad-name",
    "<@EVIL>",
    "|x|",
    "summary",
    "description",
    "Error",
    "grafana_state_reason",
];

/// How many alerts a notification has: mostly few, which is read in a moment, and sometimes many.
const ALERTS: &[usize] = &[1, 1, 1, 2, 2, 3, 5, 48];

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        let alerts = (0..*from.choose(ALERTS)?).map(|_| alert(from)).collect::<Result<Vec<_>>>()?;
        let formats = [Format::Grafana, Format::GrafanaLegacy, Format::Alertmanager, Format::Generic, Format::Opaque];
        let notification = Notification {
            format: *from.choose(&formats)?,
            upstream_receiver: String::new(),
            group_key: String::new(),
            group_labels: labels(from, 3)?,
            external_url: url(from)?,
            title: words(from, 6)?,
            message: words(from, 60)?,
            truncated: u64::from(from.arbitrary::<u8>()? / 16),
            test: from.ratio(1, 16)?,
            alerts,
        };
        let [to, ..] = addresses();
        let target = Target {
            to,
            face: Face::Text,
            mention: if from.arbitrary()? { vec!["zhangsan".to_owned(), "@all".to_owned()] } else { Vec::new() },
            mention_from: Vec::new(),
            mention_mobiles: if from.arbitrary()? { vec!["13800000000".to_owned()] } else { Vec::new() },
            image: from.arbitrary()?,
            parts: from.int_in_range(1..=9)?,
        };
        Ok(Self {
            notification,
            target,
            language: *from.choose(&[Language::Zh, Language::En])?,
            details_url: *from.choose(&[None, Some("https://ok.example/d/41"), Some("javascript:alert(1)")])?,
            picture_url: *from.choose(&[
                None,
                Some("https://ok.example/a.png"),
                Some("http://169.254.169.254/a.png"),
            ])?,
            course: *from.choose(&[None, Some("1 → 96.2")])?,
            zone: TimeZone::fixed(Offset::constant(from.int_in_range(-12..=14)?)),
        })
    }
}

fn alert(from: &mut Unstructured<'_>) -> Result<Alert> {
    let status = *from.choose(&[Status::Firing, Status::Firing, Status::Resolved, Status::Notice])?;
    let health = *from.choose(&[Health::Normal, Health::Normal, Health::NoData, Health::Error])?;
    let values = if health == Health::Normal { from.int_in_range(0..=3)? } else { 0 };
    let value = |from: &mut Unstructured<'_>| {
        Ok(Value { name: words(from, 2)?, text: format!("{}x", words(from, 2)?), tags: labels(from, 2)? })
    };
    let name = words(from, 5)?;
    Ok(Alert {
        status,
        name: if name.trim().is_empty() { "x".to_owned() } else { name },
        health,
        labels: labels(from, 8)?,
        annotations: labels(from, 4)?,
        starts_at: time(from)?,
        ends_at: if status == Status::Resolved { time(from)? } else { None },
        lapses_at: None,
        fingerprint: String::new(),
        discriminator: Discriminator::default(),
        values: (0..values).map(|_| value(from)).collect::<Result<_>>()?,
        links: Links {
            rule: url(from)?,
            silence: url(from)?,
            dashboard: url(from)?,
            panel: url(from)?,
            runbook: url(from)?,
            image: String::new(),
        },
        asked: Asked::default(),
        level: None,
        kin: None,
    })
}

fn labels(from: &mut Unstructured<'_>, most: usize) -> Result<Labels> {
    let name = |from: &mut Unstructured<'_>| {
        if from.ratio(7, 8)? { Ok((*from.choose(NAMES)?).to_owned()) } else { words(from, 2) }
    };
    (0..from.int_in_range(0..=most)?).map(|_| Ok((name(from)?, words(from, 5)?))).collect()
}

/// The beginning of the addresses in texts.
const SAID: &str = "http://evil.example";

fn words(from: &mut Unstructured<'_>, most: usize) -> Result<String> {
    let mut text = String::new();
    for _ in 0..from.int_in_range(0..=most)? {
        match from.int_in_range(0..=5)? {
            0 => text.push_str(from.arbitrary()?),
            1 => text.push(from.arbitrary()?),
            _ => text.push_str(from.choose(PIECES)?),
        }
    }
    if from.ratio(1, 64)? {
        text = text.repeat(from.int_in_range(1..=60)?);
    }
    // An address in a text becomes a link: the checker knows this one.
    Ok(text.split(SAID).map(|rest| rest.replace("://", ": //")).collect::<Vec<_>>().join(SAID))
}

fn url(from: &mut Unstructured<'_>) -> Result<String> {
    Ok(match from.int_in_range(0..=7)? {
        0..=3 => String::new(),
        4 => format!("https://ok.example/d/1?a={}", words(from, 4)?),
        5 => format!("https://ok.example/{}", "x".repeat(from.int_in_range(0..=1200)?)),
        other => format!("https://ok.example/d/{other}"),
    })
}

fn time(from: &mut Unstructured<'_>) -> Result<Option<Timestamp>> {
    Ok(match from.int_in_range(0..=5)? {
        0 => None,
        1 => Some(Timestamp(from.arbitrary()?)),
        _ => Some(NOW.plus_millis(-from.int_in_range(0..=100_000_000)?)),
    })
}
