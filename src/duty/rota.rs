//! A rota: shifts by the wall clock of its zone, holidays with their own people, and substitutes, which take
//! precedence.

use jiff::Span;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::holds;
use crate::alert::Timestamp;

/// Most rows of [`Rota::schedule`]: a year of days, and some.
const MOST_ROWS: usize = 400;
/// Most changes that it examines for them: a rota of one person has one row for any period.
const MOST_STEPS: usize = 4 * MOST_ROWS;

/// The people on duty over time.
///
/// A shift begins at the hour of handover on the wall clock of the zone, also across daylight saving. Where the clock
/// skips that time, the handover is later by the skipped amount; where the clock shows it twice, the first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rota {
    pub timezone: TimeZone,
    /// When shifts and holidays change.
    pub handover: Time,
    /// Days in a shift, at least 1.
    pub days: i32,
    /// The day on which the first shift begins.
    pub start: Date,
    /// In turns, each a person or several together. At least one, none of them empty.
    pub people: Vec<Vec<String>>,
    /// The second line, in turns in the same shifts; empty if there is none.
    pub backup: Vec<Vec<String>>,
    /// In the order of the file: later ones apply after earlier ones.
    pub substitutes: Vec<Substitute>,
    /// Where two overlap, the later one in the file counts.
    pub holidays: Vec<Holiday>,
}

/// A substitution for a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// Start, by the wall clock.
    pub from: DateTime,
    /// End, exclusive.
    pub to: DateTime,
    /// The substitute.
    pub person: String,
    /// The person who is replaced, in either line, whenever on duty; `None`: the whole first line.
    pub instead_of: Option<String>,
}

/// Days with their own people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// The first day; it begins at the hour of handover.
    pub from: Date,
    /// The last day; it ends at the hour of handover of the next.
    pub to: Date,
    /// In turns, a day each. At least one.
    pub people: Vec<Vec<String>>,
    /// Its name; may be empty.
    pub name: String,
}

/// The people on duty at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCall {
    /// The first line; never empty.
    pub people: Vec<String>,
    /// The second line; empty if there is none.
    pub backup: Vec<String>,
    /// They stay on duty until then, by the present rota.
    pub until: Timestamp,
    /// The reason.
    pub why: Why,
}

/// Why people are on duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is their shift. The first shift also covers the time before its start: leaving it uncovered would be worse.
    Shift,
    /// They are substitutes.
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

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Shift, Self::Substitute, Self::Holiday].into_iter().find(|why| why.as_str() == name)
    }
}

impl Rota {
    /// A rota of shifts only.
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

    /// The people on duty at `at`, and until when.
    pub fn on_call(&self, at: Timestamp) -> OnCall {
        let shift = self.shift(at);
        let end = if shift < 0 { self.begin(1) } else { self.begin(shift.saturating_add(1)) };
        let mut now = self.piece(at, shift);
        // A change without effect (a substitute for a person who is not on duty) does not end the row.
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

    /// The people on duty from `from` to `to`, in consecutive rows, each with its start; equal neighbours are one row.
    /// The first starts before `from`. At most 400 rows.
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

    /// All people whom the rota may ever name, without duplicates.
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

    /// The people on duty at `at` in the shift of that number, until the next instant at which that may change.
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
        // The hour of handover and clock changes decide between neighbouring shifts.
        while self.begin(shift) > at {
            shift -= 1;
        }
        // Beyond the calendar all shifts collapse into the last.
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

    /// The handover this many days after `day`; the ends of time where the calendar has none.
    fn handover_in(&self, day: Date, days: i64) -> Timestamp {
        let span = Span::new().try_days(days).and_then(|span| day.checked_add(span));
        span.map_or(Timestamp(if days < 0 { i64::MIN } else { i64::MAX }), |day| {
            self.instant(day.to_datetime(self.handover))
        })
    }

    /// When the wall clock shows `local`; a skipped time is later by the skipped amount, of a repeated one the first
    /// counts.
    fn instant(&self, local: DateTime) -> Timestamp {
        let instant = self.timezone.to_ambiguous_timestamp(local).compatible();
        instant.map_or(Timestamp(i64::MAX), |instant| Timestamp(instant.as_millisecond()))
    }
}

/// The people of a turn; before the first turn, those of the first.
fn turn(people: &[Vec<String>], number: i64) -> Vec<String> {
    let index = usize::try_from(number.max(0)).unwrap_or_default();
    people.get(index % people.len().max(1)).cloned().unwrap_or_default()
}

/// Replaces `whom` by `person`. False if `whom` is not there.
fn replace(people: &mut Vec<String>, whom: &str, person: &str) -> bool {
    let Some(place) = people.iter().position(|known| known.eq_ignore_ascii_case(whom)) else { return false };
    people.remove(place);
    if !holds(people, person) {
        people.insert(place, person.to_owned());
    }
    true
}

/// The earliest of `until` and those of `edges` that are after `at`.
fn earlier(until: Timestamp, at: Timestamp, edges: [Timestamp; 2]) -> Timestamp {
    edges.into_iter().filter(|&edge| edge > at).fold(until, Timestamp::min)
}

/// An instant on the wall clock; one beyond the calendar becomes its end.
fn zoned(at: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    let instant = jiff::Timestamp::from_millisecond(at.0);
    let end = if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    instant.unwrap_or(end).to_zoned(zone.clone())
}

#[cfg(test)]
mod tests;
