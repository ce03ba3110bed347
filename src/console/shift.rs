//! What a rota asks of its people, and a substitution in the words of its file. Pure.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::frame::Frame;
use super::words;
use crate::alert::Timestamp;
use crate::duty::{Rota, Substitute};
use crate::render::{Clock, number};
use crate::stats::DAY;
use crate::words::Words;

/// How far back the load goes.
pub const LOAD_MS: i64 = 28 * 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

/// What one person got and did in that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Got {
    /// Messages that arrived.
    pub messages: usize,
    /// Of these, at night.
    pub night: usize,
    /// Alerts that the person acknowledged.
    pub taken: usize,
    /// There were more than are counted.
    pub more: bool,
}

impl Got {
    /// Counts a message that arrived at `at`.
    pub fn message(&mut self, at: Timestamp, rota: &Rota) {
        self.messages += 1;
        self.night += usize::from(is_night(at, rota));
    }
}

fn is_night(at: Timestamp, rota: &Rota) -> bool {
    let at = jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(rota.timezone.clone()).hour());
    at.is_ok_and(|hour| !DAY.contains(&hour))
}

/// The hours that each person was on duty since [`LOAD_MS`] before `now`, and of these the ones at night.
fn hours(rota: &Rota, now: Timestamp) -> BTreeMap<String, (u32, u32)> {
    let begin = now.plus_millis(-LOAD_MS);
    let mut hours: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (from, row) in rota.schedule(begin, now) {
        let (mut at, until) = (from.max(begin), row.until.min(now));
        while at < until {
            let night = u32::from(is_night(at, rota));
            for person in &row.people {
                let of = hours.entry(person.clone()).or_default();
                *of = (of.0 + 1, of.1 + night);
            }
            at = at.plus_millis(HOUR_MS);
        }
    }
    hours
}

/// A person's load, as cells of a table.
#[derive(Debug)]
pub(super) struct Load {
    pub person: String,
    pub cells: Vec<String>,
}

/// Of all people of a rota, who was on duty longest first.
pub(super) fn load(rota: &Rota, got: &BTreeMap<String, Got>, now: Timestamp) -> Vec<Load> {
    let hours = hours(rota, now);
    let mut all: Vec<(u32, Load)> = Vec::new();
    for person in rota.everybody() {
        let (on, night) = hours.get(&person).copied().unwrap_or_default();
        let got = got.get(&person).copied().unwrap_or_default();
        let count = |count: usize| format!("{}{}", number(count as u64), if got.more { "+" } else { "" });
        let cells = vec![
            number(u64::from(on)),
            number(u64::from(night)),
            count(got.messages),
            count(got.night),
            number(got.taken as u64),
        ];
        all.push((on, Load { person, cells }));
    }
    all.sort_by_key(|(on, _)| std::cmp::Reverse(*on));
    all.into_iter().map(|(_, load)| load).collect()
}

/// A substitution as it is typed.
#[derive(Debug, Clone, Default)]
pub struct Substitution {
    /// Who is away; empty: everybody who is on duty then.
    pub away: String,
    /// Who takes over.
    pub by: String,
    /// From when, as `2026-02-03T18:00`.
    pub from: String,
    /// Until when.
    pub to: String,
}

/// A substitution for the rota's file, and who is on duty with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub yaml: String,
    pub rows: Vec<String>,
}

impl Substitution {
    /// Is anything typed?
    pub fn is_empty(&self) -> bool {
        self.by.is_empty() && self.from.is_empty() && self.to.is_empty()
    }

    /// The lines for the file; or what is wrong.
    pub(super) fn write(&self, f: &Frame<'_>, rota: &Rota, now: Timestamp) -> Result<Written, Words> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte);
        let by = self.by.trim();
        if by.is_empty() || by.len() > 64 || !by.bytes().all(plain) {
            return Err(words::NO_SUBSTITUTE);
        }
        if !self.away.is_empty() && !rota.everybody().contains(&self.away) {
            return Err(words::NOT_ON_ROTA);
        }
        let time = |text: &str| text.trim().replace(' ', "T").parse::<DateTime>().ok();
        let (Some(from), Some(to)) = (time(&self.from), time(&self.to)) else { return Err(words::NO_TIMES) };
        if from >= to {
            return Err(words::NO_TIMES);
        }
        let instead_of = Some(self.away.clone()).filter(|away| !away.is_empty());
        let of = instead_of.as_ref().map(|away| format!(", for: {away}")).unwrap_or_default();
        let minute = |at: DateTime| at.strftime("%Y-%m-%d %H:%M").to_string();
        let yaml = format!("substitutes:\n  - {{ from: {}, to: {}, person: {by}{of} }}\n", minute(from), minute(to));
        let mut changed = rota.clone();
        changed.substitutes.push(Substitute { from, to, person: by.to_owned(), instead_of });
        let at = |time: DateTime| {
            let zoned = time.to_zoned(rota.timezone.clone()).ok()?;
            Some(Timestamp(zoned.timestamp().as_millisecond()))
        };
        let (Some(begin), Some(end)) = (at(from), at(to)) else { return Err(words::NO_TIMES) };
        let clock = Clock { now, zone: &rota.timezone, language: f.language };
        let time = |at: Timestamp| clock.time(at).unwrap_or_default();
        let row = |(from, row): (Timestamp, crate::duty::OnCall)| {
            format!("{} – {}  {}", time(from.max(begin)), time(row.until.min(end)), row.people.join(", "))
        };
        Ok(Written { yaml, rows: changed.schedule(begin, end).into_iter().map(row).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::View;
    use crate::words::Language;

    fn rota() -> Rota {
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        let people = [["lisi"], ["wangwu"]].map(|shift| shift.map(str::to_owned).to_vec()).to_vec();
        Rota::new(zone, jiff::civil::time(9, 0, 0, 0), 7, jiff::civil::date(2026, 1, 5), people)
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_substitution_is_written_as_the_file_wants_it_and_shows_who_is_on_duty() {
        let f = Frame::new(Language::En, "../", String::new(), View::default());
        let typed = |away: &str, by: &str, from: &str, to: &str| Substitution {
            away: away.to_owned(),
            by: by.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let now = at("2026-02-01T00:00:00Z");
        let made = typed("lisi", "zhaoliu", "2026-02-03T18:00", "2026-02-05T09:00").write(&f, &rota(), now).unwrap();
        assert_eq!(
            made.yaml,
            "substitutes:\n  - { from: 2026-02-03 18:00, to: 2026-02-05 09:00, person: zhaoliu, for: lisi }\n"
        );
        assert_eq!(made.rows.len(), 1, "{made:?}");
        assert!(made.rows[0].ends_with("zhaoliu"), "{made:?}");
        for (wrong, why) in [
            (typed("lisi", "x: }", "2026-02-03T18:00", "2026-02-05T09:00"), words::NO_SUBSTITUTE),
            (typed("lisi", "", "2026-02-03T18:00", "2026-02-05T09:00"), words::NO_SUBSTITUTE),
            (typed("nobody", "zhaoliu", "2026-02-03T18:00", "2026-02-05T09:00"), words::NOT_ON_ROTA),
            (typed("lisi", "zhaoliu", "2026-02-05T18:00", "2026-02-05T09:00"), words::NO_TIMES),
            (typed("lisi", "zhaoliu", "tomorrow", "2026-02-05T09:00"), words::NO_TIMES),
        ] {
            assert_eq!(wrong.write(&f, &rota(), now).unwrap_err(), why, "{wrong:?}");
        }
    }

    #[test]
    fn the_load_is_what_the_schedule_and_the_record_say() {
        let rota = rota();
        let now = at("2026-02-02T01:00:00Z");
        let hours = hours(&rota, now);
        assert_eq!(hours.values().map(|(on, _)| on).sum::<u32>(), 28 * 24);
        assert_eq!(hours["lisi"].0, hours["wangwu"].0);
        let share = f64::from(hours["lisi"].1) / f64::from(hours["lisi"].0);
        assert!((share - 9.0 / 24.0).abs() < 0.01, "{hours:?}");
        let mut got = Got::default();
        got.message(at("2026-01-20T19:00:00Z"), &rota);
        got.message(at("2026-01-20T04:00:00Z"), &rota);
        assert_eq!((got.messages, got.night), (2, 1));
        let rows = load(&rota, &BTreeMap::from([("lisi".to_owned(), Got { taken: 3, more: true, ..got })]), now);
        let lisi = rows.iter().find(|row| row.person == "lisi").unwrap();
        assert_eq!(&lisi.cells[2..], ["2+", "1+", "3"]);
    }
}
