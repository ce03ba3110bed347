//! Copies of the database file: a backup while it is in use, and the file that a backup replaces.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::lock::{Lock, beside, private};
use super::{check, connect, explain, inspect, refused};
use crate::alert::Timestamp;
use crate::store::migrate::{self, SQLITE};
use crate::store::words;
use crate::store::{Backup, StoreError};

/// Copies the database into `to`, also beside the process that holds it: `to` is whole or absent, also after a crash. One
/// snapshot is copied; the writer goes on meanwhile. `tokens`: also the access tokens of WeCom.
pub(in crate::store) fn backup(path: &Path, to: &Path, tokens: bool) -> Result<Backup, StoreError> {
    inspect(path)?;
    if to.try_exists().map_err(|error| refused(to, &error))? {
        return Err(StoreError::refused(to, words::EXISTS));
    }
    let part = Part::of(to);
    copy(path, &part)?;
    if !tokens {
        let connection = writable(&part)?;
        connection
            .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON; DELETE FROM token; VACUUM")?;
    }
    let backup = look(&part)?;
    settle(&part, to)?;
    Ok(backup)
}

/// The name of a file while it is written: `backup.db.part`. Where the work on it fails, the file is deleted: it may be
/// what filled the disk. A process that is killed leaves it.
struct Part(PathBuf);

impl Part {
    fn of(to: &Path) -> Self {
        Self(beside(to, ".part"))
    }
}

impl std::ops::Deref for Part {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // A complete file has its own name by now.
        for suffix in ["", "-wal", "-shm", "-journal"] {
            drop(std::fs::remove_file(beside(&self.0, suffix)));
        }
    }
}

/// Writes one snapshot into a file that only its owner can read.
pub(super) fn copy(path: &Path, part: &Path) -> Result<(), StoreError> {
    // SQLite accepts a file that exists if it is empty; one that it made would be readable by others.
    private().write(true).create(true).truncate(true).open(part).map_err(|error| refused(part, &error))?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let name = part.to_str().ok_or_else(|| StoreError::refused(part, words::NOT_UTF8))?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(|error| explain(part, error.into()))?;
    Ok(())
}

/// What a copy holds. Refuses one that is not sound, or that a newer program wrote.
pub(in crate::store) fn look(path: &Path) -> Result<Backup, StoreError> {
    let bytes = inspect(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    check(&connection, path)?;
    let schema = migrate::version(&connection).map_err(|error| explain(path, error.into()))?;
    let known = i64::try_from(SQLITE.len()).unwrap_or(i64::MAX);
    if schema > known {
        return Err(StoreError::newer(path, schema, known));
    }
    let sql = "SELECT count(*), max(created_at), count(*) FILTER (WHERE settled_at IS NULL) FROM message";
    let counted = connection.query_row(sql, [], |row| {
        let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let newest = row.get::<_, Option<i64>>(1)?.map(Timestamp);
        Ok(Backup { bytes, schema, messages: number(0)?, newest, waiting: number(2)? })
    });
    counted.map_err(|error| explain(path, error.into()))
}

/// Puts a backup in the place of the database; returns where the former one was put. Refuses while a process holds it.
/// `given_up`: why what waits in it is not sent, if it is not.
pub(in crate::store) fn restore(
    backup: &Path,
    path: &Path,
    aside: &Path,
    given_up: Option<&str>,
    now: Timestamp,
) -> Result<Option<PathBuf>, StoreError> {
    look(backup)?;
    let _lock = Lock::take(path)?;
    let part = Part::of(path);
    private().write(true).create(true).truncate(true).open(&*part).map_err(|error| refused(&part, &error))?;
    std::fs::copy(backup, &*part).map_err(|error| refused(&part, &error))?;
    // The copy has the mode of the backup.
    owner_only(&part)?;
    if let Some(reason) = given_up {
        drop_waiting(&part, reason, now)?;
    }
    look(&part)?;
    let former = path.try_exists().map_err(|error| refused(path, &error))?;
    if former {
        put_aside(path, aside)?;
    }
    settle(&part, path)?;
    Ok(former.then(|| aside.to_owned()))
}

/// Gives the former database a second name. Its log must not lie beside the new file: SQLite would read it as the new
/// one's.
fn put_aside(path: &Path, aside: &Path) -> Result<(), StoreError> {
    if let Ok(connection) = writable(path) {
        // Moves the log into the file. A damaged file keeps its log.
        let _: Result<i64, _> = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    }
    // Before its log is moved: where this fails, the database is as it was.
    std::fs::hard_link(path, aside).map_err(|error| refused(aside, &error))?;
    for suffix in ["-wal", "-shm"] {
        let (log, kept) = (beside(path, suffix), beside(aside, suffix));
        match std::fs::rename(&log, &kept) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(refused(&log, &error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn writable(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| explain(path, error.into()))
}

fn owner_only(path: &Path) -> Result<(), StoreError> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, mode).map_err(|error| refused(path, &error))
}

/// Syncs a complete file and gives it its name.
fn settle(part: &Path, to: &Path) -> Result<(), StoreError> {
    for leftover in ["-wal", "-shm", "-journal"] {
        // A reader of the part may have left an empty one.
        drop(std::fs::remove_file(beside(part, leftover)));
    }
    File::open(part).and_then(|file| file.sync_all()).map_err(|error| refused(part, &error))?;
    super::place(part, to)
}

/// Keeps a copy of a database that is about to be migrated, for the way back: `wegraf.db.before-12`. Copies of earlier
/// migrations are deleted. Without the space for it the migration goes on.
pub(super) fn before_migration(path: &Path, found: i64, known: i64) {
    let kept = beside(path, &format!(".before-{known}"));
    if kept.exists() {
        return;
    }
    let part = Part::of(&kept);
    let copied = copy(path, &part).and_then(|()| settle(&part, &kept));
    if let Err(error) = copied {
        tracing::warn!(%error, "No copy of the database is kept before its schema changes: there is no way back.");
        return;
    }
    for older in 1..known {
        drop(std::fs::remove_file(beside(path, &format!(".before-{older}"))));
    }
    tracing::info!(
        from = found,
        to = known,
        copy = %kept.display(),
        "The schema changes; a copy from before is kept. To go back: stop wegraf, `wegraf restore` the copy with the older program."
    );
}

/// Gives up what waits in a copy, with the reason in the record.
fn drop_waiting(part: &Path, reason: &str, now: Timestamp) -> Result<(), StoreError> {
    let mut connection = writable(part)?;
    migrate::migrate(&mut connection, part, SQLITE, now).map_err(|error| explain(part, error))?;
    let transaction = connection.transaction()?;
    transaction.execute(
        "UPDATE transition SET fate = 'dead', reason = ?1
         WHERE fate = 'pending' AND message_id IN (SELECT id FROM message WHERE settled_at IS NULL)",
        [reason],
    )?;
    let sql = "UPDATE message SET state = 'dead', settled_at = ?2, error = ?1 WHERE settled_at IS NULL";
    transaction.execute(sql, params![reason, now.0])?;
    transaction.commit()?;
    // Only the main file is renamed.
    let _: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    connection.close().map_err(|(_, error)| explain(part, error.into()))
}
