//! Where a message leads: the links of its alerts, of its page and of its sender, most useful first.

use super::faces::{is_text, possible, takes_hyperlinks};
use super::facts::outline;
use super::link::{safe_url, shown};
use super::rows::ROWS;
use super::words::{State, pick};
use super::{Letter, Offer};
use crate::alert::{Alert, Links};
use crate::config::Face;
use crate::said::{self, LinkKind};

/// A link with its name.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
    pub(super) url: String,
}

/// A link that a card shows as a button or a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Its name.
    pub text: &'static str,
    /// Its address.
    pub url: String,
}

/// Where a card with buttons leads besides its acts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leads {
    /// The graph or the rule, and the runbook, as far as there are any.
    pub shown: Vec<Lead>,
    /// The page with everything, if there is one.
    pub whole: Option<Lead>,
}

impl Leads {
    pub(super) fn of(links: &[Link]) -> Self {
        let find = |kinds: &[&str]| links.iter().find(|link| kinds.contains(&link.kind));
        let lead = |link: &Link| Lead { text: link.text, url: link.url.clone() };
        let shown = [find(&["rule", "panel", "dashboard"]), find(&["runbook"])];
        Self { shown: shown.into_iter().flatten().map(lead).collect(), whole: find(&["details"]).map(lead) }
    }
}

/// The place of a link in a list: where one acts, the graph, the runbook, the rest.
pub(super) fn rank(kind: &str) -> u8 {
    match kind {
        "act" => 0,
        "panel" | "dashboard" => 1,
        "runbook" => 2,
        "rule" => 3,
        "silence" => 4,
        _ => 5,
    }
}

/// The links, most useful first, each a URL that may be in a message.
pub(super) fn links(letter: &Letter<'_>, alerts: &[&Alert], state: State, said: &[said::Link]) -> Vec<Link> {
    let followed = |url: &str| shown(url, letter.link_rewrites, letter.known_hosts);
    let first = |pick: fn(&Links) -> &String| {
        alerts.iter().take(ROWS).map(|alert| pick(&alert.links)).find_map(|url| followed(url))
    };
    // A silence from one alert's link hides only that alert.
    let silence = match alerts {
        [alert] => followed(&alert.links.silence),
        _ => None,
    };
    let details = letter.details_url.and_then(safe_url);
    let in_text = |kind: LinkKind| said.iter().filter(|link| link.kind == kind).find_map(|link| followed(&link.url));
    let panel = first(|links| &links.panel);
    let dashboard = if panel.is_some() { None } else { first(|links| &links.dashboard) };
    let dashboard = dashboard.or_else(|| in_text(LinkKind::Dashboard).filter(|_| panel.is_none()));
    let runbook = first(|links| &links.runbook).or_else(|| in_text(LinkKind::Runbook));
    let rule = first(|links| &links.rule);
    let home = followed(&letter.notification.external_url);
    let judged = !matches!(state, State::NoData | State::QueryError);
    let on = !matches!(state, State::Resolved | State::Unclear | State::Notice | State::Opaque);
    let language = letter.language;
    let act = details.as_ref().filter(|_| on && state != State::Test).and_then(|page| safe_url(&format!("{page}#act")));
    let act_text = match letter.offer {
        Offer::Nothing => None,
        Offer::Acknowledge => Some(pick(language, "认领", "Acknowledge")),
        Offer::Silence => Some(pick(language, "认领/静默", "Ack/silence")),
    };
    let act = act.filter(|_| act_text.is_some());
    // Ours is told to the receivers and ends by itself; one way to silence is enough.
    let silence = silence.filter(|_| act.is_none() || letter.offer != Offer::Silence);
    let candidates = [
        ("rule", pick(language, "规则", "Rule"), rule.clone().filter(|_| !judged)),
        ("panel", pick(language, "面板", "Panel"), panel.clone()),
        ("dashboard", pick(language, "仪表盘", "Dashboard"), dashboard.clone()),
        ("act", act_text.unwrap_or_default(), act),
        ("runbook", pick(language, "手册", "Runbook"), runbook.filter(|_| on)),
        ("logs", pick(language, "日志", "Logs"), in_text(LinkKind::Logs).filter(|_| on)),
        ("said", pick(language, "链接", "Link"), in_text(LinkKind::Other).filter(|_| on)),
        ("silence", pick(language, "静默", "Silence"), silence.filter(|_| on)),
        ("rule", pick(language, "规则", "Rule"), rule.filter(|_| judged && panel.is_none() && dashboard.is_none())),
        ("details", pick(language, "全部详情", "All details"), details.clone()),
        ("home", pick(language, "打开", "Open"), home.filter(|_| details.is_none())),
    ];
    let links: Vec<Link> =
        candidates.into_iter().filter_map(|(kind, text, url)| Some(Link { kind, text, url: url? })).collect();
    let mut links = if links.is_empty() && !is_text(letter.target.face) { only_links(letter, alerts) } else { links };
    for link in &mut links {
        if let Some((_, short)) = letter.short.iter().find(|(url, _)| *url == link.url) {
            link.url.clone_from(short);
        }
    }
    links
}

/// Bytes of an address in a text from which on a short one reads better.
const LONG: usize = 60;

/// The addresses of alerts that a text with the content of `letter` would print in full although they are long; none where
/// it has another form, or its channel has room.
pub fn long_links(letter: &Letter<'_>) -> Vec<String> {
    if letter.target.channel().wecom().is_none() {
        return Vec::new();
    }
    let (alerts, state, said) = outline(letter);
    let links = links(letter, &alerts, state, &said);
    if possible(letter.target, !links.is_empty(), true) != Face::Text {
        return Vec::new();
    }
    let paged = links.iter().any(|link| matches!(link.kind, "act" | "details"));
    let paged = paged && !takes_hyperlinks(Face::Text, letter.target.channel());
    let graph = links.iter().find(|link| matches!(link.kind, "rule" | "panel" | "dashboard"));
    let runbook = links.iter().find(|link| link.kind == "runbook" && !paged);
    let printed = graph.into_iter().chain(runbook).map(|link| link.url.clone());
    printed.filter(|url| url.len() > LONG).collect()
}

/// The links that cannot be opened from a phone, for a message without any other. An article and a card need a link:
/// without one they would lose their picture and their form.
fn only_links(letter: &Letter<'_>, alerts: &[&Alert]) -> Vec<Link> {
    let language = letter.language;
    let of_alerts = alerts.iter().take(ROWS).flat_map(|alert| {
        let Links { panel, dashboard, rule, .. } = &alert.links;
        [
            ("panel", "面板", "Panel", panel),
            ("dashboard", "仪表盘", "Dashboard", dashboard),
            ("rule", "规则", "Rule", rule),
        ]
    });
    let home = ("home", "打开", "Open", &letter.notification.external_url);
    let mut safe = of_alerts
        .chain([home])
        .filter_map(|(kind, zh, en, url)| Some(Link { kind, text: pick(language, zh, en), url: safe_url(url)? }));
    safe.next().into_iter().collect()
}
