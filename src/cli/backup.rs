//! `wegraf backup` and `wegraf restore`: a copy of the SQLite file while the gateway runs, and the way back.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use jiff::tz::TimeZone;
use serde_json::json;

use super::screen::Screen;
use super::{Misused, Restore, Waiting};
use crate::alert::Timestamp;
use crate::config::{Config, Database};
use crate::store::{Backup, backup};
use crate::time::Clock;
use crate::words::{told, words};

/// Beginning of the names of backups in a folder.
const PREFIX: &str = "wegraf-backup-";
/// An incomplete backup that has not been written to for so long is that of a process that was killed.
const ABANDONED: Duration = Duration::from_hours(1);

/// Copies the database, checks the copy and prints what it holds.
pub async fn run(arguments: super::Backup) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load_to_look()?;
    let path = file_of(&config)?;
    let now = Clock::System.now();
    let folder = match &arguments.to {
        Some(to) if to.is_dir() => Some(to.clone()),
        Some(_) => None,
        None => Some(path.parent().unwrap_or(Path::new(".")).to_owned()),
    };
    if arguments.keep.is_some() && folder.is_none() {
        return Err(Misused(
            words("--keep 要和一个目录一起用：--to 目录", "--keep goes with a folder: --to FOLDER").to_string(),
        )
        .into());
    }
    let to = match (&folder, arguments.to) {
        (Some(folder), _) => folder.join(format!("{PREFIX}{}.db", stamp(now, &config.timezone))),
        (None, Some(file)) => {
            folder_exists(&file)?;
            file
        }
        (None, None) => return Err(Misused(words("--to 是空的", "--to is empty").to_string()).into()),
    };
    let made = backup::backup(path, to.clone(), !arguments.without_tokens).await;
    let made = made.context(words("没有备份", "there is no backup"))?;
    if let Some(folder) = &folder {
        prune(folder, arguments.keep.map_or(usize::MAX, |keep| keep.max(1)), now)
            .context(words("旧备份没有清理", "older backups were not deleted"))?;
    }
    let screen = if arguments.json {
        Screen::json(&described(&made, &to, &config.timezone))
    } else {
        let mut screen = Screen::new();
        screen.lines(format_args!("✓ {}\n{}", to.display(), summary(&made, &config.timezone)));
        screen.lines(words(
            "  里面有告警和访问令牌，只有你能读 (0600)；取回：wegraf restore 文件",
            "  it holds alerts and access tokens, only you can read it (0600); the way back: wegraf restore FILE",
        ));
        screen
    };
    screen.show()?;
    Ok(ExitCode::SUCCESS)
}

/// Puts a backup in the place of the database.
pub async fn restore(arguments: Restore) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load_to_look()?;
    let path = file_of(&config)?;
    let held = backup::look(arguments.backup.clone()).await.context(words("没有取回", "nothing was restored"))?;
    let given_up = match arguments.waiting {
        None if held.waiting > 0 => {
            return Err(Misused(told!("备份里有 {0} 条消息当时还没发出，取回后会再发，其中一些可能早已发过。请选 --waiting send（照发）或 --waiting drop（放弃，记录里写明）", "{0} messages were waiting when the backup was made and would be sent again, some of them perhaps for the second time: choose --waiting send or --waiting drop (given up, with the reason on record)",
                held.waiting).to_string())
            .into());
        }
        Some(Waiting::Drop) => Some(words("从备份取回时放弃", "given up when a backup was restored").recorded()),
        None | Some(Waiting::Send) => None,
    };
    let now = Clock::System.now();
    let aside = aside(&path, now, &config.timezone);
    let former = backup::restore(arguments.backup, path.clone(), aside, given_up, now).await;
    let former =
        former.context(words("没有取回，数据库没有改动", "nothing was restored, the database is as it was"))?;
    let screen = if arguments.json {
        let mut said = described(&held, &path, &config.timezone);
        said["former"] = json!(former);
        Screen::json(&said)
    } else {
        let mut screen = Screen::new();
        screen.lines(format_args!("✓ {}\n{}", path.display(), summary(&held, &config.timezone)));
        if let Some(former) = former {
            screen.lines(told!("  原来的数据库在 {0}", "  the former database is {0}", former.display()));
        }
        screen
    };
    screen.show()?;
    Ok(ExitCode::SUCCESS)
}

/// The file of the configured database.
fn file_of(config: &Config) -> anyhow::Result<PathBuf> {
    match &config.database {
        Database::Sqlite(path) => Ok(path.clone()),
        Database::Postgres { .. } => Err(Misused(
            words("数据库是 PostgreSQL，用它自己的工具：pg_dump --format=custom --file=wegraf.dump \"$DATABASE_URL\"，取回用 pg_restore", "the database is PostgreSQL, which has tools of its own: pg_dump --format=custom --file=wegraf.dump \"$DATABASE_URL\", and pg_restore for the way back").to_string(),
        )
        .into()),
    }
}

fn summary(held: &Backup, zone: &TimeZone) -> String {
    let Backup { bytes, schema, messages, newest, waiting } = held;
    let newest = newest.map_or_else(|| "—".to_owned(), |at| shown(at, zone, "%Y-%m-%d %H:%M:%S %Z"));
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let megabytes = *bytes as f64 / 1e6;
    told!(
        "  {megabytes:.1} MB，结构 {schema}，{messages} 条消息，最新的在 {newest}，{waiting} 条还没发出",
        "  {megabytes:.1} MB, schema {schema}, {messages} messages, the newest of {newest}, {waiting} not sent yet"
    )
    .to_string()
}

fn described(held: &Backup, file: &Path, zone: &TimeZone) -> serde_json::Value {
    let Backup { bytes, schema, messages, newest, waiting } = held;
    let newest = newest.map(|at| shown(at, zone, "%Y-%m-%dT%H:%M:%S%:z"));
    json!({ "file": file, "bytes": bytes, "schema": schema, "messages": messages, "newest": newest, "waiting": waiting })
}

/// A moment as a part of a name that sorts by time, in the zone of the configuration.
pub(super) fn stamp(at: Timestamp, zone: &TimeZone) -> String {
    shown(at, zone, "%Y%m%d-%H%M%S")
}

fn shown(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    moment.to_zoned(zone.clone()).strftime(form).to_string()
}

/// The folder of a file that is to be made; an error if there is none.
pub(super) fn folder_exists(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), told!("没有目录 {}", "there is no folder {}", folder.display()));
    Ok(())
}

/// Where the former database is put: a name that is free also where another one was put aside in the same second.
fn aside(path: &Path, now: Timestamp, zone: &TimeZone) -> PathBuf {
    let first = named(path, &format!(".before-restore-{}", stamp(now, zone)));
    let others = (2..).map(|number| named(&first, &format!("-{number}")));
    let mut names = std::iter::once(first.clone()).chain(others);
    names.find(|name| !name.exists()).unwrap_or_else(|| first.clone())
}

fn named(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Deletes all but the newest backups of a folder, whose names sort by time, and what killed ones left incomplete.
fn prune(folder: &Path, keep: usize, now: Timestamp) -> std::io::Result<()> {
    let (mut whole, mut surplus) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) {
            continue;
        }
        if name.strip_suffix(".db").is_some() {
            whole.push(name);
        } else if name.contains(".db.part") {
            let written = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            if written + ABANDONED < Duration::from_millis(now.0.unsigned_abs()) {
                surplus.push(name);
            }
        }
    }
    whole.sort_unstable();
    surplus.extend(whole.into_iter().rev().skip(keep));
    surplus.iter().try_for_each(|name| std::fs::remove_file(folder.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_configured_zone_and_free_within_one_second() {
        let folder = tempfile::tempdir().unwrap();
        let (path, now) = (folder.path().join("w.db"), Timestamp(1_800_000_000_000));
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(stamp(now, &zone), "20270115-160000");
        for name in ["", "-2", "-3"] {
            let free = aside(&path, now, &zone);
            assert_eq!(free, folder.path().join(format!("w.db.before-restore-20270115-160000{name}")));
            std::fs::write(free, "").unwrap();
        }
    }

    #[test]
    fn of_a_folder_older_backups_and_abandoned_parts_are_deleted_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp(1_800_000_000_000);
        for (name, hours) in [
            ("wegraf-backup-20260101-000000.db", 48),
            ("wegraf-backup-20260102-000000.db", 24),
            ("wegraf-backup-20260103-000000.db", 0),
            ("wegraf-backup-20260101-120000.db.part", 36),
            ("wegraf-backup-20260101-120000.db.part-journal", 36),
            ("wegraf-backup-20260103-000001.db.part", 0),
            ("another.db.part", 36),
        ] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            let age = hours * Duration::from_hours(1);
            file.set_modified(UNIX_EPOCH + Duration::from_hours(500_000) - age).unwrap();
        }
        prune(folder.path(), 2, now).unwrap();
        let left = std::fs::read_dir(folder.path()).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort_unstable();
        let whole = ["wegraf-backup-20260102-000000.db", "wegraf-backup-20260103-000000.db"];
        assert_eq!(left, ["another.db.part", whole[0], whole[1], "wegraf-backup-20260103-000001.db.part"]);
    }
}
