//! How many alerts of a digest are named and how many counted, step by step.

use std::collections::BTreeMap;

use super::super::fit::cut_chars;
use super::super::neutral::{Dialect, neutral};
use super::super::words::{brackets, number, pick};
use super::tally::{Row, Rule, Section, Tally};
use crate::config::Language;
use crate::subject::{columns, runs};

/// The width of texts, in characters and in number.
pub(super) struct Level {
    name: usize,
    what: usize,
    /// Show the start, the number of changes, the duration.
    aside: bool,
    /// Columns of the names behind their rule.
    inline: usize,
    /// The same behind a critical rule, until [`MANY`] critical alerts are told.
    critical: usize,
}

/// From wide to narrow.
pub(super) const LEVELS: [Level; 4] = [
    Level { name: 60, what: 60, aside: true, inline: 60, critical: 600 },
    Level { name: 40, what: 40, aside: true, inline: 40, critical: 400 },
    Level { name: 26, what: 26, aside: false, inline: 26, critical: 200 },
    Level { name: 16, what: 20, aside: false, inline: 0, critical: 0 },
];

/// Other alerts are named only beside so many critical ones, or all of these; else they are counted.
const MANY: u64 = 10;
/// Most names that are useful; the others are behind the link to the full content.
const NAMED: usize = 20;
/// The same for rules: in a section of firing alerts, and in one of resolved alerts beside it.
const RULES: usize = 6;
const RULES_OVER: usize = 3;
/// Without a link, what is not named cannot be looked up: as many as may fit.
const UNLINKED: usize = 60;
/// A section of at most this many alerts names them one by one if each has a rule of its own: no rule is named twice.
/// Where the title has the only rule, and on a card, whose rows are too short for several names, a few of a rule are named
/// one by one, too.
const SMALL: u64 = 12;
const FEW: u64 = 3;
/// Columns for the number of names without room.
const MORE: usize = 12;
/// Rows that each section gets before any of them gets more.
const FIRST: [usize; 4] = [10, 4, 2, 1];
/// The same on a card, which has six rows.
const FIRST_ON_CARD: [usize; 4] = [3, 1, 0, 0];
/// Rules by which the rest of a section is counted.
const REST_RULES: usize = 3;

/// Everything that a level can show, in order of priority.
pub(super) struct Shape<'a> {
    tally: &'a Tally,
    level: &'static Level,
    dialect: Dialect,
    /// Characters of a card's row.
    card: Option<usize>,
    /// For each section the places of the rows that can be named.
    nameable: [Vec<usize>; 4],
    /// Does the section name alerts one by one, instead of counting rules?
    each: [bool; 4],
    /// The section that grows at each step.
    steps: Vec<usize>,
    wanted: usize,
}

/// The content of a digest.
#[derive(PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) sections: Vec<Shown>,
    /// Row ids of the alerts that are named.
    pub(super) named: Vec<i64>,
}

/// What a sheet names, as it is written from its first section to its last.
#[derive(Default)]
struct Names {
    /// Row ids of the alerts that are named.
    alerts: Vec<i64>,
    /// How many alerts are named or stand in a run of names.
    told: u64,
}

impl Names {
    fn name(&mut self, row: &Row) {
        self.alerts.push(row.alert);
        self.told += 1;
    }
}

/// The content of a section. What `lines` name and count, together with what `rest` counts, is `total`.
#[derive(PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) kind: &'static str,
    /// The title of its rows on a card.
    pub(super) key: &'static str,
    /// Empty if the title has it.
    pub(super) heading: String,
    pub(super) total: String,
    pub(super) lines: Vec<String>,
    pub(super) rest: String,
}

impl<'a> Shape<'a> {
    pub(super) fn new(
        tally: &'a Tally,
        level: &'static Level,
        dialect: Dialect,
        card: Option<usize>,
        linked: bool,
    ) -> Self {
        let mut shape = Self {
            tally,
            level,
            dialect,
            card,
            nameable: Default::default(),
            each: [false; 4],
            steps: Vec::new(),
            wanted: 0,
        };
        shape.find_nameable();
        for place in [0, 1, 2, 3] {
            let section = &tally.sections[place];
            let named = section.total <= SMALL && shape.nameable[place].len() as u64 == section.total;
            let few = if tally.rules == 1 || card.is_some() { FEW } else { 1 };
            shape.each[place] = (named || place == 0) && section.rules.iter().all(|rule| rule.count <= few);
        }
        let first = if card.is_some() { FIRST_ON_CARD } else { FIRST };
        let all = [0, 1, 2, 3].map(|place| shape.most(place, linked));
        shape.steps = (0..4).flat_map(|place| std::iter::repeat_n(place, all[place].min(first[place]))).collect();
        shape.wanted = shape.steps.len();
        shape
            .steps
            .extend((0..4).flat_map(|place| std::iter::repeat_n(place, all[place].saturating_sub(first[place]))));
        shape
    }

    /// Most lines of a section.
    fn most(&self, place: usize, linked: bool) -> usize {
        let [critical, plain, over, _] = &self.tally.sections;
        let beside = place >= 2 && critical.total + plain.total > 0;
        let (known, cap) = match (self.each[place], beside) {
            (true, _) => (self.nameable[place].len(), NAMED),
            (false, true) if place == 2 => (over.rules.len(), RULES_OVER),
            (false, true) => (self.tally.sections[place].rules.len(), RULES_OVER),
            (false, false) => (self.tally.sections[place].rules.len(), RULES),
        };
        known.min(if linked { cap } else { UNLINKED })
    }

    /// A row can be named if its printed text is unique.
    fn find_nameable(&mut self) {
        let mut printed: BTreeMap<String, usize> = BTreeMap::new();
        let print = |row: &Row| neutral(&self.label(row), self.dialect).into_owned();
        for row in self.tally.sections.iter().flat_map(|section| &section.rows) {
            *printed.entry(print(row)).or_default() += 1;
        }
        self.nameable = [0, 1, 2, 3].map(|place| {
            let rows = self.tally.sections[place].rows.iter().enumerate();
            rows.filter(|(_, row)| (row.alone || !row.what.is_empty()) && printed[&print(row)] == 1)
                .map(|(index, _)| index)
                .take(usize::try_from(self.tally.sections[place].total).unwrap_or(usize::MAX))
                .collect()
        });
    }

    /// The number of steps.
    pub(super) fn steps(&self) -> usize {
        self.steps.len()
    }

    /// The number of steps that should fit.
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// The content after `steps`.
    pub(super) fn sheet(&self, steps: usize) -> Sheet {
        let mut names = Names::default();
        let enough = self.tally.sections[0].total.min(MANY);
        let sections = [0, 1, 2, 3]
            .into_iter()
            .filter(|place| self.tally.sections[*place].total > 0)
            .map(|place| {
                let size = self.steps[..steps].iter().filter(|step| **step == place).count();
                if place > 0 && names.told < enough {
                    self.counted(place, size)
                } else if self.each[place] {
                    self.by_alert(place, size, &mut names)
                } else {
                    self.by_rule(place, size, &mut names)
                }
            })
            .collect();
        Sheet { sections, named: names.alerts }
    }

    /// The section with its first `size` alerts named and the rest counted.
    fn by_alert(&self, place: usize, size: usize, names: &mut Names) -> Shown {
        let section = &self.tally.sections[place];
        let rows: Vec<&Row> = self.nameable[place].iter().take(size).map(|index| &section.rows[*index]).collect();
        let mut left = section.rules.clone();
        let mut beyond = section.beyond;
        for row in &rows {
            names.name(row);
            match row.rule {
                Some(rule) => left[rule].count = left[rule].count.saturating_sub(1),
                None => beyond = None,
            }
        }
        left.retain(|rule| rule.count > 0);
        left.sort_by_key(|rule| std::cmp::Reverse(rule.count));
        let count = section.total.saturating_sub(rows.len() as u64);
        let rest = match (rows.len(), count) {
            (0, _) | (_, 0) => String::new(),
            _ if self.card.is_some() => self.more(count, ""),
            _ => {
                let shown = left.len().min(REST_RULES);
                let mut parts: Vec<String> =
                    left[..shown].iter().map(|rule| self.times(&rule.name, rule.count)).collect();
                let hidden = count.saturating_sub(left[..shown].iter().map(|rule| rule.count).sum());
                parts.extend(
                    self.rules(hidden, beyond.map(|beyond| beyond_of(section, beyond) + (left.len() - shown) as u64)),
                );
                self.more(count, &parts.join(pick(self.tally.language, "，", ", ")))
            }
        };
        let lines: Vec<String> = rows.iter().map(|row| self.line(row)).collect();
        Shown { lines, rest, ..self.empty(place, false) }
    }

    /// The section with its `size` largest rules, and names of their alerts.
    fn by_rule(&self, place: usize, size: usize, names: &mut Names) -> Shown {
        let section = &self.tally.sections[place];
        let line = |(index, rule): (usize, &Rule)| {
            let rows: Vec<&Row> = self.nameable[place]
                .iter()
                .map(|row| &section.rows[*row])
                .filter(|row| row.rule == Some(index))
                .collect();
            if rule.count == 1
                && let [row] = rows.as_slice()
            {
                names.name(row);
                return self.line(row);
            }
            self.rule(place, rule, &rows, names)
        };
        let lines = section.rules.iter().enumerate().take(size).map(line).collect();
        self.ruled(place, lines)
    }

    /// The section with its `size` largest rules, and no names.
    fn counted(&self, place: usize, size: usize) -> Shown {
        let rules = self.tally.sections[place].rules.iter().take(size);
        self.ruled(place, rules.map(|rule| self.times(&rule.name, rule.count)).collect())
    }

    /// The section with `lines` for its largest rules, and the rest counted.
    fn ruled(&self, place: usize, lines: Vec<String>) -> Shown {
        let section = &self.tally.sections[place];
        if lines.is_empty() {
            return self.empty(place, false);
        }
        let (shown, hidden) = section.rules.split_at(lines.len());
        let left = section.total.saturating_sub(shown.iter().map(|rule| rule.count).sum());
        let rest = self.rules(left, section.beyond.map(|beyond| beyond_of(section, beyond) + hidden.len() as u64));
        Shown { lines, rest: rest.unwrap_or_default(), ..self.empty(place, true) }
    }

    fn empty(&self, place: usize, by_rule: bool) -> Shown {
        let tally = self.tally;
        let zh = tally.language == Language::Zh;
        let total = number(tally.sections[place].total);
        let critical = tally.sections[0].total > 0;
        let on = critical || tally.sections[1].total > 0;
        let heading = match (place, zh) {
            (0, _) if tally.sections[0].total == 1 => tally.severity.to_owned(),
            (0, _) => format!("{} {total}", tally.severity),
            (1, _) if !critical => String::new(),
            (1, true) if by_rule => format!("其余 {total} 条，按规则"),
            (1, false) if by_rule => format!("{total} more, by rule"),
            (1, true) => format!("其余 {total} 条"),
            (1, false) => format!("{total} more"),
            (3, _) if !on && tally.sections[2].total == 0 => String::new(),
            (3, true) => format!("通知 {total} 条"),
            (3, false) => format!("{total} notices"),
            (_, _) if !on => String::new(),
            (_, true) => format!("已恢复 {total} 条"),
            (_, false) => format!("{total} resolved"),
        };
        let (kind, key) = match place {
            0 => ("critical", pick(tally.language, "严重", "Crit")),
            1 => ("firing", pick(tally.language, "告警", "Fire")),
            2 => ("resolved", pick(tally.language, "已恢复", "Over")),
            _ => ("notice", pick(tally.language, "通知", "Note")),
        };
        let total = if zh { format!("{total} 条") } else { total };
        Shown { kind, key, heading, total, lines: Vec::new(), rest: String::new() }
    }

    /// `核心交换机不可达 · sw-core-1`.
    fn label(&self, row: &Row) -> String {
        let one_rule = self.tally.rules == 1 && !row.what.is_empty();
        if let Some(room) = self.card {
            let beside = room.saturating_sub(row.name.chars().count() + 3);
            let what = cut_chars(&row.what, if one_rule { room } else { beside.max(room / 2) });
            return match (one_rule, what.is_empty()) {
                (true, _) => what.into_owned(),
                (false, true) => cut_chars(&row.name, room).into_owned(),
                (false, false) => {
                    format!("{} · {what}", cut_chars(&row.name, room.saturating_sub(what.chars().count() + 3)))
                }
            };
        }
        let what = cut_chars(&row.what, self.level.what);
        match (one_rule, what.is_empty()) {
            (true, _) => what.into_owned(),
            (false, true) => cut_chars(&row.name, self.level.name).into_owned(),
            (false, false) => format!("{} · {what}", cut_chars(&row.name, self.level.name)),
        }
    }

    fn line(&self, row: &Row) -> String {
        let mut line = self.label(row);
        if self.level.aside && self.card.is_none() && !row.aside.is_empty() {
            line.push_str(&brackets(self.tally.language, &row.aside));
        }
        line
    }

    /// `主机失联 ×812`.
    fn times(&self, name: &str, count: u64) -> String {
        let times = format!(" ×{}", number(count));
        let room = self.card.map_or(self.level.name, |room| room.saturating_sub(times.chars().count()));
        format!("{}{times}", cut_chars(name, room))
    }

    /// `主机失联 ×12：host-018…029`, with as many names as have room; the others are counted.
    fn rule(&self, place: usize, rule: &Rule, rows: &[&Row], names: &mut Names) -> String {
        let times = self.times(&rule.name, rule.count);
        let colon = pick(self.tally.language, "：", ": ");
        let comma = pick(self.tally.language, "，", ", ");
        let room = |told: u64| match self.card {
            Some(room) => room.saturating_sub(columns(&times) + columns(colon)),
            None if place == 0 && told < MANY => self.level.critical,
            None => self.level.inline,
        };
        let whats: Vec<&str> = rows.iter().map(|row| row.what.as_str()).collect();
        // Some of them belong to a group that is not listed: which ones is unknown.
        if rows.len() as u64 > rule.count {
            return times;
        }
        let (mut text, mut left) = (String::new(), rule.count);
        for piece in runs(&whats) {
            let more = if left > piece.members.len() as u64 { MORE } else { 0 };
            let next = if text.is_empty() { piece.text.clone() } else { format!("{text}{comma}{}", piece.text) };
            if columns(&next) + more > room(names.told) {
                break;
            }
            text = next;
            left = left.saturating_sub(piece.members.len() as u64);
            // What stands in a run is told: its name is not printed.
            match piece.members[..] {
                [at] => names.name(rows[at]),
                _ => names.told += piece.members.len() as u64,
            }
        }
        if text.is_empty() {
            return times;
        }
        let rest = match (left, self.tally.language) {
            (0, _) => String::new(),
            (left, Language::Zh) => format!("{comma}另 {} 个", number(left)),
            (left, Language::En) => format!("{comma}{} more", number(left)),
        };
        format!("{times}{colon}{text}{rest}")
    }

    /// `另 9 条规则 ×83`; `None` if nothing is left.
    fn rules(&self, count: u64, rules: Option<u64>) -> Option<String> {
        let times = number(count);
        (count > 0).then(|| match (self.tally.language, rules) {
            (Language::Zh, Some(rules)) if rules > 0 => format!("另 {} 条规则 ×{times}", number(rules)),
            (Language::Zh, _) => format!("其他规则 ×{times}"),
            (Language::En, Some(1)) => format!("1 more rule ×{times}"),
            (Language::En, Some(rules)) if rules > 0 => format!("{} more rules ×{times}", number(rules)),
            (Language::En, _) => format!("other rules ×{times}"),
        })
    }

    /// `其余 37 条：主机失联 ×30，另 2 条规则 ×7`.
    fn more(&self, count: u64, parts: &str) -> String {
        let count = number(count);
        match (self.tally.language, parts.is_empty() || self.tally.rules == 1) {
            (Language::Zh, true) if self.card.is_some() => format!("另 {count} 条"),
            (Language::Zh, true) => format!("其余 {count} 条"),
            (Language::Zh, false) => format!("其余 {count} 条：{parts}"),
            (Language::En, true) => format!("{count} more"),
            (Language::En, false) => format!("{count} more: {parts}"),
        }
    }
}

/// How many of the unlisted rules are in `section`: all or none.
fn beyond_of(section: &Section, beyond: u64) -> u64 {
    if section.beyond_count() > 0 { beyond } else { 0 }
}
