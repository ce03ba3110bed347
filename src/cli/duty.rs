//! `wegraf duty`: the people on duty, now and next.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::record::{Gateway, time};
use super::screen::Screen;
use super::{Duty, Misused};
use crate::alert::Timestamp;
use crate::duty::{OnCall, Rota, Why};
use crate::time::Clock;
use crate::words::{told, words};

/// A rota as it is printed.
struct Plan {
    name: String,
    zone: TimeZone,
    /// The first has begun.
    shifts: Vec<Shift>,
}

/// Who is on duty, and until when.
struct Shift {
    from: Timestamp,
    until: Timestamp,
    people: Vec<String>,
    backup: Vec<String>,
    why: Why,
    holiday: String,
}

/// Prints each rota, or the named one, from the given time on.
pub async fn run(arguments: Duty) -> anyhow::Result<ExitCode> {
    let plans = match arguments.place.elsewhere.open().await? {
        Some(gateway) => there(&gateway, &arguments).await?,
        None => here(&arguments)?,
    };
    if plans.is_empty() {
        bail!(told!(
            "配置里没有值班表：rotas: {{ dba: rota-dba.yaml }}",
            "there are no rotas in the configuration: rotas: {{ dba: rota-dba.yaml }}"
        ));
    }
    let answer = if arguments.json {
        Screen::json(&json!({ "rotas": plans.iter().map(in_json).collect::<Vec<_>>() }))
    } else {
        let mut screen = Screen::new();
        for (index, plan) in plans.iter().enumerate() {
            if index > 0 {
                screen.gap();
            }
            in_words(plan, &mut screen);
        }
        screen
    };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str, names: &[&str]) -> anyhow::Error {
    let names = names.join(", ");
    let said = told!("没有名为 `{name}` 的值班表；有：{names}", "there is no rota `{name}`; there are: {names}");
    Misused(said.to_string()).into()
}

fn here(arguments: &Duty) -> anyhow::Result<Vec<Plan>> {
    let (config, _) = arguments.place.file.load_to_look()?;
    let now = Clock::System.now();
    let at = arguments.at.as_ref().map_or(now, |at| at.resolve_near(now, &config.timezone));
    let until = at.plus_millis(i64::from(arguments.days) * DAY_MS);
    let all = &config.rotas.0;
    let wanted = arguments.name.as_deref();
    if let Some(name) = wanted.filter(|name| !all.contains_key(*name)) {
        return Err(unknown(name, &all.keys().map(String::as_str).collect::<Vec<_>>()));
    }
    let plan = |(name, rota): (&String, &Rota)| Plan {
        name: name.clone(),
        zone: rota.timezone.clone(),
        shifts: rota.schedule(at, until).into_iter().map(|(from, on_call)| shift(rota, from, on_call)).collect(),
    };
    let chosen = all.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    Ok(chosen.map(plan).collect())
}

fn shift(rota: &Rota, from: Timestamp, on_call: OnCall) -> Shift {
    let OnCall { people, backup, until, why } = on_call;
    Shift { from, until, people, backup, why, holiday: rota.holiday_at(from).unwrap_or_default().to_owned() }
}

async fn there(gateway: &Gateway, arguments: &Duty) -> anyhow::Result<Vec<Plan>> {
    let now = Clock::System.now();
    let at = arguments.at.as_ref().map_or(now, |at| at.resolve_near(now, gateway.zone()));
    let query = [("at", time(at)), ("days", arguments.days.to_string())];
    let found = gateway.found("duty", &query).await?;
    let rows = || found["items"].as_array().into_iter().flatten();
    let name = |row: &Value| row["name"].as_str().unwrap_or_default().to_owned();
    let wanted = arguments.name.as_deref();
    if let Some(wanted) = wanted.filter(|wanted| !rows().any(|row| row["name"] == *wanted)) {
        return Err(unknown(wanted, &rows().filter_map(|row| row["name"].as_str()).collect::<Vec<_>>()));
    }
    let plan = |row: &Value| Plan {
        name: name(row),
        zone: row["timezone"].as_str().and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC),
        shifts: row["shifts"].as_array().into_iter().flatten().filter_map(read).collect(),
    };
    Ok(rows().filter(|row| wanted.is_none_or(|wanted| row["name"] == wanted)).map(plan).collect())
}

/// A shift as the API tells it.
fn read(row: &Value) -> Option<Shift> {
    let at = |key: &str| {
        let at: jiff::Timestamp = row[key].as_str()?.parse().ok()?;
        Some(Timestamp(at.as_millisecond()))
    };
    let people = |key: &str| -> Vec<String> {
        row[key].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    Some(Shift {
        from: at("from")?,
        until: at("until")?,
        people: people("people"),
        backup: people("backup"),
        why: Why::from_name(row["why"].as_str()?)?,
        holiday: row["holiday"].as_str().unwrap_or_default().to_owned(),
    })
}

fn in_json(plan: &Plan) -> Value {
    let time = |at: Timestamp| zoned(at, &plan.zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let row = |shift: &Shift| {
        json!({
            "from": time(shift.from),
            "until": time(shift.until),
            "people": shift.people,
            "backup": shift.backup,
            "why": shift.why.as_str(),
        })
    };
    let rows: Vec<Value> = plan.shifts.iter().map(row).collect();
    json!({
        "name": plan.name,
        "timezone": plan.zone.iana_name(),
        "now": rows.first(),
        "next": rows.get(1..).unwrap_or_default(),
    })
}

fn in_words(plan: &Plan, screen: &mut Screen) {
    let width = plan.shifts.iter().map(|shift| shift.people.join(" ").len()).max().unwrap_or(0);
    screen.line(format_args!("{}  ({})", plan.name, plan.zone.iana_name().unwrap_or_default()));
    for (index, shift) in plan.shifts.iter().enumerate() {
        let time = |at: Timestamp| zoned(at, &plan.zone).strftime("%Y-%m-%d %H:%M").to_string();
        let mark = if index == 0 { "▶" } else { " " };
        let people = shift.people.join(" ");
        let mut text = format!("{mark} {} → {}  {people:width$}", time(shift.from), time(shift.until));
        if !shift.backup.is_empty() {
            let backup = shift.backup.join(" ");
            write!(text, "{}", told!("  二线：{backup}", "  backup: {backup}")).expect(TAKES);
        }
        match shift.why {
            Why::Shift => {}
            Why::Substitute => write!(text, "{}", words("  替班", "  substitute")).expect(TAKES),
            Why::Holiday => {
                let name = &shift.holiday;
                write!(text, "{}", told!("  节假日 {name}", "  holiday {name}")).expect(TAKES);
            }
        }
        screen.line(text.trim_end());
    }
}

const DAY_MS: i64 = 86_400_000;
const TAKES: &str = "a String takes everything";

/// A time on the wall clock of the rota; one beyond the calendar becomes its end.
fn zoned(at: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    let end = jiff::Timestamp::MAX;
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(end).to_zoned(zone.clone())
}
