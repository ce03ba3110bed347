//! How long a press of a card's button takes, by the callback of an app and by the socket of a bot: until WeCom is
//! answered, and until everybody's card says what came of it. And what becomes of five hundred presses at once.
//!
//! The simulator takes the times, from the press to what comes back; the store is on disk.

mod stage;
mod upstream;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{Stores, median, p99};
use crate::ledger::record::Database;
use stage::{Stage, WATCHES, Way, answer, until};

/// Presses one after the other: so many that several lie above p99.
const PRESSES: usize = 300;
/// Presses at once.
const CROWD: usize = 500;
/// Between two presses: by then the gateway has written what follows from the first, and is idle.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at the crowd: each lists all its clicks, and the processor is wanted elsewhere.
const GLANCE: Duration = Duration::from_millis(200);
/// Looks until the crowd is taken for unanswered: WeCom itself gives up after three calls of 5 s.
const GLANCES: usize = 150;

/// The aims, in milliseconds.
const ANSWER_MS: f64 = 20.0;
const CARD_MS: f64 = 100.0;
/// WeCom waits so long for the answer to a callback (page 90238).
const WECOM_MS: f64 = 5_000.0;

/// What was measured on one store. Times are milliseconds since the press.
struct Pressed {
    store: &'static str,
    /// Until the callback was answered.
    answers: Vec<f64>,
    /// Until the card of an app was another one, for everybody.
    cards: Vec<f64>,
    /// Until that of a bot was.
    bots: Vec<f64>,
    crowd: Crowd,
}

/// What became of the presses at once.
struct Crowd {
    /// Until each callback was answered.
    answers: Vec<f64>,
    /// From the first press to the last press, to the last answer, and to the card that says so.
    pressed: f64,
    last: f64,
    card: f64,
    /// Microseconds of the gateway's processor for each press.
    processor: f64,
    /// Silences made upstream.
    silences: usize,
    /// Acts on record; those of them that did something, and that said it had been done.
    acts: [usize; 3],
}

/// Measures and prints.
pub(super) async fn run(binary: &Path, folder: &Path, stores: &Stores<'_>) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for store in stores.names() {
        let database = stores.database(store)?;
        let stage = Stage::set(binary, folder, &database).await?;
        let [answers, cards] = alternate(&stage, Way::App, ["callback", Way::App.change()]).await?;
        let [bots] = alternate(&stage, Way::Bot, [Way::Bot.change()]).await?;
        all.push(Pressed { store, answers, cards, bots, crowd: crowd(&stage, &database).await? });
    }
    print(&all);
    Ok(())
}

/// Takes an alert and gives it back, again and again; how long each kind of answer took.
async fn alternate<const N: usize>(stage: &Stage, way: Way, hows: [&str; N]) -> anyhow::Result<[Vec<f64>; N]> {
    let card = stage.card(way).await?;
    let mut all = [const { Vec::new() }; N];
    for number in 0..PRESSES {
        tokio::time::sleep(PAUSE).await;
        let (key, is_taken) = if number % 2 == 0 { ("acknowledge", true) } else { ("release", false) };
        let click = stage.press(card, key).await?;
        let click = stage.answered(click, &hows).await?;
        for (times, how) in all.iter_mut().zip(hows) {
            times.push(millis(&click, how)?);
        }
        let seen = shown(&stage.inbox(way, WATCHES).await?, card)?;
        ensure!(seen.contains("认领人") == is_taken, "after {key} {WATCHES} sees {seen}");
    }
    Ok(all)
}

/// Presses "silence" everywhere at once.
async fn crowd(stage: &Stage, database: &Database) -> anyhow::Result<Crowd> {
    let card = stage.card(Way::Crowd).await?;
    tokio::time::sleep(PAUSE).await;
    let before = stage.gateway.processor()?;
    press_at_once(stage, card).await?;
    for _ in 0..GLANCES {
        tokio::time::sleep(GLANCE).await;
        if stage.clicks(card).await?.iter().all(|click| answer(click, "callback").is_some()) {
            break;
        }
    }
    until("no act is open", async || Ok((database.count("act WHERE state = 'open'")? == 0).then_some(()))).await?;
    let change = until("the card says so", async || {
        Ok(stage.clicks(card).await?.iter().find_map(|click| ended(click, Way::Crowd.change())))
    })
    .await?;
    let processor = (stage.gateway.processor()? - before) / CROWD as f64;
    let clicks = stage.clicks(card).await?;
    let begins = clicks.iter().filter_map(|click| click["at_ms"].as_f64());
    let first = begins.clone().fold(f64::INFINITY, f64::min);
    let of = |state: &str| database.count(&format!("act WHERE kind = 'silence'{state}"));
    Ok(Crowd {
        answers: clicks.iter().filter_map(|click| millis(click, "callback").ok()).collect(),
        pressed: begins.fold(0.0, f64::max) - first,
        last: clicks.iter().filter_map(|click| ended(click, "callback")).fold(0.0, f64::max) - first,
        card: change - first,
        processor,
        silences: stage.upstream.made(),
        acts: [of("")?, of(" AND state = 'done'")?, of(" AND state = 'repeated'")?],
    })
}

async fn press_at_once(stage: &Stage, card: u64) -> anyhow::Result<()> {
    let presses = (0..CROWD).map(|_| stage.press(card, "silence"));
    futures_util::future::try_join_all(presses).await.map(drop)
}

/// How long an answer took.
fn millis(click: &Value, how: &str) -> anyhow::Result<f64> {
    let took = answer(click, how).and_then(|answer| answer["took_us"].as_f64());
    took.map(|micros| micros / 1e3).with_context(|| format!("no {how} in {click}"))
}

/// When an answer came, on the simulator's clock.
fn ended(click: &Value, how: &str) -> Option<f64> {
    Some(click["at_ms"].as_f64()? + answer(click, how)?["after_ms"].as_f64()?)
}

/// The card as it is seen.
fn shown(messages: &Value, card: u64) -> anyhow::Result<String> {
    let message = messages.as_array().into_iter().flatten().find(|message| message["id"] == card);
    Ok(message.context("the card is gone")?["content"].to_string())
}

fn print(all: &[Pressed]) {
    println!("\n## A press\n");
    let heads: Vec<String> = all.iter().map(|one| format!(" {}: median ms | p99 ms |", one.store)).collect();
    println!("| one after the other, {PRESSES} each |{} aim |", heads.concat());
    println!("|---|{}---|", "---:|---:|".repeat(all.len()));
    times("app: until the callback is answered", all, |one| &one.answers, ANSWER_MS);
    times("app: until everybody's card has changed", all, |one| &one.cards, CARD_MS);
    times("bot: until the card has changed", all, |one| &one.bots, CARD_MS);
    print_crowds(all);
}

fn print_crowds(all: &[Pressed]) {
    let heads: Vec<String> = all.iter().map(|one| format!(" {} |", one.store)).collect();
    println!("\n| {CROWD} presses of one button at once |{} aim |", heads.concat());
    println!("|---|{}---|", "---:|".repeat(all.len()));
    let count = |what: &str, wanted: usize, of: fn(&Crowd) -> usize| {
        let counts: Vec<usize> = all.iter().map(|one| of(&one.crowd)).collect();
        let aim = format!("{wanted}: {}", verdict(counts.iter().all(|count| *count == wanted)));
        row(what, counts.iter().map(ToString::to_string), &aim);
    };
    count("answered 200", CROWD, |crowd| crowd.answers.len());
    count("silences upstream", 1, |crowd| crowd.silences);
    count("acts on record", CROWD, |crowd| crowd.acts[0]);
    count("acts that were done", 1, |crowd| crowd.acts[1]);
    count("acts that had been done before", CROWD - 1, |crowd| crowd.acts[2]);
    let time = |what: &str, aim: Option<f64>, of: fn(&Crowd) -> f64| {
        let found: Vec<f64> = all.iter().map(|one| of(&one.crowd)).collect();
        row(
            what,
            found.iter().map(|millis| format!("{millis:.0}")),
            &aim.map_or_else(String::new, |aim| below(&found, aim)),
        );
    };
    time("ms from the first press to the last", None, |crowd| crowd.pressed);
    time("ms to the last answer", Some(WECOM_MS), |crowd| crowd.last);
    time("ms to the card that shows the silence", None, |crowd| crowd.card);
    time("callback, median ms", None, |crowd| median(crowd.answers.clone()));
    time("callback, p99 ms", Some(WECOM_MS), |crowd| p99(crowd.answers.clone()));
    time("µs of the gateway's processor a press", None, |crowd| crowd.processor);
}

/// A row of times, a median and a p99 for each store; the aim is for the medians.
fn times(what: &str, all: &[Pressed], of: impl Fn(&Pressed) -> &Vec<f64>, aim: f64) {
    let medians: Vec<f64> = all.iter().map(|one| median(of(one).clone())).collect();
    let cells = all.iter().zip(&medians).map(|(one, median)| format!("{median:.1} | {:.1}", p99(of(one).clone())));
    row(what, cells, &below(&medians, aim));
}

fn row(what: &str, cells: impl Iterator<Item = String>, aim: &str) {
    println!("| {what} | {} | {aim} |", cells.collect::<Vec<_>>().join(" | "));
}

/// What is said of values that ought to lie below `aim`.
fn below(values: &[f64], aim: f64) -> String {
    format!("< {aim:.0}: {}", verdict(values.iter().all(|value| *value < aim)))
}

const fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_store_that_is_too_slow_misses_the_aim() {
        assert_eq!(below(&[1.0, 19.9], 20.0), "< 20: met");
        assert_eq!(below(&[1.0, 20.0], 20.0), "< 20: **missed**");
        assert_eq!(below(&[f64::NAN], 20.0), "< 20: **missed**", "nothing was measured");
    }

    #[test]
    fn an_answer_is_timed_by_its_kind() {
        let click = serde_json::json!({ "at_ms": 1000, "answers": [
            { "how": "callback", "errcode": 0, "took_us": 2500, "after_ms": 3 },
            { "how": "message/update_template_card", "errcode": 60140, "took_us": 9000, "after_ms": 9 },
        ]});
        assert!((millis(&click, "callback").unwrap() - 2.5).abs() < 1e-9);
        assert_eq!(ended(&click, "callback"), Some(1003.0));
        assert!(millis(&click, Way::App.change()).is_err(), "it was refused");
    }
}
