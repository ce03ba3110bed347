//! How much alerts ask of people: by rule, receiver, source and day, with the nights, and which rules are worth changing.
//! Pure; the page, the API and the command show the same report.
//!
//! Nothing in it is about one person: who took an alert is not counted here. A share or a median of fewer than five is no
//! figure and is left out.

mod csv;
mod week;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alert::Timestamp;
use crate::store::{Tally, length_seconds};
pub use week::Week;

/// The hours of a day; a message at any other hour wakes people.
pub const DAY: std::ops::Range<i8> = 8..23;
/// Fewer than these have no share and no median.
pub const FEW: u64 = 5;
/// A rule that fired so often, and of which so few were taken (in percent), asks for nothing.
pub const OFTEN: u64 = 20;
/// A rule of which people said so often that it should not have woken them.
pub const NEEDLESS: u64 = 3;
/// See [`OFTEN`].
pub const SELDOM_TAKEN: u64 = 5;
/// Changes of a rule in an hour from which on it goes on and off.
pub const CHANGES: u64 = 5;

/// Why a rule is worth changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// People said at least 3 times that it should not have woken them.
    Needless,
    /// It fired at least 20 times and fewer than 5 % were acknowledged: it reports conditions that need no action.
    Untaken,
    /// It changed at least 5 times within an hour: a longer `for` keeps it quiet.
    Flapping,
}

/// The figures of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleFigures)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Alerts that began.
    pub fired: u64,
    /// Of these, at night: from 23 to 8.
    pub night: u64,
    /// Alerts that a person took, in percent of those that began; null for fewer than 5.
    pub taken_percent: Option<u64>,
    /// From the first message that was accepted until it was taken, the median; null for fewer than 5.
    pub median_seconds: Option<u64>,
    /// The same for the slowest tenth.
    pub p90_seconds: Option<u64>,
    /// From its beginning until it was taken, the median; null for fewer than 5.
    pub median_from_start_seconds: Option<u64>,
    /// How long it was on, the median of those that ended, to an eighth; null for fewer than 5.
    pub median_length_seconds: Option<u64>,
    /// Alerts that ended.
    pub ended: u64,
    /// Of these, the ones that were on for less than 5 minutes.
    pub brief: u64,
    /// Most beginnings and ends in one hour.
    pub most_changes: u64,
    /// How often people said that it should not have woken them.
    pub needless: u64,
    /// Critical alerts that were on for more than 15 minutes and that nobody acknowledged or silenced.
    #[serde(default)]
    pub unanswered: u64,
    /// Why it is worth changing.
    pub advice: Option<Advice>,
}

/// Sums under a name: of a receiver, a source, or a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Figures)]
pub struct Sums {
    /// The receiver, the source, or the day as `2026-11-28`.
    pub name: String,
    /// Alerts that began.
    pub fired: u64,
    /// Of these, at night.
    pub night: u64,
    /// Messages that were sent; none are counted by source.
    pub sent: u64,
    /// Messages that were refused for good.
    pub dead: u64,
    /// Messages that a digest told instead.
    pub folded: u64,
    /// Of the messages that were sent, the ones that waited for more than a minute.
    pub late: u64,
}

/// How much alerts asked of people. Nothing in it is about one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Noise)]
pub struct Report {
    /// All together.
    pub all: Sums,
    /// Alerts that a person took, in percent of all that began; null for fewer than 5.
    pub taken_percent: Option<u64>,
    /// From the first message that was accepted until an alert was taken, the median; null for fewer than 5.
    pub median_seconds: Option<u64>,
    /// The same for the slowest tenth.
    pub p90_seconds: Option<u64>,
    /// How long alerts were on, the median of those that ended, to an eighth; null for fewer than 5.
    pub median_length_seconds: Option<u64>,
    /// How often people said that an alert should not have woken them.
    pub needless: u64,
    /// Critical alerts that were on for more than 15 minutes and that nobody acknowledged or silenced.
    #[serde(default)]
    pub unanswered: u64,
    /// Rules, those that fired most first.
    pub rules: Vec<Rule>,
    /// Receivers, those with most messages first.
    pub receivers: Vec<Sums>,
    /// Sources, those with most alerts first.
    pub sources: Vec<Sums>,
    /// Days on the clock of the zone, in order, also those without anything.
    pub days: Vec<Sums>,
    /// The count is incomplete: there was more.
    pub cut: bool,
}

impl Report {
    /// From the figures of a span, on the clock of `zone`. An alert that goes to two receivers counts for each of them, and
    /// once under its rule, its source, its day and in all.
    pub fn of(tally: &Tally, since: Timestamp, until: Timestamp, zone: &TimeZone) -> Self {
        let mut rules: BTreeMap<&str, Rule> = BTreeMap::new();
        let (mut receivers, mut sources) = (BTreeMap::new(), BTreeMap::new());
        let mut days: BTreeMap<String, Sums> = days(since, until, zone).map(|day| (day.clone(), named(day))).collect();
        let mut all = Sums::default();
        for hour in once(tally) {
            let (day, night) = clock(hour.hour, zone);
            let woke = if night { hour.fired } else { 0 };
            let rule = rules.entry(hour.rule).or_insert_with(|| Rule::none(hour.rule));
            rule.fired += hour.fired;
            rule.night += woke;
            rule.most_changes = rule.most_changes.max(hour.changes);
            rule.ended += hour.ended;
            rule.brief += hour.brief;
            rule.unanswered += hour.unanswered;
            for sums in [
                &mut all,
                sources.entry(hour.source).or_insert_with(|| named(hour.source.to_owned())),
                days.entry(day.clone()).or_insert_with(|| named(day)),
            ] {
                sums.fired += hour.fired;
                sums.night += woke;
            }
        }
        for hour in &tally.rules {
            let sums = receivers.entry(&*hour.receiver).or_insert_with(|| named(hour.receiver.clone()));
            sums.fired += hour.fired;
            sums.night += if clock(hour.hour, zone).1 { hour.fired } else { 0 };
        }
        for hour in &tally.sent {
            let day = clock(hour.hour, zone).0;
            for sums in [
                &mut all,
                receivers.entry(&*hour.receiver).or_insert_with(|| named(hour.receiver.clone())),
                days.entry(day.clone()).or_insert_with(|| named(day)),
            ] {
                sums.sent += hour.sent;
                sums.dead += hour.dead;
                sums.folded += hour.folded;
                sums.late += hour.late;
            }
        }
        // What is said of an alert whose beginning is before the span, or pruned, still counts.
        let mut needless = 0;
        for said in &tally.needless {
            rules.entry(&said.rule).or_insert_with(|| Rule::none(&said.rule)).needless += said.count;
            needless += said.count;
        }
        for (name, count) in waiting(tally) {
            rules.entry(name).or_insert_with(|| Rule::none(name)).unanswered += count;
        }
        let unanswered = rules.values().map(|rule| rule.unanswered).sum();
        let taken: u64 = rules.values_mut().map(|rule| rule.judge(tally)).sum();
        let mut rules: Vec<Rule> = rules.into_values().collect();
        rules.sort_by(|one, other| other.fired.cmp(&one.fired).then_with(|| one.name.cmp(&other.name)));
        let sorted = |sums: BTreeMap<&str, Sums>| {
            let mut sums: Vec<Sums> = sums.into_values().collect();
            sums.sort_by(|one, other| {
                (other.sent, other.fired).cmp(&(one.sent, one.fired)).then_with(|| one.name.cmp(&other.name))
            });
            sums
        };
        let (receivers, sources) = (sorted(receivers), sorted(sources));
        let waited = waits(tally.taken.iter().map(|taken| (taken.told_at, taken.at)));
        Self {
            taken_percent: percent(taken, all.fired),
            median_seconds: quantile(&waited, 50),
            p90_seconds: quantile(&waited, 90),
            median_length_seconds: length(tally, |_| true),
            all,
            needless,
            unanswered,
            rules,
            receivers,
            sources,
            days: days.into_values().collect(),
            cut: tally.is_cut(),
        }
    }
}

impl Rule {
    fn none(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// How many of its alerts were acknowledged.
    fn judge(&mut self, tally: &Tally) -> u64 {
        let of_rule = || tally.taken.iter().filter(|taken| taken.rule == self.name);
        // Each alert counts once for all its receivers.
        let acts: BTreeSet<(Timestamp, &str)> = of_rule().map(|taken| (taken.at, &*taken.receiver)).collect();
        let widest = acts.iter().fold(BTreeMap::<&str, u64>::new(), |mut counts, (_, receiver)| {
            *counts.entry(receiver).or_default() += 1;
            counts
        });
        let taken = widest.into_values().max().unwrap_or(0).min(self.fired);
        self.taken_percent = percent(taken, self.fired);
        let waited = waits(of_rule().map(|taken| (taken.told_at, taken.at)));
        (self.median_seconds, self.p90_seconds) = (quantile(&waited, 50), quantile(&waited, 90));
        let from_start = waits(of_rule().map(|taken| (taken.fired_at, taken.at)));
        self.median_from_start_seconds = quantile(&from_start, 50);
        self.median_length_seconds = length(tally, |rule| rule == self.name);
        self.advice = if self.needless >= NEEDLESS {
            Some(Advice::Needless)
        } else if self.most_changes >= CHANGES {
            Some(Advice::Flapping)
        } else if self.fired >= OFTEN && taken * 100 < SELDOM_TAKEN * self.fired {
            Some(Advice::Untaken)
        } else {
            None
        };
        taken
    }
}

/// The seconds between two times, where the first is known, in order.
fn waits(all: impl Iterator<Item = (Option<Timestamp>, Timestamp)>) -> Vec<u64> {
    let mut waits: Vec<u64> =
        all.filter_map(|(from, to)| Some(to.millis_since(from?).max(0).unsigned_abs() / 1000)).collect();
    waits.sort_unstable();
    waits
}

/// What so many percent do not exceed, unless they are too few.
fn quantile(sorted: &[u64], percent: usize) -> Option<u64> {
    (sorted.len() as u64 >= FEW).then(|| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)])
}

/// How long the alerts of some rules were on: the median of those that ended.
fn length(tally: &Tally, of: impl Fn(&str) -> bool) -> Option<u64> {
    let mut steps: BTreeMap<i64, u64> = BTreeMap::new();
    for hour in tally.lengths.iter().filter(|hour| of(&hour.rule)) {
        *steps.entry(hour.step).or_default() += hour.ended;
    }
    let all: u64 = steps.values().sum();
    let mut passed = 0;
    let middle = steps.into_iter().find(|(_, ended)| {
        passed += ended;
        passed * 2 > all
    });
    middle.filter(|_| all >= FEW).map(|(step, _)| length_seconds(step))
}

/// A share in percent, unless it is one of too few.
fn percent(part: u64, whole: u64) -> Option<u64> {
    (whole >= FEW).then(|| part * 100 / whole)
}

fn named(name: String) -> Sums {
    Sums { name, ..Sums::default() }
}

/// An hour of a rule from one source, for all receivers.
struct Once<'t> {
    rule: &'t str,
    source: &'t str,
    hour: Timestamp,
    fired: u64,
    ended: u64,
    brief: u64,
    changes: u64,
    unanswered: u64,
}

/// What still waits, by rule: of several receivers that were told of the same alerts, the one that was told of most counts.
fn waiting(tally: &Tally) -> BTreeMap<&str, u64> {
    tally.waiting.iter().fold(BTreeMap::new(), |mut most, rule| {
        let count = most.entry(&*rule.rule).or_default();
        *count = rule.count.max(*count);
        most
    })
}

/// The hours without the receivers: of several that were told of the same alerts, the one that was told of most counts.
fn once(tally: &Tally) -> impl Iterator<Item = Once<'_>> {
    let mut hours: BTreeMap<(&str, &str, Timestamp), [u64; 5]> = BTreeMap::new();
    for hour in &tally.rules {
        let most = hours.entry((&hour.rule, &hour.source, hour.hour)).or_default();
        let counts = [hour.fired, hour.ended, hour.brief, hour.fired + hour.ended, hour.unanswered];
        most.iter_mut().zip(counts).for_each(|(most, count)| *most = (*most).max(count));
    }
    let row = |((rule, source, hour), [fired, ended, brief, changes, unanswered]): ((_, _, _), [u64; 5])| Once {
        rule,
        source,
        hour,
        fired,
        ended,
        brief,
        changes,
        unanswered,
    };
    hours.into_iter().map(row)
}

/// The day of an hour, and whether it is at night.
fn clock(hour: Timestamp, zone: &TimeZone) -> (String, bool) {
    let at = jiff::Timestamp::from_millisecond(hour.0).unwrap_or_default().to_zoned(zone.clone());
    (at.strftime("%Y-%m-%d").to_string(), !DAY.contains(&at.hour()))
}

/// The days of a span.
fn days(since: Timestamp, until: Timestamp, zone: &TimeZone) -> impl Iterator<Item = String> {
    let date =
        |at: Timestamp| jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(zone.clone()).date();
    let last = date(until.plus_millis(-1));
    std::iter::successors(Some(date(since)), |day| day.tomorrow().ok())
        .take_while(move |day| *day <= last)
        .map(|day| day.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LengthHour, NeedlessRule, RuleHour, SentHour, TakenAlert as Taken, WaitingRule};

    const HOUR: i64 = 3_600_000;
    /// 2026-11-23, a Monday, 00:00 in Shanghai.
    const MONDAY: Timestamp = Timestamp(1_795_363_200_000);

    fn zone() -> TimeZone {
        TimeZone::get("Asia/Shanghai").unwrap()
    }

    fn at(hours: i64) -> Timestamp {
        MONDAY.plus_millis(hours * HOUR)
    }

    fn hour(rule: &str, receiver: &str, hours: i64, fired: u64, ended: u64) -> RuleHour {
        let (rule, receiver, source) = (rule.to_owned(), receiver.to_owned(), "am".to_owned());
        RuleHour { rule, receiver, source, hour: at(hours), fired, ended, brief: 0, unanswered: 0 }
    }

    #[test]
    fn critical_alerts_that_nobody_answers_are_counted_once_for_all_their_receivers() {
        let ended =
            |receiver: &str, count: u64| RuleHour { unanswered: count, ..hour("主库只读", receiver, 10, 0, 3) };
        let waits = |rule: &str, receiver: &str, count: u64| WaitingRule {
            rule: rule.to_owned(),
            receiver: receiver.to_owned(),
            count,
        };
        let tally = Tally {
            rules: vec![ended("ops", 2), ended("dba", 2), hour("CPU", "ops", 12, 1, 0)],
            waiting: vec![waits("主库只读", "ops", 1), waits("主库只读", "dba", 1), waits("支付", "ops", 4)],
            ..Tally::default()
        };
        let report = Report::of(&tally, at(0), at(24), &zone());
        let of = |name: &str| report.rules.iter().find(|rule| rule.name == name).unwrap().unanswered;
        assert_eq!((report.unanswered, of("主库只读"), of("支付"), of("CPU")), (7, 3, 4, 0));
    }

    fn sent(receiver: &str, hours: i64, sent: u64, dead: u64) -> SentHour {
        SentHour { receiver: receiver.to_owned(), hour: at(hours), sent, dead, folded: 0, late: 0 }
    }

    fn taken(rule: &str, hours: i64, seconds: i64) -> Taken {
        let told = at(hours);
        Taken {
            rule: rule.to_owned(),
            receiver: "ops".to_owned(),
            fired_at: Some(told.plus_millis(-30_000)),
            told_at: Some(told),
            at: told.plus_millis(seconds * 1000),
        }
    }

    #[test]
    fn a_week_is_counted_by_rule_receiver_source_and_day() {
        let tally = Tally {
            rules: vec![
                hour("磁盘", "ops", 10, 3, 1),
                // The same three alerts for a second receiver.
                hour("磁盘", "dba", 10, 3, 1),
                hour("磁盘", "ops", 26, 2, 0),
                hour("CPU", "ops", 12, 1, 0),
            ],
            sent: vec![sent("ops", 10, 4, 1), sent("dba", 10, 3, 0), sent("ops", 26, 2, 0)],
            ..Tally::default()
        };
        let report = Report::of(&tally, at(0), at(72), &zone());
        let line = |sums: &Sums| (sums.name.clone(), sums.fired, sums.night, sums.sent, sums.dead);
        assert_eq!(line(&report.all), (String::new(), 6, 2, 9, 1));
        assert_eq!(
            report.rules.iter().map(|rule| (&*rule.name, rule.fired, rule.night)).collect::<Vec<_>>(),
            [("磁盘", 5, 2), ("CPU", 1, 0)]
        );
        let lines = |sums: &[Sums]| sums.iter().map(line).collect::<Vec<_>>();
        let named = |name: &str, fired, night, sent, dead| (name.to_owned(), fired, night, sent, dead);
        assert_eq!(lines(&report.receivers), [named("ops", 6, 2, 6, 1), named("dba", 3, 0, 3, 0)]);
        assert_eq!(lines(&report.sources), [named("am", 6, 2, 0, 0)]);
        let days = [named("2026-11-23", 4, 0, 7, 1), named("2026-11-24", 2, 2, 2, 0), named("2026-11-25", 0, 0, 0, 0)];
        assert_eq!(lines(&report.days), days);
        assert_eq!((report.rules[1].taken_percent, report.rules[1].median_seconds, report.cut), (None, None, false));
    }

    #[test]
    fn a_rule_that_is_hardly_acknowledged_and_one_that_flaps_are_worth_changing() {
        let many =
            |rule: &str, fired, ended| (0..24).map(move |at| hour(rule, "ops", at, fired, ended)).collect::<Vec<_>>();
        let rules = [many("noise", 1, 1), many("flaps", 3, 2), many("useful", 1, 0)].concat();
        let taken = (0..12).map(|at| taken("useful", at, 60 * (at + 1))).collect();
        let report = Report::of(&Tally { rules, taken, ..Tally::default() }, at(0), at(24), &zone());
        let advice: Vec<_> = report.rules.iter().map(|rule| (&*rule.name, rule.taken_percent, rule.advice)).collect();
        assert_eq!(
            advice,
            [
                ("flaps", Some(0), Some(Advice::Flapping)),
                ("noise", Some(0), Some(Advice::Untaken)),
                ("useful", Some(50), None)
            ]
        );
        let useful = &report.rules[2];
        assert_eq!((useful.median_seconds, useful.p90_seconds), (Some(420), Some(660)));
        assert_eq!((useful.median_from_start_seconds, report.median_seconds), (Some(450), Some(420)));
        assert_eq!((report.all.fired, report.taken_percent), (120, Some(10)));
    }

    #[test]
    fn the_length_of_alerts_is_the_median_of_those_that_ended_and_few_have_none() {
        let ended = |rule: &str, step, ended| LengthHour {
            rule: rule.to_owned(),
            receiver: "ops".to_owned(),
            hour: at(0),
            step,
            ended,
        };
        let lengths = vec![ended("磁盘", 20, 2), ended("磁盘", 30, 3), ended("CPU", 40, 4)];
        let rules = vec![hour("磁盘", "ops", 0, 5, 5), hour("CPU", "ops", 0, 4, 4)];
        let report = Report::of(&Tally { rules, lengths, ..Tally::default() }, at(0), at(24), &zone());
        let lengths: Vec<_> = report.rules.iter().map(|rule| rule.median_length_seconds).collect();
        assert_eq!(lengths, [Some(length_seconds(30)), None]);
        assert_eq!(report.median_length_seconds, Some(length_seconds(30)));
    }

    #[test]
    fn what_people_call_needless_is_counted_by_rule_and_is_worth_changing_from_three_on() {
        let said = |rule: &str, receiver: &str, count| NeedlessRule {
            rule: rule.to_owned(),
            receiver: receiver.to_owned(),
            count,
        };
        let needless =
            vec![said("磁盘", "ops", 2), said("磁盘", "dba", 1), said("CPU", "ops", 2), said("旧的", "ops", 1)];
        let rules = vec![hour("磁盘", "ops", 10, 3, 1), hour("CPU", "ops", 10, 1, 0)];
        let report = Report::of(&Tally { rules, needless, ..Tally::default() }, at(0), at(24), &zone());
        assert_eq!(report.needless, 6);
        assert_eq!(
            report.rules.iter().map(|rule| (&*rule.name, rule.fired, rule.needless, rule.advice)).collect::<Vec<_>>(),
            [("磁盘", 3, 3, Some(Advice::Needless)), ("CPU", 1, 2, None), ("旧的", 0, 1, None)]
        );
    }

    #[test]
    fn an_empty_week_and_a_week_in_which_clocks_change_have_all_their_days() {
        let empty = Report::of(&Tally::default(), at(0), at(7 * 24), &zone());
        assert_eq!((empty.days.len(), empty.rules.len(), empty.all.fired), (7, 0, 0));
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // From Monday, 2026-10-19, 00:00 in Berlin: the Sunday has 25 hours.
        let begin = Timestamp(1_792_360_800_000);
        let report = Report::of(&Tally::default(), begin, begin.plus_millis((7 * 24 + 1) * HOUR), &berlin);
        assert_eq!(report.days.iter().map(|day| &*day.name).collect::<Vec<_>>()[6], "2026-10-25");
        assert_eq!(report.days.len(), 7);
    }
}
