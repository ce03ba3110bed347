//! Why somebody did not get a message: the way from an alert to a person, link by link. The first that is broken is the answer.
//! Pure.

use super::frame::Frame;
use super::letter::one_line;
use super::told::Told;
use super::words;
use crate::alert::Timestamp;
use crate::budget::Used;
use crate::render::Clock;
use crate::store::{Breaker, DeliveryRow, State};
use crate::words::Words;

/// Messages that are told of.
const MESSAGES: usize = 5;
/// The reason of a breaker of the host: it concerns all ways.
const HOST: &str = "host/";

/// What is known of an incident and a person.
#[derive(Debug, Default)]
pub struct Missing<'a> {
    /// The short id that was asked for.
    pub short: &'a str,
    /// The userid.
    pub person: &'a str,
    /// The name of the alert; `None`: none of this short id is on record.
    pub name: Option<&'a str>,
    /// The receivers that were told of it, and whether each reaches the person now.
    pub receivers: &'a [(String, bool)],
    /// Until when it is silenced upstream.
    pub silenced: Option<Timestamp>,
    /// Its messages to the person by name, the newest first.
    pub own: &'a [DeliveryRow],
    /// Its messages to receivers that reach the person, whoever they name, the newest first.
    pub beside: &'a [DeliveryRow],
    /// The ways that are paused, with their display names.
    pub paused: &'a [(String, Breaker)],
    /// What is spent of the person's budgets: by app, and whether of its chats.
    pub budgets: &'a [(String, bool, Vec<Used>)],
}

/// A link of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// `✓`, `✗`, or `·` for what is only said.
    pub sign: &'static str,
    pub text: String,
    /// Here it broke.
    pub here: bool,
}

/// The way, link by link.
pub(super) fn chain(f: &Frame<'_>, clock: &Clock<'_>, known: &Missing<'_>) -> Vec<Link> {
    let say = |words: Words| f.say(words).into_owned();
    let link = |sign, words: Words| Link { sign, text: say(words), here: false };
    let Some(name) = known.name else {
        return ended(vec![link("✗", words::chain_unknown(known.short))]);
    };
    let names = |reaching: bool| {
        let all = known.receivers.iter().filter(|(_, reaches)| !reaching || *reaches);
        all.map(|(name, _)| one_line(name)).collect::<Vec<_>>()
    };
    if known.receivers.is_empty() {
        return ended(vec![link("✗", words::chain_untold(known.short, &one_line(name)))]);
    }
    let mut links = vec![link("✓", words::chain_routed(known.short, &one_line(name), &names(false)))];
    links.extend(known.silenced.map(|until| link("·", words::chain_silenced(&clock.until(until)))));
    let reaches = known.receivers.iter().any(|(_, reaches)| *reaches);
    if reaches {
        links.push(link("✓", words::chain_reached(&names(true), known.person)));
    } else if known.own.is_empty() {
        links.push(link("✗", words::chain_not_reached(known.person)));
        return ended(links);
    } else {
        links.push(link("·", words::chain_no_longer(known.person)));
    }
    let rows = if known.own.is_empty() { known.beside } else { known.own };
    if rows.is_empty() {
        links.push(link("✗", words::CHAIN_NO_MESSAGE));
        return ended(links);
    }
    if known.own.is_empty() {
        links.push(link("·", words::CHAIN_GROUP));
    }
    for row in rows.iter().take(MESSAGES) {
        links.push(message(f, clock, known, row));
    }
    if rows.iter().take(MESSAGES).any(|row| row.state == State::Sent && row.error.is_none()) {
        links.push(link("·", words::CHAIN_NO_RECEIPT));
    }
    ended(links)
}

/// A message and what became of it; of one that waits, for what.
fn message(f: &Frame<'_>, clock: &Clock<'_>, known: &Missing<'_>, row: &DeliveryRow) -> Link {
    let told = Told::of(f, clock, row);
    let mut text = vec![format!("{} {} · {}", told.when, told.target, told.state)];
    text.extend(Some(one_line(&told.why)).filter(|why| !why.is_empty()));
    let waits = matches!(row.state, State::Queued | State::Unsure);
    if waits {
        text.push(f.say(waiting(known, &row.lane.to_string())).into_owned());
    }
    let sign = match (row.state, told.missed) {
        (_, true) => "✗",
        (State::Sent, false) => "✓",
        _ if waits => "✗",
        _ => "·",
    };
    Link { sign, text: text.join(" · "), here: false }
}

/// What a message waits for: a way that is paused, a budget, or its turn.
fn waiting(known: &Missing<'_>, lane: &str) -> Words {
    let paused = known.paused.iter().find(|(name, open)| {
        open.scope.as_str().starts_with(HOST)
            || name.split(", ").any(|name| lane == name || lane.starts_with(&format!("{name}/")))
    });
    if let Some((name, open)) = paused {
        return words::chain_paused(name, &Words::of_record(&open.error));
    }
    let spent = known.budgets.iter().filter(|(app, ..)| lane.starts_with(&format!("app/{app}/")));
    if spent.flat_map(|(_, _, used)| used).any(|used| used.spent >= used.most.saturating_sub(used.reserved)) {
        return words::CHAIN_BUDGET;
    }
    words::CHAIN_TURN
}

/// With the mark where it broke.
fn ended(mut links: Vec<Link>) -> Vec<Link> {
    if let Some(broken) = links.iter_mut().find(|link| link.sign == "✗") {
        broken.here = true;
    }
    links
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::console::View;
    use crate::names::Scope;
    use crate::words::Language;

    fn broken(known: &Missing<'_>) -> Option<String> {
        let f = Frame::new(Language::En, "../", String::new(), View::default());
        let clock = Clock { now: Timestamp(1_700_000_000_000), zone: &TimeZone::UTC, language: Language::En };
        chain(&f, &clock, known).into_iter().find(|link| link.here).map(|link| link.text)
    }

    #[test]
    fn the_first_broken_link_is_the_answer() {
        let (reaches, misses) = ([("ops".to_owned(), true)], [("dba".to_owned(), false)]);
        let known =
            |name, receivers| Missing { short: "7K2Q", person: "wangwu", name, receivers, ..Missing::default() };
        assert!(broken(&known(None, &[])).unwrap().contains("#7K2Q"));
        assert!(broken(&known(Some("disk"), &[])).unwrap().contains("no receiver"));
        assert!(broken(&known(Some("disk"), &misses)).unwrap().contains("wangwu"));
        assert!(broken(&known(Some("disk"), &reaches)).unwrap().contains("no message"));
    }

    #[test]
    fn a_message_that_waits_says_for_what() {
        let open = |scope: &str| Breaker {
            scope: Scope::stored(scope),
            reason: "configuration".to_owned(),
            errcode: None,
            error: "不可信\u{1f}not trusted".to_owned(),
            opened_at: Timestamp(0),
            probe_at: Timestamp(0),
            failures: 1,
        };
        let used = |spent| vec![Used { per: crate::budget::Per::Minute, spent, most: 24, reserved: 6 }];
        for (lane, paused, spent, says) in [
            ("app/ops/zhangsan", "app/ops", 0, "not trusted"),
            ("app/ops/zhangsan", "host/qyapi", 0, "not trusted"),
            ("app/ops2/zhangsan", "app/ops", 0, "its turn"),
            ("app/ops/zhangsan", "app/other", 18, "budget"),
            ("app/ops/zhangsan", "app/other", 17, "its turn"),
        ] {
            let (paused, budgets) = ([(paused.to_owned(), open(paused))], [("ops".to_owned(), false, used(spent))]);
            let known = Missing { paused: &paused, budgets: &budgets, ..Missing::default() };
            let said = waiting(&known, lane).en.into_owned();
            assert!(said.contains(says), "{lane} {spent}: {said}");
        }
    }
}
