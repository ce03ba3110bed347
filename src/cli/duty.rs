//! `wegraf duty`: the people on duty, now and next.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::screen::Screen;
use super::{Duty, Misused};
use crate::alert::Timestamp;
use crate::duty::{OnCall, Rota, Why};
use crate::time::Clock;
use crate::words::{told, words};

/// Prints each rota, or the named one, from the given time on.
pub fn run(arguments: &Duty) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load_to_look()?;
    let now = Clock::System.now();
    let at = arguments.at.as_ref().map_or(now, |at| at.resolve(now, &config.timezone));
    let all = &config.rotas.0;
    let wanted = arguments.name.as_deref();
    if let Some(name) = wanted.filter(|name| !all.contains_key(*name)) {
        let names = all.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        bail!(Misused(
            told!("没有名为 `{name}` 的值班表；有：{names}", "there is no rota `{name}`; there are: {names}")
                .to_string()
        ));
    }
    let rotas = all.iter().map(|(name, rota)| (name.as_str(), rota));
    let chosen: Vec<(&str, &Rota)> = rotas.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)).collect();
    if chosen.is_empty() {
        bail!(told!(
            "配置里没有值班表：rotas: {{ dba: rota-dba.yaml }}",
            "there are no rotas in the configuration: rotas: {{ dba: rota-dba.yaml }}"
        ));
    }
    let until = at.plus_millis(i64::from(arguments.days) * 86_400_000);
    let answer = if arguments.json {
        let rotas: Vec<Value> = chosen.iter().map(|(name, rota)| in_json(name, rota, at, until)).collect();
        Screen::json(&json!({ "rotas": rotas }))
    } else {
        let mut screen = Screen::new();
        for (index, (name, rota)) in chosen.iter().enumerate() {
            if index > 0 {
                screen.gap();
            }
            in_words(name, rota, at, until, &mut screen);
        }
        screen
    };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

fn in_json(name: &str, rota: &Rota, at: Timestamp, until: Timestamp) -> Value {
    let time = |at: Timestamp| zoned(at, &rota.timezone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let row = |(from, on_call): &(Timestamp, OnCall)| {
        json!({
            "from": time(*from),
            "until": time(on_call.until),
            "people": on_call.people,
            "backup": on_call.backup,
            "why": on_call.why.as_str(),
        })
    };
    let rows: Vec<Value> = rota.schedule(at, until).iter().map(row).collect();
    json!({
        "name": name,
        "timezone": rota.timezone.iana_name(),
        "now": rows.first(),
        "next": rows.get(1..).unwrap_or_default(),
    })
}

fn in_words(name: &str, rota: &Rota, at: Timestamp, until: Timestamp, screen: &mut Screen) {
    let rows = rota.schedule(at, until);
    let width = rows.iter().map(|(_, on_call)| on_call.people.join(" ").len()).max().unwrap_or(0);
    let zone = rota.timezone.iana_name().unwrap_or_default();
    screen.line(format_args!("{name}  ({zone})"));
    for (index, (from, on_call)) in rows.iter().enumerate() {
        let time = |at: Timestamp| zoned(at, &rota.timezone).strftime("%Y-%m-%d %H:%M").to_string();
        let mark = if index == 0 { "▶" } else { " " };
        let people = on_call.people.join(" ");
        let mut text = format!("{mark} {} → {}  {people:width$}", time(*from), time(on_call.until));
        if !on_call.backup.is_empty() {
            let backup = on_call.backup.join(" ");
            write!(text, "{}", told!("  二线：{backup}", "  backup: {backup}")).expect(TAKES);
        }
        match on_call.why {
            Why::Shift => {}
            Why::Substitute => write!(text, "{}", words("  替班", "  substitute")).expect(TAKES),
            Why::Holiday => {
                let name = rota.holiday_at(*from).unwrap_or_default();
                write!(text, "{}", told!("  节假日 {name}", "  holiday {name}")).expect(TAKES);
            }
        }
        screen.line(text.trim_end());
    }
}

const TAKES: &str = "a String takes everything";

/// A time on the wall clock of the rota; one beyond the calendar becomes its end.
fn zoned(at: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    let end = jiff::Timestamp::MAX;
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(end).to_zoned(zone.clone())
}
