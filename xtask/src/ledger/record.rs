//! The record, read from the database itself: independent of the program that wrote it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rusqlite::types::ValueRef;
use serde_json::Value;

use super::inbox::texts;
use super::{Kind, Said};

/// Separates fields and rows of `psql`'s output; no text of these tests contains it.
const FIELD: char = '\u{1f}';
const ROW: char = '\u{1e}';

/// Distance between the ids of two databases that are read as one: more than any has.
const APART: i64 = 1 << 40;

/// The database of a gateway.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A `postgres://` URL.
    Postgres(String),
}

/// A row; `None` is NULL.
type Row = Vec<Option<String>>;

impl Database {
    /// The value of `database` in a configuration.
    pub fn line(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite:{}", file.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// How many transitions have no fate yet.
    pub fn pending(&self) -> anyhow::Result<usize> {
        self.count("transition WHERE fate = 'pending'")
    }

    /// How many rows there are of a table, with a condition.
    pub fn count(&self, of: &str) -> anyhow::Result<usize> {
        let rows = self.rows(&format!("SELECT count(*) FROM {of}"))?;
        Ok(field(rows.first().context("no count")?, 0)?.parse()?)
    }

    /// The names of all alerts that have a transition and its message.
    pub fn names(&self) -> anyhow::Result<HashSet<String>> {
        let select =
            "SELECT a.name FROM alert a JOIN transition t ON t.alert_id = a.id JOIN message m ON m.id = t.message_id";
        self.rows(select)?.iter().map(|row| Ok(field(row, 0)?.to_owned())).collect()
    }

    /// An error if a database file is damaged. A server's files are its own task.
    pub fn verify(&self) -> anyhow::Result<()> {
        if matches!(self, Self::Sqlite(_)) {
            let rows = self.rows("PRAGMA integrity_check")?;
            let verdict = field(rows.first().context("no verdict")?, 0)?;
            ensure!(verdict == "ok", "integrity_check: {verdict}");
        }
        Ok(())
    }

    /// Executes one statement.
    pub fn execute(&self, sql: &str) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(file) => Ok(rusqlite::Connection::open(file)?.execute_batch(sql)?),
            Self::Postgres(url) => psql(url, sql).map(drop),
        }
    }

    fn rows(&self, sql: &str) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Sqlite(file) => sqlite(file, sql),
            Self::Postgres(url) => psql(url, sql),
        }
    }

    /// The expression that converts a column of bytes to text.
    const fn hex(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "hex(body)",
            Self::Postgres(_) => "encode(body, 'hex')",
        }
    }
}

/// Waits until every transition has its fate, or until it is clear that some never get one: the ledger reports that.
pub async fn drained(databases: &[Database], patience: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let pending = || databases.iter().map(Database::pending).sum::<anyhow::Result<usize>>();
    while pending()? > 0 && begun.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

fn sqlite(file: &std::path::Path, sql: &str) -> anyhow::Result<Vec<Row>> {
    // Not read-only: after a kill -9 the log must be recovered, which is a write.
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = rusqlite::Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let mut select = connection.prepare(sql)?;
    let columns = select.column_count();
    let rows = select.query_map([], |row| {
        (0..columns)
            .map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Null => None,
                    ValueRef::Integer(number) => Some(number.to_string()),
                    ValueRef::Real(number) => Some(number.to_string()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
                })
            })
            .collect()
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn psql(url: &str, sql: &str) -> anyhow::Result<Vec<Row>> {
    let null = "\u{1}";
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"])
        .arg(format!("--field-separator={FIELD}"))
        .arg(format!("--record-separator={ROW}"))
        .arg(format!("--pset=null={null}"))
        .args(["--command", sql, url])
        .output()
        .context("psql cannot be run")?;
    ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let text = text.trim_end_matches(['\n', ROW]);
    let cell = |cell: &str| (cell != null).then(|| cell.to_owned());
    Ok(text.split(ROW).filter(|row| !row.is_empty()).map(|row| row.split(FIELD).map(cell).collect()).collect())
}

/// A change of an alert for one lane.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The message that tells it.
    pub message: Option<i64>,
    /// Its lane.
    pub lane: String,
    /// Its receiver.
    pub receiver: String,
    /// The alert's `instance`.
    pub word: String,
    /// `firing`, `resolved`, `reminder`, …
    pub kind: String,
    /// When the episode began.
    pub starts_at: i64,
    /// Its fate.
    pub fate: String,
    /// The reason of its fate, or nothing.
    pub reason: String,
}

impl Transition {
    /// The sender's report; `None` for changes that no sender reports.
    pub fn said(&self) -> Option<Said> {
        let kind = [Kind::Firing, Kind::Resolved].into_iter().find(|kind| kind.as_str() == self.kind)?;
        Some(Said { word: self.word.clone(), starts_at: self.starts_at, kind, receiver: self.receiver.clone() })
    }

    /// For people.
    pub fn name(&self) -> String {
        format!("{} of {}@{}", self.kind, self.word, self.starts_at)
    }
}

/// Frozen bytes.
#[derive(Debug, Clone)]
pub struct Part {
    /// The number of the part.
    pub number: u32,
    /// The texts in them.
    pub text: String,
}

/// A message of the outbox.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Its lane.
    pub lane: String,
    /// A digest.
    pub digest: bool,
    /// Every version of every part.
    pub parts: Vec<Part>,
    /// Attempts whose outcome is unsure, or was never recorded.
    pub unsure: usize,
    /// When those were claimed that were never recorded: Unix milliseconds.
    pub unrecorded: Vec<i64>,
}

/// The content of the database.
#[derive(Debug, Default)]
pub struct Record {
    /// In the order of admission.
    pub transitions: Vec<Transition>,
    /// By id.
    pub messages: BTreeMap<i64, Message>,
}

impl Record {
    /// Reads everything. Nothing may write meanwhile.
    pub fn read(database: &Database) -> anyhow::Result<Self> {
        let mut record = Self::default();
        for row in database.rows("SELECT id, lane, CASE WHEN digest THEN 1 ELSE 0 END FROM message")? {
            let digest = field(&row, 2)? == "1";
            let message = Message { lane: field(&row, 1)?.to_owned(), digest, ..Message::default() };
            record.messages.insert(number(&row, 0)?, message);
        }
        // Self-alerts (an open breaker) were not reported by a sender.
        let select = "SELECT t.message_id, t.lane, a.receiver, a.labels, t.kind, t.starts_at, t.fate, t.reason
                      FROM transition t JOIN alert a ON a.id = t.alert_id WHERE a.source <> 'wegraf' ORDER BY t.id";
        for row in database.rows(select)? {
            record.transitions.push(transition(&row)?);
        }
        let select = "SELECT message_id, at, CASE WHEN outcome IS NULL THEN 0 ELSE 1 END FROM attempt
                      WHERE outcome IS NULL OR outcome = 'unsure'";
        for row in database.rows(select)? {
            let message = record.messages.get_mut(&number(&row, 0)?).context("an attempt of no message")?;
            message.unsure += 1;
            if number(&row, 2)? == 0 {
                message.unrecorded.push(number(&row, 1)?);
            }
        }
        for row in database.rows(&format!("SELECT message_id, number, {} FROM part", database.hex()))? {
            let part = Part { number: u32::try_from(number(&row, 1)?)?, text: body_text(field(&row, 2)?)? };
            record.messages.get_mut(&number(&row, 0)?).context("a part of no message")?.parts.push(part);
        }
        Ok(record)
    }

    /// The content of several databases as one: only ids are changed, so that they stay unique.
    pub fn joined(databases: &[Database]) -> anyhow::Result<Self> {
        let mut joined = Self::default();
        for (number, database) in (0..).zip(databases) {
            let apart = number * APART;
            let record = Self::read(database)?;
            joined.messages.extend(record.messages.into_iter().map(|(id, message)| (id + apart, message)));
            joined.transitions.extend(record.transitions.into_iter().map(|transition| {
                let message = transition.message.map(|id| id + apart);
                Transition { message, ..transition }
            }));
        }
        Ok(joined)
    }
}

fn transition(row: &Row) -> anyhow::Result<Transition> {
    let labels: Value = serde_json::from_str(field(row, 3)?)?;
    let message = row.first().cloned().flatten();
    Ok(Transition {
        message: message.map(|id| id.parse()).transpose()?,
        lane: field(row, 1)?.to_owned(),
        receiver: field(row, 2)?.to_owned(),
        word: labels["instance"].as_str().unwrap_or_default().to_owned(),
        kind: field(row, 4)?.to_owned(),
        starts_at: number(row, 5)?,
        fate: field(row, 6)?.to_owned(),
        reason: row.get(7).cloned().flatten().unwrap_or_default(),
    })
}

/// The texts of a request body: of the object that its `msgtype` names.
fn body_text(hex: &str) -> anyhow::Result<String> {
    let digits = hex.as_bytes().chunks(2);
    let bytes = digits.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?));
    let bytes = bytes.collect::<anyhow::Result<Vec<u8>>>()?;
    let body: Value = serde_json::from_slice(&bytes).context("frozen bytes that are not JSON")?;
    Ok(texts(&body[body["msgtype"].as_str().context("a body without a msgtype")?]))
}

fn field(row: &Row, column: usize) -> anyhow::Result<&str> {
    row.get(column).and_then(Option::as_deref).with_context(|| format!("column {column} is empty: {row:?}"))
}

fn number(row: &Row, column: usize) -> anyhow::Result<i64> {
    Ok(field(row, column)?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Skipped;
    use crate::postgres::Server;

    /// The columns that are read, and one message with everything.
    fn script(bytes: &str, body: &str) -> String {
        format!(
            "CREATE TABLE message (id bigint, lane text, digest boolean);
             CREATE TABLE alert (id bigint, receiver text, labels text, name text, source text);
             CREATE TABLE transition (id bigint, alert_id bigint, message_id bigint, lane text, kind text, starts_at bigint, fate text, reason text);
             CREATE TABLE attempt (message_id bigint, at bigint, outcome text);
             CREATE TABLE part (message_id bigint, number bigint, body {bytes});
             INSERT INTO message VALUES (1, 'lane', true);
             INSERT INTO alert VALUES (1, 'ops', '{{\"instance\":\"q1z\"}}', '多行\n的名字', 'grafana');
             INSERT INTO transition VALUES (1, 1, 1, 'lane', 'firing', 7, 'named', NULL), (2, 1, NULL, 'lane', 'resolved', 7, 'pending', 'why');
             INSERT INTO attempt VALUES (1, 5, NULL), (1, 6, 'unsure'), (1, 7, 'accepted');
             INSERT INTO part VALUES (1, 0, {body})"
        )
    }

    fn agrees(database: &Database) {
        let record = Record::read(database).unwrap();
        let message = &record.messages[&1];
        assert!(message.digest);
        assert_eq!((message.lane.as_str(), message.unsure, message.parts.len()), ("lane", 2, 1));
        assert_eq!(message.unrecorded, [5]);
        assert_eq!(message.parts[0].text, "磁盘");
        let [firing, resolved] = &record.transitions[..] else { panic!("{:?}", record.transitions) };
        assert_eq!((firing.message, firing.word.as_str(), firing.reason.as_str()), (Some(1), "q1z", ""));
        assert_eq!((resolved.message, resolved.said().unwrap().kind), (None, Kind::Resolved));
        assert_eq!(database.pending().unwrap(), 1);
        let twice = Record::joined(&[database.clone(), database.clone()]).unwrap();
        assert_eq!((twice.messages.len(), twice.transitions.len()), (2, 4));
        assert!(twice.messages.contains_key(&twice.transitions[2].message.unwrap()));
        assert_eq!(database.names().unwrap(), HashSet::from(["多行\n的名字".to_owned()]));
    }

    #[test]
    fn both_stores_are_read_alike() {
        let body = r#"{"msgtype":"text","text":{"content":"磁盘"}}"#;
        let digits = body.bytes().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("record.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch(&script("BLOB", &format!("x'{digits}'"))).unwrap();
        agrees(&Database::Sqlite(file));
        let server = match Server::start() {
            Ok(server) => server,
            Err(error) if error.is::<Skipped>() => return println!("{error}"),
            Err(error) => panic!("{error:#}"),
        };
        let url = server.database(&format!("wegraf_record_{}", rand::random::<u64>())).unwrap();
        psql(&url, &script("bytea", &format!("'\\x{digits}'"))).unwrap();
        agrees(&Database::Postgres(url));
    }
}
