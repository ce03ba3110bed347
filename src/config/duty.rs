//! Rotas: one file each, with its own places and mistakes.

use std::path::PathBuf;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use super::at::{At, Named};
use super::file;
use super::finding::{Place, did_you_mean};
use super::resolve::{Resolver, placed, value};
use crate::duty::{Holiday, Rota, Rotas, Substitute, holds};

/// Nine, when people come to work.
const HANDOVER: Time = Time::constant(9, 0, 0, 0);
const WEEK: i32 = 7;
/// Days in a shift: a year is longer than any.
const MOST_DAYS: i32 = 366;
/// Most turns, substitutes and holidays of one rota, each: more than a team has in years. Each is examined for a
/// message.
const MOST_ENTRIES: usize = 1000;
/// Days of one holiday.
const MOST_HOLIDAYS: i32 = 366;
/// Plausible years; others are typing errors.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2999;
impl Resolver<'_> {
    /// All rotas whose files are readable and valid.
    pub(super) fn rotas(&mut self, named: Option<&Named<PathBuf>>, timezone: Option<&TimeZone>) -> Rotas {
        let mut rotas = Rotas::default();
        for (name, place, path) in named.into_iter().flat_map(Named::iter) {
            self.name(place, name);
            let rota = self.sibling::<file::Rota, _>(place, "rotas", path, |this, rota| this.rota(rota, timezone));
            rotas.0.extend(rota.map(|rota| (name.to_owned(), rota)));
        }
        rotas
    }

    fn rota(&mut self, rota: &file::Rota, timezone: Option<&TimeZone>) -> Option<Rota> {
        let zone = match rota.timezone {
            Some(_) => self.timezone(rota.timezone.as_ref()),
            None => timezone.cloned(),
        };
        let days = self.every(rota.every.as_ref());
        let (weekday, handover) = self.handover(rota.handover.as_ref());
        let start = self.date(Some(&rota.start));
        if let (Some(weekday), Some(start), Some(days)) = (weekday, start, days) {
            self.weekday_fits(rota, weekday, start, days);
        }
        let people = self.turns(Some(&rota.people), "people");
        let backup = self.turns(rota.backup.as_ref(), "backup");
        let holidays = self.holidays(rota.holidays.as_ref());
        let mut known: Vec<String> = people
            .iter()
            .chain(&backup)
            .chain(holidays.iter().flat_map(|day| &day.people))
            .flatten()
            .cloned()
            .collect();
        let substitutes = self.substitutes(rota.substitutes.as_ref(), &mut known);
        let people = (!people.is_empty()).then_some(people)?;
        let mut made = Rota::new(zone?, handover?, days?, start?, people);
        (made.backup, made.substitutes, made.holidays) = (backup, substitutes, holidays);
        Some(made)
    }

    /// Days in a shift.
    fn every(&mut self, every: Option<&At<String>>) -> Option<i32> {
        let Some(at) = every else { return Some(WEEK) };
        let (place, text) = placed(Some(at))?;
        let number = |unit: char| text.trim().strip_suffix(unit).and_then(|number| number.parse::<i32>().ok());
        let days = number('w').and_then(|weeks| weeks.checked_mul(WEEK)).or_else(|| number('d'));
        let days = days.filter(|days| (1..=MOST_DAYS).contains(days));
        if days.is_none() {
            self.found.mistake(
                place,
                (format!("`every` 不是班次长度：`{text}`"), format!("`every` is not the length of a shift: `{text}`")),
                ("写成 1d、1w、2w，最长 366d", "write 1d, 1w, 2w, at most 366d"),
            );
        }
        days
    }

    /// The hour of handover, and the weekday if one stands before it.
    fn handover(&mut self, handover: Option<&At<String>>) -> (Option<Weekday>, Option<Time>) {
        let Some(at) = handover else { return (None, Some(HANDOVER)) };
        let Some((place, text)) = placed(Some(at)) else { return (None, None) };
        let mut words = text.split_whitespace();
        let (day, hour) = match (words.next(), words.next(), words.next()) {
            (Some(hour), None, _) => (Some(None), clock(hour)),
            (Some(day), Some(hour), None) => (weekday(day).map(Some), clock(hour)),
            _ => (None, None),
        };
        if let (Some(day), Some(hour)) = (day, hour) {
            return (day, Some(hour));
        }
        self.found.mistake(
            place,
            (format!("`handover` 不是交接时刻：`{text}`"), format!("`handover` is no time of handover: `{text}`")),
            ("写成 09:00 或 周一 09:00", "write 09:00 or mon 09:00"),
        );
        (None, None)
    }

    /// Shifts that change on a weekday last whole weeks and start on it.
    fn weekday_fits(&mut self, rota: &file::Rota, weekday: Weekday, start: Date, days: i32) {
        if days % WEEK != 0 {
            let place = rota.handover.as_ref().map(|at| at.place).unwrap_or_default();
            self.found.mistake(
                place,
                ("交接写了星期几，但 `every` 不是整周", "the handover has a weekday, but `every` is not in weeks"),
                ("去掉星期几，或写 every: 1w", "leave out the weekday, or write every: 1w"),
            );
        } else if start.weekday() != weekday {
            let before = i64::from(weekday.until(start.weekday()));
            let near = start.saturating_sub(before.days());
            self.found.mistake(
                rota.start.place,
                (
                    format!("`start` {start} 不是交接的那个星期几"),
                    format!("`start` {start} is not on the weekday of the handover"),
                ),
                (format!("例如 {near}"), format!("for example {near}")),
            );
        }
    }

    fn turns(&mut self, people: Option<&At<Vec<At<file::Crew>>>>, key: &str) -> Vec<Vec<String>> {
        let Some((place, turns)) = placed(people) else { return Vec::new() };
        if turns.is_empty() {
            self.found.mistake(
                place,
                (format!("`{key}` 是空的：没有人值班"), format!("`{key}` is empty: no one is on duty")),
                (format!("{key}: [zhangsan, lisi]"), format!("{key}: [zhangsan, lisi]")),
            );
        }
        if turns.len() > MOST_ENTRIES {
            self.too_many_entries(place, key);
        }
        turns.iter().map(|crew| self.crew(crew, Self::check_userid)).collect()
    }

    fn too_many_entries(&mut self, place: Place, key: &str) {
        self.found.mistake(
            place,
            (format!("`{key}` 超过 {MOST_ENTRIES} 条"), format!("`{key}` holds more than {MOST_ENTRIES}")),
            ("删掉过去的", "remove those of the past"),
        );
    }

    fn holidays(&mut self, holidays: Option<&At<Vec<At<file::Holiday>>>>) -> Vec<Holiday> {
        let Some((place, written)) = placed(holidays) else { return Vec::new() };
        if written.len() > MOST_ENTRIES {
            self.too_many_entries(place, "holidays");
        }
        let mut found = Vec::new();
        for (place, holiday) in written.iter().filter_map(|holiday| placed(Some(holiday))) {
            let people = self.turns(Some(&holiday.people), "people");
            let dates = match (&holiday.date, &holiday.from, &holiday.to) {
                (Some(day), None, None) => self.date(Some(day)).map(|day| (day, day)),
                (None, Some(from), Some(to)) => self.date(Some(from)).zip(self.date(Some(to))),
                _ => {
                    self.found.mistake(
                        place,
                        ("节假日要写 `date`，或 `from` 加 `to`", "a holiday has `date`, or `from` and `to`"),
                        (
                            "{ from: 2026-10-01, to: 2026-10-07, people: [zhangsan] }",
                            "{ from: 2026-10-01, to: 2026-10-07, people: [zhangsan] }",
                        ),
                    );
                    None
                }
            };
            let Some((from, to)) = dates else { continue };
            let days = to.since(from).map_or(0, |span| span.get_days());
            if !(0..MOST_HOLIDAYS).contains(&days) {
                self.found.mistake(
                    place,
                    (format!("节假日从 {from} 到 {to}"), format!("this holiday lasts from {from} to {to}")),
                    (
                        "`to` 是最后一天，不早于 `from`，最长一年",
                        "`to` is the last day, not before `from`, at most a year",
                    ),
                );
            }
            let name = value(holiday.name.as_ref()).cloned().unwrap_or_default();
            found.push(Holiday { from, to, people, name });
        }
        found
    }

    /// `known`: all people who can be replaced; the substitutes are added.
    fn substitutes(
        &mut self,
        substitutes: Option<&At<Vec<At<file::Substitute>>>>,
        known: &mut Vec<String>,
    ) -> Vec<Substitute> {
        let Some((place, written)) = placed(substitutes) else { return Vec::new() };
        if written.len() > MOST_ENTRIES {
            self.too_many_entries(place, "substitutes");
        }
        let mut found = Vec::new();
        for (place, substitute) in written.iter().filter_map(|substitute| placed(Some(substitute))) {
            let times = self.moment(&substitute.from).zip(self.moment(&substitute.to));
            if let Some((from, to)) = times.filter(|(from, to)| from >= to) {
                self.found.mistake(
                    place,
                    (format!("替班从 {from} 到 {to}"), format!("this substitute stays from {from} to {to}")),
                    ("`to` 要晚于 `from`", "`to` comes after `from`"),
                );
            }
            if let Some((place, person)) = placed(Some(&substitute.person)) {
                self.check_userid(place, person);
            }
            if let Some((place, whom)) = placed(substitute.instead_of.as_ref())
                && !holds(known, whom)
            {
                self.found.mistake(
                    place,
                    (format!("`{whom}` 不在这张值班表里"), format!("`{whom}` is not in this rota")),
                    did_you_mean(whom, known.iter().map(String::as_str)),
                );
            }
            let (Some((from, to)), Some(person)) = (times, substitute.person.get()) else { continue };
            known.push(person.clone());
            let instead_of = value(substitute.instead_of.as_ref()).cloned();
            found.push(Substitute { from, to, person: person.clone(), instead_of });
        }
        found
    }

    /// `2026-10-01`
    fn date(&mut self, date: Option<&At<String>>) -> Option<Date> {
        let (place, text) = placed(date)?;
        let day = Some(text.trim()).filter(|text| text.len() == "2026-10-01".len());
        let day = day.and_then(|text| text.parse::<Date>().ok()).filter(|day| YEARS.contains(&day.year()));
        if day.is_none() {
            self.found.mistake(
                place,
                (format!("`{text}` 不是日期"), format!("`{text}` is not a date")),
                ("写成 2026-10-01", "write 2026-10-01"),
            );
        }
        day
    }

    /// `2026-10-01 18:00`
    fn moment(&mut self, moment: &At<String>) -> Option<DateTime> {
        let (place, text) = placed(Some(moment))?;
        let time = Some(text.trim()).filter(|text| text.len() == "2026-10-01 18:00".len());
        let time = time.and_then(|text| text.parse::<DateTime>().ok()).filter(|time| YEARS.contains(&time.year()));
        if time.is_none() {
            self.found.mistake(
                place,
                (format!("`{text}` 不是日期加时刻"), format!("`{text}` is not a date with a time")),
                ("写成 2026-10-01 18:00（值班表的时区）", "write 2026-10-01 18:00, in the zone of the rota"),
            );
        }
        time
    }
}

/// `09:00`
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| Some(text).filter(|text| (1..=2).contains(&text.len()))?.parse::<i8>().ok();
    Time::new(number(hour)?, number(minute).filter(|_| minute.len() == 2)?, 0, 0).ok()
}

fn weekday(text: &str) -> Option<Weekday> {
    let days = [
        (Weekday::Monday, "mon", "一"),
        (Weekday::Tuesday, "tue", "二"),
        (Weekday::Wednesday, "wed", "三"),
        (Weekday::Thursday, "thu", "四"),
        (Weekday::Friday, "fri", "五"),
        (Weekday::Saturday, "sat", "六"),
        (Weekday::Sunday, "sun", "日"),
    ];
    let chinese = text.strip_prefix('周').or_else(|| text.strip_prefix("星期")).map(|day| day.replace('天', "日"));
    let english = text.to_lowercase();
    let is_it = |&&(_, en, zh): &&(Weekday, &str, &str)| match &chinese {
        Some(day) => day == zh,
        None => english == en,
    };
    days.iter().find(is_it).map(|&(day, _, _)| day)
}
