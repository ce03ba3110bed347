//! Converts files from before the database could shrink, once, at a start.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::files::{bytes, space};
use super::lock::beside;
use super::{connect, draft, explain, inspect, place, refused};
use crate::store::{Retry, Room, StoreError};

/// Largest database that is rewritten while senders wait (some seconds). A larger one stays as it is: the log says how
/// an operator converts it.
const CONVERTED_BYTES: i64 = 512 << 20;

/// Can free pages be returned?
pub(super) fn can_shrink(connection: &Connection) -> rusqlite::Result<bool> {
    connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0)).map(|mode| mode != 0)
}

/// Space and shrinkability of a file, even while another process holds it; `None` if there is none yet.
pub(super) fn room(path: &Path) -> Result<Option<Room>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    inspect(path)?;
    let bytes = bytes(path).map_err(|error| refused(path, &error))?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let can_shrink = can_shrink(&connection).map_err(|error| explain(path, error.into()))?;
    let space = space(path).map_err(|error| refused(path, &error))?;
    Ok(Some(Room { bytes, can_shrink, space }))
}

/// Rewrites an old file that is not too large, so that it can shrink. A copy replaces it by a rename: a crash leaves
/// the old file or the new one. After a failure the old one stays in use.
pub(super) fn convert(connection: Connection, path: &Path) -> Result<Connection, StoreError> {
    if can_shrink(&connection)? {
        return Ok(connection);
    }
    let figure = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = (figure("page_count")? - figure("freelist_count")?) * figure("page_size")?;
    if bytes > CONVERTED_BYTES {
        tracing::warn!(
            bytes,
            "The database file cannot shrink and is too large to be converted at a start. To convert it, stop wegraf and run: sqlite3 FILE 'PRAGMA auto_vacuum=2; VACUUM'"
        );
        return Ok(connection);
    }
    // The target of a symbolic link is replaced, not the link.
    let place_of = std::fs::canonicalize(path).map_err(|error| refused(path, &error))?;
    match copied(&connection, &place_of) {
        Ok(()) => {}
        Err(error) => {
            tracing::warn!(%error, "The database file cannot shrink: it could not be converted. The next start tries again.");
            let _ = std::fs::remove_file(beside(&place_of, ".new"));
            return Ok(connection);
        }
    }
    connection.close().map_err(|(_, error)| explain(path, error.into()))?;
    // A log that another program keeps open would be taken for the new file's.
    if std::fs::metadata(beside(&place_of, "-wal")).is_ok_and(|log| log.len() > 0) {
        tracing::warn!("The database file was not converted: another program has it open. The next start tries again.");
    } else {
        place(&beside(&place_of, ".new"), &place_of)?;
        tracing::info!(bytes, "The database file was converted; it shrinks with what is pruned from now on.");
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // The first read creates the log.
    connection
        .query_row("SELECT count(*) FROM migration", [], |_| Ok(()))
        .map_err(|error| explain(path, error.into()))?;
    Ok(connection)
}

/// Copies everything to a draft and syncs it.
fn copied(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let moved: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if moved != 0 {
        return Err(StoreError::Retry(Retry::Busy));
    }
    let draft = draft(path)?;
    connection.execute("VACUUM INTO ?1", [draft.to_string_lossy()])?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(|error| refused(&draft, &error))
}
