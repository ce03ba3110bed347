//! The statements of lists: pure, and the same for both halves but for the pieces of SQL in [`Dialect`].
//!
//! A list is read by a person or in pages, so it has a limit and goes on behind a key. Times become ids by bisection,
//! because ids grow with time and have an index, and times have none: each index is paid for by intake.

use super::incidents::AlertFilter;
use super::record::DeliveryFilter;
use super::tally::TallyFilter;
use super::text::text;
use crate::alert::Timestamp;
use crate::search::Question;

/// Most rows in one list.
const LIST: usize = 1000;
/// The newest messages, of which a set of ids is read first, and how many times as many are read next. Few in tests, so that
/// small stores have more of them.
const NEWEST: i64 = if cfg!(test) { 16 } else { 4_096 };
const TIMES_AS_MANY: i64 = if cfg!(test) { 2 } else { 8 };
/// By how much the times of rows may contradict the order of their ids: clocks are set, and replicas have their own.
const SLACK_MS: i64 = 5 * 60_000;

/// A value of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Number(i64),
    Words(String),
}

impl Given {
    pub fn words(words: &str) -> Self {
        Self::Words(text(words).into_owned())
    }
}

/// A statement with `?` for each of its values.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub sql: String,
    pub values: Vec<Given>,
}

impl Statement {
    pub fn new(select: &str) -> Self {
        Self { sql: format!("{select} WHERE true"), values: Vec::new() }
    }

    pub fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Given>) {
        self.sql.push_str(" AND ");
        self.end(condition, values);
    }

    pub fn end(&mut self, piece: &str, values: impl IntoIterator<Item = Given>) {
        self.sql.push_str(piece);
        self.values.extend(values);
    }

    /// Only messages with terms; with `unread` also those whose terms are not written yet, which another condition must
    /// judge.
    fn with_terms(&mut self, question: &Question, filter: &DeliveryFilter, dialect: &Dialect, unread: bool) {
        let [table, id, matches] = dialect.terms;
        self.and(
            &format!("m.id {}SELECT {id} FROM {table} WHERE {matches}", dialect.set[0]),
            [Given::Words((dialect.question)(question))],
        );
        // Terms that many messages have are read for the range that is asked for only.
        self.within(id, filter);
        if unread {
            let unread = " UNION ALL SELECT id FROM message WHERE id > (SELECT message FROM term_mark)
                           UNION ALL SELECT message_id FROM term_again";
            self.end(unread, []);
        }
        self.end(dialect.set[1], []);
    }

    /// Only messages of the filter's range of ids.
    fn within(&mut self, id: &str, filter: &DeliveryFilter) {
        if let Some(from) = filter.from {
            self.and(&format!("{id} >= ?"), [Given::Number(from)]);
        }
        if let Some(before) = filter.before {
            self.and(&format!("{id} < ?"), [Given::Number(before)]);
        }
    }

    pub fn of_receivers(&mut self, column: &str, filter: &TallyFilter, dialect: &Dialect) {
        if let Some(receiver) = &filter.receiver {
            self.and(&format!("{column} = ?"), [Given::words(receiver)]);
        }
        if let Some(receivers) = &filter.receivers {
            self.and(&format!("{column} {}", dialect.among), [json(receivers)]);
        }
    }

    /// With `$1`, `$2`, … for the values.
    pub fn numbered(&self) -> String {
        let mut pieces = self.sql.split('?');
        let mut sql = pieces.next().unwrap_or_default().to_owned();
        for (number, piece) in (1..).zip(pieces) {
            sql.extend(["$", &i32::to_string(&number), piece]);
        }
        sql
    }
}

/// What the SQL of the halves differs in.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Is the message `m` addressed to a person, or did WeCom say that it did not reach this person? Two values.
    pub person: &'static str,
    /// Does the alert `a` have a label? Its name and its value.
    pub label: &'static str,
    /// The table of terms, its column of messages, and the condition that a question is answered; its value is what
    /// `question` makes of it.
    pub terms: [&'static str; 3],
    /// A question as this half reads it.
    pub question: fn(&Question) -> String,
    /// One of a list, which is a JSON array.
    pub among: &'static str,
    /// Around a statement: one of what it selects, which is read first and as a whole.
    pub set: [&'static str; 2],
    /// Does a text hold another? The text is `{}`.
    pub holds: [&'static str; 2],
    /// Is the message `m` live? By the small index of live ones.
    pub live: &'static str,
    /// After `alert a`: reads the firing ones by their own index, where the planner would not.
    pub firing: &'static str,
    /// The same for a list of acknowledged alerts.
    pub held: &'static str,
}

/// The first id of `table` whose row is not older than a time, if the times were in the order of the ids; the time twice.
fn first_at(table: &str, column: &str) -> String {
    let middle = format!("(SELECT {column} FROM {table} WHERE id >= (low + high) / 2 ORDER BY id LIMIT 1)");
    format!(
        "(WITH RECURSIVE seek (low, high) AS (
              SELECT coalesce((SELECT min(id) FROM {table}), 1), coalesce((SELECT max(id) FROM {table}), 0) + 1
              UNION ALL
              SELECT CASE WHEN {middle} < ? THEN (low + high) / 2 + 1 ELSE low END,
                     CASE WHEN {middle} < ? THEN high ELSE (low + high) / 2 END
              FROM seek WHERE low < high)
          SELECT min(low) FROM seek WHERE low >= high)"
    )
}

/// The same time for each `?`, moved by `slack`.
fn times<const N: usize>(at: Timestamp, slack: i64) -> [Given; N] {
    std::array::from_fn(|_| Given::Number(at.0.saturating_add(slack)))
}

/// The most rows of a list, of which `asked` are asked for.
fn length(asked: usize) -> usize {
    if asked == 0 { 100 } else { asked.min(LIST) }
}

fn limit(asked: usize) -> Given {
    Given::Number(i64::try_from(length(asked)).unwrap_or(i64::MAX))
}

/// Numbers as they stand in a statement.
fn numbers(all: &[i64]) -> String {
    all.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn json(names: &[String]) -> Given {
    Given::words(&serde_json::to_string(names).expect("names are JSON"))
}

/// The ids between which a filter admits messages by their times, as a statement: the first one, and the one behind the
/// last. They stand in the statement of the list as numbers, because a planner knows how many rows lie between numbers.
pub(super) fn bounds(filter: &DeliveryFilter) -> Statement {
    let bound = |at: Option<Timestamp>, slack, without: &str| match at {
        Some(at) => (first_at("message", "created_at"), times::<2>(at, slack).to_vec()),
        None => (without.to_owned(), Vec::new()),
    };
    let (first, since) = bound(filter.since, -SLACK_MS, "CAST(0 AS bigint)");
    let (end, until) = bound(filter.until, SLACK_MS, "(SELECT coalesce(max(id), 0) + 1 FROM message)");
    Statement { sql: format!("SELECT {first}, {end}"), values: [since, until].concat() }
}

/// The ranges of ids that are read for a list, one after the other, until it is full. An errcode and words stand for a set
/// of ids, which the database reads whole before the first row. A set that is large fills the list from a few of the newest
/// messages, so that over many messages only a small one is read: no set is much longer than the list.
#[derive(Debug)]
pub(super) struct Ranges {
    filter: DeliveryFilter,
    limit: usize,
    /// The id behind the next range, and its length; `None`: all that is left, in one range.
    next: Option<(i64, i64)>,
    done: bool,
}

impl Ranges {
    /// `first` and `end`: what [`bounds`] selects.
    pub fn new(mut filter: DeliveryFilter, [first, end]: [i64; 2]) -> Self {
        if filter.since.is_some() {
            filter.from = Some(filter.from.map_or(first, |from| from.max(first)));
        }
        let end = filter.before.map_or(end, |before| before.min(end));
        if filter.until.is_some() {
            filter.before = Some(end);
        }
        let sets =
            filter.errcode.is_some() || filter.words.is_some() || filter.person.is_some() || !filter.labels.is_empty();
        Self { limit: length(filter.limit), filter, next: sets.then_some((end, NEWEST)), done: false }
    }

    /// The next range of a list that has `got` rows.
    pub fn next(&mut self, got: usize) -> Option<DeliveryFilter> {
        if self.done || got >= self.limit {
            return None;
        }
        let mut range = DeliveryFilter { limit: self.limit - got, ..self.filter.clone() };
        let begin = self.next.map(|(end, length)| (end - length, length));
        if let Some((begin, length)) = begin.filter(|(begin, _)| *begin > range.from.unwrap_or_default()) {
            range.from = Some(begin);
            self.filter.before = range.from;
            self.next = Some((begin, length * TIMES_AS_MANY));
        } else {
            self.done = true;
        }
        Some(range)
    }
}

/// One range of the list of messages, from `select`, which names them `m`; newest first.
pub(super) fn deliveries(select: &str, filter: &DeliveryFilter, dialect: &Dialect) -> Statement {
    let mut list = Statement::new(select);
    let number = |value: i64| [Given::Number(value)];
    if let Some(since) = filter.since {
        list.and("m.created_at >= ?", number(since.0));
    }
    if let Some(until) = filter.until {
        list.and("m.created_at < ?", number(until.0));
    }
    if let Some(receiver) = &filter.receiver {
        list.and("m.receiver = ?", [Given::words(receiver)]);
    }
    if let Some(receivers) = &filter.receivers {
        list.and(&format!("m.receiver {}", dialect.among), [json(receivers)]);
    }
    if let Some(lane) = &filter.lane {
        list.and("m.lane = ?", [Given::words(lane.as_str())]);
    }
    if let Some(state) = filter.state {
        if state.is_live() {
            list.and(dialect.live, []);
        }
        // A constant, so that the small index of dead messages is used.
        list.and(&format!("m.state = '{}'", state.as_str()), []);
    }
    if let Some(thread) = filter.thread {
        list.and("m.thread = ?", number(thread.0));
    }
    if let Some(message) = filter.message {
        list.and("m.id = ?", number(message));
    }
    if !filter.among.is_empty() {
        list.and(&format!("m.id IN ({})", numbers(&filter.among)), []);
    }
    list.within("m.id", filter);
    if let Some(errcode) = filter.errcode {
        // Said again, so that the index of failed attempts is used.
        let failed = if errcode == 0 { "" } else { "AND errcode <> 0" };
        let [before, after] = dialect.set;
        list.and(&format!("m.id {before}SELECT message_id FROM attempt WHERE errcode = ? {failed}"), number(errcode));
        list.within("message_id", filter);
        list.end(after, []);
    }
    if let Some(question) = &filter.words {
        list.with_terms(question, filter, dialect, false);
    }
    // An incident or a few messages are few rows already: reading their terms would only add work.
    let few = filter.thread.is_some() || filter.message.is_some() || !filter.among.is_empty();
    if let Some(person) = &filter.person {
        if let Some(question) = Question::exactly(person).filter(|_| !few) {
            list.with_terms(&question, filter, dialect, true);
        }
        let person = person.to_lowercase();
        list.and(dialect.person, [Given::words(&person), Given::words(&person)]);
    }
    for (name, value) in &filter.labels {
        if let Some(question) = Question::exactly(&format!("{name} {value}")).filter(|_| !few) {
            list.with_terms(&question, filter, dialect, true);
        }
        let condition = format!(
            "EXISTS (SELECT 1 FROM transition t JOIN alert a ON a.id = t.alert_id WHERE t.message_id = m.id AND {})",
            dialect.label
        );
        list.and(&condition, [Given::words(name), Given::words(value)]);
    }
    list.end(" ORDER BY m.id DESC LIMIT ?", [limit(filter.limit)]);
    list
}

/// The list of alerts, from `select`, which names them `a`; the last that became known first.
pub(super) fn alerts(select: &str, filter: &AlertFilter, dialect: &Dialect) -> Statement {
    let mut list = of_alerts(select, filter, dialect);
    if let Some(before) = filter.before {
        list.and("a.id < ?", [Given::Number(before)]);
    }
    list.end(" ORDER BY a.id DESC LIMIT ?", [limit(filter.limit)]);
    list
}

/// The short ids of incidents, the newest first.
pub(super) fn incidents(filter: &AlertFilter, dialect: &Dialect) -> Statement {
    let mut list = of_alerts("SELECT a.thread FROM alert a", filter, dialect);
    if filter.firing == Some(false) {
        let others = "SELECT 1 FROM alert b WHERE b.thread = a.thread AND b.status = 'firing'";
        list.and(&format!("NOT EXISTS ({others})"), []);
    }
    if let Some(before) = filter.before {
        list.and("a.thread < ?", [Given::Number(before)]);
    }
    list.end(" GROUP BY a.thread ORDER BY a.thread DESC LIMIT ?", [limit(filter.limit)]);
    list
}

fn of_alerts(select: &str, filter: &AlertFilter, dialect: &Dialect) -> Statement {
    let hint = if filter.firing == Some(true) { dialect.firing } else { "" };
    let mut list = Statement::new(&format!("{select}{hint}"));
    match filter.firing {
        Some(true) => list.and("a.status = 'firing'", []),
        Some(false) => list.and("a.status <> 'firing'", []),
        None => {}
    }
    match filter.critical {
        Some(true) => list.and("a.critical", []),
        Some(false) => list.and("NOT a.critical", []),
        None => {}
    }
    if let Some(receiver) = &filter.receiver {
        list.and("a.receiver = ?", [Given::words(receiver)]);
    }
    if let Some(receivers) = &filter.receivers {
        list.and(&format!("a.receiver {}", dialect.among), [json(receivers)]);
    }
    if let Some(source) = &filter.source {
        list.and("a.source = ?", [Given::words(source)]);
    }
    if let Some(person) = &filter.claimed_by {
        list.and("lower(a.acknowledged_by) = ?", [Given::words(&person.to_lowercase())]);
    }
    for (name, value) in &filter.labels {
        list.and(dialect.label, [Given::words(name), Given::words(value)]);
    }
    if !filter.threads.is_empty() {
        let threads: Vec<i64> = filter.threads.iter().map(|thread| thread.0).collect();
        list.and(&format!("a.thread IN ({})", numbers(&threads)), []);
    }
    if let Some(since) = filter.since {
        let first = first_at("notification", "received_at");
        list.and(&format!("a.thread >= {first}"), times::<2>(since, -SLACK_MS));
    }
    if let Some(until) = filter.until {
        let first = first_at("notification", "received_at");
        list.and(&format!("a.thread < {first}"), times::<2>(until, SLACK_MS));
    }
    for word in &filter.words {
        let [before, after] = dialect.holds;
        let said = "lower(a.name || ' ' || a.labels || ' ' || a.receiver || ' ' || a.source)";
        list.and(&format!("{before}{said}{after}"), [Given::words(&word.to_lowercase())]);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges of a filter over messages between two ids, each of which has `found` rows.
    fn ranges(filter: &DeliveryFilter, between: [i64; 2], found: usize) -> Vec<(usize, Option<i64>, Option<i64>)> {
        let (mut ranges, mut got, mut all) = (Ranges::new(filter.clone(), between), 0, Vec::new());
        while let Some(range) = ranges.next(got) {
            got += found;
            all.push((range.limit, range.from, range.before));
        }
        all
    }

    #[test]
    fn a_set_of_ids_is_read_for_the_newest_messages_first_and_for_more_only_if_those_are_too_few() {
        let all = [12, 41];
        let errcode = DeliveryFilter { errcode: Some(93_000), limit: 50, ..DeliveryFilter::default() };
        assert_eq!(ranges(&errcode, all, 50), [(50, Some(25), None)]);
        assert_eq!(ranges(&errcode, all, 20), [(50, Some(25), None), (30, None, Some(25))]);
        let begins =
            |ranges: Vec<(usize, Option<i64>, _)>| ranges.into_iter().map(|(_, from, _)| from).collect::<Vec<_>>();
        assert_eq!(begins(ranges(&errcode, [0, 200], 1)), [Some(184), Some(152), Some(88), None], "each is longer");
        let words = DeliveryFilter { words: Question::of("磁盘"), before: Some(30), ..DeliveryFilter::default() };
        assert_eq!(ranges(&words, all, 1), [(100, Some(14), Some(30)), (99, None, Some(14))]);
        // A time bounds the range, too.
        let late = DeliveryFilter { since: Some(Timestamp(1)), until: Some(Timestamp(2)), ..words.clone() };
        assert_eq!(ranges(&late, all, 1), [(100, Some(14), Some(30)), (99, Some(12), Some(14))]);
        assert_eq!(ranges(&DeliveryFilter { before: None, ..late }, all, 1)[0], (100, Some(25), Some(41)));
        // Few messages, or a condition that needs no set: one range.
        let early = DeliveryFilter { before: Some(9), ..words };
        assert_eq!(ranges(&early, all, 1), [(100, None, Some(9))]);
        assert_eq!(ranges(&DeliveryFilter::default(), all, 1), [(100, None, None)]);
    }

    #[test]
    fn values_are_numbered_in_their_order() {
        let mut statement = Statement::new("SELECT 1 FROM t");
        statement.and("a = ? AND b = ?", [Given::Number(1), Given::words("x\0")]);
        statement.end(" LIMIT ?", [limit(0)]);
        assert_eq!(statement.numbered(), "SELECT 1 FROM t WHERE true AND a = $1 AND b = $2 LIMIT $3");
        assert_eq!(statement.values[1..], [Given::Words("x␀".to_owned()), Given::Number(100)]);
        assert_eq!(limit(5_000), Given::Number(1_000));
    }
}
