//! The database, the retention, and the leases of replicas.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::at::At;
use super::file::{self, File, Secret};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{Database, Retention, amounts};

const DATABASE: &str = "wegraf.db";
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// Long enough for a failover of the database and a slow commit, short enough that no message waits long for a dead
/// replica.
const LEASE: Duration = Duration::from_secs(30);
/// With a shorter lease, a pause of the machine makes two senders; with a longer one, a dead replica blocks its lanes
/// too long.
const LEASES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));

const RAW: Duration = Duration::from_hours(7 * 24);
const RECORD: Duration = Duration::from_hours(30 * 24);
/// Longer than any sender waits before it repeats a firing alert.
const ALERTS: Duration = Duration::from_hours(30 * 24);
/// An hour: live messages are retried for a day and never deleted anyway. Ten years: for those who must keep evidence.
const AGES: (Duration, Duration) = (Duration::from_hours(1), Duration::from_hours(10 * 365 * 24));
const BYTES: u64 = 2 << 30;
/// An empty database of ours and its journal take a few megabytes.
const LEAST_BYTES: u64 = 64 << 20;

impl Resolver<'_> {
    pub(super) fn database(&mut self, database: Option<&At<Secret>>) -> Option<Database> {
        let Some(at) = database else { return Some(Database::Sqlite(self.folder.join(DATABASE))) };
        let written = at.get()?;
        if let Secret::Plain(text) = written
            && !is_postgres(text.expose_secret())
        {
            return self.sqlite(at.place, text.expose_secret());
        }
        let url = self.secret(at, "database")?;
        if self.is_stand_in(&url) {
            return Some(Database::Postgres { url: SecretString::default() });
        }
        if !is_postgres(url.expose_secret()) {
            return self.sqlite(at.place, url.expose_secret());
        }
        let parts = Parts::of(url.expose_secret());
        if let Secret::Plain(_) = written
            && parts.has_password
        {
            self.found.note(
                at.place,
                ("数据库的密码直接写在配置里", "the password of the database stands in the configuration"),
                (
                    "改用 database: { env: DATABASE_URL } 或 { file: 路径 }",
                    "use database: { env: DATABASE_URL } or { file: PATH } instead",
                ),
            );
        }
        if !parts.has_host || !parts.has_name {
            self.found.mistake(
                at.place,
                ("`database` 缺少主机或库名", "`database` names no host or no database"),
                ("postgres://用户:密码@主机:5432/库", "postgres://user:password@host:5432/db"),
            );
            return None;
        }
        Some(Database::Postgres { url })
    }

    fn sqlite(&mut self, place: Place, text: &str) -> Option<Database> {
        match text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
            Some(path) if !path.is_empty() && !path.starts_with(':') => Some(Database::Sqlite(self.folder.join(path))),
            _ => {
                self.found.mistake(
                    place,
                    (
                        "`database` 应是 sqlite:文件路径，或 postgres://…",
                        "`database` must be sqlite:PATH or postgres://…",
                    ),
                    (
                        "例如 database: sqlite:wegraf.db，或 database: { env: DATABASE_URL }",
                        "for example database: sqlite:wegraf.db, or database: { env: DATABASE_URL }",
                    ),
                );
                None
            }
        }
    }

    pub(super) fn lease(&mut self, lease: Option<&At<String>>, database: Option<&Database>) -> Duration {
        if let (Some(lease), Some(Database::Sqlite(_))) = (lease, database) {
            self.found.note(
                lease.place,
                (
                    "`lease` 只对 PostgreSQL 有意义：SQLite 文件只被一个进程使用",
                    "`lease` means something with PostgreSQL only: a SQLite file is used by one process",
                ),
                ("删掉这一行", "remove the line"),
            );
        }
        self.duration(lease, "lease", LEASES.0..=LEASES.1).unwrap_or(LEASE)
    }

    pub(super) fn retention(&mut self, file: &File) -> Retention {
        let empty = file::Retention::default();
        let written = value(file.retention.as_ref()).unwrap_or(&empty);
        let record = self.duration(written.record.as_ref(), "retention.record", AGES.0..=AGES.1).unwrap_or(RECORD);
        let asked = self.duration(written.raw.as_ref(), "retention.raw", AGES.0..=AGES.1);
        // A short retention of the record also limits that of raw bodies.
        let raw = asked.unwrap_or(RAW.min(record));
        if raw > record {
            let (shown, most) = (amounts::in_words(raw), amounts::in_words(record));
            self.found.mistake(
                written.raw.as_ref().map(|raw| raw.place).unwrap_or_default(),
                (
                    format!("`retention.raw` 是 {shown}，比 `retention.record`（{most}）长"),
                    format!("`retention.raw` is {shown}, longer than `retention.record` ({most})"),
                ),
                (format!("raw 最多 {most}，或把 record 加长"), format!("make raw at most {most}, or record longer")),
            );
        }
        let alerts = self.duration(written.alerts.as_ref(), "retention.alerts", AGES.0..=AGES.1).unwrap_or(ALERTS);
        Retention { raw, record, alerts, bytes: self.size(written.size.as_ref()) }
    }

    fn size(&mut self, size: Option<&At<String>>) -> Option<u64> {
        let Some((place, text)) = placed(size) else { return Some(BYTES) };
        if text.trim() == "unlimited" {
            return None;
        }
        let bytes = amounts::parse_size(text);
        if bytes.is_none_or(|bytes| bytes < LEAST_BYTES) {
            self.found.mistake(
                place,
                ("`retention.size` 不是大小，或小于 64MB", "`retention.size` is not a size, or less than 64MB"),
                (
                    "整数加 KB、MB、GB 或 TB：512MB、2GB；不限写 unlimited",
                    "a whole number with KB, MB, GB or TB: 512MB, 2GB; or unlimited",
                ),
            );
        }
        bytes
    }
}

fn is_postgres(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// The components of a connection URL, for checks only: the driver parses it itself.
struct Parts {
    has_host: bool,
    has_name: bool,
    has_password: bool,
}

impl Parts {
    fn of(url: &str) -> Self {
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let asks = |key: &str| query.split('&').any(|pair| pair.split_once('=').is_some_and(|(name, _)| name == key));
        Self {
            has_host: !host.is_empty() && !host.starts_with(':') || asks("host"),
            has_name: !name.is_empty() || asks("dbname"),
            has_password: user.contains(':') || asks("password"),
        }
    }
}
