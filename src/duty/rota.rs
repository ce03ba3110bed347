//! A rota: shifts by the wall clock of its zone, holidays with an order of their own, substitutes above both.

use jiff::Span;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::holds;
use crate::alert::Timestamp;

/// Rows that [`Rota::schedule`] gives at most: a year of days, and some.
const MOST_ROWS: usize = 400;
/// Changes that it looks at for them: a rota of one person has one row, however long.
const MOST_STEPS: usize = 4 * MOST_ROWS;

/// Who is on duty when.
///
/// A shift begins at the hour of handover on the wall clock of the zone, also across daylight saving. Where the clock
/// jumps over that time, the handover is as much later; where the clock shows it twice, it is the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rota {
    /// The zone of all its times.
    pub timezone: TimeZone,
    /// When shifts and holidays change hands.
    pub handover: Time,
    /// Days in a shift, at least 1.
    pub days: i32,
    /// The day on which the first shift begins.
    pub start: Date,
    /// By turns, each a person or several together. At least one, none of them empty.
    pub people: Vec<Vec<String>>,
    /// The second line, by turns in the same shifts; empty if there is none.
    pub backup: Vec<Vec<String>>,
    /// In the order of the file: later ones see what earlier ones have changed.
    pub substitutes: Vec<Substitute>,
    /// Of two that overlap the later in the file counts.
    pub holidays: Vec<Holiday>,
}

/// Somebody who stands in for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// From then on, by the wall clock.
    pub from: DateTime,
    /// Until then, exclusively.
    pub to: DateTime,
    /// Who comes.
    pub person: String,
    /// Whom they replace, in either line, whenever it is on duty; `None`: the whole first line.
    pub instead_of: Option<String>,
}

/// Days with people of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// The first day; it begins at the hour of handover.
    pub from: Date,
    /// The last day; it ends at the hour of handover of the next.
    pub to: Date,
    /// By turns, a day each. At least one.
    pub people: Vec<Vec<String>>,
    /// What it is called; may be empty.
    pub name: String,
}

/// Who is on duty at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCall {
    /// The first line; never empty.
    pub people: Vec<String>,
    /// The second line; empty if there is none.
    pub backup: Vec<String>,
    /// Until then it stays so, at least as the rota is now.
    pub until: Timestamp,
    /// By what.
    pub why: Why,
}

/// By what somebody is on duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is their shift. Before the first shift it is already that of the first: nobody would be worse.
    Shift,
    /// They stand in for somebody.
    Substitute,
    /// The list of a holiday names them.
    Holiday,
}

impl Why {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::Substitute => "substitute",
            Self::Holiday => "holiday",
        }
    }
}

impl Rota {
    /// A rota of shifts alone.
    pub const fn new(timezone: TimeZone, handover: Time, days: i32, start: Date, people: Vec<Vec<String>>) -> Self {
        Self {
            timezone,
            handover,
            days,
            start,
            people,
            backup: Vec::new(),
            substitutes: Vec::new(),
            holidays: Vec::new(),
        }
    }

    /// Who is on duty at `at`, and how long.
    pub fn on_call(&self, at: Timestamp) -> OnCall {
        let shift = self.shift(at);
        let end = if shift < 0 { self.begin(1) } else { self.begin(shift.saturating_add(1)) };
        let mut now = self.piece(at, shift);
        // What changes nothing (a substitute for somebody who is away) ends nothing.
        while now.until < end {
            let next = self.piece(now.until, shift);
            if (&next.people, &next.backup, next.why) != (&now.people, &now.backup, now.why) || next.until <= now.until
            {
                break;
            }
            now.until = next.until;
        }
        now
    }

    /// Who is on duty from `from` to `to`, one row after the other, each with its beginning; equal neighbours are one
    /// row. The first began before `from`. At most 400 rows.
    pub fn schedule(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, OnCall)> {
        let mut rows: Vec<(Timestamp, OnCall)> = Vec::new();
        let mut at = from;
        for _ in 0..MOST_STEPS {
            if at >= to || rows.len() == MOST_ROWS {
                break;
            }
            let now = self.on_call(at);
            let begin = at;
            at = now.until;
            match rows.last_mut() {
                Some((_, last)) if last.people == now.people && last.backup == now.backup && last.why == now.why => {
                    last.until = now.until;
                }
                _ => rows.push((begin, now)),
            }
            // The end of time.
            if at <= begin {
                break;
            }
        }
        rows
    }

    /// The name of the holiday at `at`, if it is one that has a name.
    pub fn holiday_at(&self, at: Timestamp) -> Option<&str> {
        let begun =
            |holiday: &&Holiday| (self.handover_in(holiday.from, 0)..self.handover_in(holiday.to, 1)).contains(&at);
        self.holidays.iter().rfind(begun).map(|holiday| holiday.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Everybody whom the rota may ever name, nobody twice.
    pub fn everybody(&self) -> Vec<String> {
        let holidays = self.holidays.iter().flat_map(|holiday| &holiday.people);
        let listed = self.people.iter().chain(&self.backup).chain(holidays).flatten();
        let mut all: Vec<String> = Vec::new();
        for person in listed.chain(self.substitutes.iter().map(|substitute| &substitute.person)) {
            if !holds(&all, person) {
                all.push(person.clone());
            }
        }
        all
    }

    /// Who is on duty at `at` in the shift of that number, until the next instant at which that may change.
    fn piece(&self, at: Timestamp, shift: i64) -> OnCall {
        let (mut people, mut why) = (turn(&self.people, shift), Why::Shift);
        let mut backup = turn(&self.backup, shift);
        let mut until = self.begin(if shift < 0 { 1 } else { shift.saturating_add(1) });
        for holiday in &self.holidays {
            let (begin, end) = (self.handover_in(holiday.from, 0), self.handover_in(holiday.to, 1));
            if (begin..end).contains(&at) {
                let (day, next) = self.day_of(holiday, at);
                (people, why) = (turn(&holiday.people, day), Why::Holiday);
                until = until.min(next);
            }
            until = earlier(until, at, [begin, end]);
        }
        for substitute in &self.substitutes {
            let (begin, end) = (self.instant(substitute.from), self.instant(substitute.to));
            until = earlier(until, at, [begin, end]);
            if !(begin..end).contains(&at) {
                continue;
            }
            match &substitute.instead_of {
                None => (people, why) = (vec![substitute.person.clone()], Why::Substitute),
                Some(whom) => {
                    if replace(&mut people, whom, &substitute.person) {
                        why = Why::Substitute;
                    }
                    replace(&mut backup, whom, &substitute.person);
                }
            }
        }
        OnCall { people, backup, until, why }
    }

    /// The number of the shift at `at`; negative before the first.
    fn shift(&self, at: Timestamp) -> i64 {
        let local = zoned(at, &self.timezone).date();
        let days = i64::from(local.since(self.start).map_or(0, |span| span.get_days()));
        let mut shift = days.div_euclid(i64::from(self.days.max(1)));
        // The hour of handover, and what clocks do around it, decide between neighbours.
        while self.begin(shift) > at {
            shift -= 1;
        }
        // Beyond the calendar one shift is like the other, and the last.
        while self.begin(shift + 1) <= at && self.begin(shift) < self.begin(shift + 1) {
            shift += 1;
        }
        shift
    }

    /// When the shift of that number begins.
    fn begin(&self, shift: i64) -> Timestamp {
        self.handover_in(self.start, shift.saturating_mul(i64::from(self.days.max(1))))
    }

    /// The day of `holiday` at `at`, from 0, and when the next one begins.
    fn day_of(&self, holiday: &Holiday, at: Timestamp) -> (i64, Timestamp) {
        let length = i64::from(holiday.to.since(holiday.from).map_or(0, |span| span.get_days()));
        let begun = (1..=length).take_while(|&day| self.handover_in(holiday.from, day) <= at);
        let day = begun.last().unwrap_or(0);
        (day, self.handover_in(holiday.from, day + 1))
    }

    /// The handover so many days after `day`; the ends of time where the calendar has none.
    fn handover_in(&self, day: Date, days: i64) -> Timestamp {
        let span = Span::new().try_days(days).and_then(|span| day.checked_add(span));
        span.map_or(Timestamp(if days < 0 { i64::MIN } else { i64::MAX }), |day| {
            self.instant(day.to_datetime(self.handover))
        })
    }

    /// When the wall clock shows `local`; what it leaves out is as much later, what it shows twice is the first.
    fn instant(&self, local: DateTime) -> Timestamp {
        let instant = self.timezone.to_ambiguous_timestamp(local).compatible();
        instant.map_or(Timestamp(i64::MAX), |instant| Timestamp(instant.as_millisecond()))
    }
}

/// Whose turn it is; before the first turn it is the first's.
fn turn(people: &[Vec<String>], number: i64) -> Vec<String> {
    let index = usize::try_from(number.max(0)).unwrap_or_default();
    people.get(index % people.len().max(1)).cloned().unwrap_or_default()
}

/// Puts `person` in the place of `whom`. False if `whom` is not there.
fn replace(people: &mut Vec<String>, whom: &str, person: &str) -> bool {
    let Some(place) = people.iter().position(|known| known.eq_ignore_ascii_case(whom)) else { return false };
    people.remove(place);
    if !holds(people, person) {
        people.insert(place, person.to_owned());
    }
    true
}

/// The earliest of `until` and those of `edges` that come after `at`.
fn earlier(until: Timestamp, at: Timestamp, edges: [Timestamp; 2]) -> Timestamp {
    edges.into_iter().filter(|&edge| edge > at).fold(until, Timestamp::min)
}

/// An instant on the wall clock; one beyond the calendar is its end.
fn zoned(at: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    let instant = jiff::Timestamp::from_millisecond(at.0);
    let end = if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    instant.unwrap_or(end).to_zoned(zone.clone())
}

#[cfg(test)]
mod tests;
